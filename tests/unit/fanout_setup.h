/* fanout_setup - what the tests of the fan-out share: a topic that the test fills, over a fake
 * consumer and a fake loop, and clients on real sockets. */
#ifndef SKF_UNIT_FANOUT_SETUP_H
#define SKF_UNIT_FANOUT_SETUP_H

#include "base/log.h"
#include "fake_consumer.h"
#include "fake_loop.h"
#include "stream/fanout.h"
#include "support.h"

enum { KEEPALIVE_MS = 15000, FLUSH_MS = 10, RETENTION_MS = 60000 };

/* -- the fan-out; setup() makes one anew for each test -- */

extern struct consumer consumer;
extern struct loop *loop;
extern struct fanout *fanout;
extern struct consumer_handler topic;
extern int64_t flush_ms; /* of the next fan-out */

void start_with(enum event_id form, size_t cache_bytes);
int setup(void **state);
int teardown(void **state);

/* -- the topic -- */

/* All that was handed on is taken in. */
void settle(void);
void make_topic(bool compacted, int32_t partitions);
/* Handed on at once, if the consumer is not held. */
void produce(int32_t partition, const char *key, const char *value);
/* And flushed. */
void produce_live(int32_t partition, const char *key, const char *value);
/* n records of 1000 bytes, of so many keys in turn. */
void produce_kilobytes(int n, int keys);
/* Its leader does not answer any more, or there is none. */
void give_up(int32_t partition);
/* It does again: that is where the partition ends. */
void come_back(int32_t partition, int64_t end);
void survey(void);

/* -- clients -- */

struct client {
    int fd;
    struct stream *stream; /* until it ends */
    struct buf bytes;      /* received, not yet looked at */
    bool closed;
};

/* In the middle of a turn; the others settle. */
struct client open_unsettled(uint16_t id, const char *last_event_id);
/* As that says, but for the head. */
struct client open_unsettled_as(uint16_t id, const struct opening *how);
struct client open_as(const struct opening *how);
struct client open_with(uint16_t id, const char *last_event_id);
struct client open_client(const char *last_event_id);
/* One that selects these keys, with blanks between. */
struct client open_keys(uint16_t id, const char *last_event_id, const char *keys);
void leave(struct client *c);

/* Reads on until nothing more comes.  The text since the last call, without the head. */
struct output receive(struct client *c);
void check_text(struct client *c, const char *expected);
/* Only the data, blank between events; `*` for a comment, TYPE: for events with one. */
void check_data(struct client *c, const char *expected);
size_t count_events(struct client *c);

void hold(struct client *c);
void let_go(struct client *c);
void say(struct client *c, const char *text);

#endif

/* backlog - the newest events, encoded once, for all streams that keep up.
 *
 * A chain of blocks of whole events.  A stream's place is a block and the number of its bytes that
 * the stream has sent: sharing costs a stream 16 bytes, however much is under way.
 *
 *      oldest                              newest
 *     [ e1 e2 e3 ]->[ e4 e5 ... ]->[ e8 e9|       <- backlog_add()
 *           ^ a slow stream's place        ^ the place of all who have everything
 *
 * The chain is bounded.  When the oldest block must go, its owner is told first and moves the
 * streams that are still on it: they go on from the cache, and keep the rest of the event that is
 * under way.  Blocks are counted, so that many may keep the same rest. */
#ifndef SKF_STREAM_BACKLOG_H
#define SKF_STREAM_BACKLOG_H

#include <sys/queue.h>
#include <sys/uio.h>

#include "stream/rest.h"
#include "topic/event.h"

struct backlog;

/* Not counted: a place is valid until its block is dropped. */
struct place {
    struct block *block;
    size_t sent;
};

/* Several backlogs that are bounded together: while they have more, the largest gives its oldest
 * block.  The newest of each stays, unless it is large; the one that grows keeps its own. */
struct backlogs {
    size_t max_bytes;
    TAILQ_HEAD(, backlog) all;
};
void backlogs_init(struct backlogs *together, size_t max_bytes);

/* on_drop(arg, block) is called before a block goes; afterwards no place may be on it.  `together`
 * (NULL: it is bounded by itself alone) is borrowed. */
struct backlog *backlog_new(struct backlogs *together, size_t max_bytes,
                            void (*on_drop)(void *arg, struct block *block), void *arg);
void backlog_free(struct backlog *b);

/* Of its events, and what belongs to them. */
size_t backlog_bytes(const struct backlog *b);

/* Forgets all events; what comes next has this number and follows this progress (copied). */
void backlog_reset(struct backlog *b, uint64_t number, const struct progress *at);

/* What comes next has this number and follows this progress, whatever came in between without being
 * added.  No place may be in the backlog; items may. */
void backlog_skip(struct backlog *b, uint64_t number, const struct progress *at);

/* Adds the event of a record; `at` is the progress with it.  A record that is no event only
 * passes (backlog_pass()).  How many bytes it has. */
size_t backlog_add(struct backlog *b, const struct shape *shape, uint64_t number,
                   const struct progress *at, const struct record *r);

/* Drops the oldest blocks beyond the limit: after each backlog_add(). */
void backlog_trim(struct backlog *b);

/* The partition's place moved without an event: ids of events that are added from now on say so. */
void backlog_pass(struct backlog *b, int32_t partition, int64_t next);

/* The place of a stream that has everything. */
struct place backlog_end(const struct backlog *b);

/* What is to be sent from a place on: fills at most `max` of iov, returns how many. */
int backlog_iov(const struct place *at, struct iovec *iov, int max);
/* n of these bytes were sent. */
void backlog_advance(struct place *at, size_t n);

/* The bytes of the event under way that are not sent yet: none at an event's start. */
struct slice backlog_rest(const struct place *at);
/* Keeps them in an empty rest: by reference where the event is the larger part of its block and
 * much of it is left, else as a copy. */
void backlog_keep_rest(const struct place *at, struct rest *rest);
/* How many events were ever added before the place, the one under way included. */
uint64_t backlog_event(const struct place *at);
/* The number of the record behind the event under way, and the progress with it. */
uint64_t backlog_number(const struct place *at);
void backlog_progress(const struct place *at, struct progress *out);

#endif

/* reader_setup - what the tests of the reader share: a topic that the test fills, and readers that
 * are pulled as a socket would: as many bytes at a time as the test says. */
#ifndef SKF_UNIT_READER_SETUP_H
#define SKF_UNIT_READER_SETUP_H

#include <string.h>

#include "stream/reader.h"
#include "support.h"

enum { RETENTION_MS = 1000, MUCH = 1 << 30, BACKLOG_BYTES = 1 << 20, OTHER_ID = 0x1234 };

extern struct source source;
/* How often something came for a reader that picks. */
extern int due;
/* How many records nobody wanted. */
extern int unwanted;

/* A topic anew, in a cache of so many bytes; the test's readers are forgotten. */
void make(bool compacted, int32_t partitions, size_t max_bytes);
int teardown(void **state);

/* A record of the cache, to the backlog. */
void publish(uint64_t number, const struct record *r);
/* Into the cache and the backlog; returns its number. */
uint64_t append(int32_t partition, const char *key, const char *value);
/* A record of a kilobyte. */
void append_kilobyte(const char *key);
/* The broker holds nothing below that offset. */
void set_origin(int32_t partition, int64_t origin);
/* Deletes are kept no longer. */
void forget_deletes(void);

/* One that begins now, and is told when its block is dropped. */
struct reader *begin(uint16_t request_id, const char *id);
/* One that selects these keys, with blanks between (NULL: everything); one that only waits. */
struct reader *wait_keys(uint16_t request_id, const char *id, const char *keys);
struct reader *begin_keys(uint16_t request_id, const char *id, const char *keys);
struct reader *fresh(void);
struct reader *resumed(int64_t next0, int64_t next1);

/* One pull, of which at most `room` bytes are sent; these are added to `bytes`.  False: there was
 * nothing to send now, and is nothing at once. */
bool pull(struct reader *r, size_t room, struct buf *bytes);
/* All that there is. */
void pull_all(struct reader *r, struct buf *bytes);
/* Likewise, and nobody looks at it. */
void skip_all(struct reader *r);

/* All that there is: the very text; or the events as `TYPE:data`, the type left out where there is
 * none. */
void check_text(struct reader *r, const char *expected);
void check_events(struct reader *r, const char *expected);

#endif

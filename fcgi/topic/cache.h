/* cache - the topic in memory: a log of records, compacted by (partition, key) if the topic is.
 *
 * Records get rising numbers in the order in which they were read, over all partitions.  Readers
 * hold such numbers, never pointers into the log (topic/segments.h), so it can be compacted under
 * them.
 *
 *   log           0 1 . 3 . . 6 7 8 9 10 <- append      . = superseded, gone
 *                           ^ a reader's number, 6
 *   key index     (partition, key) -> newest record
 *   per partition origin <= ... <= next, the horizon of deletes, what was lost to the limit
 *
 * A key whose newest record the broker has dropped by age is deleted: its record gives way to an
 * *aged* one at the log's end, which is a delete without an offset of its own.
 *
 * What may take long is put off and done by cache_tidy(), a bounded piece at a time: to drop what
 * the broker has dropped, deletes whose time is over, what is beyond the limit, and a whole topic
 * that was made again. */
#ifndef SKF_TOPIC_CACHE_H
#define SKF_TOPIC_CACHE_H

#include "base/record.h"
#include "topic/segments.h"

struct cache;

/* An empty cache that drops its oldest records beyond max_bytes. */
struct cache *cache_new(size_t max_bytes);
void cache_free(struct cache *c);

/* Forgets all records and partitions, and what kind of topic it was; numbers go on rising.
 * Tombstones are kept for delete_retention_ms after they were read. */
void cache_reset(struct cache *c, bool compacted, int64_t delete_retention_ms);
/* The tombstones that come from now on are kept for another time, but not less long than those that
 * came before.  What the log has dropped until now was kept for no longer than before. */
void cache_set_retention(struct cache *c, int64_t delete_retention_ms, int64_t now_ms);
bool cache_compacted(const struct cache *c);

/* The topic has n partitions now; never fewer than before. */
void cache_set_partitions(struct cache *c, int32_t n);

/* The broker holds nothing below that offset of the partition: what the cache holds of it goes,
 * with the next calls of cache_tidy(). */
void cache_set_origin(struct cache *c, int32_t partition, int64_t origin);

/* Takes in a record (copied) at its partition's end and returns its number; one with neither key
 * nor value is not kept.  now_ms: for the keeping of tombstones; wall_ms: to compare with
 * timestamps.
 */
uint64_t cache_append(struct cache *c, const struct record *r, int64_t now_ms, int64_t wall_ms);

/* No record will come below `next`: the broker said that its log ends there. */
void cache_advance(struct cache *c, int32_t partition, int64_t next, int64_t now_ms,
                   int64_t wall_ms);
/* At that time (of the clock of `now_ms`) the log had nothing that is not in the cache. */
void cache_ended(struct cache *c, int32_t partition, int64_t at_ms);
/* To be called when it is made, and once a second: which partitions are being read? */
void cache_look(struct cache *c, int64_t now_ms);

/* It was away from a partition for longer than deletes are kept, and something is gone: it may hold
 * keys that are deleted, and has to be filled anew.  What shows that is not taken in: whoever was
 * given all stays before it. */
bool cache_outdated(const struct cache *c);

/* Does a piece of what was put off; it takes a few milliseconds at most.  True if more is left.
 * Records may be appended: the keys that have aged. */
bool cache_tidy(struct cache *c, int64_t now_ms);
/* Something was put off, beside deletes whose time is over. */
bool cache_untidy(const struct cache *c);

/* The number that the next record will get. */
uint64_t cache_end(const struct cache *c);
/* Per partition the offset of the next record. */
const struct progress *cache_progress(const struct cache *c);
/* Where a fresh stream starts each partition. */
void cache_start(const struct cache *c, struct progress *out);
/* A number at which everything begins that `from` has not seen; some of what it has seen may
 * follow.  The time does not grow with the cache. */
uint64_t cache_seek(const struct cache *c, const struct progress *from);

/* The number of the newest record of that key, if the topic is compacted; 0: there is none. */
uint64_t cache_newest(const struct cache *c, int32_t partition, struct slice key);

/* The first aged record of the last five to ten minutes; UINT64_MAX: there was none.  The
 * responders of a pool see a log's start move at different moments: who resumes is shown these
 * wherever he is.
 */
uint64_t cache_recent_aged(const struct cache *c);

/* The offset below which the broker holds nothing; OFFSET_BEGINNING: not known yet. */
int64_t cache_origin(const struct cache *c, int32_t partition);
/* The delete horizon: a reader whose next offset is lower may have missed a delete. */
int64_t cache_horizon(const struct cache *c, int32_t partition);
/* A log that is compacted and does not begin at 0 any more has dropped keys by age, some of them
 * before this cache could read which: a reader whose next offset is lower, and who was not given it
 * by this cache, may hold some that nobody can name.  Others see a log's start move at other
 * moments, so this rises with what is read, until the end that was read some minutes later.
 * OFFSET_BEGINNING, if that was found at a number below `since`. */
int64_t cache_unnamed(const struct cache *c, int32_t partition, uint64_t since);
/* The number of the newest record that was dropped although it was the newest of its key and no
 * reader can be told so: a delete whose time was over, or a record without a key that the broker no
 * longer has. */
uint64_t cache_last_forgotten(const struct cache *c);
/* The offset below which records were dropped that a reader must hear of as a gap: for the limit,
 * and, if the topic is not compacted, by the broker. */
int64_t cache_lost(const struct cache *c, int32_t partition);
/* Changes whenever one of the three above does. */
uint64_t cache_losses(const struct cache *c);

/* The topic is compacted and did not fit in: some newest records were dropped for the limit. */
bool cache_overflowed(const struct cache *c);
size_t cache_limit(const struct cache *c);

size_t cache_count(const struct cache *c);
/* Keys known, the deleted ones included for as long as that is remembered; 0 if not compacted. */
size_t cache_keys(const struct cache *c);
size_t cache_bytes(const struct cache *c);

/* A walk over [pos, limit); valid until the cache changes.  The record is borrowed likewise. */
struct cache_walk {
    struct segments_walk segments;
    uint64_t limit;
};
struct cache_walk cache_walk(const struct cache *c, uint64_t pos, uint64_t limit);
bool cache_walk_next(struct cache_walk *w, struct record *r, uint64_t *number);
/* The other way: the last record whose number is below that. */
bool cache_previous(const struct cache *c, uint64_t below, struct record *r, uint64_t *number);

#endif

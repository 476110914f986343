/* segments - the cache's log: entries under rising numbers, in runs of slots.  No policy here: what
 * is kept, superseded or lost is the cache's.
 *
 *     [ . . . 3 ][ 5 . 6 7 ][ 8 9 10 ]<- append          . = a hole: the entry was taken out
 *             ^ first                                     4 never had one
 *
 * A segment with too many holes is rewritten without them, so slots carry their numbers.  Holes at
 * the very front are not counted: a log that is eaten from there loses whole segments. */
#ifndef SKF_TOPIC_SEGMENTS_H
#define SKF_TOPIC_SEGMENTS_H

#include "topic/entry.h"
#include "topic/progress.h"

struct segments;

enum { SEGMENTS_ENTRY_COST = 16 }; /* bytes that an entry takes in the log */

struct segments *segments_new(void);
/* Frees the entries, too. */
void segments_free(struct segments *log);

/* Appends e (taken over) under a number that is above all others; `at` is the progress before it.
 * From now on e knows its place. */
void segments_append(struct segments *log, uint64_t number, struct entry *e,
                     const struct progress *at);
/* Takes e out; it is the caller's again. */
void segments_remove(struct segments *log, struct entry *e);
uint64_t segments_number(const struct entry *e);

/* The oldest entry, or NULL. */
struct entry *segments_first(struct segments *log);

/* A number at or below that of each entry of the partition whose offset is not below `next`, at
 * most a segment off; UINT64_MAX if the log is empty. */
uint64_t segments_seek(const struct segments *log, int32_t partition, int64_t next);
/* A number above that of each entry of the partition whose offset is below `next`. */
uint64_t segments_seek_end(const struct segments *log, int32_t partition, int64_t next);

/* A piece of the log, [at, end), that is gone through while the log changes; `{0}` is done. */
struct segments_sweep {
    uint64_t at, end;
    size_t segment, slot; /* where `at` was found last */
};
/* The next entry whose offset is below that of its partition in `origin`, or NULL; at most *steps
 * slots are looked at, and counted down.  The sweep moves behind the entry, and to its end when
 * there is none left. */
struct entry *segments_below(const struct segments *log, const struct progress *origin,
                             struct segments_sweep *sweep, size_t *steps);

/* A walk from a number on; valid until the log changes. */
struct segments_walk {
    const struct segments *log;
    size_t segment, slot;
};
struct segments_walk segments_walk(const struct segments *log, uint64_t from);
/* The next entry below `limit`, or NULL. */
struct entry *segments_next(struct segments_walk *w, uint64_t limit, uint64_t *number);

/* The last entry whose number is below that, or NULL. */
struct entry *segments_previous(const struct segments *log, uint64_t below, uint64_t *number);

/* Moves all entries of `from` to the end of `to`, which only segments_free_some() may look at. */
void segments_discard(struct segments *to, struct segments *from);
/* Frees a segment with its entries; false if there was none. */
bool segments_free_some(struct segments *log);
bool segments_empty(const struct segments *log);

#endif

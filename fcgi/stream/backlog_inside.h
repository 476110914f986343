/* backlog_inside - a block of the backlog, as the backlog and its items (stream/items.h) see it. */
#ifndef SKF_STREAM_BACKLOG_INSIDE_H
#define SKF_STREAM_BACKLOG_INSIDE_H

#include "stream/items.h"

/* Where an event ends, and the record it came from.  An event has more bytes than its mark, so the
 * limit on those bounds both. */
struct mark {
    size_t end;
    uint64_t number;
    int64_t next; /* of the partition, behind the record */
    int32_t partition;
    uint32_t tag_at; /* of the event's bytes */
};

/* The mark of an item. */
struct note {
    uint32_t mark;
    struct item newer;
    uint64_t moves;
};

/* A partition's place that moved without an event (a transaction's marker, a record that is none):
 * the ids of the events behind `end` include it. */
struct pass {
    size_t end;
    int64_t next;
    int32_t partition;
};

struct block {
    TAILQ_ENTRY(block) link;
    unsigned refs;         /* the chain's, and those of rests */
    struct shared *shared; /* that knows it; NULL: none does */
    uint64_t number;       /* of the first record that is not before the block */
    uint64_t event;        /* how many were added before it */
    struct progress start; /* before it */
    struct buf bytes;
    struct mark *marks; /* one for each event */
    size_t n, cap;
    struct pass *passes; /* between two events at most one for each partition */
    size_t pass_n, pass_cap;
    struct note *notes;
    size_t note_n, note_cap;
    struct picker_list waiting;
};

/* With one reference, the caller's. */
struct block *block_new(void);
void block_unref(struct block *block);

/* The progress with the first n events, and what passed up to that byte. */
void block_progress(const struct block *block, size_t n, size_t sent, struct progress *out);
/* Where the event of that mark begins. */
size_t block_event_start(const struct block *block, size_t mark);
/* Keeps what is left of that event from a byte on.  If that is most of its block, the block costs
 * little more than the event would, and is kept in its place. */
void block_keep_rest(struct block *block, size_t mark, size_t from, struct rest *rest);

#endif

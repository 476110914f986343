/* chunk - whole events out of the cache, made for one reader, with where each of them ends.
 *
 * One struct serves all readers, one after the other. */
#ifndef SKF_STREAM_CHUNK_H
#define SKF_STREAM_CHUNK_H

#include "stream/keyed.h"
#include "stream/rest.h"
#include "topic/event.h"

enum {
    CHUNK_NO_PARTITION = -1,   /* of a mark: no place moves */
    CHUNK_ALL_PARTITIONS = -2, /* each is where `shown` says */
};

/* Behind a record. */
struct chunk_mark {
    size_t end;   /* of its event, if it has one */
    uint64_t pos; /* its number + 1 */
    int64_t next; /* where its partition is */
    int32_t partition;
    uint32_t events; /* so far */
};

/* `{0}` is an empty one. */
struct chunk {
    struct buf bytes;
    struct progress start;
    struct progress shown;
    struct chunk_mark *marks;
    size_t n, cap;
    unsigned gaps;        /* `gap` events among them */
    unsigned events;      /* all of them */
    bool whole;           /* the id of the last one says all that was passed over, too */
    struct keyed keyed;   /* records of selected keys */
    struct shared shared; /* among readers that were cut in the same event */
};

void chunk_clear(struct chunk *chunk);
void chunk_fini(struct chunk *chunk);
/* What a reader gets of it has gone: memory that a large event took is given back. */
void chunk_give_back(struct chunk *chunk);

/* Behind what was put into it last. */
void chunk_add_mark(struct chunk *chunk, uint64_t pos, int32_t partition, int64_t next);

#endif

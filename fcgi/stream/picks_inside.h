/* picks_inside - what waits for whom: for picks.c, which gives it, and picks_join.c, by which
 * readers come and go. */
#ifndef SKF_STREAM_PICKS_INSIDE_H
#define SKF_STREAM_PICKS_INSIDE_H

#include "stream/picks.h"

struct pick {
    struct wish wish;
    struct block *block; /* of the item that it waits for; NULL: nothing waits */
    uint32_t at;         /* likewise */
    uint32_t index : 31; /* among its picker's */
    uint32_t sole : 1;   /* it is the only one */
    struct pick *next;   /* of the picker's that wait */
};

struct picker {
    LIST_ENTRY(picker) link; /* while something waits: in the block of the first */
    struct reader *reader;
    struct pick *first;  /* that wait, by event */
    uint64_t seen;       /* of the source's moves: nothing up to it is due to it */
    struct pick picks[]; /* one for each key of the selection */
};

static inline struct pick *pick_of(struct wish *wish)
{
    return (struct pick *)wish; /* its first member */
}

/* Its first is about to be another. */
static inline void picker_unlist(struct picker *picker)
{
    if (picker->first != NULL)
        LIST_REMOVE(picker, link);
}

/* Nothing waits for it any more. */
static inline void pick_stop(struct pick *pick)
{
    pick->wish.want->waiting -= pick->block != NULL;
    pick->block = NULL;
}

#endif

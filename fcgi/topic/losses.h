/* losses - what the cache has lost of the topic, as far as readers must be told of it.  Pure. */
#ifndef SKF_TOPIC_LOSSES_H
#define SKF_TOPIC_LOSSES_H

#include <stdint.h>

/* Of one partition; OFFSET_BEGINNING: nothing. */
struct loss {
    int64_t horizon; /* a reader below it may have missed a delete */
    int64_t lost;    /* a reader below it is told of a gap */
};

/* `{0}` is none, of no partitions. */
struct losses {
    uint64_t changes;   /* rises whenever something else here does */
    uint64_t forgotten; /* see cache_last_forgotten() */
    int32_t n;
    struct loss *of; /* by partition */
};

void losses_fini(struct losses *l);

/* All partitions are forgotten, and so are all records below that number. */
void losses_reset(struct losses *l, uint64_t number);
/* There are n partitions, never fewer than before. */
void losses_set_partitions(struct losses *l, int32_t n);

/* Deletes below that offset are not known any more. */
void losses_hide_deletes(struct losses *l, int32_t partition, int64_t offset);
/* Records below that offset are not there any more. */
void losses_lose(struct losses *l, int32_t partition, int64_t offset);
/* The record of that number, which may have been the newest of its key, is gone without a word. */
void losses_forget(struct losses *l, uint64_t number);

#endif

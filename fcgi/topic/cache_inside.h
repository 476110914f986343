/* cache_inside - what the cache is made of: for cache.c, which fills it, and cache_read.c. */
#ifndef SKF_TOPIC_CACHE_INSIDE_H
#define SKF_TOPIC_CACHE_INSIDE_H

#include "topic/cache.h"
#include "topic/holes.h"
#include "topic/losses.h"
#include "topic/records.h"

struct partition {
    struct holes holes;
    uint64_t aged_from; /* the first of the aged since `next` moved; 0: none */
    /* See cache_unnamed(). */
    int64_t named_from;
    int64_t named_at_ms; /* until then nothing is named; 0: it is over; INT64_MAX: not known yet */
    uint64_t unnamed_at; /* the number at which that was found */
};

struct cache {
    size_t max_bytes;
    bool compacted;
    int64_t delete_retention_ms;
    int64_t short_ms; /* deletes from before that may be gone: they were kept for less long then */
    struct progress next, origin;
    struct partition *partitions;
    struct records records;
    struct losses losses;
    struct segments_sweep sweep; /* where records below their origin may be */
    bool overflowed;             /* a compacted topic did not fit in */
    bool outdated;
    uint32_t rereads; /* since all of its partitions had been read to their end */
    int64_t looked_ms;
    bool untidy; /* cache_tidy() has something to do, beside deletes whose time is over */
    /* The first of the aged of this stretch of RECENT_MS, and of the one before it; 0: none. */
    uint64_t recent_aged[2];
    int64_t stretch_ms;
};

#endif

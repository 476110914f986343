/* entry - one record as the cache keeps it.  Shared by the cache and its index only. */
#ifndef SKF_TOPIC_ENTRY_H
#define SKF_TOPIC_ENTRY_H

#include "base/slice.h"

struct segment;

enum { ENTRY_ABSENT = UINT32_MAX }; /* as a length: no key, no value */

/* 32 bytes, for there may be millions.  The bytes are key, etag, value; a tombstone has its
 * deletion (cache.c) after them. */
struct entry {
    struct segment *segment;
    int64_t offset;
    int32_t partition;
    uint32_t key_len;
    uint32_t value_len;
    uint16_t slot; /* in the segment */
    uint16_t etag_len;
    uint8_t bytes[];
};

static inline struct slice entry_key(const struct entry *e)
{
    return e->key_len == ENTRY_ABSENT ? slice_of(NULL, 0) : slice_of(e->bytes, e->key_len);
}

#endif

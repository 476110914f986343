/* entry - one record as the cache keeps it.  Shared by the cache, its log and its index only. */
#ifndef SKF_TOPIC_ENTRY_H
#define SKF_TOPIC_ENTRY_H

#include <sys/queue.h>

#include "base/record.h"

struct segment;

/* As a length: no key, no value; no value, for the broker has dropped the key's newest record. */
enum { ENTRY_ABSENT = UINT32_MAX, ENTRY_AGED = UINT32_MAX - 1 };

/* 40 bytes, for there may be millions.  The bytes are key, etag, value; a tombstone has its
 * deletion after them. */
struct entry {
    struct segment *segment;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    int32_t partition;
    uint32_t key_len;
    uint32_t value_len;
    uint16_t slot; /* in the segment */
    uint16_t etag_len;
    uint8_t bytes[];
};

/* When a delete is to be forgotten. */
struct deletion {
    TAILQ_ENTRY(deletion) link; /* oldest first */
    struct entry *entry;
    int64_t expires_at_ms;
};

/* Copies the record.  free() it. */
struct entry *entry_new(const struct record *r, bool compacted);
/* Borrowed from the entry. */
struct record entry_record(const struct entry *e);
static inline struct slice entry_key(const struct entry *e)
{
    return e->key_len == ENTRY_ABSENT ? slice_of(NULL, 0) : slice_of(e->bytes, e->key_len);
}

static inline bool entry_is_aged(const struct entry *e)
{
    return e->value_len == ENTRY_AGED;
}

/* Only where there is something to delete a record without a value deletes. */
static inline bool entry_deletes(const struct entry *e, bool compacted)
{
    return compacted && e->value_len >= ENTRY_AGED && e->key_len != ENTRY_ABSENT;
}

static inline size_t entry_length(uint32_t n)
{
    return n >= ENTRY_AGED ? 0 : n;
}

static inline size_t entry_deletion_at(const struct entry *e)
{
    size_t at = sizeof *e + e->key_len + e->etag_len;

    return (at + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
}

/* Of one that deletes. */
static inline struct deletion *entry_deletion(struct entry *e)
{
    return (struct deletion *)(void *)((uint8_t *)e + entry_deletion_at(e));
}

static inline size_t entry_size(const struct entry *e, bool compacted)
{
    if (entry_deletes(e, compacted))
        return entry_deletion_at(e) + sizeof(struct deletion);
    return sizeof *e + entry_length(e->key_len) + e->etag_len + entry_length(e->value_len);
}

/* The partition's next offset behind it. */
static inline int64_t entry_next(const struct entry *e)
{
    return e->offset + !entry_is_aged(e);
}

#endif

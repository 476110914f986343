/* entry - one record as the cache keeps it.  Shared by the cache, its log and its index only. */
#ifndef SKF_TOPIC_ENTRY_H
#define SKF_TOPIC_ENTRY_H

#include <sys/queue.h>

#include "base/record.h"

struct segment;

/* As a length: no key, no value; no value, for the broker has dropped the key's newest record. */
enum { ENTRY_ABSENT = UINT32_MAX, ENTRY_AGED = UINT32_MAX - 1 };

/* 40 bytes, for there may be millions.  The bytes are key, etag, value, and if headers are kept of
 * it, the length of these and themselves; a tombstone has its deletion after them. */
struct entry {
    struct segment *segment;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    int32_t partition;
    uint32_t key_len;
    uint32_t value_len;
    uint16_t slot; /* in the segment */
    uint16_t etag_len : 15;
    uint16_t has_headers : 1;
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

/* Of the bytes before the headers. */
static inline size_t entry_plain(const struct entry *e)
{
    return entry_length(e->key_len) + e->etag_len + entry_length(e->value_len);
}

static inline uint32_t entry_headers(const struct entry *e)
{
    uint32_t n;

    memcpy(&n, e->bytes + entry_plain(e), sizeof n);
    return n;
}

/* Of one whose headers have so many bytes; its own need not be there yet. */
static inline size_t entry_size_with(const struct entry *e, size_t headers, bool compacted)
{
    size_t n = sizeof *e + entry_plain(e) + (e->has_headers ? sizeof(uint32_t) + headers : 0);

    if (!entry_deletes(e, compacted))
        return n;
    return (n + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *) + sizeof(struct deletion);
}

static inline size_t entry_size(const struct entry *e, bool compacted)
{
    return entry_size_with(e, e->has_headers ? entry_headers(e) : 0, compacted);
}

/* Of one that deletes. */
static inline struct deletion *entry_deletion(struct entry *e)
{
    return (struct deletion *)(void *)((uint8_t *)e + entry_size(e, true)) - 1;
}

/* The partition's next offset behind it. */
static inline int64_t entry_next(const struct entry *e)
{
    return e->offset + !entry_is_aged(e);
}

#endif

#include "topic/records.h"

#include <stdlib.h>

#include "base/mem.h"
#include "topic/keyindex.h"

void records_init(struct records *rs)
{
    *rs = (struct records){
        .log = segments_new(),
        .end = 1, /* 0: before everything */
        .index = keyindex_new(),
        .trash = segments_new(),
    };
    TAILQ_INIT(&rs->deletions);
}

void records_fini(struct records *rs)
{
    keyindex_free(rs->index);
    segments_free(rs->log);
    segments_free(rs->trash);
    free(rs->aged);
}

void records_reset(struct records *rs, bool compacted)
{
    segments_discard(rs->trash, rs->log);
    TAILQ_INIT(&rs->deletions);
    keyindex_free(rs->index);
    rs->index = keyindex_new();
    free(rs->aged);
    rs->aged = NULL;
    rs->partitions = 0;
    rs->count = rs->entry_bytes = 0;
    rs->compacted = compacted;
}

void records_free_some(struct records *rs)
{
    segments_free_some(rs->trash);
}

bool records_all_freed(const struct records *rs)
{
    return segments_empty(rs->trash);
}

void records_set_partitions(struct records *rs, int32_t n)
{
    rs->aged = mem_resize_array(rs->aged, (size_t)n, sizeof *rs->aged);
    for (; rs->partitions < n; rs->partitions++)
        rs->aged[rs->partitions] = 0;
}

/* With what malloc and the log add. */
static size_t entry_cost(const struct records *rs, const struct entry *e)
{
    return (entry_size(e, rs->compacted) + 8 + 15) / 16 * 16 + SEGMENTS_ENTRY_COST;
}

static bool is_indexed(const struct records *rs, const struct entry *e)
{
    return rs->compacted && e->key_len != ENTRY_ABSENT;
}

/* The index no longer knows the entry. */
static void drop_from_log(struct records *rs, struct entry *e)
{
    if (entry_deletes(e, rs->compacted))
        TAILQ_REMOVE(&rs->deletions, entry_deletion(e), link);
    rs->aged[e->partition] -= entry_is_aged(e);
    rs->entry_bytes -= entry_cost(rs, e);
    rs->count--;
    segments_remove(rs->log, e);
    free(e);
}

static void add_deletion(struct records *rs, struct deletion *d, int64_t expires_at_ms)
{
    d->expires_at_ms = expires_at_ms;
    TAILQ_INSERT_TAIL(&rs->deletions, d, link);
}

uint64_t records_append(struct records *rs, const struct record *r, const struct progress *at,
                        int64_t expires_at_ms)
{
    struct entry *e = entry_new(r, rs->compacted);

    if (entry_deletes(e, rs->compacted))
        add_deletion(rs, entry_deletion(e), expires_at_ms);
    segments_append(rs->log, rs->end, e, at);
    rs->count++;
    rs->entry_bytes += entry_cost(rs, e);
    rs->aged[e->partition] += entry_is_aged(e);
    if (is_indexed(rs, e)) {
        struct entry *superseded = keyindex_put(rs->index, e);
        if (superseded != NULL)
            drop_from_log(rs, superseded);
    }
    return rs->end++;
}

void records_postpone(struct records *rs, struct deletion *d, int64_t expires_at_ms)
{
    TAILQ_REMOVE(&rs->deletions, d, link);
    add_deletion(rs, d, expires_at_ms);
}

void records_drop(struct records *rs, struct entry *e)
{
    if (is_indexed(rs, e))
        keyindex_remove(rs->index, e);
    drop_from_log(rs, e);
}

uint64_t records_newest(const struct records *rs, int32_t partition, struct slice key)
{
    const struct entry *e = keyindex_get(rs->index, partition, key);

    return e != NULL ? segments_number(e) : 0;
}

size_t records_keys(const struct records *rs)
{
    return keyindex_count(rs->index);
}

size_t records_bytes(const struct records *rs)
{
    return rs->entry_bytes + keyindex_bytes(rs->index);
}

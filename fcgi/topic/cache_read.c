#include "topic/cache_inside.h"

uint64_t cache_end(const struct cache *c)
{
    return c->records.end;
}

const struct progress *cache_progress(const struct cache *c)
{
    return &c->next;
}

void cache_start(const struct cache *c, struct progress *out)
{
    progress_copy(out, &c->next);
    for (int32_t i = 0; i < c->next.n; i++) {
        int64_t origin = c->origin.next[i], lost = c->losses.of[i].lost;
        /* A hole in a compacted topic is told as a gap; elsewhere a stream starts behind it. */
        out->next[i] = c->compacted || origin > lost ? origin : lost;
    }
}

/* The number from which on the partition has something for a reader at `next`. */
static uint64_t seek_partition(const struct cache *c, int32_t partition, int64_t next)
{
    const struct partition *p = &c->partitions[partition];
    int64_t end = c->next.next[partition];

    if (next > end)
        return UINT64_MAX;
    if (next == end)
        return p->aged_from ? p->aged_from : UINT64_MAX;
    return segments_seek(c->records.log, partition,
                         c->records.aged[partition] > 0 ? next - 1 : next);
}

uint64_t cache_seek(const struct cache *c, const struct progress *from)
{
    uint64_t first = cache_recent_aged(c);

    for (int32_t i = 0; i < c->next.n; i++) {
        uint64_t number = seek_partition(c, i, progress_get(from, i));
        if (number < first)
            first = number;
    }
    return first < c->records.end ? first : c->records.end;
}

uint64_t cache_newest(const struct cache *c, int32_t partition, struct slice key)
{
    return records_newest(&c->records, partition, key);
}

uint64_t cache_recent_aged(const struct cache *c)
{
    uint64_t first = c->recent_aged[1] ? c->recent_aged[1] : c->recent_aged[0];

    return first ? first : UINT64_MAX;
}

int64_t cache_origin(const struct cache *c, int32_t partition)
{
    return c->origin.next[partition];
}

int64_t cache_horizon(const struct cache *c, int32_t partition)
{
    return c->losses.of[partition].horizon;
}

int64_t cache_unnamed(const struct cache *c, int32_t partition, uint64_t since)
{
    const struct partition *p = &c->partitions[partition];

    if (p->unnamed_at < since)
        return OFFSET_BEGINNING;
    return p->named_at_ms > 0 ? c->next.next[partition] + 1 : p->named_from;
}

uint64_t cache_last_forgotten(const struct cache *c)
{
    return c->losses.forgotten;
}

int64_t cache_lost(const struct cache *c, int32_t partition)
{
    return c->losses.of[partition].lost;
}

bool cache_overflowed(const struct cache *c)
{
    return c->overflowed;
}

size_t cache_limit(const struct cache *c)
{
    return c->max_bytes;
}

uint64_t cache_losses(const struct cache *c)
{
    return c->losses.changes;
}

size_t cache_count(const struct cache *c)
{
    return c->records.count;
}

size_t cache_keys(const struct cache *c)
{
    return records_keys(&c->records);
}

size_t cache_bytes(const struct cache *c)
{
    return records_bytes(&c->records);
}

struct cache_walk cache_walk(const struct cache *c, uint64_t pos, uint64_t limit)
{
    return (struct cache_walk){segments_walk(c->records.log, pos), limit};
}

bool cache_walk_next(struct cache_walk *w, struct record *r, uint64_t *number)
{
    const struct entry *e = segments_next(&w->segments, w->limit, number);

    if (e == NULL)
        return false;
    *r = entry_record(e);
    return true;
}

bool cache_previous(const struct cache *c, uint64_t below, struct record *r, uint64_t *number)
{
    const struct entry *e = segments_previous(c->records.log, below, number);

    if (e != NULL)
        *r = entry_record(e);
    return e != NULL;
}

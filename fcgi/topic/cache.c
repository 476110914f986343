#include "topic/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"
#include "topic/entry.h"
#include "topic/keyindex.h"

enum { SEGMENT_SLOTS = 4096 };

/* A run of the log.  Superseded entries leave holes; a segment with too many is rewritten without
 * them, so slots carry their numbers. */
struct segment {
    struct progress start;  /* the cache's progress when the segment was begun */
    size_t cap, used, live; /* slots; live: those with an entry */
    struct slot {
        uint64_t number;
        struct entry *entry; /* NULL: a hole */
    } slots[];
};

/* Behind the bytes of a tombstone. */
struct deletion {
    TAILQ_ENTRY(deletion) link; /* oldest first */
    struct entry *entry;
    int64_t expires_at_ms;
};

struct partition {
    int64_t origin;
    int64_t horizon;
    int64_t lost;
    int64_t last_timestamp_ms; /* of the newest record; -1: none */
};

struct cache {
    size_t max_bytes;
    bool compacted;
    int64_t delete_retention_ms;
    struct progress next;
    struct partition *partitions;
    struct segment **segments; /* in order */
    size_t segment_count, segment_cap;
    uint64_t end;
    struct keyindex *index;
    TAILQ_HEAD(, deletion) deletions;
    size_t count;
    size_t entry_bytes;
    uint64_t last_forgotten;
    uint64_t losses;
    bool limit_told;
};

/* -- the log -- */

static struct segment *segment_new(const struct progress *start, size_t cap)
{
    struct segment *s = mem_alloc(sizeof *s + cap * sizeof *s->slots);

    *s = (struct segment){.cap = cap};
    progress_copy(&s->start, start);
    return s;
}

static void segment_free(struct segment *s)
{
    progress_fini(&s->start);
    free(s);
}

/* The last segment whose first number is not above `number`; 0 if there is none. */
static size_t segment_of(const struct cache *c, uint64_t number)
{
    size_t low = 0, high = c->segment_count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (c->segments[mid]->slots[0].number <= number)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The first slot of the segment whose number is not below `number`; `used` if there is none. */
static size_t slot_of(const struct segment *s, uint64_t number)
{
    size_t low = 0, high = s->used;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->slots[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Rewrites segments first..last as one without holes, or none if nothing is left. */
static void segments_rewrite(struct cache *c, size_t first, size_t last)
{
    size_t live = 0;

    for (size_t i = first; i <= last; i++)
        live += c->segments[i]->live;
    struct segment *to = segment_new(&c->segments[first]->start, live);
    for (size_t i = first; i <= last; i++) {
        const struct segment *from = c->segments[i];
        for (size_t k = 0; k < from->used; k++) {
            if (from->slots[k].entry == NULL)
                continue;
            from->slots[k].entry->segment = to;
            from->slots[k].entry->slot = (uint16_t)to->used;
            to->slots[to->used++] = from->slots[k];
        }
        segment_free(c->segments[i]);
    }
    to->live = live;
    if (live > 0)
        c->segments[first++] = to;
    else
        segment_free(to);
    memmove(c->segments + first, c->segments + last + 1,
            (c->segment_count - last - 1) * sizeof *c->segments);
    c->segment_count -= last + 1 - first;
}

/* Keeps holes below a third and small segments few.  The last one is still being filled. */
static void compact_around(struct cache *c, const struct segment *s)
{
    if (s == c->segments[c->segment_count - 1] || (s->used - s->live) * 3 <= s->used)
        return;
    size_t i = segment_of(c, s->slots[0].number);
    size_t first = i > 0 && c->segments[i - 1]->live + s->live <= SEGMENT_SLOTS / 2 ? i - 1 : i;
    segments_rewrite(c, first, i);
}

struct cache *cache_new(size_t max_bytes)
{
    struct cache *c = mem_zero(sizeof *c);

    c->max_bytes = max_bytes;
    c->end = 1; /* 0: before everything */
    TAILQ_INIT(&c->deletions);
    c->index = keyindex_new();
    return c;
}

static void clear(struct cache *c)
{
    for (size_t i = 0; i < c->segment_count; i++) {
        struct segment *s = c->segments[i];
        for (size_t k = 0; k < s->used; k++)
            free(s->slots[k].entry);
        segment_free(s);
    }
    c->segment_count = 0;
    TAILQ_INIT(&c->deletions);
    keyindex_free(c->index);
    c->index = NULL;
    c->count = 0;
    c->entry_bytes = 0;
    progress_fini(&c->next);
    free(c->partitions);
    c->partitions = NULL;
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    clear(c);
    free(c->segments);
    free(c);
}

void cache_reset(struct cache *c, bool compacted, int64_t delete_retention_ms)
{
    clear(c);
    c->index = keyindex_new();
    c->compacted = compacted;
    c->delete_retention_ms = delete_retention_ms;
    c->last_forgotten = c->end - 1;
    c->losses++;
    c->limit_told = false;
}

void cache_set_retention(struct cache *c, int64_t delete_retention_ms)
{
    c->delete_retention_ms = delete_retention_ms;
}

bool cache_compacted(const struct cache *c)
{
    return c->compacted;
}

void cache_set_partitions(struct cache *c, int32_t n)
{
    int32_t before = c->next.n;

    if (n <= before)
        return;
    progress_resize(&c->next, n);
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (int32_t i = before; i < n; i++)
        c->partitions[i] = (struct partition){.origin = OFFSET_BEGINNING,
                                              .horizon = OFFSET_BEGINNING,
                                              .lost = OFFSET_BEGINNING,
                                              .last_timestamp_ms = -1};
}

/* The segment to append to. */
static struct segment *last_segment(struct cache *c)
{
    struct segment *s = c->segment_count ? c->segments[c->segment_count - 1] : NULL;

    if (s != NULL && s->used < s->cap)
        return s;
    if (c->segment_count == c->segment_cap) {
        c->segment_cap = c->segment_cap ? c->segment_cap * 2 : 16;
        c->segments = mem_resize_array(c->segments, c->segment_cap, sizeof *c->segments);
    }
    struct segment *fresh = segment_new(&c->next, SEGMENT_SLOTS);
    fresh->slots[0].number = c->end; /* what it will begin with, for segment_of() */
    c->segments[c->segment_count++] = fresh;
    if (s != NULL)
        compact_around(c, s); /* it was left alone until now */
    return fresh;
}

/* -- entries -- */

static size_t deletion_at(const struct entry *e)
{
    size_t at = sizeof *e + e->key_len + e->etag_len;

    return (at + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
}

static struct deletion *deletion_of(struct entry *e)
{
    return (struct deletion *)(void *)((uint8_t *)e + deletion_at(e));
}

static bool is_tombstone(const struct cache *c, const struct entry *e)
{
    return c->compacted && e->value_len == ENTRY_ABSENT && e->key_len != ENTRY_ABSENT;
}

static size_t length(uint32_t n)
{
    return n == ENTRY_ABSENT ? 0 : n;
}

/* With what malloc and the log add. */
static size_t entry_cost(const struct cache *c, const struct entry *e)
{
    size_t n = is_tombstone(c, e)
                   ? deletion_at(e) + sizeof(struct deletion)
                   : sizeof *e + length(e->key_len) + e->etag_len + length(e->value_len);

    return (n + 8 + 15) / 16 * 16 + sizeof(struct slot);
}

static struct entry *entry_new(struct cache *c, const struct record *r, int64_t now_ms)
{
    struct entry head = {
        .offset = r->offset,
        .partition = r->partition,
        .key_len = r->key.p ? (uint32_t)r->key.n : ENTRY_ABSENT,
        .value_len = r->value.p ? (uint32_t)r->value.n : ENTRY_ABSENT,
        .etag_len = r->etag.n <= EVENT_ID_MAX ? (uint16_t)r->etag.n : 0, /* else never shown */
    };
    bool tombstone = is_tombstone(c, &head);
    size_t n = tombstone ? deletion_at(&head) + sizeof(struct deletion)
                         : sizeof head + r->key.n + head.etag_len + r->value.n;
    struct entry *e = mem_alloc(n);

    *e = head;
    struct buf bytes = {e->bytes, 0, n - sizeof head};
    buf_add_slice(&bytes, r->key);
    buf_add(&bytes, r->etag.p, head.etag_len);
    buf_add_slice(&bytes, r->value);
    if (tombstone) {
        struct deletion *d = deletion_of(e);
        d->entry = e;
        d->expires_at_ms = now_ms + c->delete_retention_ms;
        TAILQ_INSERT_TAIL(&c->deletions, d, link);
    }
    return e;
}

static uint64_t entry_number(const struct entry *e)
{
    return e->segment->slots[e->slot].number;
}

/* Takes an entry, which the index no longer knows, out of the log. */
static void entry_drop(struct cache *c, struct entry *e)
{
    struct segment *s = e->segment;

    if (is_tombstone(c, e))
        TAILQ_REMOVE(&c->deletions, deletion_of(e), link);
    c->entry_bytes -= entry_cost(c, e);
    c->count--;
    s->slots[e->slot].entry = NULL;
    s->live--;
    free(e);
    compact_around(c, s);
}

static void entry_forget(struct cache *c, struct entry *e)
{
    if (c->compacted && e->key_len != ENTRY_ABSENT)
        keyindex_remove(c->index, e);
    entry_drop(c, e);
}

static void note_loss(struct cache *c, int64_t *mark, int64_t offset)
{
    if (offset > *mark) {
        *mark = offset;
        c->losses++;
    }
}

/* The first entry whose number is not below `number`, or NULL. */
static struct entry *entry_from(const struct cache *c, uint64_t number)
{
    size_t i = segment_of(c, number);
    size_t k = i < c->segment_count ? slot_of(c->segments[i], number) : 0;

    for (; i < c->segment_count; i++, k = 0)
        for (; k < c->segments[i]->used; k++)
            if (c->segments[i]->slots[k].entry != NULL)
                return c->segments[i]->slots[k].entry;
    return NULL;
}

static void enforce_limit(struct cache *c)
{
    while (cache_bytes(c) > c->max_bytes && c->count > 1) {
        struct entry *e = entry_from(c, 0);
        if (c->compacted && !c->limit_told) {
            log_error("cache: %zu bytes are not enough for the topic: its oldest records are "
                      "dropped, streams are told of gaps; raise --cache-bytes",
                      c->max_bytes);
            c->limit_told = true;
        }
        note_loss(c, &c->partitions[e->partition].lost, e->offset + 1);
        entry_forget(c, e);
    }
}

/* An offset that is not there was compacted away, or never a record (a transaction's marker, an
 * aborted record).  Only a delete older than delete.retention.ms can have been compacted away
 * unseen: not if the record before the hole is younger than that. */
static void judge_hole(struct cache *c, const struct record *r, int64_t wall_ms)
{
    struct partition *p = &c->partitions[r->partition];
    int64_t before = p->last_timestamp_ms;

    if (r->offset > c->next.next[r->partition] &&
        (before < 0 || wall_ms - before > c->delete_retention_ms))
        note_loss(c, &p->horizon, r->offset);
    p->last_timestamp_ms = r->timestamp_ms;
}

uint64_t cache_append(struct cache *c, const struct record *r, int64_t now_ms, int64_t wall_ms)
{
    assert(r->partition >= 0 && r->partition < c->next.n);
    if (c->partitions[r->partition].origin == OFFSET_BEGINNING)
        cache_set_origin(c, r->partition, r->offset);
    judge_hole(c, r, wall_ms);

    struct segment *s = last_segment(c);
    struct entry *e = entry_new(c, r, now_ms);
    e->segment = s;
    e->slot = (uint16_t)s->used;
    s->slots[s->used++] = (struct slot){c->end, e};
    s->live++;
    c->count++;
    c->entry_bytes += entry_cost(c, e);
    c->next.next[r->partition] = r->offset + 1;
    c->end++;

    if (c->compacted && e->key_len != ENTRY_ABSENT) {
        struct entry *superseded = keyindex_put(c->index, e);
        if (superseded != NULL)
            entry_drop(c, superseded);
    }
    enforce_limit(c);
    return c->end - 1;
}

void cache_advance(struct cache *c, int32_t partition, int64_t next)
{
    if (partition >= c->next.n)
        return;
    if (c->partitions[partition].origin == OFFSET_BEGINNING)
        cache_set_origin(c, partition, next);
    if (next > c->next.next[partition])
        c->next.next[partition] = next;
}

/* The newest of its key goes, or what may be: readers that are not past it cannot be told. */
static void note_forgotten(struct cache *c, const struct entry *e)
{
    if (entry_number(e) > c->last_forgotten) {
        c->last_forgotten = entry_number(e);
        c->losses++;
    }
}

void cache_set_origin(struct cache *c, int32_t partition, int64_t origin)
{
    struct partition *p = &c->partitions[partition];
    struct entry *e;

    if (origin <= p->origin)
        return;
    p->origin = origin;
    if (c->next.next[partition] < origin)
        c->next.next[partition] = origin;
    note_loss(c, c->compacted ? &p->horizon : &p->lost, origin);
    /* The partition's records are in order, but lie among those of the others. */
    for (uint64_t number = 0; (e = entry_from(c, number)) != NULL;) {
        number = entry_number(e) + 1;
        if (e->partition != partition)
            continue;
        if (e->offset >= origin)
            break;
        note_forgotten(c, e);
        entry_forget(c, e);
    }
}

void cache_expire(struct cache *c, int64_t now_ms)
{
    struct deletion *d;

    while ((d = TAILQ_FIRST(&c->deletions)) != NULL && d->expires_at_ms <= now_ms) {
        struct entry *e = d->entry;
        note_forgotten(c, e);
        note_loss(c, &c->partitions[e->partition].horizon, e->offset + 1);
        entry_forget(c, e);
    }
}

/* -- readers -- */

uint64_t cache_end(const struct cache *c)
{
    return c->end;
}

const struct progress *cache_progress(const struct cache *c)
{
    return &c->next;
}

void cache_start(const struct cache *c, struct progress *out)
{
    progress_copy(out, &c->next);
    for (int32_t i = 0; i < c->next.n; i++) {
        const struct partition *p = &c->partitions[i];
        /* A hole in a compacted topic is told as a gap; elsewhere a stream starts behind it. */
        out->next[i] = c->compacted || p->origin > p->lost ? p->origin : p->lost;
    }
}

/* The last segment that was begun before the partition was at `next`. */
static size_t segment_before(const struct cache *c, int32_t partition, int64_t next)
{
    size_t low = 0, high = c->segment_count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (progress_get(&c->segments[mid]->start, partition) <= next)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint64_t cache_seek(const struct cache *c, const struct progress *from)
{
    size_t first = c->segment_count;

    for (int32_t i = 0; i < c->next.n; i++) {
        int64_t next = progress_get(from, i);
        if (next >= c->next.next[i])
            continue;
        size_t s = segment_before(c, i, next);
        if (s < first)
            first = s;
    }
    return first < c->segment_count ? c->segments[first]->slots[0].number : c->end;
}

int64_t cache_horizon(const struct cache *c, int32_t partition)
{
    return c->partitions[partition].horizon;
}

uint64_t cache_last_forgotten(const struct cache *c)
{
    return c->last_forgotten;
}

int64_t cache_lost(const struct cache *c, int32_t partition)
{
    return c->partitions[partition].lost;
}

bool cache_overflowed(const struct cache *c)
{
    return c->limit_told;
}

uint64_t cache_losses(const struct cache *c)
{
    return c->losses;
}

size_t cache_count(const struct cache *c)
{
    return c->count;
}

size_t cache_keys(const struct cache *c)
{
    return keyindex_count(c->index);
}

size_t cache_bytes(const struct cache *c)
{
    return c->entry_bytes + keyindex_bytes(c->index);
}

struct cache_walk cache_walk(const struct cache *c, uint64_t pos, uint64_t limit)
{
    struct cache_walk w = {.cache = c, .segment = segment_of(c, pos), .limit = limit};

    if (w.segment < c->segment_count)
        w.slot = slot_of(c->segments[w.segment], pos);
    return w;
}

static struct record entry_record(const struct entry *e)
{
    struct record r = {.partition = e->partition, .offset = e->offset, .timestamp_ms = -1};
    const uint8_t *etag = e->bytes + length(e->key_len);

    r.key = entry_key(e);
    if (e->etag_len > 0)
        r.etag = slice_of(etag, e->etag_len);
    if (e->value_len != ENTRY_ABSENT)
        r.value = slice_of(etag + e->etag_len, e->value_len);
    return r;
}

bool cache_walk_next(struct cache_walk *w, struct record *r, uint64_t *number)
{
    for (; w->segment < w->cache->segment_count; w->segment++, w->slot = 0) {
        const struct segment *s = w->cache->segments[w->segment];
        while (w->slot < s->used) {
            const struct slot *slot = &s->slots[w->slot++];
            if (slot->number >= w->limit)
                return false;
            if (slot->entry == NULL)
                continue;
            *r = entry_record(slot->entry);
            *number = slot->number;
            return true;
        }
    }
    return false;
}

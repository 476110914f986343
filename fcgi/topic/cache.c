#include "topic/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"
#include "topic/holes.h"
#include "topic/keyindex.h"

enum {
    TIDY_STEPS = 16384, /* slots looked at, and a share of them for each record dropped */
    TIDY_DROP_STEPS = 16,
    APPEND_DROPS = 8, /* for the limit with one record; the rest is left to cache_tidy() */
    RECENT_MS = 300000,
};

struct partition {
    int64_t horizon;
    int64_t lost;
    struct holes holes;
    uint64_t aged_from; /* the first of the aged since `next` moved; 0: none */
    uint32_t aged;      /* of them, at any place */
};

struct cache {
    size_t max_bytes;
    bool compacted;
    int64_t delete_retention_ms;
    struct progress next, origin;
    struct partition *partitions;
    struct segments *log;
    struct segments *trash;       /* of before a reset */
    uint64_t sweep_at, sweep_end; /* where records below their origin may be */
    uint64_t end;
    struct keyindex *index;
    TAILQ_HEAD(, deletion) deletions;
    size_t count;
    size_t entry_bytes;
    uint64_t last_forgotten;
    uint64_t losses;
    bool limit_told;
    bool outdated;
    bool untidy; /* cache_tidy() has something to do, beside deletes whose time is over */
    /* The first of the aged of this stretch of RECENT_MS, and of the one before it; 0: none. */
    uint64_t recent_aged[2];
    int64_t stretch_ms;
};

struct cache *cache_new(size_t max_bytes)
{
    struct cache *c = mem_zero(sizeof *c);

    c->max_bytes = max_bytes;
    c->end = 1; /* 0: before everything */
    TAILQ_INIT(&c->deletions);
    c->log = segments_new();
    c->trash = segments_new();
    c->index = keyindex_new();
    return c;
}

static void cache_fini(struct cache *c)
{
    keyindex_free(c->index);
    progress_fini(&c->next);
    progress_fini(&c->origin);
    free(c->partitions);
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    cache_fini(c);
    segments_free(c->log);
    segments_free(c->trash);
    free(c);
}

void cache_reset(struct cache *c, bool compacted, int64_t delete_retention_ms)
{
    cache_fini(c);
    segments_discard(c->trash, c->log); /* to free millions of records takes its time */
    c->partitions = NULL;
    TAILQ_INIT(&c->deletions);
    c->count = c->entry_bytes = 0;
    c->index = keyindex_new();
    c->compacted = compacted;
    cache_set_retention(c, delete_retention_ms);
    c->last_forgotten = c->end - 1;
    c->losses++;
    c->limit_told = c->outdated = false;
    c->sweep_at = c->sweep_end = 0;
    c->untidy = true;
    memset(c->recent_aged, 0, sizeof c->recent_aged);
}

void cache_set_retention(struct cache *c, int64_t delete_retention_ms)
{
    c->delete_retention_ms = delete_retention_ms > 0 ? delete_retention_ms : 1;
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
    progress_resize(&c->origin, n);
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (int32_t i = before; i < n; i++)
        c->partitions[i] =
            (struct partition){.horizon = OFFSET_BEGINNING, .lost = OFFSET_BEGINNING};
}

/* -- entries -- */

/* With what malloc and the log add. */
static size_t entry_cost(const struct cache *c, const struct entry *e)
{
    return (entry_size(e, c->compacted) + 8 + 15) / 16 * 16 + SEGMENTS_ENTRY_COST;
}

static void deletion_start(struct cache *c, struct deletion *d, int64_t now_ms)
{
    d->expires_at_ms = now_ms + c->delete_retention_ms;
    TAILQ_INSERT_TAIL(&c->deletions, d, link);
}

/* Takes an entry, which the index no longer knows, out of the log. */
static void entry_drop(struct cache *c, struct entry *e)
{
    if (entry_deletes(e, c->compacted))
        TAILQ_REMOVE(&c->deletions, entry_deletion(e), link);
    if (entry_is_aged(e))
        c->partitions[e->partition].aged--;
    c->entry_bytes -= entry_cost(c, e);
    c->count--;
    segments_remove(c->log, e);
    free(e);
}

static void entry_forget(struct cache *c, struct entry *e)
{
    if (c->compacted && e->key_len != ENTRY_ABSENT)
        keyindex_remove(c->index, e);
    entry_drop(c, e);
}

/* Puts a record at the log's end; the one of its key that it supersedes goes. */
static uint64_t entry_append(struct cache *c, const struct record *r, int64_t now_ms)
{
    struct entry *e = entry_new(r, c->compacted);

    if (entry_deletes(e, c->compacted))
        deletion_start(c, entry_deletion(e), now_ms);
    segments_append(c->log, c->end, e, &c->next);
    c->count++;
    c->entry_bytes += entry_cost(c, e);
    if (c->compacted && e->key_len != ENTRY_ABSENT) {
        struct entry *superseded = keyindex_put(c->index, e);
        if (superseded != NULL)
            entry_drop(c, superseded);
    }
    return c->end++;
}

/* -- what is lost -- */

static void note_loss(struct cache *c, int64_t *mark, int64_t offset)
{
    if (offset > *mark) {
        *mark = offset;
        c->losses++;
    }
}

/* The newest of its key goes, or what may be: readers that are not past it cannot be told. */
static void note_forgotten(struct cache *c, const struct entry *e)
{
    uint64_t number = segments_number(e);

    if (number > c->last_forgotten) {
        c->last_forgotten = number;
        c->losses++;
    }
}

static bool is_beyond_limit(const struct cache *c)
{
    return c->entry_bytes + keyindex_bytes(c->index) > c->max_bytes && c->count > 1;
}

/* Drops the oldest beyond the limit; at most `most` of them. */
static void enforce_limit(struct cache *c, size_t most)
{
    for (; most > 0 && is_beyond_limit(c); most--) {
        struct entry *e = segments_first(c->log);
        if (c->compacted && !c->limit_told) {
            log_error("cache: %zu bytes are not enough for the topic: its oldest records are "
                      "dropped, streams are told of gaps; raise --cache-bytes",
                      c->max_bytes);
            c->limit_told = true;
        }
        note_loss(c, &c->partitions[e->partition].lost, entry_next(e));
        entry_forget(c, e);
    }
}

static void judge_hole(struct cache *c, int32_t partition, int64_t to, int64_t now_ms,
                       int64_t wall_ms, const int64_t *behind_ms)
{
    struct partition *p = &c->partitions[partition];
    const struct holes_times times = {now_ms, wall_ms, c->delete_retention_ms};

    if (!c->compacted || to <= c->next.next[partition] ||
        !holes_hide_delete(&p->holes, &times, behind_ms))
        return;
    note_loss(c, &p->horizon, to);
    c->outdated |= holes_outdate(&p->holes, &times);
}

static void move_next(struct cache *c, int32_t partition, int64_t next)
{
    c->next.next[partition] = next;
    c->partitions[partition].aged_from = 0;
}

uint64_t cache_append(struct cache *c, const struct record *r, int64_t now_ms, int64_t wall_ms)
{
    assert(r->partition >= 0 && r->partition < c->next.n);
    if (c->origin.next[r->partition] == OFFSET_BEGINNING)
        cache_set_origin(c, r->partition, r->offset);
    if (r->offset > c->next.next[r->partition])
        judge_hole(c, r->partition, r->offset, now_ms, wall_ms, &r->timestamp_ms);
    holes_record(&c->partitions[r->partition].holes, r->timestamp_ms);

    /* What says nothing only moves the end. */
    bool nothing = r->key.p == NULL && r->value.p == NULL;
    uint64_t number = nothing ? c->end++ : entry_append(c, r, now_ms);
    move_next(c, r->partition, r->offset + 1);
    if (is_beyond_limit(c)) {
        enforce_limit(c, APPEND_DROPS);
        c->untidy |= is_beyond_limit(c);
    }
    return number;
}

void cache_advance(struct cache *c, int32_t partition, int64_t next, int64_t now_ms,
                   int64_t wall_ms)
{
    if (partition >= c->next.n)
        return;
    if (c->origin.next[partition] == OFFSET_BEGINNING)
        cache_set_origin(c, partition, next);
    if (next > c->next.next[partition]) {
        judge_hole(c, partition, next, now_ms, wall_ms, NULL);
        move_next(c, partition, next);
    }
}

void cache_ended(struct cache *c, int32_t partition, int64_t at_ms)
{
    if (partition < c->next.n)
        holes_end(&c->partitions[partition].holes, at_ms);
}

bool cache_outdated(const struct cache *c)
{
    return c->outdated;
}

/* -- what the broker has dropped -- */

void cache_set_origin(struct cache *c, int32_t partition, int64_t origin)
{
    struct partition *p = &c->partitions[partition];
    int64_t before = c->origin.next[partition];

    if (origin <= before)
        return;
    c->origin.next[partition] = origin;
    if (!c->compacted)
        note_loss(c, &p->lost, origin);
    /* Of what was read, each key that goes is told; of the rest nobody knows. */
    if (origin > c->next.next[partition]) {
        if (c->compacted)
            note_loss(c, &p->horizon, origin);
        move_next(c, partition, origin);
    }
    if (c->count == 0)
        return;
    uint64_t from = segments_seek(c->log, partition, before);
    uint64_t end = segments_seek_end(c->log, partition, origin);
    if (c->sweep_at >= c->sweep_end || from < c->sweep_at)
        c->sweep_at = from;
    if (end > c->sweep_end)
        c->sweep_end = end;
    c->untidy = true;
}

/* A key whose newest record the broker has dropped is deleted: readers are told of it as of any
 * other delete, but it stands at no offset of its own. */
static void entry_age(struct cache *c, const struct entry *e, int64_t now_ms)
{
    struct partition *p = &c->partitions[e->partition];
    const struct record r = {.partition = e->partition,
                             .offset = c->next.next[e->partition],
                             .timestamp_ms = -1,
                             .key = entry_key(e),
                             .aged = true};

    if (p->aged_from == 0)
        p->aged_from = c->end;
    if (c->recent_aged[0] == 0)
        c->recent_aged[0] = c->end;
    p->aged++;
    entry_append(c, &r, now_ms);
}

static void sweep_entry(struct cache *c, struct entry *e, int64_t now_ms)
{
    if (entry_deletes(e, c->compacted))
        return; /* its own time counts */
    if (c->compacted && e->key_len != ENTRY_ABSENT) {
        entry_age(c, e, now_ms);
        return;
    }
    note_forgotten(c, e);
    if (c->compacted)
        note_loss(c, &c->partitions[e->partition].horizon, e->offset + 1);
    entry_drop(c, e);
}

static void sweep(struct cache *c, size_t *steps, int64_t now_ms)
{
    struct entry *e;

    while (c->sweep_at < c->sweep_end &&
           (e = segments_below(c->log, &c->origin, &c->sweep_at, c->sweep_end, steps)) != NULL) {
        sweep_entry(c, e, now_ms);
        *steps -= *steps < TIDY_DROP_STEPS ? *steps : TIDY_DROP_STEPS;
    }
}

/* -- deletes whose time is over -- */

static void expire(struct cache *c, struct deletion *d, int64_t now_ms)
{
    struct entry *e = d->entry;
    struct partition *p = &c->partitions[e->partition];

    /* An id at that place may be from before or from after.  As long as nothing comes, all ids are
     * there: to tell them all that deletes are unknown would be worse than to keep this one. */
    if (entry_is_aged(e) && e->offset == c->next.next[e->partition]) {
        TAILQ_REMOVE(&c->deletions, d, link);
        deletion_start(c, d, now_ms);
        return;
    }
    note_forgotten(c, e);
    note_loss(c, &p->horizon, e->offset + 1);
    entry_forget(c, e);
}

static void expire_some(struct cache *c, size_t *steps, int64_t now_ms)
{
    struct deletion *d;

    while (*steps > 0 && (d = TAILQ_FIRST(&c->deletions)) != NULL && d->expires_at_ms <= now_ms) {
        expire(c, d, now_ms);
        *steps -= *steps < TIDY_DROP_STEPS ? *steps : TIDY_DROP_STEPS;
    }
}

static void move_stretch(struct cache *c, int64_t now_ms)
{
    if (now_ms - c->stretch_ms < RECENT_MS)
        return;
    c->stretch_ms = now_ms;
    c->recent_aged[1] = c->recent_aged[0];
    c->recent_aged[0] = 0;
}

bool cache_tidy(struct cache *c, int64_t now_ms)
{
    size_t steps = TIDY_STEPS;

    move_stretch(c, now_ms);
    expire_some(c, &steps, now_ms);
    sweep(c, &steps, now_ms);
    enforce_limit(c, steps / TIDY_DROP_STEPS);
    if (steps == TIDY_STEPS)
        segments_free_some(c->trash);
    c->untidy = c->sweep_at < c->sweep_end || is_beyond_limit(c) || !segments_empty(c->trash);
    return c->untidy || steps == 0;
}

bool cache_untidy(const struct cache *c)
{
    return c->untidy;
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
        int64_t origin = c->origin.next[i], lost = c->partitions[i].lost;
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
    return segments_seek(c->log, partition, p->aged > 0 ? next - 1 : next);
}

uint64_t cache_seek(const struct cache *c, const struct progress *from)
{
    uint64_t first = cache_recent_aged(c);

    for (int32_t i = 0; i < c->next.n; i++) {
        uint64_t number = seek_partition(c, i, progress_get(from, i));
        if (number < first)
            first = number;
    }
    return first < c->end ? first : c->end;
}

uint64_t cache_recent_aged(const struct cache *c)
{
    uint64_t first = c->recent_aged[1] ? c->recent_aged[1] : c->recent_aged[0];

    return first ? first : UINT64_MAX;
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
    return (struct cache_walk){segments_walk(c->log, pos), limit};
}

bool cache_walk_next(struct cache_walk *w, struct record *r, uint64_t *number)
{
    const struct entry *e = segments_next(&w->segments, w->limit, number);

    if (e == NULL)
        return false;
    *r = entry_record(e);
    return true;
}

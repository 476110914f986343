#include "topic/cache.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "topic/cache_inside.h"

enum {
    TIDY_STEPS = 16384, /* slots looked at, and a share of them for each record dropped */
    TIDY_DROP_STEPS = 16,
    APPEND_DROPS = 8, /* for the limit with one record; the rest is left to cache_tidy() */
    RECENT_MS = 300000,
    AGAIN_MS = 1000,
    LAG_MS = 15000, /* since the log's end was read last */
};

#define LONG_AGO_MS (INT64_MIN / 2)

struct cache *cache_new(size_t max_bytes)
{
    struct cache *c = mem_zero(sizeof *c);

    c->max_bytes = max_bytes;
    c->short_ms = LONG_AGO_MS;
    records_init(&c->records);
    return c;
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    records_fini(&c->records);
    losses_fini(&c->losses);
    progress_fini(&c->next);
    progress_fini(&c->origin);
    free(c->partitions);
    free(c);
}

static void keep_deletes_for(struct cache *c, int64_t delete_retention_ms)
{
    c->delete_retention_ms = delete_retention_ms > 0 ? delete_retention_ms : 1;
}

void cache_reset(struct cache *c, bool compacted, int64_t delete_retention_ms)
{
    records_reset(&c->records, compacted);
    losses_reset(&c->losses, c->records.end - 1);
    progress_fini(&c->next);
    progress_fini(&c->origin);
    free(c->partitions);
    c->partitions = NULL;
    c->compacted = compacted;
    keep_deletes_for(c, delete_retention_ms);
    c->overflowed = c->outdated = false;
    c->sweep = (struct segments_sweep){0};
    c->untidy = true;
    memset(c->recent_aged, 0, sizeof c->recent_aged);
}

void cache_set_retention(struct cache *c, int64_t delete_retention_ms, int64_t now_ms)
{
    if (now_ms - c->delete_retention_ms > c->short_ms)
        c->short_ms = now_ms - c->delete_retention_ms;
    keep_deletes_for(c, delete_retention_ms);
}

/* No delete is gone from the log that is younger than that. */
static struct holes_times times_now(const struct cache *c, int64_t now_ms, int64_t wall_ms)
{
    int64_t kept_ms = now_ms - c->short_ms;

    if (kept_ms > c->delete_retention_ms)
        kept_ms = c->delete_retention_ms;
    return (struct holes_times){now_ms, wall_ms, kept_ms, c->rereads};
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
    records_set_partitions(&c->records, n);
    losses_set_partitions(&c->losses, n);
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (int32_t i = before; i < n; i++)
        c->partitions[i] = (struct partition){.holes.moved_at_ms = c->looked_ms};
}

/* -- records that come in -- */

static uint64_t cache_put(struct cache *c, const struct record *r, int64_t now_ms)
{
    return records_append(&c->records, r, &c->next, now_ms + c->delete_retention_ms);
}

static bool is_beyond_limit(const struct cache *c)
{
    return records_bytes(&c->records) > c->max_bytes && c->records.count > 1;
}

/* Drops the oldest beyond the limit; at most `most` of them. */
static void enforce_limit(struct cache *c, size_t most)
{
    for (; most > 0 && is_beyond_limit(c); most--) {
        struct entry *e = segments_first(c->records.log);
        c->overflowed |= c->compacted;
        losses_lose(&c->losses, e->partition, entry_next(e));
        records_drop(&c->records, e);
    }
}

static void judge_hole(struct cache *c, int32_t partition, int64_t to, int64_t now_ms,
                       int64_t wall_ms, const int64_t *behind_ms)
{
    struct partition *p = &c->partitions[partition];
    const struct holes_times times = times_now(c, now_ms, wall_ms);

    if (!c->compacted || to <= c->next.next[partition] ||
        !holes_hide_delete(&p->holes, &times, behind_ms))
        return;
    losses_hide_deletes(&c->losses, partition, to);
    if (c->outdated || !holes_outdate(&p->holes, &times))
        return;
    c->outdated = true;
    c->rereads += !p->holes.ended;
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
    if (r->offset > c->next.next[r->partition]) {
        judge_hole(c, r->partition, r->offset, now_ms, wall_ms, &r->timestamp_ms);
        if (c->outdated)
            return c->records.end;
    }
    holes_record(&c->partitions[r->partition].holes, r->timestamp_ms);

    /* What says nothing only moves the end. */
    bool nothing = r->key.p == NULL && r->value.p == NULL;
    uint64_t number = nothing ? c->records.end++ : cache_put(c, r, now_ms);
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
        if (!c->outdated)
            move_next(c, partition, next);
    }
}

void cache_ended(struct cache *c, int32_t partition, int64_t at_ms)
{
    if (partition >= c->next.n)
        return;
    struct partition *p = &c->partitions[partition];
    holes_end(&p->holes, at_ms);
    if (p->named_at_ms == INT64_MAX) {
        p->named_at_ms = at_ms + RECENT_MS;
    } else if (p->named_at_ms > 0 && at_ms >= p->named_at_ms) {
        p->named_at_ms = 0;
        p->named_from = c->next.next[partition];
    }
}

void cache_look(struct cache *c, int64_t now_ms)
{
    const struct holes_times times = times_now(c, now_ms, 0);
    bool all_ended = true;

    for (int32_t i = 0; i < c->next.n; i++) {
        holes_look(&c->partitions[i].holes, &times, c->looked_ms);
        all_ended = all_ended && c->partitions[i].holes.ended;
    }
    if (all_ended)
        c->rereads = 0;
    c->looked_ms = now_ms;
}

bool cache_outdated(const struct cache *c)
{
    return c->outdated;
}

/* -- what the broker has dropped -- */

/* With the log's start keys may go that were not read, and those that were are deleted at a place
 * that is behind what others had read by then. */
static void lose_names(struct cache *c, int32_t partition, int64_t origin)
{
    struct partition *p = &c->partitions[partition];
    bool lags = !p->holes.ended || c->looked_ms - p->holes.ended_at_ms >= LAG_MS;

    if (!c->compacted || origin == 0 || (origin <= c->next.next[partition] && !lags))
        return;
    p->named_at_ms = INT64_MAX;
    p->unnamed_at = c->records.end;
}

void cache_set_origin(struct cache *c, int32_t partition, int64_t origin)
{
    int64_t before = c->origin.next[partition];

    if (origin <= before)
        return;
    c->origin.next[partition] = origin;
    lose_names(c, partition, origin);
    if (!c->compacted)
        losses_lose(&c->losses, partition, origin);
    /* Of what was read, each key that goes is told; of the rest nobody knows. */
    if (origin > c->next.next[partition]) {
        if (c->compacted)
            losses_hide_deletes(&c->losses, partition, origin);
        move_next(c, partition, origin);
    }
    if (c->records.count == 0)
        return;
    uint64_t from = segments_seek(c->records.log, partition, before);
    uint64_t end = segments_seek_end(c->records.log, partition, origin);
    if (c->sweep.at >= c->sweep.end || from < c->sweep.at)
        c->sweep.at = from;
    if (end > c->sweep.end)
        c->sweep.end = end;
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
        p->aged_from = c->records.end;
    if (c->recent_aged[0] == 0)
        c->recent_aged[0] = c->records.end;
    cache_put(c, &r, now_ms);
}

static void sweep_entry(struct cache *c, struct entry *e, int64_t now_ms)
{
    if (entry_deletes(e, c->compacted))
        return; /* its own time counts */
    if (c->compacted && e->key_len != ENTRY_ABSENT) {
        entry_age(c, e, now_ms);
        return;
    }
    losses_forget(&c->losses, segments_number(e));
    if (c->compacted)
        losses_hide_deletes(&c->losses, e->partition, e->offset + 1);
    records_drop(&c->records, e);
}

static void sweep(struct cache *c, size_t *steps, int64_t now_ms)
{
    struct entry *e;

    while ((e = segments_below(c->records.log, &c->origin, &c->sweep, steps)) != NULL) {
        sweep_entry(c, e, now_ms);
        *steps -= *steps < TIDY_DROP_STEPS ? *steps : TIDY_DROP_STEPS;
    }
}

/* -- deletes whose time is over -- */

static void expire(struct cache *c, struct deletion *d, int64_t now_ms)
{
    struct entry *e = d->entry;

    /* An id at that place may be from before or from after.  As long as nothing comes, all ids are
     * there: to tell them all that deletes are unknown would be worse than to keep this one.  For a
     * while an id from behind it may be of a responder that has found it later. */
    bool is_recent = segments_number(e) >= cache_recent_aged(c);
    if (entry_is_aged(e) && (is_recent || e->offset == c->next.next[e->partition])) {
        int64_t more_ms = c->delete_retention_ms > AGAIN_MS ? c->delete_retention_ms : AGAIN_MS;
        records_postpone(&c->records, d, now_ms + more_ms);
        return;
    }
    losses_forget(&c->losses, segments_number(e));
    losses_hide_deletes(&c->losses, e->partition, e->offset + 1);
    records_drop(&c->records, e);
}

static void expire_some(struct cache *c, size_t *steps, int64_t now_ms)
{
    struct deletion *d;

    while (*steps > 0 && (d = TAILQ_FIRST(&c->records.deletions)) != NULL &&
           d->expires_at_ms <= now_ms) {
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
        records_free_some(&c->records);
    c->untidy = c->sweep.at < c->sweep.end || is_beyond_limit(c) || !records_all_freed(&c->records);
    return c->untidy || steps == 0;
}

bool cache_untidy(const struct cache *c)
{
    return c->untidy;
}

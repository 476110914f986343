#include "stream/resume.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define RESET_ROW(X, name, code, detail) [RESET_##name] = {code, detail},
static const struct {
    const char *reason, *detail;
} resets[RESETS] = {RESET_TABLE(RESET_ROW, )};

const char *reset_code(enum reset why)
{
    return resets[why].reason;
}

void reset_json(enum reset why, char json[RESET_JSON])
{
    snprintf(json, RESET_JSON, "{\"reason\":\"%s\",\"detail\":\"%s\"}", resets[why].reason,
             resets[why].detail);
}

struct resume {
    struct progress_id id;
    enum reset reset; /* why the id cannot be honoured; RESET_NONE: it can, so far */
    uint64_t ticket;
    struct progress starts; /* of the cache in which the place was; empty: it was in none */
};

struct resume *resume_new(struct slice last_event_id, struct slice tag)
{
    struct resume *r = mem_zero(sizeof *r);

    if (progress_id_parse(last_event_id, &r->id) < 0)
        r->reset = RESET_ID_MALFORMED;
    else if (r->id.moving || !slice_equal(slice_str(r->id.tag), tag))
        r->reset = RESET_SELECTION;
    return r;
}

struct resume *resume_none(enum reset why)
{
    struct resume *r = mem_zero(sizeof *r);

    r->reset = why;
    return r;
}

struct resume *resume_held(const struct progress *at, const struct cache *cache)
{
    struct resume *r = mem_zero(sizeof *r);

    r->id.at = mem_zero((size_t)at->n * sizeof *r->id.at);
    for (int32_t i = 0; i < at->n; i++)
        if (at->next[i] >= 0)
            r->id.at[r->id.n++] = (struct progress_at){i, at->next[i]};
    cache_start(cache, &r->starts);
    return r;
}

void resume_free(struct resume *r)
{
    if (r == NULL)
        return;
    progress_id_fini(&r->id);
    progress_fini(&r->starts);
    free(r);
}

bool resume_is_ahead(const struct resume *r, const struct cache *cache)
{
    const struct progress *end = cache_progress(cache);

    for (int32_t i = 0; i < r->id.n && r->reset == RESET_NONE; i++)
        if (r->id.at[i].partition >= end->n || r->id.at[i].next > end->next[r->id.at[i].partition])
            return true;
    return false;
}

void resume_await(struct resume *r, uint64_t ticket)
{
    r->ticket = ticket;
}

/* What speaks against the id's place in one partition, by answers to questions that were asked
 * after the stream came. */
static enum reset refute(const struct resume *r, const struct progress_at *at, int32_t n,
                         const struct consumer *consumer, uint64_t answered)
{
    if (at->partition >= n)
        return answered >= r->ticket ? RESET_PARTITION_UNKNOWN : RESET_NONE;
    int64_t end = consumer_surveyed_end(consumer, at->partition, r->ticket);
    return end >= 0 && at->next > end ? RESET_ID_BEYOND_END : RESET_NONE;
}

bool resume_decide(struct resume *r, const struct cache *cache, const struct consumer *consumer,
                   uint64_t answered)
{
    const struct progress *end = cache_progress(cache);
    bool waits = false;

    for (int32_t i = 0; i < r->id.n && r->reset == RESET_NONE; i++) {
        const struct progress_at *at = &r->id.at[i];
        if (at->partition < end->n && at->next <= end->next[at->partition])
            continue;
        r->reset = refute(r, at, end->n, consumer, answered);
        waits = waits || at->partition >= end->n || !consumer_given_up(consumer, at->partition);
    }
    return r->reset != RESET_NONE || !waits;
}

bool resume_is_refuted(const struct progress *at, const struct cache *cache,
                       const struct consumer *consumer)
{
    for (int32_t i = 0; i < at->n; i++) {
        if (at->next[i] <= progress_get(cache_progress(cache), i))
            continue;
        int64_t end = consumer_surveyed_end(consumer, i, 0);
        if (end >= 0 && at->next[i] > end)
            return true;
    }
    return false;
}

/* Keys that it may hold have gone by age, and it cannot be told which: those that this responder
 * never had, or, if it was given them by a cache that began at `before`, what its log has lost
 * since. */
static bool has_unnamed(const struct resume *r, const struct cache *cache, int32_t partition,
                        int64_t next)
{
    int64_t before = progress_get(&r->starts, partition);

    if (before < 0)
        return next < cache_unnamed(cache, partition, 0);
    return next > before && cache_origin(cache, partition) > before;
}

/* The reader may have missed a delete. */
static bool lacks_deletes(const struct resume *r, const struct progress *from,
                          const struct cache *cache)
{
    for (int32_t i = 0; i < from->n && cache_compacted(cache); i++) {
        int64_t next = from->next[i];
        if (next >= 0 && (next < cache_horizon(cache, i) || has_unnamed(r, cache, i, next)))
            return true;
    }
    return false;
}

enum reset resume_judge(const struct resume *r, const struct cache *cache, struct progress *from)
{
    struct progress place = {0};

    if (r->reset != RESET_NONE)
        return r->reset;
    progress_resize(&place, cache_progress(cache)->n);
    for (int32_t i = 0; i < r->id.n; i++)
        if (r->id.at[i].partition < place.n)
            place.next[r->id.at[i].partition] = r->id.at[i].next;
    if (lacks_deletes(r, &place, cache)) {
        progress_fini(&place);
        return RESET_DELETES_UNKNOWN;
    }
    *from = place;
    return RESET_NONE;
}

#include "base/mem.h"
#include "stream/replay_inside.h"

static struct replay *replay_new(uint64_t pos, const struct progress *at)
{
    struct replay *r = mem_zero(sizeof *r);

    r->pos = pos;
    r->losses = UINT64_MAX;
    progress_copy(&r->at, at);
    return r;
}

struct replay *replay_resumed(const struct cache *c, const struct progress *from)
{
    struct replay *r = replay_new(cache_seek(c, from), from);

    r->judged = cache_last_forgotten(c);
    return r;
}

static struct replay *replay_earliest(const struct cache *c)
{
    struct progress start = {0};

    cache_start(c, &start);
    struct replay *r = replay_new(0, &start);
    progress_fini(&start);
    return r;
}

/* Nothing of what was there at these ends, as far as they are known and shown. */
static struct replay *replay_latest(const struct cache *c, const struct progress *shown,
                                    const struct progress *ends)
{
    struct progress from = {0};

    progress_copy(&from, shown);
    for (int32_t i = 0; ends != NULL && i < from.n && i < ends->n; i++)
        if (ends->next[i] >= 0 && ends->next[i] < from.next[i])
            from.next[i] = ends->next[i];
    struct replay *r = replay_resumed(c, &from);
    progress_fini(&from);
    return r;
}

/* Whether what was lost of a partition is to be told depends on the first record that is left. */
static struct replay *replay_since(const struct cache *c, int64_t ms)
{
    struct replay *r = replay_earliest(c);

    r->since = since_new(ms, r->at.n);
    for (int32_t i = 0; i < r->at.n; i++)
        if (cache_lost(c, i) > 0)
            r->at.next[i] = 0;
    return r;
}

static struct replay *replay_last(const struct cache *c, const struct progress *shown, int64_t n)
{
    struct replay *r = replay_new(cache_end(c), shown);

    r->to_find = (uint32_t)n;
    return r;
}

struct replay *replay_fresh(const struct cache *c, const struct progress *shown,
                            const struct from *from, const struct progress *ends)
{
    switch (from->kind) {
    case FROM_LATEST:
        return replay_latest(c, shown, ends);
    case FROM_TIME:
        return replay_since(c, from->value);
    case FROM_LAST:
        return replay_last(c, shown, from->value);
    default:
        return replay_earliest(c);
    }
}

struct replay *replay_behind(const struct place *at)
{
    struct progress progress = {0};

    backlog_progress(at, &progress);
    struct replay *r = replay_new(backlog_number(at), &progress);
    progress_fini(&progress);
    return r;
}

struct replay *replay_from(uint64_t number, const struct progress *at)
{
    return replay_new(number, at);
}

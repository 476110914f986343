/* Can a replay go on, or has it lost what it cannot be told any more? */
#include "stream/replay_inside.h"

/* It has something of a partition, and may lack a delete of it.  Those that are hidden are judged
 * when they are shown. */
static bool is_below_horizon(const struct replay *r, const struct cache *c,
                             const struct progress *shown)
{
    for (int32_t i = 0; i < r->at.n; i++) {
        int64_t next = r->at.next[i], horizon = cache_horizon(c, i);
        if (next >= 0 && next < horizon && horizon <= progress_get(shown, i))
            return true;
    }
    return false;
}

bool replay_lost_deletes(const struct replay *r, const struct cache *c,
                         const struct progress *shown, uint64_t no_deletes)
{
    uint64_t forgotten = cache_last_forgotten(c);

    return cache_compacted(c) && forgotten > r->judged && forgotten >= r->pos &&
           forgotten >= no_deletes && is_below_horizon(r, c, shown);
}

/* It begins the partition only now, and has nothing of it to delete. */
static void begin_partition(struct replay *r, const struct cache *c, int32_t partition)
{
    if (r->at.n <= partition)
        progress_resize(&r->at, partition + 1);
    r->at.next[partition] = OFFSET_BEGINNING;
    if (r->spared.n <= partition)
        progress_resize(&r->spared, partition + 1);
    r->spared.next[partition] = (int64_t)cache_end(c);
}

bool replay_return(struct replay *r, const struct cache *c, const struct progress *shown,
                   uint64_t no_deletes, const struct hidden *hidden)
{
    int64_t next = progress_get(&r->at, hidden->partition);

    /* One that has begun fresh since then and is not beyond the start has been given nothing. */
    bool has_nothing = no_deletes >= hidden->number && next <= hidden->start;

    if (next < 0 || (cache_compacted(c) && has_nothing))
        begin_partition(r, c, hidden->partition);
    else if (cache_compacted(c) && (next < cache_horizon(c, hidden->partition) ||
                                    next < cache_unnamed(c, hidden->partition, hidden->number)))
        return false;
    if (replay_lost_deletes(r, c, shown, no_deletes))
        return false;
    r->judged = cache_last_forgotten(c);
    if (hidden->number < r->pos)
        r->pos = hidden->number;
    return true;
}

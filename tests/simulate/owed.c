#include "model_inside.h"
#include "port.h"
#include "world.h"

/* A small cache may have dropped it before. */
static bool is_told_of_age(const struct written *e, int64_t since_ms)
{
    return e->aged_ms <= since_ms && !model_config.small_cache;
}

static void check_partition(const struct view *v, const struct topic *t, int32_t p,
                            int64_t since_ms)
{
    const struct partition_log *log = &t->partitions[p];

    for (int k = 0; k < KEYS && t->compacted; k++) {
        int64_t newest = log->newest[k];
        const struct written *e = newest >= 0 ? &log->at[newest] : NULL;
        if (e == NULL || e->seen_ms > since_ms || newest < v->gap[p] ||
            !picked_has(&v->due, p, k) || model_is_early(v, p, e, newest) ||
            (e->aged && !is_told_of_age(e, since_ms)) || model_may_be_dropped(v, p, k))
            continue;
        int64_t must = e->size == NO_VALUE || e->aged ? -1 : newest;
        if (v->have[p][k] != must && !(e->gone && v->have[p][k] == -1))
            world_breach("starved", "%s waits for key %d, offset %lld of partition %d, for %lld ms",
                         v->name, k, (long long)newest, (int)p,
                         (long long)(world_now_ms() - e->seen_ms));
    }
    for (int64_t o = v->at[p] < 0 ? 0 : v->at[p]; o < log->visible && !t->compacted; o++)
        if (model_shows(v, t, p, o) && !model_is_early(v, p, &log->at[o], o) && !log->at[o].gone &&
            log->at[o].seen_ms <= since_ms && !(v->at[p] < 0 && model_config.small_cache))
            world_breach("starved", "%s waits for offset %lld of partition %d for %lld ms", v->name,
                         (long long)o, (int)p, (long long)(world_now_ms() - log->at[o].seen_ms));
}

void view_check(const struct view *v, int64_t since_ms, bool (*owed)(void *arg, int32_t partition),
                void *arg)
{
    const struct topic *t = cluster_topic();
    uint64_t known = UINT64_MAX << port_first_life(v->responder, since_ms);

    if (t == NULL || t->made_ms > since_ms || v->reset_ms > since_ms)
        return;
    bool any = false; /* else there may be nobody to ask */
    for (int32_t p = 0; p < t->n; p++)
        any = any || owed(arg, p);
    if (any && !v->foreign &&
        ((v->lives != 0 && (model_lives_by_place(v) & known) == 0) ||
         (v->spliced != 0 && (v->spliced & known) == 0)))
        world_breach(v->spliced_waiting ? "not told, waiting" : "not told",
                     "%s does not know that the topic is another", v->name);
    if (v->id_is != ID_OWN && owed(arg, 0))
        world_breach("id", "%s came with an id that leads nowhere, and is not reset", v->name);
    bool tells = v->from.kind == FROM_LATEST || v->by.subscription != NULL;
    if (v->id[0] == 0 && tells && v->came_ms <= since_ms && any)
        world_breach("place", "%s is not told where it begins", v->name);
    if (v->other_tag && any)
        world_breach("tag", "%s came with an id of another selection, and is not reset", v->name);
    if (v->is_settled && v->settled_ms <= since_ms && any && !v->moving && !model_is_renewed(v))
        world_breach("renewal", "%s was renewed to select otherwise, and is not reset", v->name);
    if (any && v->came_ms <= since_ms)
        model_check_told(v, since_ms);
    for (int32_t p = 0; p < t->n; p++)
        if (owed(arg, p) && model_life(v) == t)
            check_partition(v, t, p, since_ms);
}

/* -- documents -- */

/* It reaches to where the topic ended for its responder when it was asked for. */
void view_document_end(const struct view *v)
{
    const struct topic *t = model_life(v);

    for (int32_t p = 0; t != NULL && v->known_life == t->life && p < t->n; p++)
        if (v->at[p] < v->known_end[p] && model_is_calm(v))
            world_breach("stale",
                         "%s is given a document that ends at %lld of partition %d: it "
                         "was at %lld before",
                         v->name, (long long)v->at[p], (int)p, (long long)v->known_end[p]);
}

void view_same(struct view *v, bool settled)
{
    const struct topic *t = model_life(v);

    if (v->other_tag)
        world_breach("tag", "%s has what is selected otherwise, and is told that it is the same",
                     v->name);
    for (int32_t p = 0; settled && t != NULL && v->known_life == t->life && p < t->n; p++)
        if (v->at[p] < v->known_end[p] && model_is_calm(v))
            model_move(v, p, v->known_end[p], -1);
}

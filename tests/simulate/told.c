#include <stdlib.h>

#include "model_inside.h"
#include "port.h"
#include "world.h"

/* Is there anything behind the client's place that a responder may take for a lost delete? */
static bool may_miss_deletes(const struct view *v)
{
    const struct topic *t = model_life(v);

    if (t == NULL || model_config.small_cache)
        return true;
    for (int32_t p = 0; p < t->n && t->compacted; p++) {
        const struct partition_log *log = &t->partitions[p];
        if (log->start > 0)
            return true; /* a key that has aged is deleted at the place of that moment */
        for (int64_t o = v->at[p] < 0 ? 0 : v->at[p]; o < log->end; o++) {
            const struct written *e = &log->at[o];
            if (e->gone || e->fate != COMMITTED ||
                (e->size == NO_VALUE && world_now_ms() - e->seen_ms >= t->shortest_retention_ms))
                return true;
        }
    }
    return false;
}

/* The topic is not, or was not to its responder when it came, what it holds.  An id that another
 * responder has given it may be of a life of which its own had not heard. */
static bool is_another_topic(const struct view *v)
{
    return cluster_topic() == NULL || v->lives == 0 || v->first_life < cluster_lives() ||
           (v->heard_life != 0 && v->heard_life < cluster_lives()) ||
           port_has_assumed_policy(v->responder) ||
           (v->lives & (UINT64_C(1) << cluster_topic()->life)) == 0;
}

/* The first life that it may be given when it was told that the one before is over.  It may have
 * been given something of that life before its responder knew. */
static int first_life_after(const struct view *v)
{
    if (v->lives == 0)
        return v->first_life; /* it may have waited for just that */
    int held = __builtin_ctzll(v->lives);
    return held == v->first_life && held < cluster_lives() ? held + 1 : held;
}

static bool is_behind_end(const struct view *v)
{
    const struct topic *t = cluster_topic();

    for (int32_t p = 0; p < PARTITIONS_MAX && t != NULL; p++)
        if (v->at[p] > (p < t->n ? t->partitions[p].visible : -1))
            return true;
    return false;
}

static bool says(struct slice text, const char *words)
{
    return memmem(text.p, text.n, words, strlen(words)) != NULL;
}

static bool is_new_topic(struct slice reason)
{
    return says(reason, "made again") || says(reason, "topic_new");
}

/* Each reason, by its words or its code, must be true. */
static bool reason_holds(const struct view *v, struct slice data)
{
    if (says(data, "malformed"))
        return v->id_is == ID_MALFORMED;
    if (is_new_topic(data))
        return is_another_topic(v);
    if (says(data, "lacks") || says(data, "partition_unknown") || says(data, "beyond"))
        return v->id_is == ID_FUTURE || v->foreign || is_another_topic(v) || is_behind_end(v);
    if (says(data, "selection"))
        return v->other_tag;
    if (says(data, "deletes"))
        return v->id_is != ID_MALFORMED && (may_miss_deletes(v) || is_behind_end(v));
    return false;
}

/* It has nothing but what comes, from where it has asked to start. */
static void begin_anew(struct view *v)
{
    view_forget(v);
    v->fresh = true;
    v->other_tag = false;
    v->reset_ms = world_now_ms();
    model_begin_at(v, &v->asked); /* if late, the place is told again */
}

void model_take_reset(struct view *v, struct slice data, const char *id,
                      const int64_t to[PARTITIONS_MAX])
{
    world_tell("%s is reset: %.*s", v->name, (int)data.n, (const char *)data.p);
    if (!reason_holds(v, data))
        world_breach("reset", "%s is reset for a reason that does not hold: %.*s", v->name,
                     (int)data.n, (const char *)data.p);
    if (is_new_topic(data))
        v->first_life = first_life_after(v);
    if (is_new_topic(data))
        v->asked.kind = FROM_EARLIEST;
    begin_anew(v);
    snprintf(v->id, sizeof v->id, "%s", id);
    for (int p = 0; p < PARTITIONS_MAX && !v->begins_late; p++)
        v->at[p] = to[p];
}

void model_take_gap(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX])
{
    char copy[128] = "";
    int p;
    long long from, end;

    memcpy(copy, data.p, data.n < sizeof copy - 1 ? data.n : sizeof copy - 1);
    world_tell("%s has a gap: %s", v->name, copy);
    if (sscanf(copy, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", &p, &from, &end) != 3 ||
        p < 0 || p >= PARTITIONS_MAX)
        world_breach("format", "%s: a gap that is none: %s", v->name, copy);
    model_move(v, p, from, -1);
    if (to[p] != end || end <= from)
        world_breach("gap", "%s is at %lld of partition %d and told of a gap from %lld to %lld",
                     v->name, (long long)v->at[p], p, from, end);
    const struct topic *t = model_life(v);
    for (int64_t o = from; t != NULL && o < end && !model_config.small_cache; o++)
        if (model_shows(v, t, p, o) && !t->partitions[p].at[o].gone)
            world_breach("gap",
                         "%s is told of a gap from %lld to %lld of partition %d, where %lld "
                         "still is",
                         v->name, from, end, p, (long long)o);
    v->at[p] = v->gap[p] = end;
    model_move_all(v, to, p, -1);
}

void view_document(struct view *v, bool has_all)
{
    if (has_all)
        begin_anew(v);
}

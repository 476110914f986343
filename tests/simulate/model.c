#include "model.h"

#include <stdlib.h>

#include "base/base64.h"
#include "port.h"
#include "topic/progress.h"
#include "world.h"

static struct model_config config;

void model_begin(const struct model_config *c)
{
    config = *c;
}

static void forget_table(struct view *v)
{
    v->fresh = true;
    v->life = 0;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        v->at[p] = -1;
        for (int k = 0; k < KEYS; k++)
            v->have[p][k] = -1;
    }
}

void view_init(struct view *v, const char *name)
{
    *v = (struct view){.life = 0};
    snprintf(v->name, sizeof v->name, "%s", name);
    forget_table(v);
}

void view_open(struct view *v, unsigned responder, bool forgets)
{
    if (forgets) {
        v->id[0] = 0;
        forget_table(v);
    }
    v->fresh = v->id[0] == 0;
    v->known_life = cluster_topic() ? cluster_topic()->life : 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        v->known_end[p] = port_told(responder, p);
}

/* -- places -- */

/* What consumers see of the key now, if it is before `to`: must the client know it? */
static void check_key(const struct view *v, const struct topic *t, int32_t p, int k, int64_t to)
{
    const struct partition_log *log = &t->partitions[p];
    int64_t newest = log->newest[k];

    if (newest < 0 || newest >= to)
        return; /* it comes later */
    const struct entry *e = &log->at[newest];
    int64_t must = e->size == NO_VALUE ? -1 : newest;
    if (v->have[p][k] == must || (e->gone && v->have[p][k] == -1) || e->aged || config.small_cache)
        return;
    world_breach("lost",
                 "%s stands at %lld of partition %d and holds offset %lld of key %d: it is "
                 "%s at %lld",
                 v->name, (long long)to, (int)p, (long long)v->have[p][k], k,
                 e->size == NO_VALUE ? "deleted" : "newer", (long long)newest);
}

/* The client's place moves in a partition; of what lies between, it was given `given` only. */
static void move(struct view *v, const struct topic *t, int32_t p, int64_t to, int64_t given)
{
    const struct partition_log *log = &t->partitions[p];
    int64_t from = v->at[p] < 0 ? 0 : v->at[p];

    if (to < v->at[p])
        world_breach("back", "%s goes back in partition %d, from %lld to %lld", v->name, (int)p,
                     (long long)v->at[p], (long long)to);
    if (to > log->visible)
        world_breach("ahead", "%s is given place %lld of partition %d, which ends at %lld", v->name,
                     (long long)to, (int)p, (long long)log->visible);
    v->at[p] = to;
    if (t->compacted) {
        for (int k = 0; k < KEYS; k++)
            if (log->newest[k] >= from)
                check_key(v, t, p, k, to);
        return;
    }
    for (int64_t o = from; o < to; o++)
        if (o != given && cluster_shown(t, p, o) && !(from == 0 && log->at[o].gone) &&
            !config.small_cache)
            world_breach("lost", "%s is at %lld of partition %d and was not given %lld", v->name,
                         (long long)to, (int)p, (long long)o);
}

/* Reads the id's places into `to`; -1: it does not name the partition. */
static void parse_id(struct view *v, struct slice id, int64_t to[PARTITIONS_MAX])
{
    struct progress_id places;

    if (id.p == NULL || id.n >= sizeof v->id || progress_id_parse(id, &places) < 0)
        world_breach("format", "%s: an event has no id, or no good one", v->name);
    for (int p = 0; p < PARTITIONS_MAX; p++)
        to[p] = -1;
    for (int32_t i = 0; i < places.n; i++)
        if (places.at[i].partition < PARTITIONS_MAX && places.at[i].next >= 0)
            to[places.at[i].partition] = places.at[i].next;
    progress_id_fini(&places);
    memcpy(v->id, id.p, id.n);
    v->id[id.n] = 0;
}

static void move_all(struct view *v, const struct topic *t, const int64_t to[PARTITIONS_MAX],
                     int32_t partition, int64_t given)
{
    for (int32_t p = 0; p < t->n; p++)
        if (to[p] >= 0)
            move(v, t, p, to[p], p == partition ? given : -1);
}

/* -- records -- */

/* What was superseded before the client came, as far as its responder knew, is not for it. */
static void check_superseded(const struct view *v, const struct topic *t, int32_t p, int64_t offset)
{
    const struct entry *e = &t->partitions[p].at[offset];
    int64_t end = v->known_end[p];

    if (!t->compacted || e->key == NO_KEY || v->known_life != t->life || offset >= end)
        return;
    if (e->next >= 0 && e->next < end)
        world_breach("superseded",
                     "%s is shown offset %lld of partition %d; %lld was there when it "
                     "came",
                     v->name, (long long)offset, (int)p, (long long)e->next);
    if (e->size == NO_VALUE && v->fresh)
        world_breach("superseded", "%s, which has nothing, is told the delete %lld of partition %d",
                     v->name, (long long)offset, (int)p);
}

static void take_record(struct view *v, int life, int32_t p, int64_t offset,
                        const int64_t to[PARTITIONS_MAX])
{
    const struct topic *t = cluster_life(life);

    if (v->life != 0 && v->life != life)
        world_breach("topic", "%s holds life %d of the topic and is given a record of life %d",
                     v->name, v->life, life);
    v->life = life;
    if (to[p] != offset + 1)
        world_breach("place", "%s: the event of offset %lld of partition %d has the id of %lld",
                     v->name, (long long)offset, (int)p, (long long)to[p]);
    if (offset < v->at[p])
        world_breach("twice", "%s is given offset %lld of partition %d, and was behind it already",
                     v->name, (long long)offset, (int)p);
    if (offset >= t->partitions[p].end || !cluster_shown(t, p, offset))
        world_breach("unseen", "%s is given offset %lld of partition %d, which nobody may see",
                     v->name, (long long)offset, (int)p);
    check_superseded(v, t, p, offset);
    const struct entry *e = &t->partitions[p].at[offset];
    if (e->key != NO_KEY)
        v->have[p][e->key] = e->size == NO_VALUE ? -1 : offset;
    move_all(v, t, to, p, offset);
}

static void take_value(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX])
{
    int life;
    int32_t p;
    int64_t offset;
    struct buf must = {0};

    if (!cluster_parse_value(data, &life, &p, &offset) || cluster_life(life) == NULL ||
        p >= cluster_life(life)->n || offset >= cluster_life(life)->partitions[p].end)
        world_breach("value", "%s is given what nobody wrote", v->name);
    cluster_value(cluster_life(life), p, offset, &must);
    if (!slice_equal(buf_slice(&must), data))
        world_breach("value", "%s: the value of offset %lld of partition %d is spoilt", v->name,
                     (long long)offset, (int)p);
    buf_fini(&must);
    world_tell("%s gets %lld of partition %d", v->name, (long long)offset, (int)p);
    take_record(v, life, p, offset, to);
}

static void take_delete(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX])
{
    struct buf key = {0};
    int32_t p;
    int k;

    if (!base64url_decode(&key, data) || !cluster_parse_key(buf_slice(&key), &p, &k))
        world_breach("value", "%s is told the delete of what is no key", v->name);
    buf_fini(&key);
    int64_t offset = to[p] - 1;
    int life = v->life ? v->life : cluster_topic() ? cluster_topic()->life : 0;
    const struct topic *t = cluster_life(life);
    world_tell("%s gets the delete %lld of partition %d", v->name, (long long)offset, (int)p);
    if (t == NULL || offset < 0 || offset >= t->partitions[p].end ||
        t->partitions[p].at[offset].key != k || t->partitions[p].at[offset].size != NO_VALUE)
        world_breach("value",
                     "%s is told the delete of key %d at %lld of partition %d, which is "
                     "none",
                     v->name, k, (long long)offset, (int)p);
    take_record(v, life, p, offset, to);
}

/* -- what is told -- */

static void take_reset(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX])
{
    world_tell("%s is reset: %.*s", v->name, (int)data.n, (const char *)data.p);
    forget_table(v);
    for (int p = 0; p < PARTITIONS_MAX; p++)
        v->at[p] = to[p];
}

static void take_gap(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX])
{
    char copy[128] = "";
    int p;
    long long from, end;

    memcpy(copy, data.p, data.n < sizeof copy - 1 ? data.n : sizeof copy - 1);
    world_tell("%s has a gap: %s", v->name, copy);
    if (sscanf(copy, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", &p, &from, &end) != 3)
        world_breach("format", "%s: a gap that is none: %s", v->name, copy);
    if ((v->at[p] >= 0 && from != v->at[p]) || to[p] != end || end <= from)
        world_breach("gap", "%s is at %lld of partition %d and told of a gap from %lld to %lld",
                     v->name, (long long)v->at[p], p, from, end);
    const struct topic *t = cluster_life(v->life);
    for (int64_t o = from; t != NULL && o < end && !config.small_cache; o++)
        if (cluster_shown(t, p, o) && !t->partitions[p].at[o].gone)
            world_breach("gap",
                         "%s is told of a gap from %lld to %lld of partition %d, where %lld "
                         "still is",
                         v->name, from, end, p, (long long)o);
    v->at[p] = end;
    if (t != NULL)
        move_all(v, t, to, p, -1);
}

void view_event(struct view *v, const struct sse_event *event)
{
    int64_t to[PARTITIONS_MAX];
    const char *type = event->type.p ? (const char *)event->type.p : "";
    size_t n = event->type.n;

    v->events++;
    parse_id(v, event->id, to);
    if (n == 0)
        take_value(v, event->data, to);
    else if (n == 6 && memcmp(type, "delete", n) == 0)
        take_delete(v, event->data, to);
    else if (n == 5 && memcmp(type, "reset", n) == 0)
        take_reset(v, event->data, to);
    else if (n == 3 && memcmp(type, "gap", n) == 0)
        take_gap(v, event->data, to);
    else
        world_breach("format", "%s: an event of type %.*s", v->name, (int)n, type);
}

/* -- in the end -- */

static void check_partition(const struct view *v, const struct topic *t, int32_t p,
                            int64_t since_ms)
{
    const struct partition_log *log = &t->partitions[p];

    for (int k = 0; k < KEYS && t->compacted; k++) {
        int64_t newest = log->newest[k];
        const struct entry *e = newest >= 0 ? &log->at[newest] : NULL;
        if (e == NULL || e->seen_ms > since_ms || e->aged || config.small_cache)
            continue;
        int64_t must = e->size == NO_VALUE ? -1 : newest;
        if (v->have[p][k] != must && !(e->gone && v->have[p][k] == -1))
            world_breach("starved", "%s waits for key %d, offset %lld of partition %d, for %lld ms",
                         v->name, k, (long long)newest, (int)p,
                         (long long)(world_now_ms() - e->seen_ms));
    }
    for (int64_t o = v->at[p] < 0 ? 0 : v->at[p]; o < log->visible && !t->compacted; o++)
        if (cluster_shown(t, p, o) && !log->at[o].gone && log->at[o].seen_ms <= since_ms &&
            !config.small_cache)
            world_breach("starved", "%s waits for offset %lld of partition %d for %lld ms", v->name,
                         (long long)o, (int)p, (long long)(world_now_ms() - log->at[o].seen_ms));
}

void view_check(const struct view *v, int64_t since_ms, bool (*owed)(void *arg, int32_t partition),
                void *arg)
{
    const struct topic *t = cluster_topic();

    if (t == NULL)
        return;
    for (int32_t p = 0; p < t->n; p++)
        if (owed(arg, p) && (v->life == 0 || v->life == t->life))
            check_partition(v, t, p, since_ms);
}

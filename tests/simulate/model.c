#include "model_inside.h"

#include <stdlib.h>

#include "port.h"
#include "topic/progress.h"
#include "world.h"

enum {
    NOTICE_MS = 10000,   /* until a responder knows another topic for what it is */
    UNNAMED_MS = 300000, /* after its start ids are of responders before it, for all it knows */
};

struct model_config model_config;

void model_begin(const struct model_config *c)
{
    model_config = *c;
}

void view_forget(struct view *v)
{
    v->id[0] = 0;
    v->id_is = ID_OWN;
    v->lives = 0;
    v->spliced = 0;
    v->spliced_waiting = false;
    v->foreign = v->unsure = v->moving = false;
    v->late.all = true;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        v->at[p] = -1;
        v->gap[p] = 0;
        v->floor[p] = -1;
        for (int k = 0; k < KEYS; k++)
            v->have[p][k] = -1;
    }
}

void view_init(struct view *v, const char *name)
{
    *v = (struct view){.holds.all = true, .url.all = true};
    snprintf(v->name, sizeof v->name, "%s", name);
    view_forget(v);
}

void view_forge(struct view *v, const char *id, int id_is)
{
    view_forget(v);
    snprintf(v->id, sizeof v->id, "%s", id);
    v->id_is = id_is;
}

/* Where nothing has come since, a responder that runs for a while takes an id for one of its own:
 * what has aged before it was started, while the client was away, it cannot name. */
static void forgive_aged(struct view *v, int32_t p)
{
    const struct topic *t = cluster_topic();

    if (t == NULL || v->at[p] != t->partitions[p].visible ||
        world_now_ms() - port_started_ms(v->responder) < UNNAMED_MS)
        return;
    for (int k = 0; k < KEYS && t->compacted; k++) {
        int64_t newest = t->partitions[p].newest[k];
        const struct written *e = newest >= 0 ? &t->partitions[p].at[newest] : NULL;
        if (e != NULL && e->aged && !port_has_read(v->responder, e))
            v->have[p][k] = -1;
    }
}

void model_begin_at(struct view *v, const struct from *from)
{
    v->from = *from;
    v->begins_late = from->kind != FROM_EARLIEST;
}

void view_offer(struct view *v, const struct picked *route)
{
    v->offers = true;
    v->is_settled = false;
    v->offered = *route;
}

void view_settle(struct view *v, bool accepted)
{
    v->is_settled = v->offers && accepted && !v->lingers;
    v->settled_ms = world_now_ms();
}

void view_linger(struct view *v)
{
    if (v->by.subscription == NULL)
        return; /* it names no other stream */
    if (!v->offers)
        v->offered = v->route;
    v->offers = v->lingers = true;
}

/* By what it was given; or it was given places alone, and then. */
static bool has_former_id(const struct view *v)
{
    if (v->lives != 0)
        return (v->lives >> cluster_lives()) == 0;
    return v->id[0] != 0 && v->id_is == ID_OWN && v->id_life < cluster_lives();
}

void view_open(struct view *v, unsigned responder, const struct picked *route,
               const struct picked *url, const struct from *from)
{
    v->responder = responder;
    model_select(v, route, url);
    v->asked = *from;
    if (v->id[0] == 0)
        model_begin_at(v, from);
    v->events = 0;
    v->came_ms = world_now_ms();
    v->first_life = port_first_life(responder, world_now_ms() - NOTICE_MS);
    v->heard_life = port_heard_life(responder);
    v->fresh = v->id[0] == 0;
    v->foreign = v->foreign || v->spliced || v->unsure || has_former_id(v);
    v->known_life = cluster_topic() ? cluster_topic()->life : 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        v->known_end[p] = cluster_served(p) ? port_told(responder, p) : -1;
        forgive_aged(v, p);
    }
}

void view_head(struct view *v)
{
    v->foreign = v->foreign || has_former_id(v);
}

/* -- lives of the topic -- */

uint64_t model_possible_lives(const struct view *v)
{
    if (v->lives != 0)
        return v->lives;
    return (UINT64_MAX << v->first_life) & ~(UINT64_MAX << 1 << cluster_lives());
}

uint64_t model_lives_by_place(const struct view *v)
{
    uint64_t lives = model_possible_lives(v);

    for (int life = 2; life <= cluster_lives(); life++) {
        const struct topic *t = cluster_life(life);
        if (t->cut && (lives & UINT64_C(1) << (life - 1)) && v->at[t->cut_partition] <= t->cut_end)
            lives |= UINT64_C(1) << life;
    }
    return lives;
}

const struct topic *model_life(const struct view *v)
{
    int now = cluster_lives();
    uint64_t lives = model_possible_lives(v);

    return !v->foreign && !v->spliced && v->first_life == now && lives == UINT64_C(1) << now
               ? cluster_life(now)
               : NULL;
}

void model_narrow(struct view *v, uint64_t to)
{
    uint64_t before = model_lives_by_place(v);

    v->lives = before & to;
    if (v->lives != 0)
        return;
    /* Where the responder cannot see that the topic is another, nobody can be told. */
    uint64_t later = to & (UINT64_MAX << __builtin_ctzll(before));
    if (later == 0) /* it was at one that could see it, and is at one that cannot yet */
        later = to & (UINT64_MAX << v->first_life);
    if (later == 0 || before == 0)
        world_breach("topic", "%s is given what the topic had in a former life", v->name);
    v->lives = later;
    v->spliced_waiting = v->events == 1;
    v->spliced = v->spliced ? v->spliced : before;
    world_tell("%s is given another life's records and was not told", v->name);
}

/* -- places -- */

void model_check_key(const struct view *v, const struct topic *t, int32_t p, int k, int64_t to)
{
    const struct partition_log *log = &t->partitions[p];
    int64_t newest = log->newest[k];

    if (newest < 0 || newest >= to)
        return; /* it comes later */
    const struct written *e = &log->at[newest];
    int64_t must = e->size == NO_VALUE ? -1 : newest;
    if (!picked_has(&v->due, p, k) || model_is_early(v, p, e, newest) ||
        model_may_be_dropped(v, p, k))
        return;
    if (v->have[p][k] == must || (e->gone && v->have[p][k] == -1) || e->aged || newest < v->gap[p])
        return;
    world_breach("lost",
                 "%s stands at %lld of partition %d and holds offset %lld of key %d: it is "
                 "%s at %lld",
                 v->name, (long long)to, (int)p, (long long)v->have[p][k], k,
                 e->size == NO_VALUE ? "deleted" : "newer", (long long)newest);
}

/* Of a partition of which a small cache has nothing left nobody knows how old it was. */
bool model_is_early(const struct view *v, int32_t p, const struct written *e, int64_t offset)
{
    bool young = v->from.kind == FROM_TIME && e->timestamp >= v->from.value;

    young = young && !model_config.small_cache;
    return v->begins_late && !young && picked_has(&v->late, p, e->key) &&
           (v->floor[p] < 0 || offset < v->floor[p]);
}

/* It has begun later than at the earliest record.  At a time: with the first record that is not
 * older; else at the place that it is told first. */
static void begin_late(struct view *v, int32_t p, int64_t to, int64_t given)
{
    bool first = v->at[p] < 0;

    if (!v->begins_late || v->floor[p] >= 0)
        return;
    if (first)
        v->at[p] = given >= 0 ? given : to;
    if (v->from.kind == FROM_TIME)
        v->floor[p] = given;
    else if (first)
        v->floor[p] = v->at[p];
}

void model_move(struct view *v, int32_t p, int64_t to, int64_t given)
{
    begin_late(v, p, to, given);
    const struct topic *t = model_life(v);
    int64_t from = v->at[p] < 0 ? 0 : v->at[p];

    if (to < v->at[p])
        world_breach("back", "%s goes back in partition %d, from %lld to %lld", v->name, (int)p,
                     (long long)v->at[p], (long long)to);
    v->at[p] = to;
    if (t == NULL || v->id_is != ID_OWN)
        return;
    const struct partition_log *log = &t->partitions[p];
    if (to > log->visible)
        world_breach("ahead", "%s is given place %lld of partition %d, which ends at %lld", v->name,
                     (long long)to, (int)p, (long long)log->visible);
    for (int k = 0; k < KEYS && t->compacted; k++)
        if (log->newest[k] >= from)
            model_check_key(v, t, p, k, to);
    for (int64_t o = from; o < to && !t->compacted; o++)
        if (o != given && model_shows(v, t, p, o) && !model_is_early(v, p, &log->at[o], o) &&
            !(from == 0 && model_config.small_cache) &&
            !(log->at[o].gone && (from == 0 || o < log->altered)))
            world_breach("lost", "%s is at %lld of partition %d and was not given %lld", v->name,
                         (long long)to, (int)p, (long long)o);
}

bool model_shows(const struct view *v, const struct topic *t, int32_t p, int64_t offset)
{
    return cluster_shown(t, p, offset) && picked_has(&v->due, p, t->partitions[p].at[offset].key);
}

void model_move_all(struct view *v, const int64_t to[PARTITIONS_MAX], int32_t partition,
                    int64_t given)
{
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        if (to[p] >= 0)
            model_move(v, p, to[p], p == partition ? given : -1);
}

/* Reads the places in an id; -1: it does not name the partition. */
static void parse_id(struct view *v, struct slice id, bool resets, int64_t to[PARTITIONS_MAX])
{
    struct progress_id places;

    if (id.p == NULL || id.n >= sizeof v->id || progress_id_parse(id, &places) < 0)
        world_breach("format", "%s: an event has no id, or no good one", v->name);
    model_take_tag(v, places.tag, places.moving, resets);
    for (int p = 0; p < PARTITIONS_MAX; p++)
        to[p] = -1;
    for (int32_t i = 0; i < places.n; i++)
        if (places.at[i].partition < PARTITIONS_MAX && places.at[i].next >= 0)
            to[places.at[i].partition] = places.at[i].next;
    progress_id_fini(&places);
}

/* Those that select are told how far they are, and those that begin behind the latest, or have a
 * handle, where. */
static void take_place(struct view *v, const int64_t to[PARTITIONS_MAX])
{
    if (v->may.all && !(v->begins_late && v->from.kind == FROM_LATEST) &&
        v->by.subscription == NULL && !v->documents)
        world_breach("place", "%s is told a place without an event", v->name);
    world_tell("%s is told its place", v->name);
    model_move_all(v, to, -1, -1);
}

static bool is_type(const struct sse_event *event, const char *type)
{
    return event->type.p != NULL && slice_equal(event->type, slice_str(type));
}

void view_event(struct view *v, const struct sse_event *event)
{
    int64_t to[PARTITIONS_MAX];
    char id[sizeof v->id] = "";

    parse_id(v, event->id, is_type(event, "reset"), to);
    memcpy(id, event->id.p, event->id.n);
    v->events += event->data.p != NULL;
    if (event->data.p == NULL)
        take_place(v, to);
    else if (event->type.p == NULL)
        model_take_value(v, event->data, id, to);
    else if (is_type(event, "delete"))
        model_take_delete(v, event->data, id, to);
    else if (is_type(event, "reset"))
        model_take_reset(v, event->data, id, to);
    else if (is_type(event, "gap"))
        model_take_gap(v, event->data, to);
    else
        world_breach("format", "%s: an event of type %.*s", v->name, (int)event->type.n,
                     (const char *)event->type.p);
    model_arrive(v);
    v->was_reset = is_type(event, "reset");
    memcpy(v->id, id, sizeof id);
    v->id_life = cluster_lives();
    v->unsure = v->unsure || v->first_life < cluster_lives();
}

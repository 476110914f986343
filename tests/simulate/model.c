#include "model.h"

#include <stdlib.h>

#include "base/base64.h"
#include "port.h"
#include "topic/progress.h"
#include "world.h"

enum { NOTICE_MS = 10000 /* until a responder knows another topic for what it is */ };

static struct model_config config;

void model_begin(const struct model_config *c)
{
    config = *c;
}

void view_forget(struct view *v)
{
    v->id[0] = 0;
    v->id_is = ID_OWN;
    v->lives = 0;
    v->spliced = 0;
    v->spliced_waiting = false;
    v->foreign = false;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        v->at[p] = -1;
        for (int k = 0; k < KEYS; k++)
            v->have[p][k] = -1;
    }
}

void view_init(struct view *v, const char *name)
{
    *v = (struct view){.lives = 0};
    snprintf(v->name, sizeof v->name, "%s", name);
    view_forget(v);
}

void view_forge(struct view *v, const char *id, int id_is)
{
    view_forget(v);
    snprintf(v->id, sizeof v->id, "%s", id);
    v->id_is = id_is;
}

void view_open(struct view *v, unsigned responder)
{
    v->responder = responder;
    v->events = 0;
    v->first_life = port_first_life(responder, world_now_ms() - NOTICE_MS);
    v->fresh = v->id[0] == 0;
    v->foreign = v->foreign || v->spliced || (v->lives != 0 && (v->lives >> cluster_lives()) == 0);
    v->known_life = cluster_topic() ? cluster_topic()->life : 0;
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        v->known_end[p] = cluster_served(p) ? port_told(responder, p) : -1;
}

/* -- lives of the topic -- */

static uint64_t possible_lives(const struct view *v)
{
    return (UINT64_MAX << v->first_life) & ~(UINT64_MAX << 1 << cluster_lives());
}

/* The one that it is in; NULL: that is not sure, for its responder may not have seen yet that the
 * topic is another, and then gives something of both. */
static const struct topic *life_of(const struct view *v)
{
    int now = cluster_lives();
    uint64_t lives = v->lives ? v->lives : possible_lives(v);

    return !v->foreign && !v->spliced && v->first_life == now && lives == UINT64_C(1) << now
               ? cluster_life(now)
               : NULL;
}

/* It is given what there is in these lives only. */
static void narrow(struct view *v, uint64_t to)
{
    uint64_t before = v->lives ? v->lives : possible_lives(v);

    v->lives = before & to;
    if (v->lives != 0)
        return;
    /* Where the responder cannot see that the topic is another, nobody can be told. */
    uint64_t later = to & (UINT64_MAX << __builtin_ctzll(before));
    if (later == 0 || before == 0)
        world_breach("topic", "%s is given what the topic had in a former life", v->name);
    v->lives = later;
    v->spliced_waiting = v->events == 1;
    v->spliced = v->spliced ? v->spliced : __builtin_ctzll(before);
    world_tell("%s is given another life's records and was not told", v->name);
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

/* The client's place moves in a partition; of what lies between it was given `given` only. */
static void move(struct view *v, int32_t p, int64_t to, int64_t given)
{
    const struct topic *t = life_of(v);
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
            check_key(v, t, p, k, to);
    for (int64_t o = from; o < to && !t->compacted && !config.small_cache; o++)
        if (o != given && cluster_shown(t, p, o) && !(from == 0 && log->at[o].gone))
            world_breach("lost", "%s is at %lld of partition %d and was not given %lld", v->name,
                         (long long)to, (int)p, (long long)o);
}

static void move_all(struct view *v, const int64_t to[PARTITIONS_MAX], int32_t partition,
                     int64_t given)
{
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        if (to[p] >= 0)
            move(v, p, to[p], p == partition ? given : -1);
}

/* -- records -- */

/* What was superseded before the client came, as far as its responder knew, is not for it. */
static void check_superseded(const struct view *v, int32_t p, int64_t offset)
{
    const struct topic *t = life_of(v);
    int64_t end = v->known_end[p];

    /* A broker that hangs in the midst of it is not waited for. */
    if (t == NULL || !t->compacted || v->known_life != t->life || offset >= end ||
        !cluster_served(p))
        return;
    const struct entry *e = &t->partitions[p].at[offset];
    if (e->next >= 0 && e->next < end)
        world_breach("superseded",
                     "%s is shown offset %lld of partition %d; %lld was there when it came",
                     v->name, (long long)offset, (int)p, (long long)e->next);
    if (e->size == NO_VALUE && v->fresh)
        world_breach("superseded", "%s, which has nothing, is told the delete %lld of partition %d",
                     v->name, (long long)offset, (int)p);
}

/* It is the end of the id. */
static void check_etag(const struct view *v, int64_t offset, const char *id)
{
    char etag[16];
    const char *slash = strrchr(id, '/');

    cluster_etag(offset, etag);
    if (etag[0] ? slash == NULL || strncmp(slash + 1, etag, strlen(etag)) != 0 : slash != NULL)
        world_breach("etag", "%s: offset %lld has the etag \"%s\", and the id %s", v->name,
                     (long long)offset, etag, id);
}

static void take_record(struct view *v, uint64_t lives, int32_t p, int64_t offset, int key,
                        const char *id, const int64_t to[PARTITIONS_MAX])
{
    if (v->id_is == ID_MALFORMED)
        world_breach("id", "%s came with an id that leads nowhere, and is not reset", v->name);
    narrow(v, lives);
    const struct topic *t = life_of(v);
    if (to[p] != offset + 1)
        world_breach("place", "%s: the event of offset %lld of partition %d has the id of %lld",
                     v->name, (long long)offset, (int)p, (long long)to[p]);
    if (offset < v->at[p])
        world_breach("twice", "%s is given offset %lld of partition %d, and was behind it already",
                     v->name, (long long)offset, (int)p);
    if (t != NULL && !cluster_shown(t, p, offset))
        world_breach("unseen", "%s is given offset %lld of partition %d, which nobody may see",
                     v->name, (long long)offset, (int)p);
    check_superseded(v, p, offset);
    if (key != NO_KEY) {
        const struct entry *e = &cluster_life(__builtin_ctzll(v->lives))->partitions[p].at[offset];
        v->have[p][key] = e->size == NO_VALUE ? -1 : offset;
    }
    check_etag(v, offset, id);
    move_all(v, to, p, offset);
}

static void tell_given(const struct view *v, int32_t p, int64_t offset, const char *mark)
{
    char head[64], item[32];

    snprintf(head, sizeof head, "%s gets of partition %d:", v->name, (int)p);
    snprintf(item, sizeof item, " %s%lld", mark, (long long)offset);
    world_tell_item(head, item);
}

/* The lives in which that record is at that place. */
static uint64_t lives_with(int32_t p, int64_t offset, int key, bool deletes, int born)
{
    uint64_t lives = 0;

    for (int life = 1; life <= cluster_lives(); life++) {
        const struct topic *t = cluster_life(life);
        if (p < 0 || p >= t->n || offset < 0 || offset >= t->partitions[p].end)
            continue;
        const struct entry *e = &t->partitions[p].at[offset];
        if ((deletes ? e->key == key && e->size == NO_VALUE : e->size != NO_VALUE) &&
            (born == 0 || e->born == born))
            lives |= UINT64_C(1) << life;
    }
    return lives;
}

static void take_value(struct view *v, struct slice data, const char *id,
                       const int64_t to[PARTITIONS_MAX])
{
    int born = 0;
    int32_t p = 0;
    int64_t offset = 0;
    struct buf must = {0};

    bool good = cluster_parse_value(data, &born, &p, &offset);
    uint64_t lives = good ? lives_with(p, offset, NO_KEY, false, born) : 0;
    if (lives == 0)
        world_breach("value", "%s is given what nobody wrote", v->name);
    const struct topic *t = cluster_life(__builtin_ctzll(lives));
    cluster_value(t, p, offset, &must);
    if (!slice_equal(buf_slice(&must), data))
        world_breach("value", "%s: the value of offset %lld of partition %d is spoilt", v->name,
                     (long long)offset, (int)p);
    buf_fini(&must);
    tell_given(v, p, offset, "");
    take_record(v, lives, p, offset, t->partitions[p].at[offset].key, id, to);
}

/* The broker has dropped it by its age: a delete without an offset of its own.  One that has
 * superseded it may not have been read yet: the key is set again then. */
static bool is_aged(const struct view *v, int32_t p, int key)
{
    uint64_t lives = v->lives ? v->lives : possible_lives(v);

    for (int life = 1; life <= cluster_lives(); life++) {
        const struct topic *t = cluster_life(life);
        for (int64_t o = 0; t->ages && (lives >> life & 1) && o < t->partitions[p].start; o++)
            if (t->partitions[p].at[o].key == key)
                return true;
    }
    return false;
}

static void take_delete(struct view *v, struct slice data, const char *id,
                        const int64_t to[PARTITIONS_MAX])
{
    struct buf text = {0};
    int32_t p;
    int key;

    if (!base64url_decode(&text, data) || !cluster_parse_key(buf_slice(&text), &p, &key))
        world_breach("value", "%s is told the delete of what is no key", v->name);
    buf_fini(&text);
    int64_t offset = to[p] - 1;
    uint64_t lives = lives_with(p, offset, key, true, 0);
    if (lives == 0 && is_aged(v, p, key)) {
        world_tell("%s is told that key %d of partition %d has aged", v->name, key, (int)p);
        v->have[p][key] = -1;
        move_all(v, to, p, -1);
        return;
    }
    tell_given(v, p, offset, "-");
    if (lives == 0)
        world_breach("value", "%s is told the delete of key %d at %lld of partition %d: no such",
                     v->name, key, (long long)offset, (int)p);
    take_record(v, lives, p, offset, key, id, to);
}

/* -- what is told -- */

/* Is there anything behind the client's place that a responder may take for a lost delete? */
static bool may_miss_deletes(const struct view *v)
{
    const struct topic *t = life_of(v);

    if (t == NULL || config.small_cache)
        return true;
    for (int32_t p = 0; p < t->n && t->compacted; p++) {
        const struct partition_log *log = &t->partitions[p];
        for (int64_t o = v->at[p] < 0 ? 0 : v->at[p]; o < log->end; o++) {
            const struct entry *e = &log->at[o];
            if (e->gone || e->fate != COMMITTED ||
                (e->size == NO_VALUE && world_now_ms() - e->seen_ms >= t->delete_retention_ms))
                return true;
        }
    }
    return false;
}

/* The topic is not, or was not to its responder when it came, what it holds. */
static bool is_another_topic(const struct view *v)
{
    return cluster_topic() == NULL || v->lives == 0 || v->first_life < cluster_lives() ||
           (v->lives & (UINT64_C(1) << cluster_topic()->life)) == 0;
}

/* The first life that it may be given when it was told that the one before is over.  It may have
 * been given something of that life before its responder knew. */
static int first_life_after(const struct view *v)
{
    int held = v->lives != 0 ? __builtin_ctzll(v->lives) : v->first_life;

    return held == v->first_life && held < cluster_lives() ? held + 1 : held;
}

static bool is_behind_end(const struct view *v)
{
    const struct topic *t = cluster_topic();

    for (int32_t p = 0; p < PARTITIONS_MAX && t != NULL; p++)
        if (v->at[p] > (p < t->n ? t->partitions[p].visible : 0))
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
        return v->id_is == ID_FUTURE || is_another_topic(v) || is_behind_end(v);
    if (says(data, "deletes"))
        return v->id_is != ID_MALFORMED && may_miss_deletes(v);
    return false;
}

static void take_reset(struct view *v, struct slice data, const char *id,
                       const int64_t to[PARTITIONS_MAX])
{
    world_tell("%s is reset: %.*s", v->name, (int)data.n, (const char *)data.p);
    if (!reason_holds(v, data))
        world_breach("reset", "%s is reset for a reason that does not hold: %.*s", v->name,
                     (int)data.n, (const char *)data.p);
    if (is_new_topic(data))
        v->first_life = first_life_after(v);
    view_forget(v);
    v->fresh = true;
    snprintf(v->id, sizeof v->id, "%s", id);
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
    if (sscanf(copy, "{\"partition\":%d,\"from\":%lld,\"to\":%lld}", &p, &from, &end) != 3 ||
        p < 0 || p >= PARTITIONS_MAX)
        world_breach("format", "%s: a gap that is none: %s", v->name, copy);
    move(v, p, from, -1);
    if (to[p] != end || end <= from)
        world_breach("gap", "%s is at %lld of partition %d and told of a gap from %lld to %lld",
                     v->name, (long long)v->at[p], p, from, end);
    const struct topic *t = life_of(v);
    for (int64_t o = from; t != NULL && o < end && !config.small_cache; o++)
        if (cluster_shown(t, p, o) && !t->partitions[p].at[o].gone)
            world_breach("gap",
                         "%s is told of a gap from %lld to %lld of partition %d, where %lld "
                         "still is",
                         v->name, from, end, p, (long long)o);
    v->at[p] = end;
    move_all(v, to, p, -1);
}

/* Reads the places in an id; -1: it does not name the partition. */
static void parse_id(const struct view *v, struct slice id, int64_t to[PARTITIONS_MAX])
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
}

static bool is_type(const struct sse_event *event, const char *type)
{
    return event->type.p != NULL && slice_equal(event->type, slice_str(type));
}

void view_event(struct view *v, const struct sse_event *event)
{
    int64_t to[PARTITIONS_MAX];
    char id[sizeof v->id] = "";

    parse_id(v, event->id, to);
    memcpy(id, event->id.p, event->id.n);
    v->events++;
    if (event->type.p == NULL)
        take_value(v, event->data, id, to);
    else if (is_type(event, "delete"))
        take_delete(v, event->data, id, to);
    else if (is_type(event, "reset"))
        take_reset(v, event->data, id, to);
    else if (is_type(event, "gap"))
        take_gap(v, event->data, to);
    else
        world_breach("format", "%s: an event of type %.*s", v->name, (int)event->type.n,
                     (const char *)event->type.p);
    memcpy(v->id, id, sizeof id);
}

/* -- in the end -- */

static void check_partition(const struct view *v, const struct topic *t, int32_t p,
                            int64_t since_ms)
{
    const struct partition_log *log = &t->partitions[p];

    for (int k = 0; k < KEYS && t->compacted; k++) {
        int64_t newest = log->newest[k];
        const struct entry *e = newest >= 0 ? &log->at[newest] : NULL;
        if (e == NULL || e->seen_ms > since_ms || config.small_cache ||
            (e->aged && (e->aged_ms > since_ms || !port_has_read(v->responder, e))))
            continue;
        int64_t must = e->size == NO_VALUE || e->aged ? -1 : newest;
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
    uint64_t known = UINT64_MAX << port_first_life(v->responder, since_ms);

    if (t == NULL || t->made_ms > since_ms)
        return;
    bool any = false; /* else there may be nobody to ask */
    for (int32_t p = 0; p < t->n; p++)
        any = any || owed(arg, p);
    if (any && !v->foreign &&
        ((v->lives != 0 && (v->lives & known) == 0) ||
         (v->spliced != 0 && (UINT64_C(1) << v->spliced & known) == 0)))
        world_breach(v->spliced_waiting ? "not told, waiting" : "not told",
                     "%s does not know that the topic is another", v->name);
    if (v->id_is != ID_OWN && owed(arg, 0))
        world_breach("id", "%s came with an id that leads nowhere, and is not reset", v->name);
    for (int32_t p = 0; p < t->n; p++)
        if (owed(arg, p) && life_of(v) == t)
            check_partition(v, t, p, since_ms);
}

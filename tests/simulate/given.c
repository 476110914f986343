#include <stdlib.h>

#include "base/base64.h"
#include "model_inside.h"
#include "port.h"
#include "world.h"

/* By something below `end` that the responder has read, or could have: what is compacted away
 * before it was read supersedes nothing there. */
static int64_t superseded_by(const struct view *v, const struct topic *t, int32_t p, int64_t offset,
                             int64_t end)
{
    const struct written *at = t->partitions[p].at;
    int64_t by = at[offset].next;

    while (by >= 0 && by < end && at[by].gone && !port_has_read(v->responder, &at[by]))
        by = at[by].next;
    return by < end ? by : -1;
}

/* What was superseded before the client came, as far as its responder knew, is not for it. */
static void check_superseded(const struct view *v, int32_t p, int64_t offset)
{
    const struct topic *t = model_life(v);
    int64_t end = v->known_end[p];

    /* A broker that hangs in the midst of it is not waited for. */
    if (t == NULL || !t->compacted || v->known_life != t->life || offset >= end ||
        !cluster_served(p) || port_assumes_policy(v->responder))
        return;
    int64_t by = superseded_by(v, t, p, offset, end);
    if (by >= 0)
        world_breach("superseded",
                     "%s is shown offset %lld of partition %d; %lld was there when it came",
                     v->name, (long long)offset, (int)p, (long long)by);
    /* In the midst of what a responder then reads anew it goes on as if it had come back. */
    bool fresh = v->fresh && !port_read_again_since(v->responder, p, v->came_ms);

    /* To one that begins behind the latest all that comes is new, also of a partition that was
     * away. */
    fresh = fresh && v->from.kind != FROM_LATEST;
    if (t->partitions[p].at[offset].size == NO_VALUE && fresh)
        world_breach("superseded", "%s, which has nothing, is told the delete %lld of partition %d",
                     v->name, (long long)offset, (int)p);
}

/* It is the end of the id. */
static bool has_etag(int64_t offset, const char *id)
{
    char etag[16];
    const char *slash = strrchr(id, '/');

    cluster_etag(offset, etag);
    return etag[0] ? slash != NULL && strncmp(slash + 1, etag, strlen(etag)) == 0 : slash == NULL;
}

static void check_etag(const struct view *v, int64_t offset, const char *id)
{
    char etag[16];

    cluster_etag(offset, etag);
    if (!has_etag(offset, id))
        world_breach("etag", "%s: offset %lld has the etag \"%s\", and the id %s", v->name,
                     (long long)offset, etag, id);
}

/* What a stream does not select it is not told of, not even that it is deleted. */
static void check_selected(const struct view *v, const struct picked *selected, int32_t p, int key)
{
    if (!picked_has(selected, p, key))
        world_breach("unselected", "%s is told of key %d of partition %d, which it does not select",
                     v->name, key, (int)p);
}

/* A key that is new to one that moves comes from before its place. */
static void check_order(const struct view *v, int32_t p, int64_t offset, int key)
{
    bool comes = model_is_moving(v, p, key);
    bool twice = comes ? key != NO_KEY && v->have[p][key] >= offset : offset < v->at[p];

    if (twice)
        world_breach("twice", "%s is given offset %lld of partition %d, and was behind it already",
                     v->name, (long long)offset, (int)p);
}

static void take_record(struct view *v, uint64_t lives, int32_t p, int64_t offset, int key,
                        const char *id, const int64_t to[PARTITIONS_MAX])
{
    if (v->id_is == ID_MALFORMED)
        world_breach("id", "%s came with an id that leads nowhere, and is not reset", v->name);
    model_narrow(v, lives);
    const struct topic *t = model_life(v);
    if (to[p] < offset + 1 || (v->may.all && !v->moving && to[p] != offset + 1))
        world_breach("place", "%s: the event of offset %lld of partition %d has the id of %lld",
                     v->name, (long long)offset, (int)p, (long long)to[p]);
    check_order(v, p, offset, key);
    if (t != NULL && !cluster_shown(t, p, offset))
        world_breach("unseen", "%s is given offset %lld of partition %d, which nobody may see",
                     v->name, (long long)offset, (int)p);
    check_selected(v, &v->may, p, key);
    check_superseded(v, p, offset);
    if (key != NO_KEY) {
        const struct written *e =
            &cluster_life(__builtin_ctzll(v->lives))->partitions[p].at[offset];
        v->have[p][key] = e->size == NO_VALUE ? -1 : offset;
    }
    check_etag(v, offset, id);
    model_move_all(v, to, p, model_is_moving(v, p, key) ? -1 : offset);
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
        const struct written *e = &t->partitions[p].at[offset];
        if ((deletes ? e->key == key && e->size == NO_VALUE : e->size != NO_VALUE) &&
            (born == 0 || e->born == born))
            lives |= UINT64_C(1) << life;
    }
    return lives;
}

void model_take_value(struct view *v, struct slice data, const char *id,
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
    uint64_t lives = v->spliced ? UINT64_MAX : model_possible_lives(v);
    int first = lives ? __builtin_ctzll(lives) : 1;
    int64_t start = 0;

    /* What its responder had of a former life, too. */
    first = v->first_life < first ? v->first_life : first;
    /* By the start of a later one, too, which its responder does not know as another yet. */
    for (int life = cluster_lives(); life >= first; life--) {
        const struct topic *t = cluster_life(life);
        if (t == NULL)
            continue;
        const struct partition_log *log = &t->partitions[p];
        start = log->start > start ? log->start : start;
        for (int64_t o = 0; o < start && o < log->end; o++)
            if (log->at[o].key == key)
                return true;
    }
    return false;
}

/* The key's last record before `to` in one of these lives, if it is a delete with that id that the
 * client has not been given; -1: it is not. */
static int64_t find_delete(const struct view *v, uint64_t lives, int32_t p, int key, int64_t to,
                           const char *id)
{
    for (int life = cluster_lives(); life >= 1; life--) {
        const struct topic *t = cluster_life(life);
        int64_t o = p < t->n && lives >> life & 1 ? t->partitions[p].end - 1 : -1;
        for (o = o < to ? o : to - 1; o >= v->at[p] && o >= 0; o--)
            if (t->partitions[p].at[o].key == key && cluster_shown(t, p, o))
                break;
        if (o >= v->at[p] && o >= 0 && t->partitions[p].at[o].size == NO_VALUE && has_etag(o, id))
            return o;
    }
    return -1;
}

/* The place of a delete that came with an id that stands for `to`: a stream that selects has passed
 * over what followed. */
static int64_t place_of_delete(const struct view *v, int32_t p, int key, int64_t to, const char *id)
{
    bool all = v->may.all && !v->moving;
    int64_t place = all ? to - 1 : find_delete(v, model_possible_lives(v), p, key, to, id);

    if (place < 0) /* its responder knows another life by now, and it does not */
        place = find_delete(v, UINT64_MAX, p, key, to, id);
    return place < 0 ? to - 1 : place;
}

/* It may have left, or come and be deleted: either way it is not there. */
static void take_leaving(struct view *v, int32_t p, int key, const int64_t to[PARTITIONS_MAX])
{
    world_tell("%s is told that key %d of partition %d is not there", v->name, key, (int)p);
    check_selected(v, &v->left, p, key);
    v->have[p][key] = -1;
    model_move_all(v, to, p, -1);
}

void model_take_delete(struct view *v, struct slice data, const char *id,
                       const int64_t to[PARTITIONS_MAX])
{
    struct buf text = {0};
    int32_t p;
    int key;

    if (!base64url_decode(&text, data) || !cluster_parse_key(buf_slice(&text), &p, &key))
        world_breach("value", "%s is told the delete of what is no key", v->name);
    buf_fini(&text);
    if (model_is_moving(v, p, key)) {
        take_leaving(v, p, key, to);
        return;
    }
    int64_t offset = place_of_delete(v, p, key, to[p], id);
    uint64_t lives = lives_with(p, offset, key, true, 0);
    bool is_new = offset >= v->at[p] && (lives & model_possible_lives(v)) != 0;
    /* To one that begins behind the latest no delete is new that was there, but a key that ages at
     * that moment. */
    is_new = is_new && !(v->from.kind == FROM_LATEST && v->at[p] < 0);
    /* The key may have aged where its delete stands, which was never read. */
    if (!(is_new && has_etag(offset, id)) && is_aged(v, p, key)) {
        world_tell("%s is told that key %d of partition %d has aged", v->name, key, (int)p);
        check_selected(v, &v->may, p, key);
        v->have[p][key] = -1;
        if (!v->documents) /* which have the offset of its record, and no place */
            model_move_all(v, to, p, -1);
        return;
    }
    tell_given(v, p, offset, "-");
    if (lives == 0)
        world_breach("value", "%s is told the delete of key %d at %lld of partition %d: no such",
                     v->name, key, (long long)offset, (int)p);
    take_record(v, lives, p, offset, key, id, to);
}

#include "model_inside.h"
#include "play.h"
#include "port.h"
#include "world.h"

enum { CALM_MS = 15000 }; /* since a partition was away */

/* -- what it may select by now -- */

/* One of that: of what its route selects, or will once a renewal is applied, by a telling. */
struct way {
    size_t telling;
    bool renewed;
    struct picked to;
};

static struct picked led_to(const struct view *v, const struct picked *route, size_t telling)
{
    const struct subscription *s = v->by.subscription;
    const struct telling *t = s != NULL ? &s->tellings[telling] : NULL;

    return picked_both(route, t == NULL || t->by_url ? &v->url : &t->named);
}

/* The next one, `way` included; begins with a telling.  False: there are no more. */
static bool next_way(const struct view *v, struct way *way)
{
    const struct subscription *s = v->by.subscription;
    size_t n = s != NULL ? s->n : 1;

    while (way->telling < n && s != NULL && s->tellings[way->telling].fate == TELLING_REFUSED)
        *way = (struct way){.telling = way->telling + 1};
    if (way->telling >= n)
        return false;
    way->to = led_to(v, way->renewed ? &v->offered : &v->route, way->telling);
    return true;
}

static void step(const struct view *v, struct way *way)
{
    if (v->offers && !way->renewed)
        way->renewed = true;
    else
        *way = (struct way){.telling = way->telling + 1};
}

static bool has_tag(const struct picked *selection, const char *tag)
{
    char its[PROGRESS_TAG + 1];

    picked_tag(selection, its);
    return strcmp(its, tag) == 0;
}

/* The first with that tag; by a renewal only if it is none of the route's. */
static bool find_way(const struct view *v, const char *tag, struct way *way)
{
    struct way by_renewal = {.telling = SIZE_MAX};

    for (; next_way(v, way); step(v, way)) {
        if (!has_tag(&way->to, tag))
            continue;
        if (!way->renewed)
            return true;
        if (by_renewal.telling == SIZE_MAX)
            by_renewal = *way;
    }
    *way = by_renewal;
    return by_renewal.telling != SIZE_MAX;
}

/* Then a renewal by which it selects the same may still be to come. */
static bool has_way_unrenewed(const struct view *v, const char *tag)
{
    struct way way = {.telling = v->by.telling};

    return find_way(v, tag, &way) && !way.renewed;
}

/* What a partition has had since it was away is read by itself, and a stream amid a move is not
 * moved then. */
bool model_is_calm(const struct view *v)
{
    const struct topic *t = model_life(v);
    bool calm = t != NULL;

    for (int32_t p = 0; calm && p < t->n; p++)
        calm = pool_served_since_ms(p) < v->came_ms - CALM_MS &&
               !port_read_again_since(v->responder, p, v->came_ms);
    return calm;
}

/* It has come back, or was renewed, and selects something else; or it was told again amid its way
 * from or to everything, or its responder was not calm meanwhile. */
static bool may_be_reset(const struct view *v)
{
    struct way way = {.telling = v->by.telling};
    bool all = v->holds.all, may = false;
    int ways = 0;

    for (; next_way(v, &way); step(v, &way)) {
        may = may || ((v->first || way.renewed) && !picked_equal(&way.to, &v->holds));
        all = all || way.to.all;
        ways += way.telling > v->by.telling;
    }
    bool calm = v->lives != 0 && model_is_calm(v);
    return may || (ways > 1 && all) || (ways > 0 && !calm);
}

/* -- a stream that is opened -- */

/* Of the last id that it was given; true if that is of one that moves. */
static bool tag_of(const struct view *v, char tag[PROGRESS_TAG + 1])
{
    struct progress_id id;

    tag[0] = 0;
    if (progress_id_parse(slice_str(v->id), &id) < 0)
        return false;
    bool moving = id.moving;
    snprintf(tag, PROGRESS_TAG + 1, "%s", id.tag);
    progress_id_fini(&id);
    return moving;
}

static void stand(struct view *v)
{
    v->due = v->may = v->left = v->holds;
}

/* One by which it selects the same could, after the next one, still make it select that again. */
static bool lingers(const struct view *v, const struct picked *route)
{
    return v->lingers && v->offers &&
           !(picked_equal(route, &v->offered) && pool_hears(v->by.subscription->pool));
}

void model_select(struct view *v, const struct picked *route, const struct picked *url)
{
    char had[PROGRESS_TAG + 1];
    bool moving = tag_of(v, had);

    v->route = *route;
    v->url = *url;
    v->lingers = lingers(v, route);
    v->offers = v->lingers;
    v->is_settled = v->moving = false;
    subscriber_ask(&v->by, v->id[0] == 0);
    struct way way = {.telling = v->by.telling};
    v->holds = led_to(v, route, v->by.telling);
    bool same = find_way(v, had, &way);
    if (same)
        v->holds = way.to;
    v->first = true;
    v->other_tag = v->id[0] != 0 && v->id_is != ID_MALFORMED && (moving || !same);
    stand(v);
}

/* -- by its ids -- */

/* What has that tag: what it has, or what it was told since.  By a renewal alone it selects
 * otherwise after a reset. */
static struct picked find(struct view *v, const char *tag, bool moving, bool resets)
{
    bool arrives = v->moving && !moving, anew = resets || v->id[0] == 0;
    struct way way = {.telling = v->by.telling + !v->first},
               renewed = {v->by.telling, .renewed = true};

    if (has_tag(&v->holds, tag) && !arrives)
        return v->holds;
    if (v->offers && anew && next_way(v, &renewed) && has_tag(&renewed.to, tag))
        way = renewed;
    else if (!find_way(v, tag, &way)) {
        if (!has_tag(&v->holds, tag))
            world_breach("tag", "%s is given an id with the tag \"%s\"", v->name, tag);
        return v->holds;
    }
    v->by.telling = way.telling;
    if (way.renewed) {
        if (!has_way_unrenewed(v, tag)) {
            v->route = v->offered;
            v->offers = v->is_settled = v->lingers = false;
        }
        v->other_tag = v->other_tag || resets; /* which is the reason that it is told */
    }
    return way.to;
}

/* Between what it has and any of what it was told since. */
static void go(struct view *v)
{
    struct way way = {.telling = v->by.telling + 1};
    bool some = false;

    v->due = v->left = v->holds;
    for (; next_way(v, &way); step(v, &way)) {
        v->due = picked_both(&v->due, &way.to);
        v->left = picked_any(&v->left, &way.to);
        v->may = some ? picked_any(&v->may, &way.to) : way.to;
        some = true;
    }
    if (!some)
        world_breach("moves", "%s goes from one selection to another, and nobody has told it to",
                     v->name);
}

/* Where a partition is hidden a delete may be forgotten before it is shown: that is a reset. */
static bool may_be_forgotten(const struct view *v, const struct topic *t, int32_t p, int64_t offset)
{
    const struct written *e = &t->partitions[p].at[offset];

    return e->size == NO_VALUE && offset >= v->at[p] &&
           world_now_ms() - e->seen_ms >= t->shortest_retention_ms;
}

/* It knows the topic through what it has arrived at, and nothing else of it. */
static void check_arrived(struct view *v, const struct topic *t)
{
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        for (int k = 0; k < KEYS; k++) {
            int64_t newest = t != NULL && p < t->n ? t->partitions[p].newest[k] : -1;
            bool sure = newest >= 0 && !model_config.small_cache &&
                        !t->partitions[p].at[newest].aged && newest >= v->gap[p];
            if (picked_has(&v->holds, p, k) && sure && v->at[p] >= 0)
                model_check_key(v, t, p, k, v->at[p]);
            if (!picked_has(&v->holds, p, k) && v->have[p][k] >= 0 && sure &&
                !may_be_forgotten(v, t, p, newest))
                world_breach("left", "%s has left key %d of partition %d, and holds its %lld",
                             v->name, k, (int)p, (long long)v->have[p][k]);
            if (!picked_has(&v->holds, p, k))
                v->have[p][k] = -1;
        }
}

/* One that was reset just now has no way to go: it begins by that, where it was asked to. */
static void arrive(struct view *v, const struct picked *to)
{
    const struct topic *t = model_life(v);
    struct picked both = picked_both(&v->holds, to);

    v->moving = false;
    if (!v->was_reset)
        v->late = picked_both(&v->late, &both);
    v->holds = *to;
    stand(v);
    world_tell("%s selects something else from here on", v->name);
    check_arrived(v, t != NULL && t->compacted ? t : NULL);
}

/* What is due in the event by which it arrives is not new to it; where nothing is compacted it is
 * what it has had by now.  One that was reset, and given nothing since, begins anew by what it was
 * told. */
static void set_out(struct view *v, const struct picked *to)
{
    const struct topic *t = model_life(v);
    bool compacted = t == NULL || t->compacted, begins = v->lives == 0;

    v->due = compacted || begins ? picked_both(&v->holds, to) : v->holds;
    v->may = v->left = *to;
}

/* Where nothing is compacted it may have gone elsewhere and come back between two events: what came
 * meanwhile it was not given. */
static struct picked has_stayed_with(const struct view *v)
{
    struct picked both = v->holds, with = v->holds;
    struct way way = {.telling = v->by.telling + 1};

    for (; next_way(v, &way); step(v, &way)) {
        both = picked_both(&both, &way.to);
        if (picked_equal(&way.to, &v->holds))
            with = both;
    }
    return with;
}

/* Before its first event it was told to select what its id says. */
static void find_again(struct view *v)
{
    char had[PROGRESS_TAG + 1];
    struct way way = {.telling = v->by.telling};

    if (!v->first || !v->other_tag || tag_of(v, had) || !find_way(v, had, &way))
        return;
    v->holds = way.to;
    v->other_tag = false;
    stand(v);
}

void model_take_tag(struct view *v, const char *tag, bool moving, bool resets)
{
    if (!resets)
        find_again(v);
    if (v->other_tag && !resets && v->id_is == ID_OWN)
        world_breach("tag", "%s came with an id of another selection, and is not reset", v->name);
    v->other_tag = v->other_tag || (resets && may_be_reset(v));
    struct picked to = find(v, tag, moving, resets);
    const struct topic *t = model_life(v);
    v->first = false;
    bool other = v->moving || !picked_equal(&to, &v->holds);
    v->goes_to = to;
    v->arrives = false;
    if (moving && (resets || v->id[0] == 0))
        world_breach("moves", "%s begins amid a move", v->name);
    if (resets || v->id[0] == 0) {
        v->holds = to;
        v->moving = false;
        stand(v);
    } else if (moving) {
        if (!picked_equal(&to, &v->holds))
            arrive(v, &to); /* and goes on at once */
        v->moved_ms = v->moving ? v->moved_ms : world_now_ms();
        v->moving = true;
        go(v);
    } else if (other) {
        v->arrives = true;
        set_out(v, &to);
    } else if (t != NULL && !t->compacted) {
        v->due = has_stayed_with(v);
    }
}

void model_arrive(struct view *v)
{
    if (v->arrives)
        arrive(v, &v->goes_to);
    v->arrives = false;
}

bool model_is_moving(const struct view *v, int32_t p, int key)
{
    return v->moving && !picked_has(&v->due, p, key);
}

bool model_may_be_dropped(const struct view *v, int32_t p, int key)
{
    return model_config.small_cache && !picked_has(&v->late, p, key);
}

/* -- in the end -- */

void model_check_told(const struct view *v, int64_t since_ms)
{
    const struct subscription *s = v->by.subscription;
    struct way way = {.telling = 0};

    if (s == NULL || s->n == 0 || s->tellings[s->n - 1].at_ms > since_ms)
        return;
    if (v->moving && v->moved_ms <= since_ms)
        world_breach("moves", "%s does not arrive at what it was told", v->name);
    if (!subscriber_keeps_handle(&v->by))
        return;
    way.telling = subscription_taken(s, since_ms);
    for (; next_way(v, &way); step(v, &way))
        if (picked_equal(&way.to, &v->holds))
            return;
    world_breach("told", "%s was told what to select, and selects something else", v->name);
}

bool model_is_renewed(const struct view *v)
{
    struct way way = {.telling = v->by.telling};

    for (; next_way(v, &way); step(v, &way))
        if (way.renewed && picked_equal(&way.to, &v->holds))
            return true;
    return false;
}

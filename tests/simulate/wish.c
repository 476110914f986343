#include "wish.h"

#include <stdlib.h>

#include "base/base64.h"
#include "select/selection.h"
#include "world.h"

/* -- sets of keys -- */

bool picked_has(const struct picked *s, int32_t partition, int key)
{
    return s->all || (key != NO_KEY && (s->keys[partition] >> key & 1));
}

bool picked_equal(const struct picked *a, const struct picked *b)
{
    return a->all == b->all && (a->all || memcmp(a->keys, b->keys, sizeof a->keys) == 0);
}

static void pick(struct picked *s, int32_t partition, int key)
{
    s->keys[partition] |= (uint16_t)(1 << key);
}

struct picked picked_both(const struct picked *a, const struct picked *b)
{
    struct picked s = {.all = a->all && b->all};

    for (int p = 0; p < PARTITIONS_MAX; p++)
        s.keys[p] = a->all ? b->keys[p] : b->all ? a->keys[p] : a->keys[p] & b->keys[p];
    return s;
}

struct picked picked_any(const struct picked *a, const struct picked *b)
{
    struct picked s = {.all = a->all || b->all};

    for (int p = 0; p < PARTITIONS_MAX; p++)
        s.keys[p] = a->keys[p] | b->keys[p];
    return s;
}

/* Calls what(arg, key) for each. */
static void each(const struct picked *s, void (*what)(void *arg, struct slice key), void *arg)
{
    for (int32_t p = 0; p < PARTITIONS_MAX && !s->all; p++)
        for (int k = 0; k < KEYS; k++)
            if (picked_has(s, p, k))
                what(arg, cluster_key(p, k));
}

static void add_value(void *arg, struct slice key)
{
    values_add(arg, key);
}

void picked_tag(const struct picked *s, char tag[PROGRESS_TAG + 1])
{
    struct values keys = {0};

    tag[0] = 0;
    if (s->all)
        return;
    each(s, add_value, &keys);
    struct selection *selection = selection_new(&keys);
    snprintf(tag, PROGRESS_TAG + 1, "%.*s", PROGRESS_TAG, (const char *)selection_tag(selection).p);
    selection_unref(selection);
    values_fini(&keys);
}

/* -- what is asked for -- */

/* Mostly of the few partitions that most topics have. */
static int32_t some_partition(struct dice *d)
{
    return (int32_t)dice_below(d, dice_chance(d, 80) ? 2 : PARTITIONS_MAX);
}

static void draw(struct picked *s, struct dice *d, uint32_t most, int keys)
{
    *s = (struct picked){.all = false};
    for (uint32_t n = 1 + dice_below(d, most); n > 0; n--)
        pick(s, some_partition(d), (int)dice_below(d, (uint32_t)keys));
    bool has_long = false; /* one of them is enough for a request */
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        if (has_long)
            s->keys[p] &= (uint16_t) ~(1 << KEY_LONG);
        has_long = has_long || s->keys[p] >> KEY_LONG & 1;
    }
}

static struct from draw_from(struct dice *d)
{
    int64_t now_ms = world_wall_ms() - world_wall_step_ms(); /* by the producers' clocks */

    switch (dice_below(d, 3)) {
    case 0:
        return (struct from){FROM_LATEST, 0};
    case 1:
        return (struct from){FROM_LAST, dice_between(d, 1, 20)};
    default:
        return (struct from){FROM_TIME, now_ms - dice_between(d, 0, 60000)};
    }
}

void wish_draw(struct wish *w, enum wish_way way, struct dice *d, uint32_t most)
{
    *w = (struct wish){.way = way, .named.all = true};
    if (way == WISH_BY_PATH) {
        int k = (int)dice_below(d, KEYS);
        w->named.all = false;
        pick(&w->named, some_partition(d), k == KEY_EMPTY ? 0 : k); /* a segment is never empty */
    } else if (way == WISH_BY_QUERY || (way == WISH_BY_ROUTE && dice_chance(d, 50))) {
        draw(&w->named, d, most, KEYS);
    }
    if (dice_chance(d, way == WISH_LATE ? 80 : way == WISH_ALL ? 0 : 20))
        w->from = draw_from(d);
}

struct picked wish_draw_form(struct dice *d, uint32_t most)
{
    struct picked named = {.all = true};

    if (!dice_chance(d, 15))
        draw(&named, d, most, KEYS);
    return named;
}

void wish_draw_claim(struct picked *claim, struct dice *d, uint32_t most)
{
    draw(claim, d, most, KEY_BYTES); /* claims are text, and not empty */
}

static void add_escaped(struct buf *out, struct slice key, bool plus)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] == ' ' && plus)
            buf_add_byte(out, '+');
        else if ((key.p[i] >= 'a' && key.p[i] <= 'z') || (key.p[i] >= '0' && key.p[i] <= '9'))
            buf_add_byte(out, key.p[i]);
        else
            buf_printf(out, "%%%02X", key.p[i]);
}

struct query {
    struct buf *out;
    struct dice *d;
};

static void add_query(struct query *q, const char *name)
{
    if (q->out->n > 0)
        buf_add_byte(q->out, '&');
    buf_printf(q->out, "%s=", name);
}

/* Some come twice. */
static void add_key(void *arg, struct slice key)
{
    struct query *q = arg;

    for (bool again = true; again; again = key.n < 100 && dice_chance(q->d, 10))
        if (dice_chance(q->d, 70)) {
            add_query(q, "key");
            add_escaped(q->out, key, dice_chance(q->d, 50));
        } else {
            add_query(q, "keyBase64");
            base64url_add(q->out, key);
        }
}

static void add_segment(void *arg, struct slice key)
{
    struct query *q = arg;
    bool plain = key.n == KEY_LONG_BYTES || dice_chance(q->d, 70); /* a segment has no more */

    buf_add_str(q->out, plain ? "/key/" : "/base64/");
    if (plain)
        add_escaped(q->out, key, false);
    else
        base64url_add(q->out, key);
}

void wish_put_form(const struct picked *named, struct dice *d, struct buf *body)
{
    struct query query = {body, d};

    each(named, add_key, &query);
}

const char *wish_path(const struct wish *w)
{
    static const char *const paths[] = {"/events", "/events", "/events", "/mine", "/", "/fixed"};

    return paths[w->way];
}

void wish_put(const struct wish *w, struct dice *d, struct buf *path, struct buf *query)
{
    struct query in_path = {path, d}, in_query = {query, d};

    if (w->way == WISH_BY_PATH) {
        each(&w->named, add_segment, &in_path);
    } else {
        buf_add_str(path, wish_path(w));
        each(&w->named, add_key, &in_query);
    }
    if (w->from.kind == FROM_EARLIEST)
        return;
    add_query(&in_query, "from");
    if (w->from.kind == FROM_LATEST)
        buf_add_str(query, "latest");
    else
        buf_printf(query, "%lld",
                   (long long)(w->from.kind == FROM_LAST ? -w->from.value : w->from.value));
}

/* -- routes -- */

static struct picked fixed(unsigned version)
{
    struct picked s = {.all = false};

    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        pick(&s, p, (int)(version % KEYS));
        pick(&s, p, (int)((version / 2 + 3) % KEYS));
        pick(&s, p, KEY_BYTES);
    }
    pick(&s, 0, version % 2 ? KEY_EMPTY : KEY_LONG);
    return s;
}

struct picked wish_route(const struct wish *w, const struct picked *claim, unsigned version)
{
    if (w->way == WISH_BY_CLAIM)
        return *claim;
    return w->way == WISH_BY_ROUTE ? fixed(version) : (struct picked){.all = true};
}

static void add_text(void *arg, struct slice key)
{
    struct buf *out = arg;

    if (out->p[out->n - 1] != '[')
        buf_add_byte(out, ',');
    buf_printf(out, "\"%.*s\"", (int)key.n, (const char *)key.p);
}

void wish_add_claim(struct buf *payload, const struct picked *claim)
{
    buf_add_str(payload, ",\"keys\":[");
    each(claim, add_text, payload);
    buf_add_byte(payload, ']');
}

static void add_base64(void *arg, struct slice key)
{
    struct buf text = {0};

    base64url_add(&text, key);
    add_text(arg, buf_slice(&text));
    buf_fini(&text);
}

static void add_route(struct routes *routes, const char *path, const char *select)
{
    json_t *json = json_loads(select, 0, NULL);
    const struct route_text text = {.path = path, .topic = "t", .select = json};
    char wrong[256];

    if (json == NULL || !routes_add(routes, &text, wrong, sizeof wrong))
        abort();
    json_decref(json);
}

void wish_add_routes(struct routes *routes, unsigned version, bool guarded)
{
    struct picked s = fixed(version);
    struct buf list = {0};

    routes_add_literal(routes, "/events", (struct from){0});
    add_route(routes, "/key/{name}", "[{\"key\":\"{name}\"}]");
    add_route(routes, "/base64/{name}", "[{\"keyBase64\":\"{name}\"}]");
    if (guarded)
        add_route(routes, "/mine", "[{\"key\":\"{claim:keys}\"}]");
    buf_add_str(&list, "[{\"keyBase64\":[");
    each(&s, add_base64, &list);
    buf_add_str(&list, "]}]");
    buf_add_byte(&list, 0);
    add_route(routes, "/fixed", (const char *)list.p);
    buf_fini(&list);
}

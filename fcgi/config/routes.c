#include "config/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/fields.h"
#include "config/object.h"
#include "route/routes.h"

/* -- what a topic and a route may say -- */

#define FROM_WANTED "must be earliest, latest, a time, or -1 to -10000"

/* A topic that does not say. */
enum { COMPACT_AS_ALL = 3, CACHE_BYTES_MIN = 1 << 16 };

static const char *mismatch_later(const json_t *value)
{
    (void)value;
    return "left out: this version does not know it yet";
}

static enum config_result take_nothing(const struct row *row, void *to, const json_t *value)
{
    (void)row, (void)to, (void)value;
    return CONFIG_OK;
}

static const struct row_kind kind_later = {.mismatch = mismatch_later, .take = take_nothing};

static const char *mismatch_select(const json_t *value)
{
    return json_is_array(value) ? NULL : "a list of objects";
}

static enum config_result take_select(const struct row *row, void *to, const json_t *value)
{
    (void)row;
    *(json_t **)to = json_incref((json_t *)value);
    return CONFIG_OK;
}

static void fini_select(void *value)
{
    json_decref(*(json_t **)value);
}

static const struct row_kind kind_select = {
    .mismatch = mismatch_select, .take = take_select, .fini = fini_select};

static const struct row topic_rows[] = {
    {.name = "compact",
     .kind = &kind_choice,
     .at = ROW_MEMBER(struct config_topic, compact, unsigned),
     .choices = "auto|on|off"},
    {.name = "cache-bytes",
     .kind = &kind_number,
     .at = ROW_MEMBER(struct config_topic, cache_bytes, int64_t),
     .min = CACHE_BYTES_MIN,
     .max = INT64_MAX},
    {.name = "headers",
     .kind = &kind_list,
     .at = ROW_MEMBER(struct config_topic, headers, struct config_list)},
    {.name = "filters",
     .kind = &kind_list,
     .at = ROW_MEMBER(struct config_topic, filters, struct config_list)},
};

static const struct row route_rows[] = {
    {.name = "path", .kind = &kind_text, .at = ROW_MEMBER(struct config_route, path, char *)},
    {.name = "topic", .kind = &kind_text, .at = ROW_MEMBER(struct config_route, topic, char *)},
    {.name = "scopes",
     .kind = &kind_list,
     .at = ROW_MEMBER(struct config_route, scopes, struct config_list)},
    {.name = "from", .kind = &kind_text, .at = ROW_MEMBER(struct config_route, from, char *)},
    {.name = "select",
     .kind = &kind_select,
     .at = ROW_MEMBER(struct config_route, select, json_t *)},
    {.name = "topics", .kind = &kind_later},
    {.name = "data",
     .kind = &kind_choice,
     .at = ROW_MEMBER(struct config_route, data, unsigned),
     .choices = "value|envelope"},
    {.name = "event", .kind = &kind_text, .at = ROW_MEMBER(struct config_route, event, char *)},
};

enum {
    TOPIC_ROWS = sizeof topic_rows / sizeof topic_rows[0],
    ROUTE_ROWS = sizeof route_rows / sizeof route_rows[0],
    WHERE_SIZE = 512,
};

/* -- the file -- */

enum config_result topics_read(struct reading *r, const json_t *value)
{
    struct config *c = r->config;
    const char *name;
    json_t *one;
    char where[WHERE_SIZE];

    if (!json_is_object(value) || json_object_size(value) == 0)
        return config_fail("%s: topics: must be an object, of one topic at least", r->file);
    if (json_object_size(value) > ROUTES_TOPICS)
        return config_fail("%s: topics: more than %d", r->file, ROUTES_TOPICS);
    json_object_foreach ((json_t *)value, name, one) {
        snprintf(where, sizeof where, "%s: topics: %s", r->file, name);
        if (!topic_is_name(name))
            return config_fail(
                "%s: must be up to 249 letters, digits, dots, underscores and hyphens", where);
        c->topics = mem_resize_array(c->topics, c->topic_count + 1, sizeof *c->topics);
        struct config_topic *topic = &c->topics[c->topic_count++];
        *topic = (struct config_topic){.name = mem_strdup(name), .compact = COMPACT_AS_ALL};
        if (object_read(where, one, topic_rows, TOPIC_ROWS, topic) != CONFIG_OK ||
            fields_check(topic) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

enum config_result routes_read(struct reading *r, const json_t *value)
{
    struct config *c = r->config;
    size_t i;
    json_t *one;
    char where[WHERE_SIZE];

    if (!json_is_array(value) || json_array_size(value) == 0)
        return config_fail("%s: routes: must be an array of objects, one at least", r->file);
    json_array_foreach (value, i, one) {
        snprintf(where, sizeof where, "%s: routes[%zu]", r->file, i);
        c->route_texts =
            mem_resize_array(c->route_texts, c->route_count + 1, sizeof *c->route_texts);
        struct config_route *route = &c->route_texts[c->route_count++];
        *route = (struct config_route){0};
        if (object_read(where, one, route_rows, ROUTE_ROWS, route) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

/* -- what goes together -- */

bool topic_is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return name[n] == 0 && n > 0 && n <= 249 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Topics that say what they need have it; the others divide the rest evenly. */
static enum config_result share_cache(struct config *c)
{
    int64_t rest = c->cache_bytes, others = 0;

    for (size_t i = 0; i < c->topic_count; i++) {
        const struct config_topic *topic = &c->topics[i];
        others += topic->cache_bytes == 0;
        if (topic->cache_bytes > rest)
            return config_fail("topics: %s: cache-bytes: is more than what is left of the %lld of "
                               "all topics",
                               topic->name, (long long)c->cache_bytes);
        rest -= topic->cache_bytes;
    }
    if (others > 0 && rest / others < CACHE_BYTES_MIN)
        return config_fail("cache-bytes: leaves less than %d for each of %lld topic(s)",
                           CACHE_BYTES_MIN, (long long)others);
    for (size_t i = 0; i < c->topic_count; i++)
        if (c->topics[i].cache_bytes == 0)
            c->topics[i].cache_bytes = rest / others;
    return CONFIG_OK;
}

static void add_topics(struct config *c)
{
    for (size_t i = 0; i < c->topic_count; i++) {
        if (c->topics[i].compact == COMPACT_AS_ALL)
            c->topics[i].compact = c->compact;
        routes_add_topic(c->routes, c->topics[i].name);
    }
}

/* Of a route to one topic.  Where the path names it, the events of a topic that declares nothing
 * have no name. */
static enum config_result check_event(const struct config *c, size_t i)
{
    const struct route *route = routes_at(c->routes, i);

    if (route->topic < 0 || fields_declare(&c->topics[route->topic], &route->naming))
        return CONFIG_OK;
    return config_fail(
        "routes[%zu]: event: %s must be in the filters%s of topic %s", i, c->route_texts[i].event,
        route->naming.by == NAMING_HEADER ? " or headers" : "", c->topics[route->topic].name);
}

static enum config_result add_route(struct config *c, size_t i)
{
    const struct config_route *from = &c->route_texts[i];
    struct route_text text = {
        .path = from->path,
        .topic = from->topic,
        .scopes = (const char *const *)from->scopes.at,
        .scope_count = from->scopes.n,
        .select = from->select,
        .from = c->start,
        .enveloped = from->data == CONFIG_DATA_ENVELOPE,
    };
    char wrong[WHERE_SIZE];

    if (from->path == NULL || from->topic == NULL)
        return config_fail("routes[%zu]: no %s given", i, from->path == NULL ? "path" : "topic");
    if (from->from != NULL && !from_parse(slice_str(from->from), &text.from))
        return config_fail("routes[%zu]: from: " FROM_WANTED, i);
    if (from->event != NULL && !naming_parse(from->event, &text.naming))
        return config_fail("routes[%zu]: event: must be topic, header:NAME or field:PATH", i);
    if (from->scopes.n > 0 && c->issuer_count == 0)
        return config_fail("routes[%zu]: scopes: only with jwks, issuer and audience", i);
    if (!routes_add(c->routes, &text, wrong, sizeof wrong))
        return config_fail("routes[%zu]: %s", i, wrong);
    if (routes_claims(c->routes) > 0 && c->issuer_count == 0)
        return config_fail("routes[%zu]: select: claims only with jwks, issuer and audience", i);
    return check_event(c, i);
}

static enum config_result check_file(struct reading *r)
{
    static const char *const only[] = {"topic", "path"};
    struct config *c = r->config;

    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++)
        if (reading_is_set(r, only[i]))
            return config_fail("%s: not together with routes", only[i]);
    if (c->topic_count == 0)
        return config_fail("routes: need topics, an object of those that may be served");
    if (share_cache(c) != CONFIG_OK)
        return CONFIG_ERROR;
    add_topics(c);
    for (size_t i = 0; i < c->route_count; i++)
        if (add_route(c, i) != CONFIG_OK)
            return CONFIG_ERROR;
    return CONFIG_OK;
}

/* The one of the options. */
static void add_topic(struct config *c)
{
    c->topics = mem_zero(sizeof *c->topics);
    c->topics[c->topic_count++] = (struct config_topic){
        .name = mem_strdup(c->topic), .compact = c->compact, .cache_bytes = c->cache_bytes};
    add_topics(c);
}

enum config_result routes_check(struct reading *r)
{
    struct config *c = r->config;

    c->routes = routes_new();
    if (!from_parse(slice_str(c->from), &c->start))
        return config_fail("from: " FROM_WANTED);
    if (c->route_count > 0)
        return check_file(r);
    if (c->topic_count > 0)
        return config_fail("topics: only with routes");
    if (c->topic != NULL)
        add_topic(c);
    routes_add_literal(c->routes, c->path, c->start);
    return CONFIG_OK;
}

void routes_fini(struct config *c)
{
    for (size_t i = 0; i < c->topic_count; i++) {
        object_fini(topic_rows, TOPIC_ROWS, &c->topics[i]);
        free(c->topics[i].name);
    }
    free(c->topics);
    for (size_t i = 0; i < c->route_count; i++)
        object_fini(route_rows, ROUTE_ROWS, &c->route_texts[i]);
    free(c->route_texts);
    routes_free(c->routes);
}

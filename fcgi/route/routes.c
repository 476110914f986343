#include "route/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/percent.h"

struct routes {
    struct route *all;
    char **topics, **scopes, **claims;
    size_t n, topic_count, scope_count, claim_count;
};

struct routes *routes_new(void)
{
    return mem_zero(sizeof(struct routes));
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void routes_free(struct routes *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++) {
        pattern_free(r->all[i].path);
        template_free(r->all[i].select);
    }
    free(r->all);
    free_texts(r->topics, r->topic_count);
    free_texts(r->scopes, r->scope_count);
    free_texts(r->claims, r->claim_count);
    free(r);
}

/* -- what there is -- */

static void add_text(char ***texts, size_t *n, const char *text)
{
    *texts = mem_resize_array(*texts, *n + 1, sizeof **texts);
    (*texts)[(*n)++] = mem_strdup(text);
}

void routes_add_topic(struct routes *r, const char *name)
{
    add_text(&r->topics, &r->topic_count, name);
}

static int find_topic(const struct routes *r, struct slice name)
{
    for (size_t i = 0; i < r->topic_count; i++)
        if (slice_equal(slice_str(r->topics[i]), name))
            return (int)i;
    return -1;
}

/* Its number among the texts, to which it is added if it is new; -1: there are too many. */
static int find_or_add(char ***texts, size_t *n, size_t max, const char *text)
{
    size_t i = 0;

    while (i < *n && strcmp((*texts)[i], text) != 0)
        i++;
    if (i == max)
        return -1;
    if (i == *n)
        add_text(texts, n, text);
    return (int)i;
}

/* False: there are too many. */
static bool add_scope(struct routes *r, const char *scope, uint64_t *bits)
{
    int i = find_or_add(&r->scopes, &r->scope_count, ROUTE_SCOPES_MAX, scope);

    if (i >= 0)
        *bits |= UINT64_C(1) << i;
    return i >= 0;
}

/* What a route's "select" may be filled in from. */
struct names {
    struct routes *routes;
    const struct pattern *path;
};

static int name_param(void *arg, struct slice name)
{
    const struct names *names = arg;

    return pattern_param(names->path, name);
}

static int name_claim(void *arg, const char *path)
{
    struct routes *r = ((const struct names *)arg)->routes;

    return find_or_add(&r->claims, &r->claim_count, ROUTE_CLAIMS_MAX, path);
}

static bool fail(char *wrong, size_t size, const char *what, const char *of)
{
    snprintf(wrong, size, "%s%s", what, of);
    return false;
}

/* A topic's name holds no brace. */
static bool read_topic(const struct routes *r, const char *topic, struct route *route, char *wrong,
                       size_t size)
{
    struct slice name = slice_str(topic);

    route->topic_param = -1;
    route->topic = find_topic(r, name);
    if (route->topic >= 0)
        return true;
    if (name.n < 2 || name.p[0] != '{' || name.p[name.n - 1] != '}')
        return fail(wrong, size, "topic: is not in topics: ", topic);
    route->topic_param = pattern_param(route->path, slice_of(name.p + 1, name.n - 2));
    return route->topic_param >= 0 || fail(wrong, size, "topic: the path lacks ", topic);
}

static bool is_new(const struct routes *r, const struct pattern *path, char *wrong, size_t size)
{
    for (size_t i = 0; i < r->n; i++)
        if (pattern_same(r->all[i].path, path))
            return fail(wrong, size, "path: another route has it: ", pattern_text(r->all[i].path));
    return r->n < ROUTES_MAX || fail(wrong, size, "there are more than 256 routes", "");
}

static bool read_select(struct routes *r, const json_t *select, struct route *route, char *wrong,
                        size_t size)
{
    struct names of = {r, route->path};
    const struct template_names names = {name_param, name_claim, &of};

    route->select = template_new(select, &names, wrong, size);
    return route->select != NULL;
}

static bool read(struct routes *r, const struct route_text *text, struct route *route, char *wrong,
                 size_t size)
{
    const char *why = NULL;

    route->from = text->from;
    route->enveloped = text->enveloped;
    route->naming = text->naming;
    route->path = pattern_new(text->path, &why);
    if (route->path == NULL)
        return fail(wrong, size, "path: ", why);
    if (!is_new(r, route->path, wrong, size) || !read_topic(r, text->topic, route, wrong, size))
        return false;
    for (size_t i = 0; i < text->scope_count; i++)
        if (!add_scope(r, text->scopes[i], &route->scopes))
            return fail(wrong, size, "scopes: more than 64 different ones", "");
    return text->select == NULL || read_select(r, text->select, route, wrong, size);
}

static void push(struct routes *r, const struct route *route)
{
    r->all = mem_resize_array(r->all, r->n + 1, sizeof *r->all);
    r->all[r->n++] = *route;
}

bool routes_add(struct routes *r, const struct route_text *text, char *wrong, size_t size)
{
    struct route route = {.path = NULL};

    if (!read(r, text, &route, wrong, size)) {
        pattern_free(route.path);
        return false;
    }
    push(r, &route);
    return true;
}

void routes_add_literal(struct routes *r, const char *path, struct from from)
{
    push(r, &(struct route){.path = pattern_literal(path), .topic_param = -1, .from = from});
}

size_t routes_count(const struct routes *r)
{
    return r->n;
}

const struct route *routes_at(const struct routes *r, size_t i)
{
    return &r->all[i];
}

size_t routes_topics(const struct routes *r)
{
    return r->topic_count;
}

const char *routes_topic(const struct routes *r, size_t i)
{
    return r->topics[i];
}

size_t routes_scopes(const struct routes *r)
{
    return r->scope_count;
}

const char *const *routes_scope(const struct routes *r)
{
    return (const char *const *)r->scopes;
}

size_t routes_claims(const struct routes *r)
{
    return r->claim_count;
}

const char *const *routes_claim(const struct routes *r)
{
    return (const char *const *)r->claims;
}

/* -- where a path leads -- */

void destination_fini(struct destination *d)
{
    values_fini(&d->params);
}

/* All parameters must be well encoded, also those that nothing uses. */
static enum route_found follow(const struct routes *r, const struct route *route,
                               const struct slice values[PATTERN_PARAMS], size_t n,
                               struct destination *destination)
{
    struct destination to = {.route = route, .topic = route->topic};
    struct buf value = {0};
    enum route_found found = ROUTE_FOUND;

    for (size_t i = 0; i < n && found == ROUTE_FOUND; i++) {
        value.n = 0;
        if (!percent_decode(&value, values[i]))
            found = ROUTE_BAD_ESCAPE;
        else if ((int)i == route->topic_param)
            to.topic = find_topic(r, buf_slice(&value));
        if (found == ROUTE_FOUND && route->select != NULL)
            values_add(&to.params, buf_slice(&value));
    }
    buf_fini(&value);
    if (found == ROUTE_FOUND)
        *destination = to;
    else
        destination_fini(&to);
    return found;
}

enum route_found routes_find(const struct routes *r, struct slice path,
                             struct destination *destination)
{
    for (size_t i = 0; i < r->n; i++) {
        struct slice values[PATTERN_PARAMS] = {{0}};
        if (pattern_fits(r->all[i].path, path, values))
            return follow(r, &r->all[i], values, PATTERN_PARAMS, destination);
    }
    return ROUTE_UNKNOWN;
}

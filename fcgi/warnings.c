#include "warnings.h"

#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "config/fields.h"
#include "route/routes.h"

static bool has_claims(const struct route *route)
{
    return route->select != NULL && template_has_claims(route->select);
}

/* The first route to the topic that selects by a claim, or by none; NULL: there is none. */
static const struct route *find_route(const struct routes *all, int topic, bool claims)
{
    for (size_t i = 0; i < routes_count(all); i++) {
        const struct route *route = routes_at(all, i);
        if ((route->topic == topic || route->topic < 0) && has_claims(route) == claims)
            return route;
    }
    return NULL;
}

/* What each is to see alone at one path, all may see at another. */
static void warn_of_topic(const struct routes *all, int topic)
{
    const struct route *with = find_route(all, topic, true);
    const struct route *without = find_route(all, topic, false);

    if (with != NULL && without != NULL)
        log_warn("topic %s: %s selects by a claim, %s does not", routes_topic(all, (size_t)topic),
                 pattern_text(with->path), pattern_text(without->path));
}

/* Whoever writes {customer} into a path may expect that it selects something. */
static void warn_of_names(const struct route *route)
{
    struct slice name;

    for (int k = 0; (name = pattern_param_name(route->path, k)).p != NULL; k++)
        if (k != route->topic_param &&
            !(route->select != NULL && template_has_param(route->select, k)))
            log_warn("route %s: {%.*s} decides nothing", pattern_text(route->path), (int)name.n,
                     (const char *)name.p);
}

/* The first route that fits is taken. */
static void warn_of_path(const struct routes *all, size_t i)
{
    const struct pattern *path = routes_at(all, i)->path;
    const char *doubt = pattern_doubt(path);
    size_t before = 0;

    while (before < i && !pattern_covers(routes_at(all, before)->path, path))
        before++;
    if (before < i)
        log_warn("route %s: is never taken, for %s is before it and fits the same paths",
                 pattern_text(path), pattern_text(routes_at(all, before)->path));
    if (doubt != NULL)
        log_warn("route %s: may never be reached: %s", pattern_text(path), doubt);
}

/* Where the path says which topic, the start does not ask each of them to declare the header. */
static void warn_of_events(const struct config *c, size_t i)
{
    const struct route *route = routes_at(c->routes, i);

    if (route->topic >= 0 || route->naming.by != NAMING_HEADER)
        return;
    for (size_t t = 0; t < routes_topics(c->routes); t++)
        if (!fields_declare(&c->topics[t], &route->naming))
            log_warn("route %s: events of topic %s have no name, for it does not declare %s",
                     pattern_text(route->path), c->topics[t].name, c->route_texts[i].event);
}

static void warn_of_routes(const struct config *c)
{
    const struct routes *all = c->routes;

    for (size_t i = 0; i < routes_topics(all); i++)
        warn_of_topic(all, (int)i);
    for (size_t i = 0; i < routes_count(all); i++) {
        warn_of_names(routes_at(all, i));
        warn_of_path(all, i);
        warn_of_events(c, i);
    }
}

static void warn_of_scope(const char *scope)
{
    if (strchr(scope, ' ') != NULL)
        log_warn("scope %s: has a blank, so that a token holds it only in an array", scope);
}

/* The claim `scope` is mostly a string, in which a blank is between two scopes (RFC 8693, 4.2);
 * others are mostly arrays, of roles for example. */
static void warn_of_scopes(const struct config *c)
{
    bool in_text = false;

    for (size_t i = 0; i < c->issuer_count; i++) {
        const struct config_issuer *issuer = &c->issuers[i];
        if (strcmp(issuer->scope_claim, "scope") != 0)
            continue;
        in_text = true;
        for (size_t k = 0; k < issuer->scopes.n; k++)
            warn_of_scope(issuer->scopes.at[k]);
    }
    for (size_t i = 0; in_text && i < routes_scopes(c->routes); i++)
        warn_of_scope(routes_scope(c->routes)[i]);
}

void warnings_log(const struct config *c)
{
    warn_of_routes(c);
    warn_of_scopes(c);
}

/* routes - which paths there are, what each leads to and demands: the allow list of topics, and the
 * routes, of which the first whose path fits is taken.  Pure. */
#ifndef SKF_ROUTE_ROUTES_H
#define SKF_ROUTE_ROUTES_H

#include "route/pattern.h"
#include "select/from.h"
#include "select/template.h"
#include "topic/naming.h"

struct routes;

enum {
    ROUTES_MAX = 256,
    ROUTES_TOPICS = 256,   /* of the allow list */
    ROUTE_SCOPES_MAX = 64, /* different ones, of all routes together */
    ROUTE_CLAIMS_MAX = 64, /* likewise */
};

struct route {
    struct pattern *path;
    int topic;               /* its number in the allow list; -1: the path names it, ... */
    int topic_param;         /* ... by this parameter */
    uint64_t scopes;         /* demanded of a token, besides those of its issuer: routes_scope() */
    struct template *select; /* NULL: everything */
    struct from from;        /* where a stream without an id starts */
    bool enveloped;          /* its events carry envelopes, unless the client says otherwise */
    struct naming naming;    /* of its events */
};

struct routes *routes_new(void);
void routes_free(struct routes *r);

/* Each of another name (copied). */
void routes_add_topic(struct routes *r, const char *name);

/* A route in words, as it is configured; borrowed. */
struct route_text {
    const char *path, *topic; /* topic: a name of the allow list, or {name} of the path */
    const char *const *scopes;
    size_t scope_count;
    const json_t *select; /* NULL: everything */
    struct from from;
    bool enveloped;
    struct naming naming; /* what it refers to stays there */
};
/* False, and what is wrong with it. */
bool routes_add(struct routes *r, const struct route_text *text, char *wrong, size_t size);
/* The route of that very path, braces or not, to the topic that was added first. */
void routes_add_literal(struct routes *r, const char *path, struct from from);

size_t routes_count(const struct routes *r);
const struct route *routes_at(const struct routes *r, size_t i);
size_t routes_topics(const struct routes *r);
const char *routes_topic(const struct routes *r, size_t i);
/* The scopes of all routes, by the number of their bit. */
size_t routes_scopes(const struct routes *r);
const char *const *routes_scope(const struct routes *r);
/* The paths to all claims that routes select by, by their number. */
size_t routes_claims(const struct routes *r);
const char *const *routes_claim(const struct routes *r);

/* Where a path leads. */
struct destination {
    const struct route *route;
    int topic;            /* -1: the path names one that is not in the allow list */
    struct values params; /* what the path's parameters stand for, where the route selects */
};
void destination_fini(struct destination *d);
enum route_found { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_BAD_ESCAPE };
/* Only a ROUTE_FOUND sets *destination, which must hold nothing before. */
enum route_found routes_find(const struct routes *r, struct slice path,
                             struct destination *destination);

#endif

#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/percent.h"
#include "config/fields.h"
#include "front/admission.h"
#include "front/credential.h"
#include "front/handles.h"
#include "front/lastid.h"
#include "front/narrowing.h"
#include "guard/keyset.h"
#include "program.h"
#include "route/routes.h"

/* -- --check -- */

static void print_list(const char *before, const struct config_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        printf("%s%s", i ? " " : before, list->at[i]);
}

static void print_issuer(const struct config_issuer *issuer)
{
    printf("issuer %s: audience %s in %s", issuer->issuer, issuer->audience,
           issuer->audience_claim);
    print_list(", scopes ", &issuer->scopes);
    printf(issuer->scopes.n > 0 ? " in %s" : "", issuer->scope_claim);
    printf(", subject in %s", issuer->identity);
    print_list(", keys ", &issuer->jwks);
    putchar('\n');
}

static void print_scopes(const struct routes *all, const struct route *route)
{
    const char *before = ", scopes ";

    for (size_t i = 0; i < routes_scopes(all); i++) {
        if ((route->scopes & UINT64_C(1) << i) == 0)
            continue;
        printf("%s%s", before, routes_scope(all)[i]);
        before = " ";
    }
}

static void print_select(const json_t *select)
{
    char *text = json_dumps(select, JSON_COMPACT);

    printf(", select %s", text);
    free(text);
}

static void print_from(const char *before, const struct from *from)
{
    struct buf text = {0};

    from_add(&text, from);
    printf("%s%.*s", before, (int)text.n, (const char *)text.p);
    buf_fini(&text);
}

static void print_route(const struct config *c, size_t i)
{
    const struct route *route = routes_at(c->routes, i);
    struct slice name = pattern_param_name(route->path, route->topic_param);

    printf("route %s: ", pattern_text(route->path));
    if (route->topic >= 0)
        printf("topic %s", routes_topic(c->routes, (size_t)route->topic));
    else
        printf("the topic that is {%.*s}", (int)name.n, (const char *)name.p);
    printf(c->issuer_count > 0 ? ", with a token" : ", open to all");
    print_scopes(c->routes, route);
    if (route->select != NULL)
        print_select(c->route_texts[i].select);
    if (route->from.kind != FROM_EARLIEST)
        print_from(", from ", &route->from);
    if (route->enveloped)
        printf(", data envelope");
    if (route->naming.by != NAMING_NONE)
        printf(", event %s", c->route_texts[i].event);
    putchar('\n');
}

static void print_topic(const struct config *c, int topic)
{
    static const char *const compact[] = {
        [COMPACT_AUTO] = "auto", [COMPACT_ON] = "on", [COMPACT_OFF] = "off"};
    const struct routes *all = c->routes;
    const struct config_topic *of = &c->topics[topic];
    const char *before = ": routes ";

    printf("topic %s, compact %s, cache-bytes %lld", of->name, compact[of->compact],
           (long long)of->cache_bytes);
    print_list(", headers ", &of->headers);
    print_list(", filters ", &of->filters);
    for (size_t i = 0; i < routes_count(all); i++) {
        const struct route *route = routes_at(all, i);
        if (route->topic != topic && route->topic >= 0)
            continue;
        printf("%s%s", before, pattern_text(route->path));
        before = " ";
    }
    puts(*before == ':' ? ": no route" : "");
}

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

/* -- the guard, which has a loop for itself -- */

struct judgement {
    struct loop *loop;
    struct guard *guard;  /* NULL: none */
    bool done, bad_place; /* bad_place: of the token in the URL */
    enum refusal why;     /* REFUSALS: none */
    const char *detail;
    const struct config *config;
    struct destination destination;
    struct narrowing narrowing;
    bool resumes;    /* by an event id in the URL */
    bool handle_bad; /* `stream` in the URL */
};

static void on_keys(void *arg)
{
    (void)arg;
}

static bool judgement_init(struct judgement *j, const struct config *c)
{
    char error[512];

    *j = (struct judgement){.loop = loop_new(), .why = REFUSALS, .config = c};
    if (c->issuer_count == 0)
        return true;
    j->guard = program_guard(j->loop, c, on_keys, NULL, error, sizeof error);
    if (j->guard == NULL)
        log_error("%s", error);
    return j->guard != NULL;
}

static void judgement_fini(struct judgement *j)
{
    destination_fini(&j->destination);
    narrowing_fini(&j->narrowing);
    guard_free(j->guard);
    loop_free(j->loop);
}

bool explain_configuration(const struct config *c)
{
    struct judgement j;
    bool good = judgement_init(&j, c);

    judgement_fini(&j);
    if (!good)
        return false;
    for (size_t i = 0; i < c->issuer_count; i++)
        print_issuer(&c->issuers[i]);
    for (size_t i = 0; i < routes_count(c->routes); i++)
        print_route(c, i);
    for (size_t i = 0; i < routes_topics(c->routes); i++)
        print_topic(c, (int)i);
    warn_of_routes(c);
    warn_of_scopes(c);
    return true;
}

/* -- --explain -- */

/* What stands behind scheme and host. */
static struct slice path_of(const char *url, struct slice *query)
{
    const char *host = strstr(url, "://");
    size_t n;

    if (url[0] != '/' && host != NULL)
        url = host + 3 + strcspn(host + 3, "/?#");
    n = strcspn(url, "?#");
    *query = url[n] == '?' ? slice_of(url + n + 1, strcspn(url + n + 1, "#")) : slice_of(NULL, 0);
    return slice_of(url, n);
}

static void print_value(struct slice name, struct slice encoded)
{
    struct buf value = {0};
    struct log_quoted quoted;

    percent_decode(&value, encoded);
    printf("{%.*s} is %s\n", (int)name.n, (const char *)name.p,
           log_quote(buf_slice(&value), &quoted));
    buf_fini(&value);
}

static void print_destination(const struct route *route, struct slice path)
{
    struct slice values[PATTERN_PARAMS], name;

    printf("route %s\n", pattern_text(route->path));
    pattern_fits(route->path, path, values);
    for (int i = 0; (name = pattern_param_name(route->path, i)).p != NULL; i++)
        print_value(name, values[i]);
}

static void print_token(const struct verdict *verdict)
{
    struct log_quoted quoted;
    char until[32];
    time_t exp = (time_t)(verdict->exp_ms / 1000);
    struct tm tm;

    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&exp, &tm));
    printf("token of %s, ", verdict->issuer);
    if (verdict->subject != NULL)
        printf("subject %s, ", log_quote(slice_str(verdict->subject), &quoted));
    else
        printf("without a subject, ");
    printf("good until %s\n", until);
}

static void print_start(const struct judgement *j)
{
    if (j->resumes)
        printf("starts at the place of its event id, or, if it is reset, from ");
    else
        printf("starts from ");
    print_from("", j->narrowing.has_from ? &j->narrowing.from : &j->destination.route->from);
    putchar('\n');
}

/* The first keys of one that selects. */
static void print_selection(const struct selection *s)
{
    enum { SHOWN = 16 };
    struct log_quoted quoted;

    if (s == NULL)
        return;
    printf("selects %zu key(s)", selection_count(s));
    for (size_t i = 0; i < selection_count(s) && i < SHOWN; i++)
        printf("%s%s", i ? ", " : ": ", log_quote(selection_key(s, i), &quoted));
    puts(selection_count(s) > SHOWN ? ", ..." : "");
}

/* The first that the route demands and the token does not hold. */
static void print_scope(const struct judgement *j, const struct verdict *verdict)
{
    uint64_t lacks = j->destination.route->scopes & ~verdict->scopes;

    printf("the token lacks %s\n", routes_scope(j->config->routes)[__builtin_ctzll(lacks)]);
}

/* Of a token that is good, or without one (NULL) where none is needed. */
static void judge_destination(struct judgement *j, const struct verdict *verdict)
{
    struct selection *route = NULL, *selection = NULL;
    int lacks = 0;

    j->why = admission_destination(&j->destination, verdict);
    if (j->why == REFUSALS && j->handle_bad)
        j->why = REFUSAL_STREAM_INVALID;
    if (j->why == REFUSALS)
        j->why = narrowing_select(&j->narrowing, &j->destination, verdict ? verdict->claims : NULL,
                                  &route, &selection, &lacks);
    if (j->why == REFUSAL_SCOPE_MISSING && verdict != NULL)
        print_scope(j, verdict);
    else if (j->why == REFUSAL_CLAIM_MISSING)
        printf("the token lacks %s\n", routes_claim(j->config->routes)[lacks]);
    else if (j->why == REFUSALS) {
        print_selection(selection);
        print_start(j);
    }
    selection_unref(selection);
    selection_unref(route);
}

static void on_verdict(void *arg, const struct verdict *verdict)
{
    struct judgement *j = arg;

    j->done = true;
    if (verdict->error) {
        j->why = refusal_of_token(verdict->error);
        j->detail = token_error_text(verdict->error);
    } else {
        print_token(verdict);
        judge_destination(j, verdict);
    }
    loop_stop(j->loop);
}

static void judge_token(struct judgement *j, struct slice token)
{
    if (token.n == 0) {
        j->why = REFUSAL_TOKEN_MISSING;
        return;
    }
    guard_check(j->guard, token, on_verdict, j);
    if (!j->done)
        loop_run(j->loop);
}

/* False: it cannot be read. */
static bool read_token(const char *file, struct buf *token)
{
    uint8_t bytes[TOKEN_MAX + 2];
    FILE *f = fopen(file, "re");
    size_t n = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;

    if (f == NULL)
        log_error("%s: %m", file);
    else
        fclose(f);
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r' || bytes[n - 1] == ' '))
        n--;
    buf_add(token, bytes, n);
    return f != NULL;
}

/* The one of the file, or else of the URL; false: the file cannot be read. */
static bool find_token(struct judgement *j, struct slice query, const char *file, struct buf *token)
{
    if (file != NULL)
        return read_token(file, token);
    if (credential_from_query(query, token) == CREDENTIAL_BAD)
        j->bad_place = true;
    return true;
}

static void judge(struct judgement *j, struct slice token)
{
    if (j->guard == NULL)
        judge_destination(j, NULL);
    else if (j->bad_place)
        j->why = REFUSAL_TOKEN_PLACE;
    else
        judge_token(j, token);
}

static const char *shape_of(const struct judgement *j)
{
    const struct narrowing *n = &j->narrowing;
    const char *const streams[] = {[FORMAT_SSE] = "a stream",
                                   [FORMAT_NDJSON] = "a stream of JSON lines",
                                   [FORMAT_JSON] = "a document"};
    enum format format = n->has_format ? n->format : FORMAT_SSE;
    bool enveloped = n->has_data ? n->enveloped : j->destination.route->enveloped;

    return format == FORMAT_SSE && enveloped ? "a stream of envelopes" : streams[format];
}

static void print_answer(const struct judgement *j)
{
    if (j->why == REFUSALS) {
        printf("200: %s of topic %s\n", shape_of(j),
               routes_topic(j->config->routes, (size_t)j->destination.topic));
        return;
    }
    const struct refusal_row *row = refusal_row(j->why);
    printf("%d %s: %s\n", row->status, row->code, j->detail ? j->detail : row->detail);
}

static void explain_path(struct judgement *j, struct slice path, struct slice token)
{
    enum route_found found = routes_find(j->config->routes, path, &j->destination);

    if (found == ROUTE_FOUND) {
        print_destination(j->destination.route, path);
        judge(j, token);
    } else {
        j->why = found == ROUTE_UNKNOWN ? REFUSAL_ROUTE_UNKNOWN : REFUSAL_PATH_INVALID;
    }
    print_answer(j);
}

bool explain_request(const struct config *c, const char *url, const char *token_file)
{
    struct slice query, path = path_of(url, &query);
    struct buf token = {0}, id = {0};
    char handle[HANDLE_MAX + 1];
    struct judgement j;
    bool good = judgement_init(&j, c) && find_token(&j, query, token_file, &token);

    j.resumes = lastid_find(NULL, query, &id);
    j.handle_bad = !handle_in_query(query, handle);
    narrowing_read(&j.narrowing, query, j.resumes);
    if (good)
        explain_path(&j, path, buf_slice(&token));
    buf_fini(&token);
    buf_fini(&id);
    judgement_fini(&j);
    return good;
}

static void print_key(const struct key *key)
{
    enum { SHOWN = 200 };
    const unsigned char *kid = (const unsigned char *)(key->kid ? key->kid : "(none)");

    printf("key ");
    for (size_t i = 0; i < SHOWN && kid[i] != 0; i++)
        printf(kid[i] < ' ' || kid[i] > '~' ? "\\x%02x" : "%c", kid[i]);
    putchar('\n');
}

bool explain_keys(const char *file)
{
    struct keyset_source source = {.files = &file, .file_count = 1};
    struct keyset *keys = NULL;
    struct notes notes = {0}, before = {0};
    char error[256];
    bool good = keyset_load(&source, &keys, &notes, error, sizeof error) == 0;

    notes_log_new(&notes, &before);
    notes_fini(&notes);
    if (!good)
        log_error("%s", error);
    for (size_t i = 0; good && i < keyset_count(keys); i++)
        print_key(keyset_at(keys, i));
    keyset_free(keys);
    return good;
}

#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/percent.h"
#include "front/admission.h"
#include "front/credential.h"
#include "front/handles.h"
#include "front/lastid.h"
#include "front/narrowing.h"
#include "guard/keyset.h"
#include "program.h"
#include "route/routes.h"
#include "warnings.h"

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
    warnings_log(c);
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
    bool good = f != NULL && !ferror(f);

    if (!good)
        log_error("%s: %m", file);
    if (f != NULL)
        fclose(f);
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r' || bytes[n - 1] == ' '))
        n--;
    buf_add(token, bytes, n);
    return good;
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

/* -- --check-jwks -- */

static void print_key(const struct key *key)
{
    struct log_quoted quoted;

    if (key->kid != NULL)
        printf("key %s\n", log_quote(slice_str(key->kid), &quoted));
    else
        puts("a key without an id");
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

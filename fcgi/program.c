#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "front/cgi.h"
#include "front/handler.h"
#include "front/inlet.h"
#include "front/listener.h"
#include "front/status.h"
#include "guard/guard.h"
#include "guard/keywish.h"
#include "guard/renewals.h"
#include "kafka/cluster.h"
#include "kafka/conf.h"
#include "report.h"
#include "route/routes.h"
#include "service.h"
#include "stream/drain.h"

enum { BACKLOGS_BYTES = 64 * 1024 * 1024 }; /* of all topics together */

static void on_keys(void *arg)
{
    struct program *p = arg;

    renewals_keys_changed(p->renewals);
    sessions_check_keys(p->sessions, p->guard);
}

static int by_name(const void *a, const void *b)
{
    const struct config_issuer *const *left = a, *const *right = b;

    return strcmp((*left)->issuer, (*right)->issuer);
}

/* Peers must know the same issuers, in whatever order; what each serves is its own affair. */
static void add_agreement(struct buf *out, const struct config *c)
{
    const struct config_issuer *all[GUARD_ISSUERS_MAX];

    for (size_t i = 0; i < c->issuer_count; i++)
        all[i] = &c->issuers[i];
    qsort(all, c->issuer_count, sizeof all[0], by_name);
    for (size_t i = 0; i < c->issuer_count; i++)
        buf_printf(out, "%s\n%s\n%s\n", all[i]->issuer, all[i]->audience_claim, all[i]->audience);
}

static bool make_renewals(struct program *p)
{
    const char *peer_directory = p->config->peer_dir;
    struct buf agreement = {0};

    if (p->listen_fd < 0 && peer_directory == NULL)
        return true; /* a CGI program has no stream but its own */
    add_agreement(&agreement, p->config);
    struct renewals_config config = {p->guard, p->sessions, peer_directory, buf_slice(&agreement)};
    p->renewals = renewals_new(p->loop, &config, p->error, sizeof p->error);
    buf_fini(&agreement);
    return p->renewals != NULL;
}

static struct guard_issuer issuer_of(const struct config *c, const struct config_issuer *issuer)
{
    return (struct guard_issuer){
        .policy = {.issuer = issuer->issuer,
                   .audience = issuer->audience,
                   .audience_claim = issuer->audience_claim,
                   .scope_claim = issuer->scope_claim,
                   .identity = issuer->identity,
                   .scopes = (const char *const *)issuer->scopes.at,
                   .scope_count = issuer->scopes.n,
                   .leeway_ms = c->leeway_s * 1000},
        .files = (const char *const *)issuer->jwks.at,
        .file_count = issuer->jwks.n,
    };
}

struct guard *program_guard(struct loop *loop, const struct config *c, void (*on_change)(void *arg),
                            void *arg, char *error, size_t size)
{
    struct guard_issuer issuers[GUARD_ISSUERS_MAX];
    struct guard_config guard = {.issuers = issuers,
                                 .issuer_count = c->issuer_count,
                                 .allow_demo_key = c->allow_demo_key,
                                 .scopes = routes_scope(c->routes),
                                 .scope_count = routes_scopes(c->routes),
                                 .claims = routes_claim(c->routes),
                                 .claim_count = routes_claims(c->routes)};

    for (size_t i = 0; i < c->issuer_count; i++)
        issuers[i] = issuer_of(c, &c->issuers[i]);
    return guard_new(loop, &guard, on_change, arg, error, size);
}

static bool make_guard(struct program *p)
{
    p->guard = program_guard(p->loop, p->config, on_keys, p, p->error, sizeof p->error);
    if (p->guard == NULL || p->config->peer_dir == NULL)
        return p->guard != NULL;
    p->keywish = keywish_new(p->config->peer_dir, p->error, sizeof p->error);
    if (p->keywish != NULL)
        guard_on_unknown_kid(p->guard, keywish_ask, p->keywish);
    return p->keywish != NULL;
}

/* A CGI program has no stream but its own, and is asked nothing else. */
static int64_t max_handles(const struct config *c, const struct program *p)
{
    return p->listen_fd >= 0 || c->peer_dir != NULL ? c->max_handles : 0;
}

/* Where streams may be told at another responder what to select. */
static bool join_pool(struct program *p)
{
    const char *directory = p->config->peer_dir;
    struct buf agreement = {0};

    if (directory == NULL || p->config->max_handles == 0)
        return true;
    add_agreement(&agreement, p->config);
    bool joined = handler_join(p->handler, p->loop, directory, buf_slice(&agreement), p->error,
                               sizeof p->error);
    buf_fini(&agreement);
    return joined;
}

/* Who may come in, and for how long. */
static bool make_gate(struct program *p)
{
    struct config *c = p->config;
    struct session_config session = {
        .challenge_ms = c->challenge_s * 1000,
        .leeway_ms = c->leeway_s * 1000,
        .max_age_ms = c->max_stream_age_s * 1000,
    };

    if (c->issuer_count > 0 || c->max_stream_age_s > 0)
        p->sessions = sessions_new(p->loop, &session);
    if (c->issuer_count > 0 && !(make_guard(p) && make_renewals(p)))
        return false;
    struct gate gate = {
        .guard = p->guard,
        .sessions = p->sessions,
        .renewals = p->renewals,
    };
    handler_set_gate(p->handler, &gate);
    return join_pool(p);
}

/* -- topics: all are made before the loop runs -- */

static bool is_read(const struct program *p, size_t topic)
{
    return p->listen_fd >= 0 || (int)topic == p->asked_for;
}

static void make_fanouts(struct program *p)
{
    const struct config *c = p->config;
    struct fanout_config fanout = {
        .event_id = c->event_id,
        .keepalive_ms = c->keepalive_s * 1000,
        .flush_ms = c->flush_ms,
        .backlogs = &p->backlogs,
    };

    backlogs_init(&p->backlogs, BACKLOGS_BYTES);
    p->fanouts = (struct fanouts){mem_zero(c->topic_count * sizeof *p->fanouts.at), c->topic_count};
    for (size_t i = 0; i < c->topic_count; i++) {
        fanout.cache_bytes = (size_t)c->topics[i].cache_bytes;
        fanout.envelope =
            (struct envelope){c->topics[i].name, c->topics[i].kept, c->topics[i].kept_count};
        if (is_read(p, i))
            p->fanouts.at[i] = fanout_new(p->loop, &fanout);
    }
}

static bool make_consumers(struct program *p)
{
    const struct config *c = p->config;

    kafka_conf_share(c->kafka, c->topic_count);
    p->cluster = cluster_new(p->loop, c->kafka, c->brokers, p->error, sizeof p->error);
    if (p->cluster == NULL)
        return false;
    p->consumers = mem_zero(c->topic_count * sizeof *p->consumers);
    for (size_t i = 0; i < c->topic_count; i++) {
        if (p->fanouts.at[i] == NULL)
            continue;
        struct consumer_handler handler = fanout_handler(p->fanouts.at[i]);
        p->consumers[i] = consumer_new(p->cluster, c->topics[i].name,
                                       (enum compact)c->topics[i].compact, &handler);
        fanout_attach(p->fanouts.at[i], p->consumers[i]);
    }
    return true;
}

static struct descriptors share_descriptors(const struct config *c)
{
    struct rlimit limit = {.rlim_cur = 0};

    getrlimit(RLIMIT_NOFILE, &limit);
    struct descriptors d = descriptors_share(limit.rlim_cur, c->max_streams);
    if (d.streams < c->max_streams)
        log_warn("max-streams: the limit of open files, %llu, allows only %lld",
                 (unsigned long long)limit.rlim_cur, (long long)d.streams);
    return d;
}

static void collect(void *arg, struct metrics *m)
{
    const struct program *p = arg;
    struct report report = {
        .loop = p->loop,
        .config = p->config,
        .descriptors = p->descriptors,
        .fanouts = &p->fanouts,
        .backlogs = &p->backlogs,
        .consumers = p->consumers,
        .handler = p->handler,
        .inlet = p->inlet,
        .guard = p->guard,
        .sessions = p->sessions,
        .draining = p->listen_fd < 0,
    };

    report_collect(&report, m);
}

/* A CGI program has just come, and tells nobody how it is. */
static bool make_status(struct program *p)
{
    if (p->listen_fd < 0)
        return true;
    const struct routes *routes = p->config->routes;
    char name[LISTENER_NAME];
    struct status_config config = {.topics = (int32_t)routes_topics(routes),
                                   .routes = (int32_t)routes_count(routes),
                                   .directory = p->config->peer_dir,
                                   .responder = name,
                                   .collect = collect,
                                   .arg = p};

    listener_name(p->listen_fd, name);
    p->status = status_new(p->loop, &config, p->error, sizeof p->error);
    if (p->status != NULL)
        handler_set_status(p->handler, p->status);
    return p->status != NULL;
}

static bool is_ready(void *arg, struct buf *status)
{
    const struct program *p = arg;

    if (p->status != NULL)
        return status_sum_up(p->status, status);
    buf_add_str(status, "standing by"); /* it lacks nothing */
    return true;
}

static bool is_reloading(void *arg)
{
    const struct program *p = arg;

    return p->guard != NULL && guard_is_reading(p->guard);
}

void program_tell_service(struct program *p)
{
    struct service_config config = {.is_ready = is_ready, .is_reloading = is_reloading, .arg = p};

    p->service = service_new(p->loop, &config);
}

bool program_make(struct program *p)
{
    const struct config *c = p->config;
    p->descriptors = share_descriptors(c);
    struct handler_config handler = {
        .routes = c->routes,
        .cors = c->cors,
        .retry_ms = c->retry_ms,
        .stands_in = c->stand_in_s > 0,
        .max_streams = p->descriptors.streams,
        .max_waiting = p->descriptors.requests,
        .address = {c->max_streams_per_address, c->max_opens_per_minute},
        .subject = {c->max_streams_per_subject, c->max_opens_per_minute},
        .max_attempts = c->max_attempts_per_minute,
        .max_handles = max_handles(c, p),
    };

    if (!c->standby)
        make_fanouts(p);
    p->handler = handler_new(p->loop, &handler, c->standby ? NULL : &p->fanouts);
    if (p->handler == NULL) {
        snprintf(p->error, sizeof p->error, "libfcgi does not decode requests as expected");
        return false;
    }
    if (c->standby)
        return true;
    return make_gate(p) && make_consumers(p) && make_status(p);
}

void program_unmake(struct program *p)
{
    service_free(p->service);
    cgi_free(p->cgi);
    timer_free(p->stop);
    timer_free(p->stand_in);
    inlet_free(p->inlet);
    drain_free(p->drain);
    status_free(p->status);
    if (p->handler != NULL)
        handler_leave(p->handler); /* answers those who wait */
    guard_free(p->guard);          /* likewise */
    for (size_t i = 0; p->consumers != NULL && i < p->fanouts.n; i++)
        consumer_free(p->consumers[i]);
    free(p->consumers);
    cluster_free(p->cluster);
    for (size_t i = 0; i < p->fanouts.n; i++)
        fanout_free(p->fanouts.at[i]);
    free(p->fanouts.at);
    keywish_free(p->keywish);
    renewals_free(p->renewals);
    sessions_free(p->sessions);
    handler_free(p->handler);
    loop_free(p->loop);
}

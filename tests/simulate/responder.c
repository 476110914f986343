#include "responder.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "front/handler.h"
#include "front/inlet.h"
#include "kafka/cluster.h"
#include "kafka/conf.h"
#include "kafka/consumer.h"
#include "lease.h"
#include "loops.h"
#include "port.h"
#include "sockets.h"
#include "stream/drain.h"
#include "stream/fanouts.h"
#include "threads.h"
#include "wish.h"
#include "world.h"

struct responder {
    unsigned number;
    struct responder_config config;
    struct loop *loop;
    /* Of the topic that all stories are about; and of one that is never there, which some serve
     * besides. */
    struct fanout *fanout[2];
    struct fanouts fanouts;
    struct backlogs backlogs;
    struct cluster *cluster;
    struct consumer *consumer[2];
    struct routes *routes;
    struct handler *handler;
    struct guard *guard; /* NULL: all may come in */
    struct sessions *sessions;
    struct renewals *renewals;
    struct inlet *inlet;
    struct drain *drain;
    int listen_fd;
    int64_t runs_since_ms, accepts_since_ms;
    int64_t turn_ms, busy_until_ms; /* of a machine that is slow */
    bool stopped, done;
};

static void make_consumers(struct responder *r)
{
    struct kafka_conf *kafka = kafka_conf_new();
    char error[256];

    port_forget(r->number);
    r->cluster = cluster_new(r->loop, kafka, "brokers", error, sizeof error);
    for (size_t i = 0; i < r->fanouts.n; i++) {
        struct consumer_handler handler = fanout_handler(r->fanout[i]);
        r->consumer[i] =
            consumer_new(r->cluster, routes_topic(r->routes, i), COMPACT_AUTO, &handler);
        fanout_attach(r->fanout[i], r->consumer[i]);
    }
    kafka_conf_free(kafka);
}

static void make_fanouts(struct responder *r)
{
    struct fanout_config fanout = {.event_id =
                                       r->config.id_with_key ? EVENT_ID_KEY : EVENT_ID_PROGRESS,
                                   .keepalive_ms = r->config.keepalive_ms,
                                   .flush_ms = r->config.flush_ms,
                                   .cache_bytes = r->config.cache_bytes,
                                   .envelope.topic = "t",
                                   .backlogs = &r->backlogs};

    backlogs_init(&r->backlogs, r->config.backlog_bytes);
    r->fanouts = (struct fanouts){r->fanout, routes_topics(r->routes)};
    for (size_t i = 0; i < r->fanouts.n; i++) {
        fanout.envelope.topic = routes_topic(r->routes, i);
        r->fanout[i] = fanout_new(r->loop, &fanout);
    }
}

static void on_keys(void *arg)
{
    struct responder *r = arg;
    sessions_check_keys(r->sessions, r->guard);
}

static void make_gate(struct responder *r)
{
    struct session_config session = {.challenge_ms = CHALLENGE_MS,
                                     .max_age_ms = r->config.max_age_ms};
    const struct guard_issuer issuer = {.policy = {.issuer = "issuer",
                                                   .audience = "audience",
                                                   .audience_claim = "aud",
                                                   .scope_claim = "scope",
                                                   .identity = "sub"}};
    struct guard_config guard = {.issuers = &issuer,
                                 .issuer_count = 1,
                                 .claims = routes_claim(r->routes),
                                 .claim_count = routes_claims(r->routes)};
    char error[256];

    r->sessions = sessions_new(r->loop, &session);
    if (!r->config.guarded) {
        handler_set_gate(r->handler, &(struct gate){.sessions = r->sessions});
        return;
    }
    r->guard = guard_new(r->loop, &guard, on_keys, r, error, sizeof error);
    struct renewals_config renewals = {r->guard, r->sessions, "", slice_str("")};
    r->renewals = renewals_new(r->loop, &renewals, error, sizeof error);
    struct gate gate = {.guard = r->guard, .sessions = r->sessions, .renewals = r->renewals};
    handler_set_gate(r->handler, &gate);
}

static void join_pool(struct responder *r)
{
    char error[256];

    if (!handler_join(r->handler, r->loop, "", slice_str(""), error, sizeof error))
        abort();
}

struct responder *responder_start(unsigned number, const struct responder_config *config)
{
    struct responder *r = mem_zero(sizeof *r);

    r->number = number;
    r->routes = routes_new();
    routes_add_topic(r->routes, "t");
    if (number % 2 == 1)
        routes_add_topic(r->routes, "missing");
    wish_add_routes(r->routes, config->routes, config->guarded);
    r->config = *config;
    r->runs_since_ms = world_now_ms();
    world_set_responder(number);
    r->loop = loop_new();
    make_fanouts(r);
    struct handler_config handler = {.routes = r->routes,
                                     .cors = "cross-origin",
                                     .retry_ms = config->retry_ms,
                                     .max_streams = 10000,
                                     .max_waiting = 10000,
                                     .max_handles = config->max_handles};
    r->handler = handler_new(r->loop, &handler, &r->fanouts);
    if (config->guarded || config->max_age_ms > 0)
        make_gate(r);
    join_pool(r);
    make_consumers(r);
    struct inlet_handler inlet = handler_inlet(r->handler);
    r->listen_fd = socket_listen();
    r->inlet = inlet_new(r->loop, r->listen_fd, &inlet);
    return r;
}

static void on_drained(void *arg)
{
    struct responder *r = arg;

    r->done = true;
}

void responder_drain(struct responder *r)
{
    struct drain_config drain = {.drain_ms = r->config.drain_ms,
                                 .retry_ms = r->config.retry_ms,
                                 .done = on_drained,
                                 .arg = r};

    if (r->drain != NULL)
        return;
    handler_drain(r->handler);
    inlet_close(r->inlet);
    close(r->listen_fd);
    r->listen_fd = -1;
    r->drain = drain_new(r->loop, &r->fanouts, &drain);
}

void responder_free(struct responder *r)
{
    responder_stop(r, false);
    responder_burden(r, 0);
    if (!r->done)
        socket_cut_all(r->loop);
    if (r->listen_fd >= 0)
        close(r->listen_fd);
    inlet_free(r->inlet);
    drain_free(r->drain);
    handler_leave(r->handler);
    guard_free(r->guard);
    for (size_t i = 0; i < r->fanouts.n; i++)
        consumer_free(r->consumer[i]);
    cluster_free(r->cluster);
    for (size_t i = 0; i < r->fanouts.n; i++)
        fanout_free(r->fanout[i]);
    renewals_free(r->renewals);
    sessions_free(r->sessions);
    handler_free(r->handler);
    routes_free(r->routes);
    loop_free(r->loop);
    free(r);
}

bool responder_done(const struct responder *r)
{
    return r->done;
}

int responder_listens(const struct responder *r)
{
    return r->listen_fd;
}

void responder_stop(struct responder *r, bool stopped)
{
    r->stopped = stopped;
    world_stop_responder(r->number, stopped);
    if (stopped)
        return;
    threads_continue(r->number);
    port_changed();
    r->runs_since_ms = world_now_ms();
}

void responder_burden(struct responder *r, int64_t turn_ms)
{
    r->turn_ms = turn_ms;
    world_slow_responder(r->number, turn_ms > 0);
    r->runs_since_ms = world_now_ms();
}

void responder_exhaust(struct responder *r, bool exhausted)
{
    if (r->listen_fd >= 0)
        socket_exhaust(r->listen_fd, exhausted);
    r->accepts_since_ms = exhausted ? INT64_MAX : world_now_ms();
}

int64_t responder_runs_since_ms(const struct responder *r)
{
    bool goes_on = !r->stopped && r->drain == NULL && r->turn_ms == 0;

    return goes_on ? r->runs_since_ms : INT64_MAX;
}

int64_t responder_answers_since_ms(const struct responder *r)
{
    bool answers = !r->stopped && !r->done && r->turn_ms == 0;

    if (!answers)
        return INT64_MAX;
    return r->accepts_since_ms > r->runs_since_ms ? r->accepts_since_ms : r->runs_since_ms;
}

unsigned responder_routes(const struct responder *r)
{
    return r->config.routes;
}

size_t responder_cache_bytes(const struct responder *r)
{
    return fanout_stats(r->fanout[0]).cache_bytes;
}

int64_t responder_due_ms(const struct responder *r)
{
    int64_t due = r->stopped || r->done ? INT64_MAX : loop_due_ms(r->loop);

    return due > r->busy_until_ms ? due : r->busy_until_ms;
}

void responder_turn(struct responder *r)
{
    world_set_responder(r->number);
    loop_turn(r->loop);
    if (r->turn_ms > 0)
        r->busy_until_ms =
            world_now_ms() + dice_below(world_dice(WHO_LOOP + r->number), (uint32_t)r->turn_ms);
}

void responder_wall_stepped(struct responder *r)
{
    loop_clock_stepped(r->loop);
}

/* sse-kafka-fanout - a responder: a Kafka topic to many event streams.  Wires the rooms together,
 * runs the loop, stops. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "front/cgi.h"
#include "front/descriptors.h"
#include "front/handler.h"
#include "front/inlet.h"
#include "front/listener.h"
#include "front/status.h"
#include "guard/guard.h"
#include "guard/renewals.h"
#include "report.h"
#include "stream/drain.h"
#include "stream/fanout.h"

enum {
    EXIT_CONFIG = 2,
    STOP_MS = 2000, /* for requests that were accepted, when all streams have ended */
    STOP_STEP_MS = 10,
};

static int fail(const char *what)
{
    log_error("%s", what);
    return EXIT_CONFIG;
}

/* As many descriptors as the host allows: each stream is one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What main wires; each piece is NULL until it is made. */
struct program {
    struct config *config;
    struct loop *loop;
    struct fanout *fanout;
    struct consumer *consumer;
    struct handler *handler;
    struct inlet *inlet;
    struct guard *guard;
    struct sessions *sessions;
    struct renewals *renewals;
    struct drain *drain;
    struct timer *stop; /* NULL: it was not told to stop */
    int64_t stop_by_ms;
    struct status *status;
    struct cgi *cgi; /* NULL: a responder */
    int listen_fd;   /* -1: closed */
    char error[256];
};

static void close_listener(struct program *p)
{
    if (p->listen_fd >= 0)
        listener_close(p->listen_fd, p->config->listen);
    p->listen_fd = -1;
}

static void on_done(void *arg)
{
    struct program *p = arg;
    loop_stop(p->loop);
}

/* Requests that were accepted are answered; a front that says no more is waited for a moment. */
static void stop_when_answered(void *arg)
{
    struct program *p = arg;
    bool waits = inlet_waiting(p->inlet) + handler_waiting(p->handler) > 0;

    if (waits && loop_now_ms() < p->stop_by_ms)
        timer_start(p->stop, STOP_STEP_MS);
    else
        loop_stop(p->loop);
}

static void on_drained(void *arg)
{
    struct program *p = arg;

    p->stop_by_ms = loop_now_ms() + STOP_MS;
    stop_when_answered(p);
}

/* Our listening socket goes first, so that the front turns to others at once. */
static void begin_to_stop(struct program *p)
{
    struct drain_config drain = {
        .drain_ms = p->config->drain_s * 1000,
        .retry_ms = p->config->retry_ms,
        .done = on_drained,
        .arg = p,
    };

    p->stop = timer_new(p->loop, stop_when_answered, p);
    handler_drain(p->handler);
    inlet_close(p->inlet);
    close_listener(p);
    if (p->fanout == NULL || fanout_count(p->fanout) == 0) {
        log_info("stopping");
        on_drained(p);
        return;
    }
    log_info("stopping: %zu stream(s) are ended within %lld s", fanout_count(p->fanout),
             (long long)p->config->drain_s);
    p->drain = drain_new(p->loop, p->fanout, &drain);
}

static void on_stop_signal(void *arg)
{
    struct program *p = arg;

    if (p->stop == NULL && p->inlet != NULL) {
        begin_to_stop(p);
        return;
    }
    log_info("stopping at once");
    loop_stop(p->loop);
}

static void on_keys(void *arg)
{
    struct program *p = arg;
    sessions_check_keys(p->sessions, p->guard);
}

static void on_reload_signal(void *arg)
{
    struct program *p = arg;

    if (p->guard != NULL)
        guard_reload(p->guard);
}

/* Peers must serve the same topic to the same tokens. */
static void add_agreement(struct buf *out, const struct config *c)
{
    buf_printf(out, "%s\n%s\n%s\n%s\n%s", c->issuer, c->audience, c->scope_claim, c->topic,
               c->path);
    for (size_t i = 0; i < c->scopes.n; i++)
        buf_printf(out, "\n%s", c->scopes.at[i]);
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

static bool make_guard(struct program *p)
{
    struct config *c = p->config;
    struct guard_config guard = {
        .policy = {.issuer = c->issuer,
                   .audience = c->audience,
                   .scopes = (const char *const *)c->scopes.at,
                   .scope_count = c->scopes.n,
                   .scope_claim = c->scope_claim,
                   .leeway_ms = c->leeway_s * 1000},
        .files = (const char *const *)c->jwks.at,
        .file_count = c->jwks.n,
        .allow_demo_key = c->allow_demo_key,
    };

    p->guard = guard_new(p->loop, &guard, on_keys, p, p->error, sizeof p->error);
    return p->guard != NULL;
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

    if (c->jwks.n > 0 || c->max_stream_age_s > 0)
        p->sessions = sessions_new(p->loop, &session);
    if (c->jwks.n > 0 && !(make_guard(p) && make_renewals(p)))
        return false;
    struct gate gate = {
        .guard = p->guard,
        .sessions = p->sessions,
        .renewals = p->renewals,
    };
    handler_set_gate(p->handler, &gate);
    return true;
}

static bool make_consumer(struct program *p)
{
    struct config *c = p->config;
    struct consumer_handler handler = fanout_handler(p->fanout);

    p->consumer = consumer_new(p->loop, c->kafka, c->brokers, c->topic, c->compact, &handler,
                               p->error, sizeof p->error);
    if (p->consumer != NULL)
        fanout_attach(p->fanout, p->consumer);
    return p->consumer != NULL;
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
        .fanout = p->fanout,
        .consumer = p->consumer,
        .handler = p->handler,
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
    struct status_config config = {p->config->topic, p->config->peer_dir, collect, p};

    p->status = status_new(p->loop, &config, p->error, sizeof p->error);
    if (p->status != NULL)
        handler_set_status(p->handler, p->status);
    return p->status != NULL;
}

/* Those that wait, from the moment we can be reached, until the loop hears them. */
static void mask_signals(int how)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    sigprocmask(how, &ours, NULL);
}

static bool make(struct program *p)
{
    const struct config *c = p->config;
    struct fanout_config fanout = {
        .event_id = c->event_id,
        .keepalive_ms = c->keepalive_s * 1000,
        .flush_ms = c->flush_ms,
        .cache_bytes = (size_t)c->cache_bytes,
    };
    struct descriptors descriptors = share_descriptors(c);
    struct handler_config handler = {
        .path = c->path,
        .cors = c->cors,
        .retry_ms = c->retry_ms,
        .max_streams = descriptors.streams,
        .max_waiting = descriptors.requests,
        .address = {c->max_streams_per_address, c->max_opens_per_minute},
        .subject = {c->max_streams_per_subject, c->max_opens_per_minute},
        .max_attempts = c->max_attempts_per_minute,
    };

    p->loop = loop_new();
    /* Before libfcgi, which would catch SIGTERM itself, and forget it. */
    loop_on_signal(p->loop, SIGTERM, on_stop_signal, p);
    loop_on_signal(p->loop, SIGINT, on_stop_signal, p);
    loop_on_signal(p->loop, SIGHUP, on_reload_signal, p);
    mask_signals(SIG_UNBLOCK);
    if (!c->standby)
        p->fanout = fanout_new(p->loop, &fanout);
    p->handler = handler_new(p->loop, &handler, p->fanout);
    if (p->handler == NULL) {
        snprintf(p->error, sizeof p->error, "libfcgi does not decode requests as expected");
        return false;
    }
    if (c->standby)
        return true;
    return make_gate(p) && make_consumer(p) && make_status(p);
}

static void unmake(struct program *p)
{
    cgi_free(p->cgi);
    timer_free(p->stop);
    inlet_free(p->inlet);
    drain_free(p->drain);
    status_free(p->status);
    guard_free(p->guard); /* answers those who wait */
    consumer_free(p->consumer);
    fanout_free(p->fanout);
    renewals_free(p->renewals);
    sessions_free(p->sessions);
    handler_free(p->handler);
    loop_free(p->loop);
}

static int serve(struct config *config, int listen_fd)
{
    struct program p = {.config = config, .listen_fd = listen_fd};
    int status = EXIT_CONFIG;

    if (make(&p)) {
        struct inlet_handler handler = handler_inlet(p.handler);
        p.inlet = inlet_new(p.loop, listen_fd, &handler);
        if (config->standby)
            log_info("standing by");
        else
            log_info("topic %s of %s at %s, %s", config->topic, config->brokers, config->path,
                     p.guard ? "with tokens" : "open to all");
        loop_run(p.loop);
        status = EXIT_SUCCESS;
    } else {
        fail(p.error);
    }
    close_listener(&p);
    unmake(&p);
    return status;
}

/* One request; SIGTERM ends it at once, for then nobody reads the answer any more. */
static int serve_as_cgi(struct config *config, struct slice request)
{
    struct program p = {.config = config, .listen_fd = -1};
    int status = EXIT_CONFIG;

    if (make(&p)) {
        struct inlet_handler handler = handler_inlet(p.handler);
        p.cgi = cgi_start(p.loop, &handler, request, on_done, &p);
        loop_run(p.loop);
        status = EXIT_SUCCESS;
    } else {
        cgi_fail();
        fail(p.error);
    }
    unmake(&p);
    return status;
}

static int serve_as_responder(struct config *config)
{
    char error[256] = "";
    int status = EXIT_CONFIG;

    mask_signals(SIG_BLOCK);
    int fd =
        config->listen ? listener_open(config->listen, error, sizeof error) : listener_inherited();
    if (fd >= 0)
        status = serve(config, fd);
    else
        fail(config->listen ? error : "descriptor 0 is not a listening socket: give --listen");
    return status;
}

/* A dump would hold tokens. */
static void forbid_core_dumps(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/* librdkafka 2.0.2 makes the pipes that wake its threads with pipe(), and finds this one: what it
 * may start (kinit) shall have none of our descriptors. */
int pipe(int fds[2]) /* NOLINT: the header has another name for fds */
{
    return pipe2(fds, O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct config config;
    struct buf request = {0};

    log_look_for_journal();
    forbid_core_dumps();
    if (cgi_is_one())
        cgi_take_request(&request, argc, argv);
    switch (config_read(&config, argc, argv)) {
    case CONFIG_DONE:
        config_fini(&config);
        return EXIT_SUCCESS;
    case CONFIG_ERROR:
        if (cgi_is_one())
            cgi_fail();
        config_fini(&config);
        buf_fini(&request);
        return EXIT_CONFIG;
    case CONFIG_OK:
        break;
    }
    log_set_level(config.log_level);
    log_set_format(config.log_format);
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    int status =
        cgi_is_one() ? serve_as_cgi(&config, buf_slice(&request)) : serve_as_responder(&config);
    buf_fini(&request);
    config_fini(&config);
    return status;
}

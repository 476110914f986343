/* sse-kafka-fanout - a responder: a Kafka topic to many event streams.  Reads what it is told, runs
 * the program, under the signals and limits of its process. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"
#include "explain.h"
#include "front/cgi.h"
#include "front/handler.h"
#include "front/listener.h"
#include "guard/guard.h"
#include "route/routes.h"
#include "service.h"
#include "stop.h"

enum {
    EXIT_CONFIG = 2,
    TABLE_MAX = 16384, /* 128 KB of the kernel's memory */
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

/* The table of descriptors grows by doubling, and a process of several threads waits for some 10 ms
 * each time (expand_fdtable() of Linux), and all its streams with it.  So the table is enlarged
 * before there are threads. */
static void enlarge_descriptor_table(void)
{
    int64_t limit = process_descriptors_limit();
    int last = (int)(limit < TABLE_MAX ? limit : TABLE_MAX) - 1;
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, last);

    if (fd >= 0)
        close(fd);
}

static void on_done(void *arg)
{
    struct program *p = arg;
    loop_stop(p->loop);
}

static void on_stop_signal(void *arg)
{
    stop(arg);
}

static void on_reload_signal(void *arg)
{
    struct program *p = arg;

    if (p->guard != NULL)
        guard_reload(p->guard);
    service_reload(p->service);
}

/* Those that wait, from the moment we can be reached, until the loop hears them. */
static void mask_signals(int how)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(how, &ours, NULL);
}

static void stand_in(struct program *p)
{
    if (p->config->stand_in_s == 0)
        return;
    p->stand_in = timer_new(p->loop, on_stop_signal, p);
    timer_start(p->stand_in, p->config->stand_in_s * 1000);
}

static bool start(struct program *p)
{
    p->loop = loop_new();
    /* Before libfcgi, which would catch SIGTERM itself, and forget it. */
    loop_on_signal(p->loop, SIGTERM, on_stop_signal, p);
    loop_on_signal(p->loop, SIGINT, on_stop_signal, p);
    loop_on_signal(p->loop, SIGHUP, on_reload_signal, p);
    mask_signals(SIG_UNBLOCK);
    return program_make(p);
}

/* From now on nobody hears a signal, and one more must not change how the process ends. */
static void finish(struct program *p)
{
    mask_signals(SIG_BLOCK);
    program_unmake(p);
}

static void tell_start(const struct config *c)
{
    const char *to_whom = c->issuer_count > 0 ? "with tokens" : "open to all";

    if (c->standby) {
        log_info(c->stand_in_s > 0 ? "standing in" : "standing by");
        return;
    }
    for (size_t i = 0; i < routes_count(c->routes); i++) {
        const struct route *route = routes_at(c->routes, i);
        const char *path = pattern_text(route->path);
        if (route->topic >= 0)
            log_info("topic %s of %s at %s, %s", c->topics[route->topic].name, c->brokers, path,
                     to_whom);
        else
            log_info("%zu topic(s) of %s at %s, %s", c->topic_count, c->brokers, path, to_whom);
    }
}

static int serve(struct config *config, int listen_fd)
{
    struct program p = {.config = config, .listen_fd = listen_fd};
    int status = EXIT_CONFIG;

    if (start(&p)) {
        struct inlet_handler handler = handler_inlet(p.handler);
        p.inlet = inlet_new(p.loop, listen_fd, &handler);
        program_tell_service(&p);
        stand_in(&p);
        tell_start(config);
        loop_run(p.loop);
        status = EXIT_SUCCESS;
    } else {
        fail(p.error);
    }
    stop_listening(&p);
    finish(&p);
    return status;
}

/* One request; SIGTERM ends it at once, for then nobody reads the answer any more. */
static int serve_as_cgi(struct config *config, struct slice request, struct slice path)
{
    struct destination to = {.topic = -1};
    routes_find(config->routes, path, &to);
    struct program p = {.config = config, .listen_fd = -1, .asked_for = to.topic};
    int status = EXIT_CONFIG;

    if (start(&p)) {
        struct inlet_handler handler = handler_inlet(p.handler);
        p.cgi = cgi_start(p.loop, &handler, request, on_done, &p);
        loop_run(p.loop);
        status = EXIT_SUCCESS;
    } else {
        cgi_fail();
        fail(p.error);
    }
    finish(&p);
    return status;
}

static int serve_as_responder(struct config *config)
{
    char error[256] = "";
    int status = EXIT_CONFIG;

    enlarge_descriptor_table();
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

/* To say something instead of serving. */
static bool is_asked(const struct config *c)
{
    const struct config_question *q = &c->question;

    return q->check || q->explain != NULL || q->check_jwks != NULL;
}

static bool answer(const struct config *c)
{
    if (c->question.check_jwks != NULL)
        return explain_keys(c->question.check_jwks);
    if (c->question.explain != NULL)
        return explain_request(c, c->question.explain, c->question.token_file);
    return explain_configuration(c);
}

int main(int argc, char **argv)
{
    struct config config;
    struct buf request = {0}, path = {0};

    log_look_for_journal();
    forbid_core_dumps();
    if (cgi_is_one())
        cgi_take_request(&request, &path, argc, argv);
    switch (config_read(&config, argc, argv)) {
    case CONFIG_DONE:
        config_fini(&config);
        return EXIT_SUCCESS;
    case CONFIG_ERROR:
        if (cgi_is_one())
            cgi_fail();
        config_fini(&config);
        buf_fini(&request);
        buf_fini(&path);
        return EXIT_CONFIG;
    case CONFIG_OK:
        break;
    }
    log_set_level(config.log_level);
    log_set_format(config.log_format);
    if (is_asked(&config)) {
        int answered = answer(&config) ? EXIT_SUCCESS : EXIT_CONFIG;
        config_fini(&config);
        return answered;
    }
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    int status = cgi_is_one() ? serve_as_cgi(&config, buf_slice(&request), buf_slice(&path))
                              : serve_as_responder(&config);
    buf_fini(&request);
    buf_fini(&path);
    config_fini(&config);
    return status;
}

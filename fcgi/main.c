/* sse-kafka-fanout - a responder: a Kafka topic to many event streams.  Wires the rooms together,
 * runs the loop, stops. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "config.h"
#include "front/handler.h"
#include "front/inlet.h"
#include "front/listener.h"
#include "stream/fanout.h"

enum { EXIT_CONFIG = 2 };

static int fail(const char *what)
{
    fprintf(stderr, "sse-kafka-fanout: %s\n", what);
    return EXIT_CONFIG;
}

static void on_stop_signal(void *arg)
{
    log_info("stopping");
    loop_stop(arg);
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

static int serve(struct config *config, int listen_fd)
{
    char error[256] = "";
    struct fanout_config fanout_config = {
        .event_id = (enum event_id)config->event_id,
        .keepalive_ms = config->keepalive_s * 1000,
        .flush_ms = config->flush_ms,
        .cache_bytes = (size_t)config->cache_bytes,
    };
    struct handler_config handler_config = {
        .path = config->path,
        .cors = config->cors,
        .retry_ms = config->retry_ms,
    };
    struct loop *loop = loop_new();
    struct fanout *fanout = fanout_new(loop, &fanout_config);
    struct consumer_handler consumer_handler = fanout_handler(fanout);
    rd_kafka_conf_t *kafka = config->kafka;
    config->kafka = NULL;
    struct consumer *consumer =
        consumer_new(loop, kafka, config->brokers, config->topic, (enum compact)config->compact,
                     &consumer_handler, error, sizeof error);
    if (consumer == NULL)
        return fail(error);
    fanout_attach(fanout, consumer);
    struct handler *handler = handler_new(&handler_config, fanout);
    if (handler == NULL)
        return fail("libfcgi does not decode requests as expected");
    struct inlet_handler inlet_handler = handler_inlet(handler);
    struct inlet *inlet = inlet_new(loop, listen_fd, &inlet_handler);

    loop_on_signal(loop, SIGTERM, on_stop_signal, loop);
    loop_on_signal(loop, SIGINT, on_stop_signal, loop);
    log_info("topic %s of %s at %s", config->topic, config->brokers, config->path);
    loop_run(loop);

    inlet_free(inlet);
    handler_free(handler);
    consumer_free(consumer);
    fanout_free(fanout);
    loop_free(loop);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct config config;
    char error[256] = "";
    int status = EXIT_CONFIG;

    switch (config_read(&config, argc, argv)) {
    case CONFIG_DONE:
        config_fini(&config);
        return EXIT_SUCCESS;
    case CONFIG_ERROR:
        config_fini(&config);
        return EXIT_CONFIG;
    case CONFIG_OK:
        break;
    }
    log_set_level((enum log_level)config.log_level);
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    int fd =
        config.listen ? listener_open(config.listen, error, sizeof error) : listener_inherited();
    if (fd >= 0)
        status = serve(&config, fd);
    else
        fail(config.listen ? error : "descriptor 0 is not a listening socket: give --listen");
    if (config.listen && fd >= 0 && strchr(config.listen, '/') != NULL)
        unlink(config.listen);
    config_fini(&config);
    return status;
}

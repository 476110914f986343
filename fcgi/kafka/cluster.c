#include "kafka/cluster.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/consumer_inside.h"

enum { TURN_MS = 5 }; /* records of one loop turn, of all topics */

/* Most topics have the same as the one before. */
static void poll_clients(struct cluster *cluster)
{
    const struct client *last = cluster->client;
    struct consumer *c;

    if (cluster->client != NULL)
        client_poll(cluster->client);
    TAILQ_FOREACH(c, &cluster->consumers, link)
    {
        if (c->feed->client != cluster->client && c->feed->client != last)
            client_poll(c->feed->client);
        last = c->feed->client;
    }
}

static void settle(struct cluster *cluster)
{
    struct consumer *c;

    TAILQ_FOREACH(c, &cluster->consumers, link)
    c->handler.on_settled(c->handler.arg);
}

static void look(void *arg)
{
    struct cluster *cluster = arg;
    struct consumer *c;
    int64_t now = loop_now_ms();
    bool was_stopped = tick_was_stopped(&cluster->tick, now);

    tick_look(&cluster->tick, now);
    TAILQ_FOREACH(c, &cluster->consumers, link)
    if (was_stopped)
        consumer_goes_on(c);
    poll_clients(cluster); /* what was there before we were to be woken for it */
    contact_look(&cluster->contact, &cluster->tick);
    TAILQ_FOREACH(c, &cluster->consumers, link)
    consumer_look(c);
    timer_start(cluster->look, TICK_MS);
    settle(cluster);
}

/* librdkafka wakes us for the first record of a burst only: whoever stops early comes again.  Then
 * it is another topic's turn. */
static void take_records(struct cluster *cluster)
{
    int64_t until = loop_now_ms() + TURN_MS;
    struct consumer *c, *first = TAILQ_FIRST(&cluster->consumers);
    bool is_more = false;

    TAILQ_FOREACH(c, &cluster->consumers, link)
    is_more |= consumer_take_records(c, until);
    if (!is_more)
        return;
    TAILQ_REMOVE(&cluster->consumers, first, link);
    TAILQ_INSERT_TAIL(&cluster->consumers, first, link);
    loop_defer(cluster->loop, &cluster->again);
}

static void take_all(void *arg)
{
    struct cluster *cluster = arg;
    struct consumer *c;

    poll_clients(cluster); /* errors and log lines */
    TAILQ_FOREACH(c, &cluster->consumers, link)
    {
        consumer_take_settings(c);
        consumer_take_survey(c);
    }
    take_records(cluster);
    settle(cluster);
}

static void on_wake(void *arg, int what)
{
    struct cluster *cluster = arg;
    uint64_t ignored;

    (void)what;
    ssize_t n = read(cluster->wake_fd, &ignored, sizeof ignored);
    (void)n;
    take_all(cluster);
}

/* -- life -- */

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *arg)
{
    struct cluster *cluster = arg;

    (void)rk;
    contact_hear(&cluster->contact, err, reason);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= 2)
        log_error("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

static struct clients *make_clients(struct cluster *cluster, const struct kafka_conf *from,
                                    const char *brokers, char *error, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka_conf_inside(from));

    rd_kafka_conf_set_opaque(conf, cluster);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, size) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return clients_new(conf, cluster->wake_fd);
}

struct cluster *cluster_new(struct loop *loop, const struct kafka_conf *conf, const char *brokers,
                            char *error, size_t size)
{
    struct cluster *cluster = mem_zero(sizeof *cluster);

    cluster->loop = loop;
    TAILQ_INIT(&cluster->consumers);
    contact_init(&cluster->contact, loop_now_ms());
    cluster->again = (struct task){.run = take_all, .arg = cluster};
    cluster->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    cluster->watch = watch_new(loop, cluster->wake_fd, LOOP_READ, on_wake, cluster);
    cluster->look = timer_new(loop, look, cluster);
    cluster->clients = make_clients(cluster, conf, brokers, error, size);
    if (cluster->clients != NULL)
        cluster->client = client_start(cluster->clients, 0, error, size);
    if (cluster->client == NULL) {
        cluster_free(cluster);
        return NULL;
    }
    cluster->tick = tick_new(loop_now_ms());
    timer_start(cluster->look, TICK_MS);
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    if (cluster->client != NULL)
        client_retire(cluster->client);
    if (cluster->clients != NULL)
        clients_free(cluster->clients);
    timer_free(cluster->look);
    loop_cancel(cluster->loop, &cluster->again);
    watch_free(cluster->watch);
    close(cluster->wake_fd);
    free(cluster);
}

struct client *cluster_other_client(const struct cluster *cluster, const char *topic)
{
    const struct consumer *c;

    TAILQ_FOREACH(c, &cluster->consumers, link)
    if (!client_knows(c->feed->client, topic))
        return c->feed->client;
    return NULL;
}

void cluster_leave(struct cluster *cluster, struct feed *feed)
{
    struct client *client = feed->client;

    if (client->users > 1) {
        feed_stop(feed);
        return;
    }
    if (client == cluster->client)
        cluster->client = NULL;
    client_retire(client);
}

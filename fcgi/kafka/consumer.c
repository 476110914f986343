#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "kafka/consumer_inside.h"
#include "kafka/outage.h"

enum { SETTLE_MS = 5000 }; /* after a trouble of all partitions none is blamed for so long */

/* -- once a second -- */

static void look_at_partitions(struct consumer *c)
{
    for (int32_t i = 0; i < c->n; i++) {
        struct partition *p = &c->partitions[i];
        bool changed = partition_look(p, c->held, &c->tick);
        if (p->stood_ms == 0)
            words_forget(&c->trouble.words, WORDS_PARTITION, i);
        if (!changed)
            continue;
        if (p->state == PARTITION_STUCK && !p->refused)
            c->stuck_ever++;
        if (p->state != PARTITION_GIVES)
            c->handler.on_given_up(c->handler.arg, i);
    }
}

static void look(void *arg)
{
    struct consumer *c = arg;
    int64_t now = loop_now_ms();

    if (tick_was_stopped(&c->tick, now))
        c->went_on = survey_ask(c->client->survey);
    tick_look(&c->tick, now);
    client_poll(c->client); /* what was there before we were to be woken for it */
    consumer_look_if_refused(c);
    contact_look(&c->contact, &c->tick);
    trouble_look(&c->trouble);
    look_at_partitions(c);
    if (trouble_now(&c->trouble) != TROUBLE_NONE)
        c->troubled_ms = now;
    if (now - c->troubled_ms >= SETTLE_MS)
        outage_tell(&c->trouble, c->brokers, c->brokers_n, c->partitions, c->n);
    timer_start(c->look, TICK_MS);
    c->handler.on_settled(c->handler.arg);
}

/* -- when there is something -- */

static void take_all(void *arg)
{
    struct consumer *c = arg;

    client_poll(c->client); /* errors and log lines */
    consumer_take_settings(c);
    consumer_take_survey(c);
    consumer_take_records(c);
    c->handler.on_settled(c->handler.arg);
}

static void on_wake(void *arg, int what)
{
    struct consumer *c = arg;
    uint64_t ignored;

    (void)what;
    ssize_t n = read(c->wake_fd, &ignored, sizeof ignored);
    (void)n;
    take_all(c);
}

/* -- life -- */

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *arg)
{
    struct consumer *c = arg;

    (void)rk;
    contact_hear(&c->contact, err, reason);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= 2)
        log_error("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

static struct clients *make_clients(struct consumer *c, const struct kafka_conf *from,
                                    const char *brokers, char *error, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka_conf_inside(from));

    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, size) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return clients_new(conf, c->topic, c->wake_fd);
}

struct consumer *consumer_new(struct loop *loop, const struct kafka_conf *conf, const char *brokers,
                              const char *topic, enum compact compact,
                              const struct consumer_handler *handler, char *error, size_t size)
{
    struct consumer *c = mem_zero(sizeof *c);

    c->loop = loop;
    c->handler = *handler;
    c->topic = mem_strdup(topic);
    c->policy = policy_new(c->topic, compact);
    contact_init(&c->contact, loop_now_ms());
    trouble_init(&c->trouble, c->topic, &c->contact);
    c->again = (struct task){.run = take_all, .arg = c};
    c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->watch = watch_new(loop, c->wake_fd, LOOP_READ, on_wake, c);
    c->look = timer_new(loop, look, c);
    c->clients = make_clients(c, conf, brokers, error, size);
    if (c->clients != NULL)
        c->client = client_start(c->clients, 0, error, size);
    if (c->client == NULL) {
        consumer_free(c);
        return NULL;
    }
    c->tick = tick_new(loop_now_ms());
    timer_start(c->look, TICK_MS);
    return c;
}

void consumer_free(struct consumer *c)
{
    if (c == NULL)
        return;
    if (c->client != NULL) {
        consumer_void(c);
        client_retire(c->client);
    }
    if (c->clients != NULL)
        clients_free(c->clients);
    timer_free(c->look);
    loop_cancel(c->loop, &c->again);
    watch_free(c->watch);
    close(c->wake_fd);
    free(c->partitions);
    free(c->brokers);
    free(c->topic);
    free(c);
}

void consumer_hold(struct consumer *c, bool hold)
{
    if (c->held && !hold)
        loop_defer(c->loop, &c->again);
    c->held = hold;
}

void consumer_read_anew(struct consumer *c, const char *why)
{
    log_warn("kafka: topic %s is read anew: %s", c->topic, why);
    consumer_stop_topic(c);
}

uint64_t consumer_ask(struct consumer *c)
{
    return survey_ask(c->client->survey);
}

struct consumer_stats consumer_stats(const struct consumer *c)
{
    struct consumer_stats stats = {
        .trouble = trouble_now(&c->trouble),
        .partitions = c->n,
        .stuck_ever = c->stuck_ever,
        .settings_assumed = policy_is_assumed(&c->policy),
        .refused = c->refused,
    };

    for (int32_t i = 0; i < c->n && stats.trouble == TROUBLE_NONE; i++) {
        stats.away += c->partitions[i].state == PARTITION_AWAY;
        stats.stuck = stats.stuck || c->partitions[i].state == PARTITION_STUCK;
    }
    return stats;
}

int64_t consumer_lag(const struct consumer *c, int32_t partition)
{
    const struct partition *p = &c->partitions[partition];
    int64_t next = p->next < 0 ? 0 : p->next;

    return p->seen_end > next ? p->seen_end - next : 0;
}

bool consumer_ready(const struct consumer *c)
{
    return c->running;
}

int64_t consumer_end(const struct consumer *c, int32_t partition)
{
    int64_t end = c->partitions[partition].end;

    if (end < 0 || c->partitions[partition].ticket < c->went_on ||
        tick_was_stopped(&c->tick, loop_now_ms()))
        return -1;
    int64_t fetched = consumer_fetched_end(c, partition);
    return fetched > end ? fetched : end;
}

int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket)
{
    const struct partition *p = &c->partitions[partition];

    return p->ticket >= ticket ? p->end : -1;
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    return c->partitions[partition].state != PARTITION_GIVES;
}

bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end, uint64_t ticket)
{
    const struct partition *p = &c->partitions[partition];

    if (!p->started)
        return false;
    return p->next >= end || (p->ticket >= ticket && p->end >= 0 && p->next >= p->end);
}

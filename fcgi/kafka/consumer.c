#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer_inside.h"
#include "kafka/outage.h"

enum { SETTLE_MS = 5000 }; /* after a trouble of all partitions none is blamed for so long */

/* -- once a second -- */

static void look_at_partitions(struct consumer *c)
{
    for (int32_t i = 0; i < c->n; i++) {
        struct partition *p = &c->partitions[i];
        bool changed = partition_look(p, c->held, &c->cluster->tick);
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

void consumer_goes_on(struct consumer *c)
{
    c->went_on = consumer_ask(c);
}

void consumer_look(struct consumer *c)
{
    int64_t now = c->cluster->tick.now_ms;

    consumer_look_if_refused(c);
    trouble_look(&c->trouble);
    look_at_partitions(c);
    if (trouble_now(&c->trouble) != TROUBLE_NONE)
        c->troubled_ms = now;
    if (now - c->troubled_ms >= SETTLE_MS)
        outage_tell(&c->trouble, c->brokers, c->brokers_n, c->partitions, c->n);
}

/* -- life -- */

struct consumer *consumer_new(struct cluster *cluster, const char *topic, enum compact compact,
                              const struct consumer_handler *handler)
{
    struct consumer *c = mem_zero(sizeof *c);

    assert(cluster->client != NULL);
    c->cluster = cluster;
    c->handler = *handler;
    c->topic = mem_strdup(topic);
    c->policy = policy_new(c->topic, compact);
    trouble_init(&c->trouble, c->topic, &cluster->contact);
    c->feed = feed_start(cluster->client, c->topic);
    TAILQ_INSERT_TAIL(&cluster->consumers, c, link);
    return c;
}

void consumer_free(struct consumer *c)
{
    if (c == NULL)
        return;
    consumer_void(c);
    cluster_leave(c->cluster, c->feed);
    TAILQ_REMOVE(&c->cluster->consumers, c, link);
    free(c->partitions);
    free(c->brokers);
    free(c->topic);
    buf_fini(&c->packed);
    free(c);
}

const char *consumer_topic(const struct consumer *c)
{
    return c->topic;
}

void consumer_hold(struct consumer *c, bool hold)
{
    if (c->held && !hold)
        loop_defer(c->cluster->loop, &c->cluster->again);
    c->held = hold;
}

void consumer_read_anew(struct consumer *c, const char *why)
{
    log_warn("kafka: topic %s is read anew: %s", c->topic, why);
    consumer_stop_topic(c);
}

uint64_t consumer_ask(struct consumer *c)
{
    return survey_ask(c->feed->client->survey);
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
        tick_was_stopped(&c->cluster->tick, loop_now_ms()))
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

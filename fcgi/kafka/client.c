#include "kafka/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum {
    RETIRING_MAX = 8, /* each may hold connections to all brokers */
    STOP_MS = 500,
};

struct clients {
    rd_kafka_conf_t *conf;
    int wake_fd;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int retiring;
    bool freed; /* the last one that was retired frees this */
};

struct clients *clients_new(rd_kafka_conf_t *conf, int wake_fd)
{
    struct clients *all = mem_zero(sizeof *all);
    pthread_condattr_t attributes;

    all->conf = conf;
    all->wake_fd = wake_fd;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return all;
}

/* Called with the lock, which it gives back. */
static void clients_leave(struct clients *all)
{
    bool last = all->freed && all->retiring == 0;

    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    if (!last)
        return;
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void clients_free(struct clients *all)
{
    struct timespec until;

    rd_kafka_conf_destroy(all->conf);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STOP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&all->lock);
    while (all->retiring > 0 && pthread_cond_timedwait(&all->changed, &all->lock, &until) == 0)
        continue;
    all->freed = true;
    clients_leave(all);
}

/* -- life -- */

/* A topic's entry in the metadata cache is gone before the next answer, so that none is replaced by
 * one of another id. */
static void shorten_cache(rd_kafka_conf_t *conf, const char *age_ms)
{
#if RD_KAFKA_VERSION >= 0x02040000 && RD_KAFKA_VERSION < 0x020a0000
    rd_kafka_conf_set(conf, "metadata.max.age.ms", age_ms, NULL, 0);
#else
    (void)conf;
    (void)age_ms;
#endif
}

static rd_kafka_t *handle_new(const struct clients *all, const char *cache_ms, char *error,
                              size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(all->conf);

    shorten_cache(conf, cache_ms);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, size);

    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_set_log_queue(rk, NULL);
    return rk;
}

static rd_kafka_queue_t *woken_by(const struct clients *all, rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;

    rd_kafka_queue_io_event_enable(queue, all->wake_fd, &one, sizeof one);
    return queue;
}

static bool may_start(struct clients *all, char *error, size_t size)
{
    pthread_mutex_lock(&all->lock);
    bool may = all->retiring < RETIRING_MAX;
    pthread_mutex_unlock(&all->lock);
    if (!may)
        snprintf(error, size, "too many connections of before still wait for their brokers");
    return may;
}

struct client *client_start(struct clients *all, uint64_t ticket, char *error, size_t size)
{
    if (!may_start(all, error, size))
        return NULL;
    rd_kafka_t *reader = handle_new(all, "1", error, size);
    if (reader == NULL)
        return NULL;
    rd_kafka_t *asker = handle_new(all, "10", error, size); /* its threads look there */
    if (asker == NULL) {
        rd_kafka_destroy(reader);
        return NULL;
    }
    struct client *c = mem_zero(sizeof *c);
    c->clients = all;
    c->reader = reader;
    c->asker = asker;
    c->main[0] = woken_by(all, rd_kafka_queue_get_main(reader));
    c->main[1] = woken_by(all, rd_kafka_queue_get_main(asker));
    c->survey = survey_start(c->reader, c->asker, all->wake_fd, ticket);
    return c;
}

static void feed_destroy(struct feed *f)
{
    for (int32_t i = 0; i < f->fetched_n; i++)
        feed_fetch_stop(f, i);
    rd_kafka_queue_destroy(f->records);
    rd_kafka_queue_destroy(f->answers);
    rd_kafka_topic_destroy(f->topic);
    free(f->fetched);
    free(f);
}

/* Each of these calls may wait for a thread of librdkafka's. */
static void client_destroy(void *arg)
{
    struct client *c = arg;
    struct clients *all = c->clients;
    struct feed *f;

    while ((f = c->feeds) != NULL) {
        c->feeds = f->next;
        feed_destroy(f);
    }
    rd_kafka_queue_destroy(c->main[0]);
    rd_kafka_queue_destroy(c->main[1]);
    rd_kafka_destroy(c->reader);
    rd_kafka_destroy(c->asker);
    free(c);
    pthread_mutex_lock(&all->lock);
    all->retiring--;
    clients_leave(all);
}

static void leave_alone(rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
}

void client_retire(struct client *c)
{
    pthread_mutex_lock(&c->clients->lock);
    c->clients->retiring++;
    pthread_mutex_unlock(&c->clients->lock);
    leave_alone(c->main[0]);
    leave_alone(c->main[1]);
    for (struct feed *f = c->feeds; f != NULL; f = f->next) {
        leave_alone(f->records);
        leave_alone(f->answers);
    }
    survey_stop(c->survey, client_destroy, c);
}

bool client_knows(const struct client *c, const char *topic)
{
    for (const struct feed *f = c->feeds; f != NULL; f = f->next)
        if (strcmp(rd_kafka_topic_name(f->topic), topic) == 0)
            return true;
    return false;
}

void client_poll(struct client *c)
{
    rd_kafka_poll(c->reader, 0);
    rd_kafka_poll(c->asker, 0);
}

/* -- one topic -- */

struct feed *feed_start(struct client *c, const char *topic)
{
    struct feed *f = mem_zero(sizeof *f);

    f->client = c;
    f->records = woken_by(c->clients, rd_kafka_queue_new(c->reader));
    f->answers = woken_by(c->clients, rd_kafka_queue_new(c->asker));
    f->topic = rd_kafka_topic_new(c->reader, topic, NULL);
    f->surveyed = survey_add(c->survey, f->topic);
    f->next = c->feeds;
    c->feeds = f;
    c->users++;
    return f;
}

void feed_stop(struct feed *f)
{
    for (int32_t i = 0; i < f->fetched_n; i++)
        feed_fetch_stop(f, i);
    leave_alone(f->records);
    leave_alone(f->answers);
    survey_drop(f->surveyed);
    f->client->users--;
}

rd_kafka_resp_err_t feed_fetch(struct feed *f, int32_t partition, int64_t offset)
{
    if (rd_kafka_consume_start_queue(f->topic, partition, offset, f->records) != 0)
        return rd_kafka_last_error();
    if (partition >= f->fetched_n) {
        f->fetched = mem_resize_array(f->fetched, (size_t)partition + 1, sizeof *f->fetched);
        for (; f->fetched_n <= partition; f->fetched_n++)
            f->fetched[f->fetched_n] = false;
    }
    f->fetched[partition] = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void feed_fetch_stop(struct feed *f, int32_t partition)
{
    if (partition >= f->fetched_n || !f->fetched[partition])
        return;
    rd_kafka_consume_stop(f->topic, partition);
    f->fetched[partition] = false;
}

#include "port.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "port_inside.h"

enum {
    SHORT_BATCH_PERCENT = 20,
};

struct handles port_handles = TAILQ_HEAD_INITIALIZER(port_handles);

int64_t port_latency_ms(const rd_kafka_t *rk, int broker)
{
    struct dice *d = world_dice(WHO_KAFKA + rk->responder);

    return dice_between(d, 1, 5) + cluster_broker(broker)->slow_ms;
}

/* -- configuration -- */

rd_kafka_conf_t *rd_kafka_conf_new(void)
{
    return mem_zero(sizeof(rd_kafka_conf_t));
}

rd_kafka_conf_t *rd_kafka_conf_dup(const rd_kafka_conf_t *conf)
{
    rd_kafka_conf_t *copy = rd_kafka_conf_new();

    *copy = *conf;
    return copy;
}

void rd_kafka_conf_destroy(rd_kafka_conf_t *conf)
{
    free(conf);
}

rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                      char *error, size_t size)
{
    (void)conf, (void)name, (void)value, (void)error, (void)size;
    return RD_KAFKA_CONF_OK;
}

void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
{
    conf->opaque = opaque;
}

void rd_kafka_conf_set_error_cb(rd_kafka_conf_t *conf,
                                void (*error_cb)(rd_kafka_t *rk, int err, const char *reason,
                                                 void *opaque))
{
    conf->error_cb = error_cb;
}

void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *conf,
                              void (*log_cb)(const rd_kafka_t *rk, int level, const char *facility,
                                             const char *text))
{
    (void)conf, (void)log_cb;
}

const char *rd_kafka_version_str(void)
{
    return "";
}

/* -- handles -- */

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t size)
{
    rd_kafka_t *rk = mem_zero(sizeof *rk);

    (void)type, (void)error, (void)size;
    rk->conf = *conf;
    free(conf);
    rk->responder = world_responder();
    port_forget_read(rk->responder);
    TAILQ_INIT(&rk->asked);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        fetcher_init(&rk->fetchers[p], rk, p);
    TAILQ_INSERT_TAIL(&port_handles, rk, link);
    return rk;
}

static void forget_question(rd_kafka_t *rk, rd_kafka_event_t *event)
{
    TAILQ_REMOVE(&rk->asked, event, link);
    errand_stop(&event->answer);
    rd_kafka_event_destroy(event);
}

void rd_kafka_destroy(rd_kafka_t *rk)
{
    rd_kafka_event_t *event;

    while ((event = TAILQ_FIRST(&rk->asked)) != NULL)
        forget_question(rk, event);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        fetcher_stop(&rk->fetchers[p]);
    TAILQ_REMOVE(&port_handles, rk, link);
    free(rk);
}

int rd_kafka_poll(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk, (void)timeout_ms;
    return 0;
}

rd_kafka_resp_err_t rd_kafka_set_log_queue(rd_kafka_t *rk, rd_kafka_queue_t *queue)
{
    (void)rk, (void)queue;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A client has two handles. */
bool port_is_newest(const rd_kafka_t *rk)
{
    int newer = 0;

    for (const rd_kafka_t *next = TAILQ_NEXT(rk, link); next != NULL; next = TAILQ_NEXT(next, link))
        newer += next->responder == rk->responder;
    return newer < 2;
}

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *rk, const char *topic, rd_kafka_topic_conf_t *conf)
{
    rd_kafka_topic_t *rkt = mem_zero(sizeof *rkt);

    (void)conf;
    rkt->rk = rk;
    snprintf(rkt->name, sizeof rkt->name, "%s", topic);
    return rkt;
}

void rd_kafka_topic_destroy(rd_kafka_topic_t *rkt)
{
    free(rkt);
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *rkt)
{
    return rkt->name;
}

char *rd_kafka_clusterid(rd_kafka_t *rk, int timeout_ms)
{
    (void)rk, (void)timeout_ms;
    return mem_strdup("the only one");
}

void rd_kafka_mem_free(rd_kafka_t *rk, void *p)
{
    (void)rk;
    free(p);
}

/* -- messages -- */

static size_t messages_bytes;

size_t port_heap_bytes(void)
{
    return messages_bytes;
}

struct message *message_new(size_t bytes)
{
    struct message *m = mem_zero(sizeof *m + bytes);

    m->size = sizeof *m + bytes;
    messages_bytes += m->size;
    return m;
}

void message_free(struct message *m)
{
    messages_bytes -= m->size;
    free(m);
}

/* -- queues -- */

rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *rk)
{
    rd_kafka_queue_t *queue = mem_zero(sizeof *queue);

    queue->rk = rk;
    queue->wake_fd = -1;
    STAILQ_INIT(&queue->messages);
    TAILQ_INIT(&queue->events);
    return queue;
}

rd_kafka_queue_t *rd_kafka_queue_get_main(rd_kafka_t *rk)
{
    return rd_kafka_queue_new(rk);
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    struct message *m;
    rd_kafka_event_t *event, *next;

    for (event = TAILQ_FIRST(&queue->rk->asked); event != NULL; event = next) {
        next = TAILQ_NEXT(event, link);
        if (event->queue == queue)
            forget_question(queue->rk, event);
    }

    while ((m = STAILQ_FIRST(&queue->messages)) != NULL) {
        STAILQ_REMOVE_HEAD(&queue->messages, link);
        message_free(m);
    }
    while ((event = rd_kafka_queue_poll(queue, 0)) != NULL)
        rd_kafka_event_destroy(event);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        if (queue->rk->fetchers[p].queue == queue)
            fetcher_stop(&queue->rk->fetchers[p]);
    free(queue);
}

void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *queue, int fd, const void *payload,
                                    size_t size)
{
    (void)payload, (void)size;
    queue->wake_fd = fd;
}

static void wake(const rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;

    if (queue->wake_fd >= 0 && STAILQ_EMPTY(&queue->messages) && TAILQ_EMPTY(&queue->events) &&
        write(queue->wake_fd, &one, sizeof one) < 0)
        abort();
}

void port_put_message(rd_kafka_queue_t *queue, struct message *m)
{
    wake(queue);
    STAILQ_INSERT_TAIL(&queue->messages, m, link);
    queue->n++;
}

void port_put_event(rd_kafka_queue_t *queue, rd_kafka_event_t *event)
{
    wake(queue);
    TAILQ_INSERT_TAIL(&queue->events, event, link);
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    rd_kafka_event_t *event = TAILQ_FIRST(&queue->events);

    assert(timeout_ms == 0);
    if (event != NULL)
        TAILQ_REMOVE(&queue->events, event, link);
    return event;
}

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                     rd_kafka_message_t **messages, size_t size)
{
    struct dice *d = world_dice(WHO_KAFKA + queue->rk->responder);
    struct message *m;
    ssize_t n = 0;

    assert(timeout_ms == 0);
    if (dice_chance(d, SHORT_BATCH_PERCENT) && size > 4)
        size = 1 + dice_below(d, 4);
    while ((size_t)n < size && (m = STAILQ_FIRST(&queue->messages)) != NULL) {
        STAILQ_REMOVE_HEAD(&queue->messages, link);
        queue->n--;
        if (m->version != m->fetcher->version) {
            message_free(m);
            continue;
        }
        port_note_read(m);
        messages[n++] = &m->m;
    }
    return n;
}

void rd_kafka_message_destroy(rd_kafka_message_t *m)
{
    message_free((struct message *)m); /* its first member */
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *m, rd_kafka_timestamp_type_t *type)
{
    (void)type;
    return ((const struct message *)m)->timestamp;
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *m,
                                             rd_kafka_headers_t **headers)
{
    const struct message *message = (const struct message *)m;

    *headers = (rd_kafka_headers_t *)(uintptr_t)message;
    return message->etag[0] ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__NOENT;
}

rd_kafka_resp_err_t rd_kafka_header_get_last(const rd_kafka_headers_t *headers, const char *name,
                                             const void **value, size_t *size)
{
    const char *etag = ((const struct message *)(const void *)headers)->etag;

    (void)name;
    *value = etag;
    *size = strlen(etag);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *headers, size_t i,
                                            const char **name, const void **value, size_t *size)
{
    *name = "etag";
    return i == 0 ? rd_kafka_header_get_last(headers, *name, value, size)
                  : RD_KAFKA_RESP_ERR__NOENT;
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *m)
{
    return rd_kafka_err2str(m->err);
}

/* -- errors -- */

int rd_kafka_version(void)
{
    return RD_KAFKA_VERSION;
}

const char *rd_kafka_err2name(rd_kafka_resp_err_t err)
{
    static char name[16];

    snprintf(name, sizeof name, "ERR_%d", (int)err);
    return name;
}

const char *rd_kafka_err2str(rd_kafka_resp_err_t err)
{
    return rd_kafka_err2name(err);
}

rd_kafka_resp_err_t rd_kafka_last_error(void)
{
    return RD_KAFKA_RESP_ERR__FAIL;
}

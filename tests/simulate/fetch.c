#include <stdlib.h>

#include "base/mem.h"
#include "port_inside.h"

enum {
    POLL_MS = 100, /* fetch.wait.max.ms */
    RETRY_MS = 1000,
    FETCH_MAX = 100000,        /* records of one answer, if they are as small as can be, */
    FETCH_BYTES = 1024 * 1024, /* and the bytes of their values */
    MUCH = 10000,
    QUEUED_MAX = 100000, /* records that wait: librdkafka fetches no more for a second */
};

static void fetch(void *arg);

void fetcher_init(struct fetcher *f, rd_kafka_t *rk, int32_t partition)
{
    *f = (struct fetcher){.rk = rk,
                          .partition = partition,
                          .low = RD_KAFKA_OFFSET_INVALID,
                          .high = RD_KAFKA_OFFSET_INVALID,
                          .fetch = {.run = fetch, .arg = f, .amid = true}};
}

void fetcher_stop(struct fetcher *f)
{
    f->started = f->waits = false;
    f->version++;
    errand_stop(&f->fetch);
}

static struct dice *dice(const struct fetcher *f)
{
    return world_dice(WHO_KAFKA + f->rk->responder);
}

static void put(struct fetcher *f, rd_kafka_resp_err_t err, int64_t offset, struct message *m)
{
    if (m == NULL)
        m = message_new(0);
    m->m.err = err;
    m->m.rkt = f->rkt;
    m->m.partition = f->partition;
    m->m.offset = offset;
    m->fetcher = f;
    m->version = f->version;
    port_put_message(f->queue, m);
}

static void put_record(struct fetcher *f, const struct topic *t, int64_t offset)
{
    const struct written *e = &t->partitions[f->partition].at[offset];
    struct buf value = {0};
    struct slice key = slice_of("", 0);

    if (e->key != NO_KEY)
        key = cluster_key(f->partition, e->key);
    if (e->size != NO_VALUE)
        cluster_value(t, f->partition, offset, &value);
    struct message *m = message_new(key.n + value.n);
    if (value.n > 0)
        memcpy(m->bytes, value.p, value.n);
    memcpy(m->bytes + value.n, key.p, key.n);
    m->m.key = e->key != NO_KEY ? m->bytes + value.n : NULL;
    m->m.key_len = key.n;
    m->m.payload = e->size != NO_VALUE ? m->bytes : NULL;
    m->m.len = value.n;
    m->life = t->life;
    m->timestamp = e->timestamp;
    cluster_etag(offset, m->etag);
    buf_fini(&value);
    put(f, RD_KAFKA_RESP_ERR_NO_ERROR, offset, m);
}

/* What consumers see behind the fetcher's place, and the end if it is there. */
static void take_records(struct fetcher *f, const struct topic *t)
{
    const struct partition_log *log = &t->partitions[f->partition];
    /* A broker that takes its time would need minutes for many small answers. */
    bool most = log->visible - f->next > MUCH || dice_chance(dice(f), 70);
    uint32_t some = most ? FETCH_MAX : 1 + dice_below(dice(f), 20);
    int64_t bytes = 0;

    for (; f->next < log->visible && some > 0 && bytes < FETCH_BYTES; f->next++) {
        const struct written *e = &log->at[f->next];
        if (e->fate != COMMITTED || e->gone)
            continue;
        put_record(f, t, f->next);
        bytes += e->size > 0 ? e->size : 0;
        some--;
    }
    f->low = log->start;
    f->high = log->end;
    port_note_told(f->rk, f->partition);
    if (f->next == log->visible && f->end_told != f->next) {
        put(f, RD_KAFKA_RESP_ERR__PARTITION_EOF, f->next, NULL);
        f->end_told = f->next;
    }
    if (f->next < log->visible)
        errand_start(&f->fetch, port_latency_ms(f->rk, log->leader));
    else
        f->waits = true;
}

static void fetch(void *arg)
{
    struct fetcher *f = arg;
    const struct topic *t = cluster_topic();

    f->waits = world_responder_stopped(f->rk->responder);
    if (f->waits)
        return;
    if (f->queue->n > QUEUED_MAX) {
        errand_start(&f->fetch, RETRY_MS);
        return;
    }
    if (t == NULL || f->partition >= t->n) {
        put(f, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, f->next, NULL);
        errand_start(&f->fetch, dice_between(dice(f), RETRY_MS / 2, 2 * RETRY_MS));
        return;
    }
    const struct partition_log *log = &t->partitions[f->partition];
    if (!cluster_served(f->partition)) {
        f->waits = true;
    } else if (f->next < log->start || f->next > log->end) {
        if (f->next > log->end)
            port_note_exceeded(f->rk, f->partition);
        put(f, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, f->next, NULL);
    } else {
        take_records(f, t);
    }
}

/* A leader that comes back, or moves, is found within a while. */
void port_changed(void)
{
    rd_kafka_t *rk;

    TAILQ_FOREACH(rk, &port_handles, link)
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        struct fetcher *f = &rk->fetchers[p];
        if (!f->started || !f->waits)
            continue;
        f->waits = false;
        errand_start(&f->fetch, dice_between(dice(f), 1, dice_chance(dice(f), 80) ? 5 : POLL_MS));
    }
}

int rd_kafka_consume_start_queue(rd_kafka_topic_t *rkt, int32_t partition, int64_t offset,
                                 rd_kafka_queue_t *queue)
{
    struct fetcher *f = &rkt->rk->fetchers[partition];

    f->rkt = rkt;
    f->queue = queue;
    f->started = true;
    f->next = offset;
    f->end_told = -1;
    port_note_begun(f->rk, partition);
    errand_start(&f->fetch, dice_between(dice(f), 1, POLL_MS));
    return 0;
}

int rd_kafka_consume_stop(rd_kafka_topic_t *rkt, int32_t partition)
{
    fetcher_stop(&rkt->rk->fetchers[partition]);
    return 0;
}

rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *rk, const char *topic,
                                                   int32_t partition, int64_t *low, int64_t *high)
{
    (void)topic;
    *low = rk->fetchers[partition].low;
    *high = rk->fetchers[partition].high;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

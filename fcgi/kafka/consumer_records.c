#include <stdio.h>

#include "base/headers.h"
#include "base/log.h"
#include "kafka/consumer_inside.h"

void consumer_drop_records(struct consumer *c)
{
    for (; c->batch_at < c->batch_n; c->batch_at++)
        rd_kafka_message_destroy(c->batch[c->batch_at]);
}

/* -- what librdkafka has -- */

int64_t consumer_fetched_end(const struct consumer *c, int32_t partition)
{
    int64_t low = -1, high = -1;

    rd_kafka_get_watermark_offsets(c->feed->client->reader, c->topic, partition, &low, &high);
    return high;
}

void consumer_look_if_refused(struct consumer *c)
{
    bool refused = false;

    for (int32_t i = 0; i < c->n; i++) {
        struct partition *p = &c->partitions[i];
        if (p->refused && consumer_fetched_end(c, i) >= 0)
            p->refused = false;
        refused = refused || p->refused;
    }
    trouble_read(&c->trouble, refused);
}

static struct slice etag_of(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;

    if (rd_kafka_message_headers(m, &headers) != 0 ||
        rd_kafka_header_get_last(headers, "etag", &value, &size) != 0)
        return slice_of(NULL, 0);
    return slice_of(value, value ? size : 0);
}

static void pack_header(struct consumer *c, const char *name, struct slice value)
{
    for (unsigned i = 0; i < c->handler.header_count; i++)
        if (strcmp(name, c->handler.headers[i]) == 0)
            headers_add(&c->packed, i, value);
}

static struct slice headers_of(struct consumer *c, const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;

    if (c->handler.header_count == 0 || rd_kafka_message_headers(m, &headers) != 0)
        return slice_of(NULL, 0);
    c->packed.n = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        pack_header(c, name, slice_of(value, value ? size : 0));
    return c->packed.n > 0 ? buf_slice(&c->packed) : slice_of(NULL, 0);
}

/* librdkafka gives an empty key or value a pointer, an absent one none. */
static struct slice slice_or_none(const void *p, size_t n)
{
    return slice_of(p, p ? n : 0);
}

static void on_record(struct consumer *c, const rd_kafka_message_t *m)
{
    struct partition *p = &c->partitions[m->partition];
    struct record r = {
        .partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
        .key = slice_or_none(m->key, m->key_len),
        .value = slice_or_none(m->payload, m->len),
        .etag = etag_of(m),
        .headers = headers_of(c, m),
    };

    if (r.offset < p->next)
        return; /* from before a restart of the partition */
    p->next = r.offset + 1;
    c->handler.on_record(c->handler.arg, &r);
}

/* librdkafka unpacks a batch whole, into at most so much memory. */
static void note_fetch_error(struct consumer *c, const rd_kafka_message_t *m)
{
    char text[WORDS_TEXT];
    const char *hint = m->err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION
                           ? "; a batch that unpacks to more than receive.message.max.bytes needs "
                             "a larger one (-X)"
                           : "";

    snprintf(text, sizeof text, "%.120s%s", rd_kafka_message_errstr(m), hint);
    words_note(&c->trouble.words, WORDS_PARTITION, m->partition, text);
}

static void on_partition_error(struct consumer *c, const rd_kafka_message_t *m)
{
    struct partition *p = &c->partitions[m->partition];

    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (m->offset > p->next)
            p->next = m->offset;
        c->handler.on_position(c->handler.arg, m->partition, p->next);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        consumer_stop_partition(c, m->partition);
        p->out_of_range = consumer_ask(c);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: /* told once, until it changes */
        p->refused = true;
        consumer_look_if_refused(c);
        break;
    default: /* whether it lasts is seen by whether the partition moves */
        log_debug("kafka: %s[%d]: %s", c->topic, m->partition, rd_kafka_message_errstr(m));
        note_fetch_error(c, m);
    }
}

static void on_message(struct consumer *c, const rd_kafka_message_t *m)
{
    if (!c->running || m->rkt == NULL || m->partition < 0 || m->partition >= c->n ||
        !c->partitions[m->partition].started)
        return;
    if (m->err)
        on_partition_error(c, m);
    else
        on_record(c, m);
}

/* Hands on the batch until it is done, or the handler holds. */
static void hand_on(struct consumer *c)
{
    while (c->batch_at < c->batch_n && !c->held) {
        rd_kafka_message_t *m = c->batch[c->batch_at++];
        on_message(c, m);
        rd_kafka_message_destroy(m);
    }
}

bool consumer_take_records(struct consumer *c, int64_t until_ms)
{
    for (hand_on(c); !c->held; hand_on(c)) {
        if (loop_now_ms() >= until_ms)
            return true;
        c->batch_at = 0;
        c->batch_n = rd_kafka_consume_batch_queue(c->feed->records, 0, c->batch, CONSUMER_BATCH);
        if (c->batch_n <= 0)
            return false;
    }
    return false;
}

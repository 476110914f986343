#include "mock_kafka.h"

#include <stdio.h>

#include "support.h"

void mock_kafka_start(struct mock_kafka *k)
{
    mock_kafka_start_brokers(k, 1);
}

void mock_kafka_start_brokers(struct mock_kafka *k, int n)
{
    char error[256], brokers[16];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    snprintf(brokers, sizeof brokers, "%d", n);
    rd_kafka_conf_set(conf, "test.mock.num.brokers", brokers, error, sizeof error);
    rd_kafka_conf_set(conf, "linger.ms", "0", error, sizeof error);
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof error);
    k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    assert_non_null(k->producer);
    k->cluster = rd_kafka_handle_mock_cluster(k->producer);
    k->brokers = rd_kafka_mock_cluster_bootstraps(k->cluster);
}

void mock_kafka_stop(struct mock_kafka *k)
{
    rd_kafka_destroy(k->producer);
}

void mock_kafka_create(struct mock_kafka *k, const char *topic, int partitions)
{
    const struct rd_kafka_metadata *metadata;

    assert_int_equal(rd_kafka_mock_topic_create(k->cluster, topic, partitions, 1), 0);
    /* The producer would look once a second for the leaders of a new topic. */
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(k->producer, topic, NULL);
    assert_int_equal(rd_kafka_metadata(k->producer, 0, rkt, &metadata, 10000), 0);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
}

static void enqueue_with(struct mock_kafka *k, const char *topic, int32_t partition,
                         struct slice key, struct slice value, rd_kafka_headers_t *headers)
{
    assert_int_equal(
        rd_kafka_producev(
            k->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY(key.p, key.n), RD_KAFKA_V_VALUE((void *)(uintptr_t)value.p, value.n),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
        0);
}

static void enqueue(struct mock_kafka *k, const char *topic, int32_t partition, struct slice key,
                    struct slice value, const char *etag)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    if (etag != NULL)
        rd_kafka_header_add(headers, "etag", -1, etag, -1);
    enqueue_with(k, topic, partition, key, value, headers);
}

void mock_kafka_produce_headers(struct mock_kafka *k, const char *topic, int32_t partition,
                                struct slice value, const char *const (*pairs)[2])
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);

    for (; (*pairs)[0] != NULL; pairs++)
        rd_kafka_header_add(headers, (*pairs)[0], -1, (*pairs)[1],
                            (*pairs)[1] ? (ssize_t)strlen((*pairs)[1]) : 0);
    enqueue_with(k, topic, partition, slice_of(NULL, 0), value, headers);
    assert_int_equal(rd_kafka_flush(k->producer, 10000), 0);
}

void mock_kafka_produce(struct mock_kafka *k, const char *topic, int32_t partition,
                        struct slice key, struct slice value, const char *etag)
{
    enqueue(k, topic, partition, key, value, etag);
    assert_int_equal(rd_kafka_flush(k->producer, 10000), 0);
}

void mock_kafka_produce_numbers(struct mock_kafka *k, const char *topic, int32_t partition, int n)
{
    char value[16];

    for (int i = 0; i < n; i++)
        enqueue(k, topic, partition, BYTES("k"),
                slice_of(value, (size_t)snprintf(value, sizeof value, "%d", i)), NULL);
    assert_int_equal(rd_kafka_flush(k->producer, 10000), 0);
}

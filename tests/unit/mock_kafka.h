/* mock_kafka - librdkafka's mock cluster in this process, and a producer.  It has no compaction, no
 * transactions and no DescribeConfigs; topics are made before they are asked for, for it would make
 * them itself, with four partitions. */
#ifndef SKF_UNIT_MOCK_KAFKA_H
#define SKF_UNIT_MOCK_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/slice.h"

struct mock_kafka {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
};

void mock_kafka_start(struct mock_kafka *k);
void mock_kafka_start_brokers(struct mock_kafka *k, int n); /* with the ids 1 to n */
void mock_kafka_stop(struct mock_kafka *k);
void mock_kafka_create(struct mock_kafka *k, const char *topic, int partitions);
/* Returns when the record is in the log.  etag NULL: no such header. */
void mock_kafka_produce(struct mock_kafka *k, const char *topic, int32_t partition,
                        struct slice key, struct slice value, const char *etag);
/* Likewise, with these headers: pairs of name and value, NULL behind the last; a value that is NULL
 * is none. */
void mock_kafka_produce_headers(struct mock_kafka *k, const char *topic, int32_t partition,
                                struct slice value, const char *const (*pairs)[2]);
/* n records with the values 0, 1, ... */
void mock_kafka_produce_numbers(struct mock_kafka *k, const char *topic, int32_t partition, int n);

#endif

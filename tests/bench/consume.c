/* consume - reads a topic from its beginning to its end and only counts: what librdkafka alone
 * needs for it, with the settings that the responder gives it. */
#include <getopt.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tool.h"

enum { BATCH = 1000, WAIT_MS = 1000, METADATA_MS = 10000, PATIENCE = 30 };

struct count {
    int64_t records, bytes;
    int ended; /* partitions */
    int64_t last_ns;
};

static rd_kafka_t *new_consumer(const char *brokers)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", brokers},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "100"},
        {"queued.min.messages", "1000000"},
        {"queued.max.messages.kbytes", "131072"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error) !=
            RD_KAFKA_CONF_OK)
            die("%s", error);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (kafka == NULL)
        die("%s", error);
    return kafka;
}

static int count_partitions(rd_kafka_t *kafka, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(kafka, 0, topic, &metadata, METADATA_MS);

    if (!err)
        err = metadata->topics[0].err;
    if (err)
        die("%s: %s", rd_kafka_topic_name(topic), rd_kafka_err2str(err));
    int n = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return n;
}

static void take(struct count *count, rd_kafka_message_t **messages, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++) {
        const rd_kafka_message_t *m = messages[i];
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            count->ended++;
        } else if (m->err) {
            die("%s", rd_kafka_message_errstr(m));
        } else {
            count->records++;
            count->bytes += (int64_t)(m->key_len + m->len);
            count->last_ns = steady_ns();
        }
        rd_kafka_message_destroy(messages[i]);
    }
}

static struct count consume(rd_kafka_queue_t *queue, int partitions)
{
    static rd_kafka_message_t *messages[BATCH];
    struct count count = {.last_ns = steady_ns()};
    int idle = 0;

    while (count.ended < partitions) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, WAIT_MS, messages, BATCH);
        idle = n > 0 ? 0 : idle + 1;
        if (idle == PATIENCE)
            die("no answer from the broker");
        take(&count, messages, n);
    }
    return count;
}

/* The end of a partition is told up to fetch.wait.max.ms late: the last record's time counts. */
static void report(const struct count *count, int64_t began_ns)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    json_t *result =
        json_pack("{sI sI sf sI}", "records", (json_int_t)count->records, "bytes",
                  (json_int_t)count->bytes, "seconds", (double)(count->last_ns - began_ns) / 1e9,
                  "peak_kb", (json_int_t)usage.ru_maxrss);
    json_dumpf(result, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(result);
}

int main(int argc, char **argv)
{
    int64_t began_ns = steady_ns();

    if (argc != 3 || argv[1][0] == '-') {
        fputs("usage: consume HOST:PORT TOPIC\n", stderr);
        return 2;
    }
    rd_kafka_t *kafka = new_consumer(argv[1]);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, argv[2], NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    int partitions = count_partitions(kafka, topic);
    for (int i = 0; i < partitions; i++)
        if (rd_kafka_consume_start_queue(topic, i, RD_KAFKA_OFFSET_BEGINNING, queue) < 0)
            die("%s[%d]: %s", argv[2], i, rd_kafka_err2str(rd_kafka_last_error()));
    struct count count = consume(queue, partitions);
    report(&count, began_ns);

    for (int i = 0; i < partitions; i++)
        rd_kafka_consume_stop(topic, i);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
}

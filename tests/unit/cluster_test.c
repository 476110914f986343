#include "kafka/cluster.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "fake_loop.h"
#include "kafka/conf.h"
#include "kafka/consumer.h"
#include "mock_kafka.h"
#include "support.h"

/* What one consumer does is in consumer_test. */

enum { PATIENCE_S = 60, READERS = 3 };

static struct mock_kafka kafka;
static struct loop *loop;
static struct cluster *cluster;

struct reader {
    struct consumer *consumer;
    int topics, records; /* since the last on_topic() */
};
static struct reader readers[READERS], *first = &readers[0], *second = &readers[1];

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    struct reader *r = arg;

    (void)compacted;
    (void)delete_retention_ms;
    r->topics++;
    r->records = 0;
}

static void on_retention(void *arg, int64_t delete_retention_ms)
{
    (void)arg;
    (void)delete_retention_ms;
}

static void on_partitions(void *arg, int32_t n)
{
    (void)arg;
    (void)n;
}

static void on_offset(void *arg, int32_t partition, int64_t offset)
{
    (void)arg;
    (void)partition;
    (void)offset;
}

static void on_record(void *arg, const struct record *record)
{
    struct reader *r = arg;

    (void)record;
    r->records++;
}

static void on_given_up(void *arg, int32_t partition)
{
    (void)arg;
    (void)partition;
}

static void on_survey(void *arg, uint64_t ticket)
{
    (void)arg;
    (void)ticket;
}

static void on_settled(void *arg)
{
    (void)arg;
}

static void read_topic(struct reader *r, const char *topic)
{
    const struct consumer_handler handler = {
        .arg = r,
        .on_topic = on_topic,
        .on_missing = on_settled,
        .on_retention = on_retention,
        .on_partitions = on_partitions,
        .on_origin = on_offset,
        .on_record = on_record,
        .on_position = on_offset,
        .on_end = on_offset,
        .on_given_up = on_given_up,
        .on_survey = on_survey,
        .on_settled = on_settled,
    };

    r->consumer = consumer_new(cluster, topic, COMPACT_OFF, &handler);
}

static void start(void)
{
    char error[256];
    struct kafka_conf *conf = kafka_conf_new();

    assert_int_equal(kafka_conf_set(conf, "fetch.wait.max.ms", "10", false), 0);
    cluster = cluster_new(loop, conf, kafka.brokers, error, sizeof error);
    kafka_conf_free(conf);
    assert_non_null(cluster);
}

static int group_setup(void **state)
{
    (void)state;
    mock_kafka_start(&kafka);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mock_kafka_stop(&kafka);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    memset(readers, 0, sizeof readers);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < READERS; i++)
        consumer_free(readers[i].consumer);
    cluster_free(cluster);
    loop_free(loop);
    return 0;
}

static void wait_for(const int *counter, int n)
{
    time_t until = time(NULL) + PATIENCE_S;

    for (fake_loop_settle(); *counter < n; fake_loop_settle()) {
        if (time(NULL) > until)
            fail_msg("%d instead of %d", *counter, n);
        fake_loop_wait();
    }
}

static void each_consumer_gets_the_records_of_its_topic(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "first", 2);
    mock_kafka_create(&kafka, "second", 3);
    mock_kafka_produce_numbers(&kafka, "first", 1, 10);
    mock_kafka_produce_numbers(&kafka, "second", 1, 20);
    start();
    read_topic(first, "first");
    read_topic(second, "second");
    wait_for(&first->records, 10);
    wait_for(&second->records, 20);
    mock_kafka_produce_numbers(&kafka, "first", 0, 5);
    wait_for(&first->records, 15);
    assert_int_equal(second->records, 20);
    assert_int_equal(consumer_stats(second->consumer).partitions, 3);
}

static void a_topic_that_is_missing_holds_up_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "there", 1);
    mock_kafka_create(&kafka, "late", 1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    mock_kafka_produce_numbers(&kafka, "there", 0, 10);
    start();
    read_topic(first, "late");
    read_topic(second, "there");
    wait_for(&second->records, 10);
    assert_int_equal(consumer_stats(second->consumer).trouble, TROUBLE_NONE);
    assert_false(consumer_ready(first->consumer));
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_NO_ERROR);
    mock_kafka_produce_numbers(&kafka, "late", 0, 3);
    wait_for(&first->records, 3);
}

static void one_that_is_held_holds_up_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "held", 1);
    mock_kafka_create(&kafka, "free", 1);
    mock_kafka_produce_numbers(&kafka, "held", 0, 10);
    start();
    read_topic(first, "held");
    read_topic(second, "free");
    consumer_hold(first->consumer, true);
    mock_kafka_produce_numbers(&kafka, "free", 0, 10);
    wait_for(&second->records, 10);
    assert_int_equal(first->records, 0);
    consumer_hold(first->consumer, false);
    wait_for(&first->records, 10);
}

/* It is read through handles of its own from then on. */
static void a_topic_that_is_made_again_begins_anew_and_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "again", 1);
    mock_kafka_create(&kafka, "same", 1);
    mock_kafka_produce_numbers(&kafka, "again", 0, 10);
    mock_kafka_produce_numbers(&kafka, "same", 0, 10);
    start();
    read_topic(first, "again");
    read_topic(second, "same");
    wait_for(&first->records, 10);
    wait_for(&second->records, 10);
    for (int i = 2; i <= 3; i++) { /* the second time it has its own already */
        rd_kafka_mock_topic_set_error(kafka.cluster, "again",
                                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        while (consumer_ready(first->consumer)) {
            fake_loop_wait();
            fake_loop_settle();
        }
        mock_kafka_produce_numbers(&kafka, "same", 0, 10);
        wait_for(&second->records, 10 * i);
        rd_kafka_mock_topic_set_error(kafka.cluster, "again", RD_KAFKA_RESP_ERR_NO_ERROR);
        wait_for(&first->topics, i);
        wait_for(&first->records, 10);
    }
    assert_int_equal(second->topics, 1);
}

/* Of all that are made again together, as when a broker's disk was wiped, each would cost threads
 * and connections. */
static void topics_that_are_made_again_together_have_one_client_together(void **state)
{
    static const char *const names[READERS] = {"a", "b", "c"};
    time_t until = time(NULL) + PATIENCE_S;

    (void)state;
    start();
    for (int i = 0; i < READERS; i++) {
        mock_kafka_create(&kafka, names[i], 1);
        mock_kafka_produce_numbers(&kafka, names[i], 0, 10);
        read_topic(&readers[i], names[i]);
    }
    for (int i = 0; i < READERS; i++)
        wait_for(&readers[i].records, 10);
    int threads = rd_kafka_thread_cnt();
    for (int turn = 2; turn <= 3; turn++) {
        for (int i = 0; i < READERS; i++)
            rd_kafka_mock_topic_set_error(kafka.cluster, names[i],
                                          RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        while (consumer_ready(readers[0].consumer) || consumer_ready(readers[1].consumer) ||
               consumer_ready(readers[2].consumer)) {
            fake_loop_wait();
            fake_loop_settle();
        }
        for (int i = 0; i < READERS; i++)
            rd_kafka_mock_topic_set_error(kafka.cluster, names[i], RD_KAFKA_RESP_ERR_NO_ERROR);
        for (int i = 0; i < READERS; i++) {
            wait_for(&readers[i].topics, turn);
            wait_for(&readers[i].records, 10);
        }
    }
    while (rd_kafka_thread_cnt() > threads) { /* the one of before retires */
        if (time(NULL) > until)
            fail_msg("%d threads instead of %d", rd_kafka_thread_cnt(), threads);
        fake_loop_wait();
        fake_loop_settle();
    }
}

static void consumers_may_go_one_by_one(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "goes", 1);
    mock_kafka_create(&kafka, "stays", 1);
    mock_kafka_produce_numbers(&kafka, "goes", 0, 1);
    start();
    read_topic(first, "goes");
    read_topic(second, "stays");
    wait_for(&first->records, 1);
    consumer_free(first->consumer);
    first->consumer = NULL;
    mock_kafka_produce_numbers(&kafka, "goes", 0, 10);
    mock_kafka_produce_numbers(&kafka, "stays", 0, 10);
    wait_for(&second->records, 10);
    assert_int_equal(first->records, 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_consumer_gets_the_records_of_its_topic),
        T(a_topic_that_is_missing_holds_up_no_other),
        T(one_that_is_held_holds_up_no_other),
        T(a_topic_that_is_made_again_begins_anew_and_no_other),
        T(topics_that_are_made_again_together_have_one_client_together),
        T(consumers_may_go_one_by_one),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

#include "kafka/consumer.h"

#include "base/log.h"
#include "consumer_setup.h"
#include "kafka/conf.h"

/* Its topic is in consumer_topic_test, its records are in consumer_records_test. */

/* -- questions -- */

static void a_question_is_answered_with_its_ticket(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "ask", 1);
    start("ask", COMPACT_ON);
    wait_until(ready);
    mock_kafka_produce_numbers(&kafka, "ask", 0, 3);
    ticket = consumer_ask(consumer);
    wait_until(is_answered);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket), 3);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket + 1), -1);
    assert_true(consumer_end(consumer, 0) >= 3);
}

static void without_a_broker_it_can_be_freed(void **state)
{
    (void)state;
    start_with("127.0.0.1:1", "none", COMPACT_ON, &handler);
    fake_loop_wait();
    fake_loop_turn();
    assert_false(consumer_ready(consumer));
}

/* -- how it fares -- */

enum { STUCK_MS = 10000, KEEP_FAILING = 1000 };

static void fail_questions(int16_t api, rd_kafka_resp_err_t error)
{
    rd_kafka_resp_err_t errors[KEEP_FAILING];

    for (int i = 0; i < KEEP_FAILING; i++)
        errors[i] = error;
    rd_kafka_mock_push_request_errors_array(kafka.cluster, api, KEEP_FAILING, errors);
}

/* The broker answers all but fetches. */
static void stop_fetches(void)
{
    fail_questions(FETCH, RD_KAFKA_RESP_ERR_UNKNOWN);
}

static void let_fetch(void)
{
    rd_kafka_mock_clear_request_errors(kafka.cluster, FETCH);
}

static struct consumer_stats survey(void)
{
    ticket = consumer_ask(consumer);
    wait_until(is_answered);
    return consumer_stats(consumer);
}

/* Once a second, as long as that. */
static struct consumer_stats survey_for(int64_t ms)
{
    for (; ms > 1000; ms -= 1000) {
        fake_loop_pass(1000);
        survey();
    }
    fake_loop_pass(ms);
    return survey();
}

/* Three records are there, and cannot be fetched. */
static void start_without_fetches(const char *topic)
{
    mock_kafka_create(&kafka, topic, 1);
    mock_kafka_produce_numbers(&kafka, topic, 0, 3);
    stop_fetches();
    start(topic, COMPACT_ON);
    wait_until(ready);
    survey();
    assert_int_equal(consumer_lag(consumer, 0), 3);
}

static bool at_position_3(void)
{
    return positions[0] == 3;
}

static void one_that_has_read_everything_has_no_lag(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "no-lag", 2);
    mock_kafka_produce_numbers(&kafka, "no-lag", 0, 3);
    start("no-lag", COMPACT_ON);
    wait_for_records(3);
    wait_until(at_position_3);
    struct consumer_stats stats = survey();
    assert_int_equal(stats.trouble, 0);
    assert_int_equal(stats.partitions, 2);
    assert_true(consumer_lag(consumer, 0) == 0 && consumer_lag(consumer, 1) == 0);
    assert_false(stats.stuck);
    stats = survey_for(2 * STUCK_MS); /* nothing comes because nothing is produced */
    assert_true(!stats.stuck && stats.stuck_ever == 0);
}

static bool lags(void)
{
    return consumer_stats(consumer).partitions == 2 && consumer_lag(consumer, 0) == 1200 &&
           consumer_lag(consumer, 1) == 800;
}

static void what_is_not_read_yet_is_the_lag(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "lag", 2);
    mock_kafka_produce_numbers(&kafka, "lag", 0, 1200);
    mock_kafka_produce_numbers(&kafka, "lag", 1, 800);
    start("lag", COMPACT_ON);
    consumer_hold(consumer, true);
    wait_until(lags);
    consumer_hold(consumer, false);
    wait_for_records(2000);
    survey();
    assert_true(consumer_lag(consumer, 0) == 0 && consumer_lag(consumer, 1) == 0);
}

static void a_partition_that_does_not_move_for_ten_seconds_is_stuck(void **state)
{
    (void)state;
    start_without_fetches("stuck");
    assert_false(survey().stuck);
    assert_false(survey_for(STUCK_MS).stuck); /* in the first second it was started */
    assert_false(consumer_given_up(consumer, 0));
    struct consumer_stats stats = survey_for(1000);
    assert_true(stats.stuck && given_up[0]);
    assert_int_equal(stats.stuck_ever, 1);
    assert_int_equal(survey_for(STUCK_MS).stuck_ever, 1); /* once each time */
    let_fetch();
    wait_for_records(3);
    stats = survey_for(1000);
    assert_false(stats.stuck || consumer_given_up(consumer, 0));
    assert_int_equal(stats.stuck_ever, 1);
}

/* Which is how most of them will get stuck: live, with everything read. */
static void one_that_has_been_at_the_end_may_be_stuck_later(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "was-at-end", 1);
    mock_kafka_produce_numbers(&kafka, "was-at-end", 0, 3);
    start("was-at-end", COMPACT_ON);
    wait_until(at_position_3);
    stop_fetches();
    for (int i = 0; i < 3; i++) { /* the fetch that is under way */
        fake_loop_wait();
        fake_loop_turn();
    }
    mock_kafka_produce_numbers(&kafka, "was-at-end", 0, 3);
    survey();
    assert_true(survey_for(STUCK_MS + 1000).stuck);
    let_fetch();
    wait_for_records(6);
    assert_false(survey_for(1000).stuck);
}

static void one_that_is_held_is_not_stuck(void **state)
{
    (void)state;
    start_without_fetches("held-back");
    consumer_hold(consumer, true);
    assert_false(survey_for(2 * STUCK_MS).stuck);
    consumer_hold(consumer, false);
    survey();
    assert_false(survey_for(STUCK_MS - 1).stuck);
    let_fetch();
    wait_for_records(3);
}

static void a_partition_without_a_leader_is_given_up_and_taken_up_again(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "leader", 2);
    rd_kafka_mock_partition_set_leader(kafka.cluster, "leader", 1, -1);
    start("leader", COMPACT_ON);
    wait_until(ready);
    silent = 1;
    assert_false(survey_for(8000).away);
    assert_int_equal(consumer_end(consumer, 1), -1);
    assert_false(consumer_given_up(consumer, 1));
    struct consumer_stats stats = survey_for(2000);
    assert_int_equal(stats.away, 1);
    assert_false(stats.stuck);
    assert_true(consumer_given_up(consumer, 1) && given_up[1]);
    assert_false(consumer_given_up(consumer, 0));
    rd_kafka_mock_partition_set_leader(kafka.cluster, "leader", 1, 1);
    mock_kafka_produce_numbers(&kafka, "leader", 1, 2);
    silent = -1;
    consumer_ask(consumer);
    wait_for_records(2);
    assert_int_equal(survey_for(1000).away, 0);
    assert_false(consumer_given_up(consumer, 1));
}

static void one_that_loses_its_leader_is_given_up_and_not_stuck(void **state)
{
    (void)state;
    start_without_fetches("headless");
    rd_kafka_mock_partition_set_leader(kafka.cluster, "headless", 0, -1);
    silent = 0;
    struct consumer_stats stats = survey_for(2 * STUCK_MS);
    assert_true(stats.away == 1 && !stats.stuck);
    assert_int_equal(stats.stuck_ever, 0);
}

/* Nobody knows whether there is more; that is no reason to say that there is. */
static void a_leader_that_says_nothing_about_the_end_makes_nothing_stuck(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "no-end", 2);
    mock_kafka_produce_numbers(&kafka, "no-end", 0, 3);
    start("no-end", COMPACT_ON);
    wait_for_records(3);
    survey();
    fail_questions(LIST_OFFSETS, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    fake_loop_pass(2 * STUCK_MS);
    struct consumer_stats stats = consumer_stats(consumer);
    assert_true(!stats.stuck && stats.stuck_ever == 0);
}

static bool in_trouble(void)
{
    return consumer_stats(consumer).trouble != 0;
}

/* For what is a matter of time. */
static void pass_until(bool (*condition)(void))
{
    for (int i = 0; i < 600 && !condition(); i++) {
        fake_loop_wait();
        fake_loop_pass(100);
    }
    assert_true(condition());
}

static bool out_of_trouble(void)
{
    return consumer_stats(consumer).trouble == 0;
}

/* There was nobody to read from: that is another trouble. */
static void an_outage_is_not_taken_for_being_stuck(void **state)
{
    (void)state;
    start_without_fetches("no-broker");
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    pass_until(in_trouble);
    assert_int_equal(consumer_stats(consumer).trouble, TROUBLE_AWAY);
    fake_loop_pass(2 * STUCK_MS);
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    wait_until(out_of_trouble);
    survey();
    assert_int_equal(consumer_stats(consumer).stuck_ever, 0);
    let_fetch();
    wait_for_records(3);
}

static void a_topic_that_is_missing_is_the_trouble(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "missing", 1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "missing",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start("missing", COMPACT_ON);
    wait_until(in_trouble);
    assert_int_equal(consumer_stats(consumer).trouble, TROUBLE_MISSING);
    assert_int_equal(consumer_stats(consumer).partitions, 0);
}

static bool is_ready(void)
{
    return consumer_ready(consumer);
}

static bool is_refused(void)
{
    return consumer_stats(consumer).refused > 0;
}

static void a_topic_with_more_partitions_than_ids_can_name_is_refused(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "wide", 3);
    mock_kafka_create(&kafka, "fits", 2);
    handler.partitions_max = 2;
    start("wide", COMPACT_ON);
    wait_until(is_refused);
    assert_int_equal(consumer_stats(consumer).refused, 3);
    assert_false(consumer_ready(consumer));
    assert_int_equal(told.n, 0);
    consumer_free(consumer);
    cluster_free(cluster);
    start("fits", COMPACT_ON);
    wait_until(is_ready);
    assert_false(is_refused());
}

/* -- configuration -- */

static void a_configuration_that_cannot_work_as_a_whole_is_refused(void **state)
{
    char error[256] = "";
    struct kafka_conf *conf = kafka_conf_new();

    (void)state;
    assert_int_equal(kafka_conf_set(conf, "security.protocol", "ssl", false), 0);
    assert_int_equal(kafka_conf_set(conf, "ssl.ca.location", "/no/such/file", false), 0);
    assert_null(cluster_new(loop, conf, kafka.brokers, error, sizeof error));
    kafka_conf_free(conf);
    assert_true(strlen(error) > 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_question_is_answered_with_its_ticket),
        T(a_partition_without_a_leader_is_given_up_and_taken_up_again),
        T(without_a_broker_it_can_be_freed),
        T(one_that_has_read_everything_has_no_lag),
        T(what_is_not_read_yet_is_the_lag),
        T(a_partition_that_does_not_move_for_ten_seconds_is_stuck),
        T(one_that_has_been_at_the_end_may_be_stuck_later),
        T(one_that_is_held_is_not_stuck),
        T(one_that_loses_its_leader_is_given_up_and_not_stuck),
        T(a_leader_that_says_nothing_about_the_end_makes_nothing_stuck),
        T(an_outage_is_not_taken_for_being_stuck),
        T(a_topic_that_is_missing_is_the_trouble),
        T(a_topic_with_more_partitions_than_ids_can_name_is_refused),
        T(a_configuration_that_cannot_work_as_a_whole_is_refused),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

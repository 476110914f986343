#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "consumer_setup.h"
#include "logged.h"

static void check_compact(const char *topic, enum compact compact, const char *expected)
{
    mock_kafka_create(&kafka, topic, 1);
    start(topic, compact);
    assert_false(consumer_ready(consumer));
    wait_until(ready);
    assert_text(buf_slice(&told), expected);
}

static void a_topic_is_compacted_if_told_so(void **state)
{
    (void)state;
    check_compact("on", COMPACT_ON, "topic compacted\n1 partitions\n");
}

static void a_topic_is_not_compacted_if_told_so(void **state)
{
    (void)state;
    check_compact("off", COMPACT_OFF, "topic not compacted\n1 partitions\n");
}

static void a_topic_whose_settings_cannot_be_had_is_taken_as_not_compacted(void **state)
{
    (void)state;
    check_compact("auto", COMPACT_AUTO, "topic not compacted\n1 partitions\n");
}

static void a_topic_whose_policy_changes_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "changing", 1);
    mock_kafka_produce_numbers(&kafka, "changing", 0, 3);
    settings = (struct settings){.compacted = false, .delete_retention_ms = 86400000};
    start("changing", COMPACT_AUTO);
    check_numbers(1, 3);
    settings.compacted = true;
    told.n = 0;
    fake_loop_pass(15000);
    wait_until(is_told_twice);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' '0' none\n"
                                  "0@1 'k' '1' none\n0@2 'k' '2' none\n");
}

static bool is_something_told(void)
{
    return told.n > 0;
}

static void a_changed_retention_is_told_and_nothing_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "hasty", 1);
    mock_kafka_produce_numbers(&kafka, "hasty", 0, 3);
    settings = (struct settings){.compacted = true, .delete_retention_ms = 86400000};
    start("hasty", COMPACT_AUTO);
    check_numbers(1, 3);
    settings.delete_retention_ms = 1000;
    told.n = 0;
    fake_loop_pass(15000);
    wait_until(is_something_told);
    assert_text(buf_slice(&told), "retention 1000\n");
    assert_int_equal(topics, 1);
}

static void settings_that_cannot_be_read_are_told_until_they_can(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "refused", 1);
    mock_kafka_produce_numbers(&kafka, "refused", 0, 3);
    settings_error = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    start("refused", COMPACT_AUTO);
    check_numbers(1, 3);
    assert_true(consumer_stats(consumer).settings_assumed);
    settings_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    settings = (struct settings){.compacted = true, .delete_retention_ms = 86400000};
    fake_loop_pass(15000);
    wait_until(is_told_twice);
    assert_false(consumer_stats(consumer).settings_assumed);
}

static bool is_missing(void)
{
    return missing > 0;
}

static void a_topic_that_is_missing_is_waited_for(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "late", 1);
    mock_kafka_produce_numbers(&kafka, "late", 0, 3);
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start("late", COMPACT_ON);
    for (int i = 0; i < 5; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    wait_until(is_missing);
    assert_false(consumer_ready(consumer));
    assert_int_equal(topics, 0);
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer); /* instead of waiting a second for the next survey */
    check_numbers(1, 3);
}

static bool not_ready(void)
{
    return !consumer_ready(consumer);
}

static void a_topic_that_went_and_came_again_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "again", 1);
    mock_kafka_produce_numbers(&kafka, "again", 0, 3);
    start("again", COMPACT_ON);
    wait_for_records(3);
    rd_kafka_mock_topic_set_error(kafka.cluster, "again", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_ask(consumer);
    wait_until(not_ready);
    rd_kafka_mock_topic_set_error(kafka.cluster, "again", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer);
    told.n = 0;
    records = 0;
    wait_for_records(3);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' '0' none\n"
                                  "0@1 'k' '1' none\n0@2 'k' '2' none\n");
}

static void hold_at_first(void *arg, const struct record *r)
{
    handler.on_record(arg, r);
    consumer_hold(consumer, true);
}

static bool is_there_again(void)
{
    return topics == 2 && consumer_ready(consumer);
}

/* The rest of a batch that waited for the handler is of another topic by then. */
static void what_was_taken_of_a_topic_goes_with_it(void **state)
{
    struct consumer_handler holding = handler;

    (void)state;
    holding.on_record = hold_at_first;
    mock_kafka_create(&kafka, "batch", 1);
    mock_kafka_produce_numbers(&kafka, "batch", 0, 100);
    start_with(kafka.brokers, "batch", COMPACT_ON, &holding);
    batch_of = 100;
    wait_for_records(1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "batch", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_ask(consumer);
    wait_until(not_ready);
    rd_kafka_mock_topic_set_error(kafka.cluster, "batch", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer);
    wait_until(is_there_again);
    batch_of = 0;
    told.n = 0;
    wait_until(all_100_one_by_one);
    for (int i = 0, at = 0; i < 100; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "0@%d 'k' '%d' none\n", i, i);
        assert_memory_equal(told.p + at, line, (size_t)n);
        at += n;
    }
}

static bool has_three(void)
{
    return consumer_stats(consumer).partitions == 3;
}

static void partitions_that_are_added_are_told_and_read(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    log_capture();
    mock_kafka_create(&kafka, "larger", 3);
    for (int i = 0; i < 3; i++)
        mock_kafka_produce_numbers(&kafka, "larger", i, 3);
    hidden = 2;
    start("larger", COMPACT_ON);
    wait_for_records(3);
    int before = logged("kafka: topic larger has ");
    hidden = 0;
    consumer_ask(consumer); /* instead of waiting a second for the next survey */
    wait_until(has_three);
    ticket = consumer_ask(consumer);
    wait_until(is_answered);
    int after = logged("info: kafka: topic larger has 3 partitions now, it had 1\n");
    log_release();
    log_set_level(LOG_ERROR);
    assert_true(before == 0 && after == 1);
    check_numbers(3, 3);
}

static void a_log_that_is_shorter_than_it_was_is_read_anew(void **state)
{
    (void)state;
    start_with_ten("cut");
    all_ends = 9;
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* It ended before `next` when that was fetched, and has grown since. */
static void an_offset_out_of_range_that_is_not_below_the_log_means_that_it_was_cut(void **state)
{
    (void)state;
    start_with_ten("grown");
    told.n = 0;
    wait_until(is_alone);
    rd_kafka_mock_push_request_errors(kafka.cluster, FETCH, 1,
                                      RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* The loop's clock. */
static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool is_known(void)
{
    return consumer_end(consumer, 0) >= 0;
}

/* By the time of the question: the answer may have waited while we were stopped. */
static void each_answer_tells_that_everything_was_read(void **state)
{
    (void)state;
    start_with_ten("read");
    int64_t before_ms = clock_ms();
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_in_range(ends_ms[0], before_ms, clock_ms());
    all_ends = 11; /* there is more */
    before_ms = ends_ms[0];
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_int_equal(ends_ms[0], before_ms);
}

/* What was known is of before: there may be more by now, or another topic. */
static void who_was_stopped_knows_no_end_until_it_is_told_again(void **state)
{
    (void)state;
    start_with_ten("stopped");
    assert_int_equal(consumer_end(consumer, 0), 10);
    all_ends = 11;
    fake_loop_stop(60000);
    assert_int_equal(consumer_end(consumer, 0), -1);
    fake_loop_pass(0); /* the look that was due meanwhile, and perhaps the answer to its question */
    assert_int_not_equal(consumer_end(consumer, 0), 10);
    wait_until(is_known);
    assert_int_equal(consumer_end(consumer, 0), 11);
}

static void a_topic_is_read_anew_if_told_so(void **state)
{
    (void)state;
    start_with_ten("doubted");
    told.n = 0;
    consumer_read_anew(consumer, "so says the test");
    assert_false(consumer_ready(consumer));
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* A leader that was deposed and does not know it. */
static void an_end_that_the_next_answer_does_not_confirm_is_nothing(void **state)
{
    (void)state;
    start_with_ten("deposed");
    wrong_answers = 1;
    all_ends = 9;
    while (wrong_answers > 0)
        fake_loop_wait();
    for (int i = 0; i < 3; i++) {
        ticket = consumer_ask(consumer);
        wait_until(is_surveyed);
    }
    assert_int_equal(topics, 1);
}

static void a_topic_of_another_cluster_is_read_anew(void **state)
{
    (void)state;
    a_cluster = "a";
    start_with_ten("elsewhere");
    assert_int_equal(topics, 1);
    a_cluster = "b";
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* Nothing else tells: its log is as long as that of before. */
static void a_topic_of_another_id_is_read_anew(void **state)
{
    (void)state;
    an_id = (struct topic_id){.high = 1, .low = 2};
    start_with_ten("other-id");
    assert_int_equal(topics, 1);
    an_id.low = 3;
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

static void wait_for_layouts(int n)
{
    for (n += layouts; layouts < n; fake_loop_wait())
        consumer_ask(consumer);
}

/* Both answers have come before the loop had a turn. */
static void a_topic_that_went_and_came_within_a_turn_is_read_anew(void **state)
{
    (void)state;
    start_with_ten("unnoticed");
    wait_until(is_alone);
    denials = 1;
    wait_for_layouts(3); /* of two at least it is known what came of them */
    assert_int_equal(denials, 0);
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

static void reading_starts_at_the_first_offset_that_the_broker_holds(void **state)
{
    static uint8_t value[900000];

    (void)state;
    mock_kafka_create(&kafka, "origin", 1);
    for (int i = 0; i < 8; i++) /* the mock keeps 5 MB */
        mock_kafka_produce(&kafka, "origin", 0, BYTES("k"), slice_of(value, sizeof value), NULL);
    start("origin", COMPACT_ON);
    wait_for_records(1);
    assert_in_range(origins[0], 1, 7);
    assert_int_equal(consumer_surveyed_end(consumer, 0, 0), 8);
    assert_true(consumer_passed(consumer, 0, origins[0] + 1, UINT64_MAX));
}

static void a_broker_that_goes_and_comes_is_survived_without_loss(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "outage", 1);
    mock_kafka_produce_numbers(&kafka, "outage", 0, 3);
    start("outage", COMPACT_ON);
    wait_for_records(3);
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    for (int i = 0; i < 5; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    assert_true(consumer_ready(consumer));
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    mock_kafka_produce(&kafka, "outage", 0, BYTES("k"), BYTES("3"), NULL);
    check_numbers(1, 4);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_topic_is_compacted_if_told_so),
        T(a_topic_is_not_compacted_if_told_so),
        T(a_topic_whose_settings_cannot_be_had_is_taken_as_not_compacted),
        T(a_topic_whose_policy_changes_is_read_anew),
        T(a_changed_retention_is_told_and_nothing_is_read_anew),
        T(settings_that_cannot_be_read_are_told_until_they_can),
        T(a_topic_that_is_missing_is_waited_for),
        T(a_topic_that_went_and_came_again_is_read_anew),
        T(a_topic_that_went_and_came_within_a_turn_is_read_anew),
        T(what_was_taken_of_a_topic_goes_with_it),
        T(partitions_that_are_added_are_told_and_read),
        T(a_log_that_is_shorter_than_it_was_is_read_anew),
        T(each_answer_tells_that_everything_was_read),
        T(who_was_stopped_knows_no_end_until_it_is_told_again),
        T(a_topic_is_read_anew_if_told_so),
        T(an_offset_out_of_range_that_is_not_below_the_log_means_that_it_was_cut),
        T(an_end_that_the_next_answer_does_not_confirm_is_nothing),
        T(a_topic_of_another_cluster_is_read_anew),
        T(a_topic_of_another_id_is_read_anew),
        T(reading_starts_at_the_first_offset_that_the_broker_holds),
        T(a_broker_that_goes_and_comes_is_survived_without_loss),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

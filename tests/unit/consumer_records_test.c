#include "base/log.h"
#include "consumer_setup.h"

static void records_come_in_with_all_they_have(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "shapes", 1);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), BYTES("v"), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), slice_of(NULL, 0), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, slice_of(NULL, 0), BYTES("v"), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES(""), BYTES(""), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, slice_of(NULL, 0), slice_of(NULL, 0), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), BYTES("v"), "e");
    start("shapes", COMPACT_ON);
    wait_for_records(6);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n"
                                  "0@0 'k' 'v' none\n"
                                  "0@1 'k' none none\n"
                                  "0@2 none 'v' none\n"
                                  "0@3 '' '' none\n"
                                  "0@4 none none none\n"
                                  "0@5 'k' 'v' 'e'\n");
}

static void headers_come_in_if_the_handler_wants_them(void **state)
{
    static const char *const names[] = {"region", "trace"};
    static const char *const some[][2] = {{"trace", "1"},  {"other", "x"}, {"region", "eu"},
                                          {"trace", NULL}, {"region", ""}, {NULL, NULL}};
    static const char *const none[][2] = {{"other", "x"}, {"etag", "e"}, {NULL, NULL}};
    struct consumer_handler with = handler;

    (void)state;
    mock_kafka_create(&kafka, "headers", 1);
    mock_kafka_produce_headers(&kafka, "headers", 0, BYTES("v"), some);
    mock_kafka_produce_headers(&kafka, "headers", 0, BYTES("v"), none);
    with.headers = names;
    with.header_count = 2;
    start_with(kafka.brokers, "headers", COMPACT_ON, &with);
    wait_for_records(2);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n"
                                  "0@0 none 'v' none 1: '1' 0: 'eu' 1: none 0: ''\n"
                                  "0@1 none 'v' 'e'\n");
}

static void every_record_of_every_partition_comes_once_and_in_order(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "many", 3);
    for (int32_t i = 0; i < 3; i++)
        mock_kafka_produce_numbers(&kafka, "many", i, 3000);
    start("many", COMPACT_OFF);
    check_numbers(3, 3000);
}

/* What has gathered while it was held comes in one go, though librdkafka wakes for its first
 * record only and a turn ends after one batch. */
static void a_turn_that_takes_long_is_ended_and_goes_on_unwoken(void **state)
{
    enum { N = 30000, BATCH = 1000 };
    int at_once = 0;

    (void)state;
    mock_kafka_create(&kafka, "long", 1);
    mock_kafka_produce_numbers(&kafka, "long", 0, N);
    start("long", COMPACT_OFF);
    record_takes_ms = 1;
    while (at_once <= 3 * BATCH && records < N) {
        int before = records;
        consumer_hold(consumer, true);
        for (int i = 0; i < 3; i++) {
            fake_loop_wait();
            fake_loop_turn();
        }
        consumer_hold(consumer, false);
        fake_loop_settle();
        at_once = records - before;
    }
    assert_true(at_once > 3 * BATCH);
    check_numbers(1, N);
}

static void what_is_produced_later_comes_too(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "live", 1);
    start("live", COMPACT_ON);
    for (int i = 1; i <= 3; i++) {
        mock_kafka_produce(&kafka, "live", 0, BYTES("k"), BYTES("v"), NULL);
        wait_for_records(i);
    }
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' 'v' none\n"
                                  "0@1 'k' 'v' none\n0@2 'k' 'v' none\n");
}

static bool at_position_5(void)
{
    return positions[0] == 5;
}

static void the_end_of_a_partition_is_told(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "end", 1);
    mock_kafka_produce_numbers(&kafka, "end", 0, 5);
    start("end", COMPACT_ON);
    wait_until(at_position_5);
    assert_int_equal(records, 5);
    assert_true(consumer_passed(consumer, 0, 5, UINT64_MAX));
    assert_int_equal(consumer_end(consumer, 0), 5);
}

static void nothing_is_handed_on_while_it_is_held(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "held", 1);
    mock_kafka_produce_numbers(&kafka, "held", 0, 2000);
    start("held", COMPACT_ON);
    wait_for_records(1);
    consumer_hold(consumer, true);
    int before = records;
    mock_kafka_produce(&kafka, "held", 0, BYTES("k"), BYTES("2000"), NULL);
    for (int i = 0; i < 3; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    assert_int_equal(records, before);
    consumer_hold(consumer, false);
    check_numbers(1, 2001);
}

static void hold_at_each(void *arg, const struct record *r)
{
    handler.on_record(arg, r);
    consumer_hold(consumer, true);
}

static void a_handler_that_holds_gets_no_further_record_until_it_lets_go(void **state)
{
    struct consumer_handler holding = handler;

    (void)state;
    holding.on_record = hold_at_each;
    mock_kafka_create(&kafka, "holding", 1);
    mock_kafka_produce_numbers(&kafka, "holding", 0, 100);
    start_with(kafka.brokers, "holding", COMPACT_ON, &holding);
    wait_until(all_100_one_by_one);
    check_numbers(1, 100);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(records_come_in_with_all_they_have),
        T(headers_come_in_if_the_handler_wants_them),
        T(every_record_of_every_partition_comes_once_and_in_order),
        T(a_turn_that_takes_long_is_ended_and_goes_on_unwoken),
        T(what_is_produced_later_comes_too),
        T(the_end_of_a_partition_is_told),
        T(nothing_is_handed_on_while_it_is_held),
        T(a_handler_that_holds_gets_no_further_record_until_it_lets_go),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

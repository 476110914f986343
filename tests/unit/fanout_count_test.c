#include "fanout_setup.h"

#include "logged.h"

/* -- what is counted -- */

static void openings_and_ends_are_counted(void **state)
{
    struct client c[5];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < 5; i++)
        c[i] = open_client(NULL);
    stream_finish(c[0].stream, STREAM_END_TOKEN);
    stream_finish(c[1].stream, STREAM_END_AGE);
    stream_finish(c[2].stream, STREAM_END_DRAIN);
    stream_finish(c[3].stream, STREAM_END_DRAIN);
    for (int i = 0; i < 5; i++)
        leave(&c[i]);
    struct fanout_stats stats = fanout_stats(fanout);
    assert_int_equal(stats.opened, 5);
    assert_int_equal(stats.ended[STREAM_END_CLIENT], 1);
    assert_int_equal(stats.ended[STREAM_END_TOKEN], 1);
    assert_int_equal(stats.ended[STREAM_END_AGE], 1);
    assert_int_equal(stats.ended[STREAM_END_DRAIN], 2);
}

static void streams_are_counted_by_their_shape(void **state)
{
    static const struct opening shapes[] = {
        {.framing = FRAMING_SSE},
        {.framing = FRAMING_SSE, .enveloped = true},
        {.framing = FRAMING_NDJSON},
    };
    const uint64_t opened[SHAPE_KINDS] = {1, 2, 1}, open[SHAPE_KINDS] = {1, 1, 1};

    (void)state;
    make_topic(true, 1);
    struct client c[] = {open_as(&shapes[0]), open_as(&shapes[1]), open_as(&shapes[2]),
                         open_as(&shapes[1])};
    leave(&c[3]);
    const struct fanout_stats stats = fanout_stats(fanout);
    for (int i = 0; i < SHAPE_KINDS; i++) {
        assert_int_equal(stats.opened_as[i], opened[i]);
        assert_int_equal(stats.open_as[i], open[i]);
    }
    for (int i = 0; i < 3; i++)
        leave(&c[i]);
}

static void records_and_the_cache_are_counted(void **state)
{
    (void)state;
    make_topic(true, 1);
    assert_int_equal(fanout_stats(fanout).records, 0);
    produce(0, "a", "1");
    produce(0, "a", "2");
    produce(0, "b", "3");
    struct fanout_stats stats = fanout_stats(fanout);
    assert_int_equal(stats.records, 3);
    assert_int_equal(stats.cache_records, 2);
    assert_int_equal(stats.cache_keys, 2);
    assert_in_range(stats.cache_bytes, 1, 1 << 24);
    assert_false(stats.cache_overflowed);
}

static void a_compacted_topic_that_does_not_fit_in_is_told(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_PROGRESS, 1 << 16);
    make_topic(true, 1);
    produce_kilobytes(50, 1);
    assert_false(fanout_stats(fanout).cache_overflowed);
    log_capture();
    produce_kilobytes(2000, 2000);
    assert_true(fanout_stats(fanout).cache_overflowed);
    fake_loop_pass(1000);
    produce_kilobytes(2000, 2000);
    fake_loop_pass(1000);
    assert_int_equal(logged("cache: 65536 bytes are not enough for topic events: "), 1);
    assert_int_equal(logged(""), 1);
    log_release();
}

static void what_is_encoded_goes_with_the_last_stream(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(100, 100);
    assert_int_equal(fanout_stats(fanout).backlog_bytes, 0);
    struct client one = open_client(NULL), other = open_client(NULL);
    produce_kilobytes(100, 100);
    count_events(&one);
    count_events(&other);
    assert_in_range(fanout_stats(fanout).backlog_bytes, 100 * 1024, 120 * 1024);
    leave(&one);
    settle();
    assert_in_range(fanout_stats(fanout).backlog_bytes, 100 * 1024, 120 * 1024);
    leave(&other);
    settle();
    assert_int_equal(fanout_stats(fanout).backlog_bytes, 0);
    struct client next = open_client(NULL);
    assert_int_equal(count_events(&next), 100);
    produce_kilobytes(1, 1);
    assert_int_equal(count_events(&next), 1);
    leave(&next);
}

static void conflations_are_counted(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), other = open_client(NULL);
    for (int i = 0; i < 80; i++) {
        produce_kilobytes(100, 10);
        count_events(&other);
    }
    assert_int_equal(fanout_stats(fanout).conflations, 1);
    leave(&slow);
    leave(&other);
}

/* Replayed, live, conflated, with a reset before; and one that never reads the rest. */
static void each_event_that_is_sent_is_counted_once(void **state)
{
    size_t n = 0;

    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    struct client slow = open_client(NULL), other = open_client("nonsense");
    n = count_events(&slow);
    for (int i = 0; i < 80; i++) {
        produce_kilobytes(100, 10);
        n += count_events(&other);
    }
    n += count_events(&slow);
    assert_int_equal(fanout_stats(fanout).conflations, 1);
    assert_int_equal(fanout_stats(fanout).sent_events, n);
    produce_kilobytes(200, 10); /* the slow one is blocked in the backlog, inside an event */
    stream_finish(slow.stream, STREAM_END_DRAIN);
    n += count_events(&slow) + count_events(&other);
    assert_int_equal(fanout_stats(fanout).sent_events, n);
    assert_in_range(fanout_stats(fanout).sent_bytes, n * 1024, n * 1200);
    leave(&slow);
    leave(&other);
}

static void gaps_and_resets_are_counted(void **state)
{
    (void)state;
    make_topic(false, 1);
    for (int i = 0; i < 5; i++)
        produce(0, "a", "x");
    topic.on_origin(topic.arg, 0, 3);
    settle();
    struct client gap = open_client("AQIAAg=="), reset = open_client("nonsense");
    assert_int_equal(fanout_stats(fanout).gaps, 1);
    assert_int_equal(fanout_stats(fanout).resets[RESET_ID_MALFORMED], 1);
    make_topic(false, 1);
    assert_int_equal(fanout_stats(fanout).resets[RESET_TOPIC_NEW], 2);
    leave(&gap);
    leave(&reset);
}

/* -- how long they take -- */

static uint64_t delays_counted(void)
{
    const struct fanout_stats stats = fanout_stats(fanout);
    uint64_t n = 0;

    for (int i = 0; i <= DELAY_BOUNDS; i++)
        n += stats.delays.at[i];
    return n;
}

static void the_delay_of_a_live_record_is_counted_once_for_all_streams(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client one = open_client(NULL), other = open_client(NULL);
    produce(0, "a", "1");
    fake_loop_stop(7);
    settle();
    assert_int_equal(delays_counted(), 1);
    assert_int_equal(fanout_stats(fanout).delays.sum_ms, 7);
    leave(&one);
    leave(&other);
}

static void what_is_loaded_or_replayed_has_no_delay(void **state)
{
    (void)state;
    make_topic(true, 1);
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 1);
    come_back(0, 3);
    struct client early = open_client(NULL);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce_live(0, "c", "3");
    struct client late = open_client(NULL);
    check_data(&early, "1 2 3");
    check_data(&late, "1 2 3");
    assert_int_equal(delays_counted(), 0);
    leave(&early);
    leave(&late);
}

static void what_nobody_selects_has_no_delay(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_keys(1, NULL, "a");
    produce_live(0, "b", "1");
    assert_int_equal(delays_counted(), 0);
    produce_live(0, "a", "1");
    assert_int_equal(delays_counted(), 1);
    leave(&c);
}

static void a_slow_stream_has_no_part_in_delays(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(200, 200); /* more than its socket takes */
    uint64_t before = delays_counted();
    produce_live(0, "a", "1");
    assert_int_equal(delays_counted(), before);
    struct client other = open_client(NULL);
    count_events(&other);
    produce_live(0, "a", "2");
    assert_int_equal(delays_counted(), before + 1);
    fake_loop_pass(60000);
    count_events(&slow);
    assert_int_equal(delays_counted(), before + 1);
    assert_in_range(fanout_stats(fanout).delays.sum_ms, 0, 1000);
    leave(&slow);
    leave(&other);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(openings_and_ends_are_counted),
        T(streams_are_counted_by_their_shape),
        T(records_and_the_cache_are_counted),
        T(a_compacted_topic_that_does_not_fit_in_is_told),
        T(what_is_encoded_goes_with_the_last_stream),
        T(conflations_are_counted),
        T(each_event_that_is_sent_is_counted_once),
        T(gaps_and_resets_are_counted),
        T(the_delay_of_a_live_record_is_counted_once_for_all_streams),
        T(what_is_loaded_or_replayed_has_no_delay),
        T(what_nobody_selects_has_no_delay),
        T(a_slow_stream_has_no_part_in_delays),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fanout_setup.h"

/* -- slow clients -- */

static void a_client_that_does_not_read_delays_nobody_and_goes_on_later(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), quick = open_client(NULL);
    for (int i = 0; i < 20; i++) {
        produce_kilobytes(10, 1000);
        assert_int_equal(count_events(&quick), 10);
    }
    assert_int_equal(count_events(&slow), 200);
    leave(&slow);
    leave(&quick);
}

static void who_falls_far_behind_gets_the_newest_of_each_key(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 10); /* more than the backlog holds */
    size_t n = count_events(&slow);
    assert_in_range(n, 10, 4200); /* 4 MB are the backlog's */
    produce_live(0, "0", "last");
    check_data(&slow, "last");
    leave(&slow);
}

static void who_falls_far_behind_in_another_topic_gets_every_record(void **state)
{
    (void)state;
    make_topic(false, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 10);
    assert_int_equal(count_events(&slow), 8000);
    leave(&slow);
}

static void who_sleeps_through_a_forgotten_delete_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 1);
    produce(0, "gone", NULL);
    produce(0, "stays", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 2000);
    struct output out = receive(&slow);
    buf_add_byte(&out.text, 0);
    const char *text = (const char *)out.text.p;
    const char *reset = strstr(text, "event:reset");
    assert_non_null(reset);
    assert_null(strstr(text, "event:delete"));
    assert_non_null(strstr(reset, "data:2"));
    output_fini(&out);
    leave(&slow);
}

static void a_blocked_stream_gets_no_comment(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(100, 100);
    fake_loop_pass(3 * KEEPALIVE_MS);
    struct output out = receive(&slow);
    assert_null(memmem(out.text.p, out.text.n, "\n:\n", 3));
    output_fini(&out);
    leave(&slow);
}

static void the_consumer_is_held_while_more_waits_than_streams_can_be_sent(void **state)
{
    static char value[100001];

    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    memset(value, 'v', 100000);
    for (int i = 0; i < 30 && !consumer.held; i++)
        produce(0, "k", value);
    assert_true(consumer.held);
    settle();
    assert_false(consumer.held);
    leave(&c);
}

static void without_streams_the_consumer_is_not_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(8000, 1);
    assert_false(consumer.held);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_client_that_does_not_read_delays_nobody_and_goes_on_later),
        T(who_falls_far_behind_gets_the_newest_of_each_key),
        T(who_falls_far_behind_in_another_topic_gets_every_record),
        T(who_sleeps_through_a_forgotten_delete_is_reset),
        T(a_blocked_stream_gets_no_comment),
        T(the_consumer_is_held_while_more_waits_than_streams_can_be_sent),
        T(without_streams_the_consumer_is_not_held),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

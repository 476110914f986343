#include "fanout_setup.h"

/* -- live -- */

static void the_first_event_after_a_quiet_time_goes_at_once(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(1000);
    produce(0, "a", "1");
    settle();
    check_data(&c, "1");
    leave(&c);
}

static void the_next_one_waits_for_the_flush_interval(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(1000);
    produce(0, "a", "1");
    settle();
    produce(0, "b", "2");
    settle();
    fake_loop_pass(FLUSH_MS - 1);
    produce(0, "c", "3");
    settle();
    check_data(&c, "1");
    fake_loop_pass(1);
    check_data(&c, "2 3");
    leave(&c);
}

static void every_one_of_many_streams_gets_each_event(void **state)
{
    enum { MANY = 400 }; /* more than are flushed in one turn */
    static struct client clients[MANY];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    for (int i = 0; i < MANY; i++)
        check_data(&clients[i], "1 2");
    for (int i = 0; i < MANY; i++)
        leave(&clients[i]);
    assert_int_equal(fanout_count(fanout), 0);
}

/* 500 streams: 15 ms on average, but nothing waits for a few events close together. */
static void by_itself_the_interval_grows_with_the_streams(void **state)
{
    enum { MANY = 500, INTERVAL_MS = 15, AT_ONCE = 4 };
    static struct client clients[MANY];

    (void)teardown(state);
    flush_ms = -1;
    setup(state);
    flush_ms = FLUSH_MS;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    fake_loop_pass(1000);
    for (int i = 0; i < AT_ONCE; i++) {
        produce(0, "a", "1");
        settle();
        check_data(&clients[MANY - 1], "1");
    }
    produce(0, "a", "2");
    settle();
    fake_loop_pass(INTERVAL_MS - 1);
    check_data(&clients[0], "1 1 1 1");
    check_data(&clients[MANY - 1], "");
    fake_loop_pass(1);
    check_data(&clients[0], "2");
    check_data(&clients[MANY - 1], "2");
    for (int i = 0; i < MANY; i++)
        leave(&clients[i]);
}

static void a_request_with_another_id_gets_the_same_with_its_id(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_with(0x1234, "bad");
    struct output out = receive(&c);
    assert_int_equal(out.id, 0x1234);
    output_fini(&out);
    produce_live(0, "b", "2");
    out = receive(&c);
    assert_int_equal(out.id, 0x1234);
    assert_text(buf_slice(&out.text), "id:AQIABA==\ndata:2\n\n");
    output_fini(&out);
    leave(&c);
}

static void ids_have_the_form_that_is_configured(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_KEY, 1 << 30);
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client(NULL);
    produce_live(0, "b", "2");
    check_text(&c, "id:[\"YQ==\",\"AQIAAg==\"]\ndata:1\n\nid:[\"Yg==\",\"AQIABA==\"]\ndata:2\n\n");
    leave(&c);
}

/* -- keep-alive -- */

static void a_silent_stream_gets_a_comment(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 1);
    check_text(&c, "");
    fake_loop_pass(1);
    check_text(&c, ":\n");
    fake_loop_pass(3 * KEEPALIVE_MS);
    check_text(&c, ":\n:\n:\n");
    leave(&c);
}

static uint64_t sent_by_then;

static void on_first_comment(void *arg, int what)
{
    struct client *c = arg;

    (void)what;
    if (sent_by_then == 0)
        sent_by_then = fanout_stats(fanout).sent_bytes;
    read_all(c->fd, &c->bytes);
}

/* After a stall all of them are due at once: the loop must get round meanwhile. */
static void comments_for_many_take_several_turns(void **state)
{
    enum { MANY = 600 };
    static struct client clients[MANY];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    check_text(&clients[0], "");
    uint64_t before = fanout_stats(fanout).sent_bytes;
    sent_by_then = 0;
    struct watch *watch = watch_new(loop, clients[0].fd, LOOP_READ, on_first_comment, &clients[0]);
    fake_loop_pass(KEEPALIVE_MS);
    watch_free(watch);
    uint64_t all = fanout_stats(fanout).sent_bytes - before;
    assert_in_range(sent_by_then - before, 1, all / 2);
    for (int i = 0; i < MANY; i++) {
        check_text(&clients[i], ":\n");
        leave(&clients[i]);
    }
}

static void a_stream_that_waits_for_kafka_gets_comments_too(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    fake_loop_pass(2 * KEEPALIVE_MS);
    check_text(&c, ":\n:\n");
    leave(&c);
}

/* It looks into the cache for what was hidden, and has seen it elsewhere. */
static void so_does_one_that_has_only_to_look_into_the_cache(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    struct client c = open_client("AQQAAAIC"); /* 0@0, 1@1 */
    fake_loop_pass(KEEPALIVE_MS - 1);
    survey();
    come_back(1, 1);
    produce(1, "a", "1");
    topic.on_settled(topic.arg);
    fake_loop_pass(1);
    check_text(&c, ":\n");
    leave(&c);
}

static void an_event_puts_the_comment_off(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 1);
    produce(0, "a", "1");
    settle();
    fake_loop_pass(KEEPALIVE_MS - 1);
    check_data(&c, "1");
    fake_loop_pass(1);
    check_data(&c, "*");
    leave(&c);
}

static void each_stream_has_its_own_silence(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client first = open_client(NULL);
    fake_loop_pass(4000);
    struct client second = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 4000);
    check_text(&first, ":\n");
    check_text(&second, "");
    fake_loop_pass(4000);
    check_text(&second, ":\n");
    leave(&first);
    leave(&second);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_event_after_a_quiet_time_goes_at_once),
        T(the_next_one_waits_for_the_flush_interval),
        T(every_one_of_many_streams_gets_each_event),
        T(by_itself_the_interval_grows_with_the_streams),
        T(a_request_with_another_id_gets_the_same_with_its_id),
        T(ids_have_the_form_that_is_configured),
        T(comments_for_many_take_several_turns),
        T(a_silent_stream_gets_a_comment),
        T(a_stream_that_waits_for_kafka_gets_comments_too),
        T(so_does_one_that_has_only_to_look_into_the_cache),
        T(an_event_puts_the_comment_off),
        T(each_stream_has_its_own_silence),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

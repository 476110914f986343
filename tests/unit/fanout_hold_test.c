#include <sys/socket.h>

#include "fanout_setup.h"

/* -- holding -- */

static void one_that_is_up_to_date_and_held_gets_nothing_new(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client held = open_client(NULL), other = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&held, "1");
    hold(&held);
    produce_live(0, "b", "2");
    produce_live(0, "c", "3");
    fake_loop_pass(2 * KEEPALIVE_MS);
    check_text(&held, "");
    check_data(&other, "1 2 3 * *");
    let_go(&held);
    check_data(&held, "2 3");
    produce_live(0, "d", "4");
    check_data(&held, "4");
    leave(&held);
    leave(&other);
}

static void one_that_was_silent_meanwhile_gets_its_comment_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL), events = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 1);
    hold(&c);
    hold(&events);
    fake_loop_pass(1);
    check_text(&c, "");
    let_go(&c);
    check_text(&c, ":\n");
    produce_live(0, "a", "1");
    let_go(&events);
    check_data(&events, "1"); /* it is silent no more */
    leave(&c);
    leave(&events);
}

static void so_does_one_that_waits_for_the_topic(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    hold(&c);
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&c, "");
    let_go(&c);
    check_text(&c, ":\n");
    leave(&c);
}

static void holding_twice_is_holding_once(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    let_go(&c);
    hold(&c);
    hold(&c);
    produce_live(0, "a", "1");
    check_text(&c, "");
    let_go(&c);
    let_go(&c);
    check_data(&c, "1");
    leave(&c);
}

static void one_that_waits_for_the_topic_and_is_held_starts_when_it_is_let_go(void **state)
{
    (void)state;
    struct client opened = open_client(NULL);
    hold(&opened);
    make_topic(true, 1);
    consumer.p[0].end = 1;
    struct client waiting = open_client(NULL);
    hold(&waiting);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    check_text(&opened, "");
    check_text(&waiting, "");
    let_go(&opened);
    let_go(&waiting);
    check_data(&opened, "1 2");
    check_data(&waiting, "1 2");
    leave(&opened);
    leave(&waiting);
}

static void one_that_is_let_go_before_it_starts_just_starts(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    hold(&c);
    let_go(&c);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

static void one_that_is_ahead_of_us_and_held_goes_on_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA=="); /* next offset 2 */
    hold(&c);
    consumer.p[0].surveyed_end = 3;
    survey();
    produce_live(0, "b", "2");
    produce_live(0, "c", "3");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "3");
    leave(&c);
}

static void one_that_is_held_amid_its_replay_goes_on_without_loss(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(500, 500);
    struct client c = open_client(NULL); /* blocked, half an event is under way */
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 100);
    produce_live(0, "x", "1");
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), 501);
    leave(&c);
}

static void one_that_is_held_between_two_turns_of_its_replay_stops_there(void **state)
{
    enum { N = 500 };
    struct buf head = {0};
    int fds[2], large = 4 << 20;

    (void)state;
    make_topic(true, 1);
    produce_kilobytes(N, N);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
    struct client c = {
        .fd = fds[1],
        .stream = fanout_open(fanout, fds[0], 1, &(struct opening){.head = buf_slice(&head)})};
    fake_loop_turn(); /* it begins */
    fake_loop_turn();
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, N - 1);
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), N);
    leave(&c);
}

static void one_that_is_held_amid_an_event_gets_the_rest_of_it(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000); /* more than its socket takes */
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 199);
    produce_live(0, "x", "1");
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), 201);
    leave(&c);
}

static void one_that_is_let_go_while_its_socket_is_full_goes_on_later(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    hold(&c);
    let_go(&c);
    assert_int_equal(count_events(&c), 200);
    produce_live(0, "x", "1");
    check_data(&c, "1");
    leave(&c);
}

static void the_backlog_may_move_on_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "0", "first");
    check_data(&c, "first");
    hold(&c);
    produce_kilobytes(8000, 10); /* more than the backlog holds */
    check_text(&c, "");
    let_go(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 10, 4200);
    produce_live(0, "0", "last");
    check_data(&c, "last");
    leave(&c);
}

static void the_backlog_may_move_on_while_half_an_event_is_held(void **state)
{
    (void)state;
    make_topic(false, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    hold(&c);
    produce_kilobytes(8000, 10);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 199);
    let_go(&c);
    assert_int_equal(n + count_events(&c), 8200); /* not compacted: each of them */
    leave(&c);
}

static void the_topic_may_be_made_again_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    hold(&c);
    make_topic(true, 1);
    produce_live(0, "b", "2");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    produce_live(0, "c", "3");
    check_data(&c, "3");
    leave(&c);
}

static void what_cannot_be_resumed_is_told_when_it_is_let_go(void **state)
{
    (void)state;
    struct client c = open_client("nonsense");
    hold(&c);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_text(&c, "");
    let_go(&c);
    check_data(&c,
               "reset:{\"reason\":\"id_malformed\",\"detail\":\"the event id is malformed\"} 1");
    leave(&c);
}

static void deletes_may_be_forgotten_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    hold(&c);
    produce_kilobytes(8000, 1);
    produce(0, "gone", NULL);
    produce(0, "stays", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 2000);
    check_text(&c, "");
    let_go(&c);
    struct output out = receive(&c);
    buf_add_byte(&out.text, 0);
    assert_non_null(strstr((const char *)out.text.p, "event:reset"));
    assert_non_null(strstr((const char *)out.text.p, "data:2"));
    output_fini(&out);
    leave(&c);
}

/* It resumed ahead of a partition without a leader, and follows the other one. */
static struct client open_ahead_of_a_partition(void)
{
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    survey();
    produce_live(0, "c", "5");
    check_data(&c, "5");
    come_back(1, 3);
    return c;
}

static void one_that_is_held_ahead_of_a_partition_gets_nothing_twice(void **state)
{
    (void)state;
    struct client c = open_ahead_of_a_partition();
    hold(&c);
    produce_live(1, "b", "3"); /* offset 1: it has seen that */
    produce_live(1, "b", "4");
    let_go(&c);
    check_data(&c, "4");
    leave(&c);
}

static void one_that_is_slow_ahead_of_a_partition_gets_nothing_twice(void **state)
{
    (void)state;
    struct client c = open_ahead_of_a_partition();
    produce_kilobytes(200, 1000); /* of the other partition */
    produce_live(1, "b", "3");
    produce_live(1, "b", "4");
    struct output out = receive(&c);
    buf_add_byte(&out.text, 0);
    assert_null(strstr((const char *)out.text.p, "data:3\n"));
    assert_non_null(strstr((const char *)out.text.p, "data:4\n"));
    output_fini(&out);
    leave(&c);
}

static void one_that_is_held_is_reset_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    hold(&c);
    topic.on_origin(topic.arg, 0, 5); /* deleted before we have read it */
    consumer.p[0].next = 5;
    produce_live(0, "b", "2");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event id "
                   "are no longer known\"} 2 delete:YQ==");
    leave(&c);
}

static void one_that_is_held_may_leave_or_be_ended(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client leaves = open_client(NULL), ended = open_client(NULL);
    hold(&leaves);
    hold(&ended);
    produce_live(0, "a", "1");
    leave(&leaves);
    stream_finish(ended.stream, STREAM_END_TOKEN);
    fake_loop_settle();
    struct output out = receive(&ended);
    assert_true(out.ended && out.text.n == 0);
    output_fini(&out);
    leave(&ended);
    assert_int_equal(fanout_count(fanout), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_that_is_up_to_date_and_held_gets_nothing_new),
        T(one_that_was_silent_meanwhile_gets_its_comment_when_it_is_let_go),
        T(so_does_one_that_waits_for_the_topic),
        T(holding_twice_is_holding_once),
        T(one_that_waits_for_the_topic_and_is_held_starts_when_it_is_let_go),
        T(one_that_is_let_go_before_it_starts_just_starts),
        T(one_that_is_ahead_of_us_and_held_goes_on_when_it_is_let_go),
        T(one_that_is_held_amid_its_replay_goes_on_without_loss),
        T(one_that_is_held_between_two_turns_of_its_replay_stops_there),
        T(one_that_is_held_amid_an_event_gets_the_rest_of_it),
        T(one_that_is_let_go_while_its_socket_is_full_goes_on_later),
        T(the_backlog_may_move_on_while_a_stream_is_held),
        T(the_backlog_may_move_on_while_half_an_event_is_held),
        T(the_topic_may_be_made_again_while_a_stream_is_held),
        T(what_cannot_be_resumed_is_told_when_it_is_let_go),
        T(deletes_may_be_forgotten_while_a_stream_is_held),
        T(one_that_is_held_ahead_of_a_partition_gets_nothing_twice),
        T(one_that_is_slow_ahead_of_a_partition_gets_nothing_twice),
        T(one_that_is_held_is_reset_when_it_is_let_go),
        T(one_that_is_held_may_leave_or_be_ended),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

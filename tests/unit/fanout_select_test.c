#include <stdio.h>
#include <stdlib.h>

#include "fanout_setup.h"
#include "select/selection.h"

/* Streams that select, as their clients see them. */

static void each_gets_its_own(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    struct client a = open_keys(1, NULL, "a"), b = open_keys(1, NULL, "b"), all = open_client(NULL);
    produce_live(0, "a", "3");
    produce_live(1, "c", "4");
    produce_live(1, "b", NULL);
    check_data(&a, "1 3");
    check_data(&b, "2 delete:Yg==");
    check_data(&all, "1 2 3 4 delete:Yg==");
    leave(&a);
    leave(&b);
    leave(&all);
}

static void who_wants_everything_comes_later(void **state)
{
    (void)state;
    make_topic(false, 1);
    struct client a = open_keys(1, NULL, "a");
    produce_live(0, "b", "1");
    produce_live(0, "a", "2");
    produce_live(0, "b", "3");
    struct client all = open_client(NULL);
    produce_live(0, "b", "4");
    produce_live(0, "a", "5");
    check_data(&all, "1 2 3 4 5");
    check_data(&a, "2 5");
    leave(&all);
    produce_live(0, "b", "6");
    produce_live(0, "a", "7");
    check_data(&a, "7");
    leave(&a);
}

static void in_silence_it_is_told_its_place(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client a = open_keys(1, NULL, "a");
    produce_live(0, "a", "1");
    check_data(&a, "1");
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&a, ":\n");
    produce_live(0, "b", "2");
    fake_loop_pass(KEEPALIVE_MS);
    struct output told = receive(&a);
    assert_memory_equal(told.text.p, "id:AQIABA==~", 12);
    assert_memory_equal(told.text.p + told.text.n - 2, "\n\n", 2);
    output_fini(&told);
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&a, ":\n");
    leave(&a);
}

static void one_that_is_held_gets_its_own_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client a = open_keys(1, NULL, "a b");
    hold(&a);
    produce_live(0, "a", "1");
    produce_live(0, "c", "2");
    produce_live(0, "b", "3");
    check_text(&a, "");
    let_go(&a);
    check_data(&a, "1 3");
    leave(&a);
}

static void one_whose_socket_is_full_goes_on_with_the_newest_of_its_keys(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client a = open_keys(1, NULL, "0 1");
    produce_kilobytes(9000, 4);
    produce_live(0, "1", "last");
    struct output out = receive(&a);
    assert_int_equal(out.rest, 0);
    assert_non_null(memmem(out.text.p, out.text.n, "data:last\n\n", 11));
    assert_true(fanout_stats(fanout).conflations > 0);
    output_fini(&out);
    leave(&a);
}

static void a_topic_made_again_is_a_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client a = open_keys(1, NULL, "a");
    produce_live(0, "a", "1");
    check_data(&a, "1");
    make_topic(true, 1);
    produce_live(0, "b", "2");
    produce_live(0, "a", "3");
    struct output out = receive(&a);
    assert_non_null(memmem(out.text.p, out.text.n, "topic_new", 9));
    assert_non_null(memmem(out.text.p, out.text.n, "data:3\n\n", 8));
    assert_null(memmem(out.text.p, out.text.n, "data:2\n\n", 8));
    output_fini(&out);
    leave(&a);
}

static void change(struct client *c, const char *keys,
                   void (*how)(struct stream *s, struct selection *selection))
{
    struct selection *selection = select_keys(keys);

    how(c->stream, selection);
    selection_unref(selection);
    fake_loop_settle();
}

static void select_anew(struct client *c, const char *keys)
{
    change(c, keys, stream_select);
}

static void narrow(struct client *c, const char *keys)
{
    change(c, keys, stream_narrow);
}

static void one_that_selects_otherwise_is_reset_and_gets_that(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_keys(1, NULL, "a");
    check_data(&c, "1");
    select_anew(&c, "b");
    produce_live(0, "a", "3");
    produce_live(0, "b", "4");
    check_data(&c, "reset:{\"reason\":\"selection\",\"detail\":\"the event id is of a stream that "
                   "selects otherwise\"} 2 4");
    assert_int_equal(fanout_stats(fanout).index_keys, 1);
    leave(&c);
}

static void while_it_waits_for_the_topic_it_may_select_otherwise_too(void **state)
{
    (void)state;
    struct client fresh = open_keys(1, NULL, "a"), resumed = open_keys(1, "AQIAAg==", "a");
    select_anew(&fresh, "b");
    select_anew(&resumed, "b");
    make_topic(true, 1);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    check_data(&fresh, "2");
    struct output out = receive(&resumed);
    assert_non_null(memmem(out.text.p, out.text.n, "event:reset", 11));
    assert_null(memmem(out.text.p, out.text.n, "data:1\n\n", 8));
    output_fini(&out);
    leave(&fresh);
    leave(&resumed);
}

static void one_that_is_told_another_selection_gets_what_differs(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_keys(1, NULL, "a"), all = open_client(NULL);
    check_data(&c, "1");
    check_data(&all, "1 2");
    narrow(&c, "b");
    check_data(&c, "delete:YQ== 2 ");
    narrow(&all, "a");
    check_data(&all, "delete:Yg== ");
    narrow(&c, NULL);
    check_data(&c, "1 ");
    produce_live(0, "a", "3");
    produce_live(0, "b", "4");
    check_data(&c, "3 4");
    check_data(&all, "3");
    leave(&c);
    leave(&all);
}

static void while_it_is_held_it_is_told_and_sent_nothing(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_keys(1, NULL, "a");
    check_data(&c, "1");
    hold(&c);
    narrow(&c, "b");
    narrow(&c, "a b");
    produce_live(0, "a", "3");
    check_data(&c, "");
    let_go(&c);
    check_data(&c, "2 3 ");
    leave(&c);
}

static void a_topic_made_again_ends_its_way(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_keys(1, NULL, "a");
    check_data(&c, "1");
    hold(&c);
    narrow(&c, "b");
    make_topic(true, 1);
    produce(0, "a", "3");
    produce(0, "b", "4");
    let_go(&c);
    settle();
    check_data(&c, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 4");
    leave(&c);
}

static void a_partition_that_comes_back_is_given_of_its_keys(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "a", "2");
    settle();
    struct client a = open_keys(1, NULL, "a");
    check_data(&a, "1 2");
    give_up(1);
    settle();
    produce_live(0, "a", "5");
    check_data(&a, "5");
    come_back(1, 4);
    produce(1, "a", "old");
    produce(1, "b", "4");
    settle();
    check_data(&a, "");
    produce_live(1, "a", "3");
    check_data(&a, "3");
    produce_live(1, "a", "6");
    check_data(&a, "6");
    leave(&a);
}

static void it_is_counted_what_is_wanted_and_what_nobody_did(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client a = open_keys(1, NULL, "a b"), b = open_keys(1, NULL, "b");
    produce_live(0, "c", "2");
    produce_live(0, "b", "3");
    assert_int_equal(fanout_stats(fanout).index_keys, 2);
    assert_int_equal(fanout_stats(fanout).unwanted, 1);
    leave(&a);
    fake_loop_settle();
    assert_int_equal(fanout_stats(fanout).index_keys, 1);
    leave(&b);
    fake_loop_settle();
    assert_int_equal(fanout_stats(fanout).index_keys, 0);
    assert_int_equal(fanout_stats(fanout).backlog_bytes, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_gets_its_own),
        T(who_wants_everything_comes_later),
        T(in_silence_it_is_told_its_place),
        T(one_that_is_held_gets_its_own_when_it_is_let_go),
        T(one_whose_socket_is_full_goes_on_with_the_newest_of_its_keys),
        T(a_topic_made_again_is_a_reset),
        T(one_that_selects_otherwise_is_reset_and_gets_that),
        T(while_it_waits_for_the_topic_it_may_select_otherwise_too),
        T(one_that_is_told_another_selection_gets_what_differs),
        T(while_it_is_held_it_is_told_and_sent_nothing),
        T(a_topic_made_again_ends_its_way),
        T(a_partition_that_comes_back_is_given_of_its_keys),
        T(it_is_counted_what_is_wanted_and_what_nobody_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

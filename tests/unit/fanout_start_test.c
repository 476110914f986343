#include "fanout_setup.h"
#include "stream/streams.h"

/* -- starting -- */

static void the_head_goes_out_before_kafka_has_answered(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    struct output out = {0};
    read_all(c.fd, &c.bytes);
    output_read(&out, buf_slice(&c.bytes));
    assert_text(buf_slice(&out.text), "head\n");
    assert_int_equal(fanout_count(fanout), 1);
    output_fini(&out);
    leave(&c);
}

static void a_stream_gets_the_topic_and_then_what_comes(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "a", "3");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "2 3");
    produce_live(0, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

static void a_stream_waits_for_the_end_of_the_topic_as_it_was_when_it_came(void **state)
{
    (void)state;
    make_topic(true, 2);
    consumer.p[0].end = 1;
    consumer.p[1].end = 1;
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    settle();
    check_data(&c, "");
    produce(1, "b", "2");
    settle();
    check_data(&c, "1 2");
    leave(&c);
}

static void what_is_superseded_before_the_end_is_reached_is_not_shown(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2;
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    settle();
    produce(0, "a", "2");
    settle();
    check_data(&c, "2");
    leave(&c);
}

static void the_end_may_be_reached_without_a_record(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2; /* a marker of a transaction */
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    consumer.p[0].end = 2;
    settle();
    check_data(&c, "");
    consumer.p[0].next = 2;
    topic.on_position(topic.arg, 0, 2);
    settle();
    check_data(&c, "1");
    leave(&c);
}

static void a_stream_that_comes_while_others_wait_has_an_end_of_its_own(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 1;
    struct client first = open_client(NULL);
    consumer.p[0].end = 2;
    struct client second = open_client(NULL);
    produce(0, "a", "1");
    consumer.p[0].end = 2;
    settle();
    check_data(&first, "1");
    check_data(&second, "");
    produce(0, "a", "2");
    settle();
    fake_loop_pass(FLUSH_MS);
    check_data(&second, "2");
    check_data(&first, "2");
    leave(&first);
    leave(&second);
}

static void nobody_is_started_before_the_topic_is_known(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    settle();
    check_data(&c, "");
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

/* Each look at the topic's end asks for that of each partition. */
static void streams_that_come_in_one_turn_are_looked_at_together(void **state)
{
    enum { MANY = 200, PARTITIONS = 4 };
    static struct client clients[MANY];

    (void)state;
    make_topic(true, PARTITIONS);
    produce(0, "a", "1");
    settle();
    fake_consumer_questions = 0;
    for (int i = 0; i < MANY; i++)
        clients[i] = open_unsettled(1, NULL);
    fake_loop_settle();
    assert_in_range(fake_consumer_questions, PARTITIONS, 3 * PARTITIONS);
    for (int i = 0; i < MANY; i++) {
        check_data(&clients[i], "1");
        leave(&clients[i]);
    }
}

/* Each costs as much as the cache is large: the loop must get round meanwhile. */
static void streams_that_begin_together_take_turns(void **state)
{
    enum { MANY = 40 };
    struct client clients[MANY];
    size_t begun = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    consumer.ready = true;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 1);
    topic.on_origin(topic.arg, 0, 0);
    produce(0, "a", "1");
    topic.on_settled(topic.arg);
    fake_loop_turn();
    for (int i = 0; i < MANY; i++)
        begun += clients[i].stream->state == STREAM_READY;
    assert_in_range(begun, 1, MANY / 2);
    fake_loop_settle();
    for (int i = 0; i < MANY; i++) {
        check_data(&clients[i], "1");
        leave(&clients[i]);
    }
}

/* -- caught up -- */

static bool caught_up(void)
{
    return fanout_stats(fanout).caught_up;
}

static void it_is_caught_up_when_all_was_read_that_was_there_first(void **state)
{
    (void)state;
    settle();
    assert_false(caught_up());
    make_topic(true, 2);
    assert_true(caught_up()); /* an empty topic */
    teardown(NULL);
    setup(NULL);
    consumer.ready = true;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    consumer.p[0].end = 2;
    consumer.p[1].end = 1;
    settle();
    assert_false(caught_up());
    produce(0, "a", "1");
    consumer.p[0].end = 10; /* what came later does not count */
    produce(1, "b", "2");
    settle();
    assert_false(caught_up());
    produce(0, "a", "3");
    consumer.p[0].end = 10;
    settle();
    assert_true(caught_up());
    consumer.p[0].end = 1000;
    settle();
    assert_true(caught_up()); /* once and for all, as long as it is the same topic */
}

static void a_topic_made_again_is_to_be_caught_up_with_anew(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    assert_true(caught_up());
    memset(consumer.p, 0, sizeof consumer.p);
    consumer.p[0].end = 1;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 1);
    settle();
    assert_false(caught_up());
    produce(0, "a", "1");
    settle();
    assert_true(caught_up());
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_head_goes_out_before_kafka_has_answered),
        T(a_stream_gets_the_topic_and_then_what_comes),
        T(a_stream_waits_for_the_end_of_the_topic_as_it_was_when_it_came),
        T(what_is_superseded_before_the_end_is_reached_is_not_shown),
        T(the_end_may_be_reached_without_a_record),
        T(a_stream_that_comes_while_others_wait_has_an_end_of_its_own),
        T(nobody_is_started_before_the_topic_is_known),
        T(streams_that_come_in_one_turn_are_looked_at_together),
        T(streams_that_begin_together_take_turns),
        T(it_is_caught_up_when_all_was_read_that_was_there_first),
        T(a_topic_made_again_is_to_be_caught_up_with_anew),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

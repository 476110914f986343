#include <stdio.h>

#include "fanout_setup.h"

/* -- keys that have aged -- */

static void a_key_that_the_broker_has_dropped_by_age_is_deleted_on_open_streams(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1 2");
    topic.on_end(topic.arg, 0, loop_now_ms());
    topic.on_origin(topic.arg, 0, 1);
    settle();
    fake_loop_pass(FLUSH_MS);
    check_text(&c, "id:AQQABAIA\nevent:delete\ndata:YQ==\n\n");
    produce_live(0, "a", "3");
    check_text(&c, "id:AQQABgIA\ndata:3\n\n");
    struct client fresh = open_client(NULL), back = open_client("AQQABAIA");
    check_data(&fresh, "2 3");
    check_data(&back, "3");
    leave(&c);
    leave(&fresh);
    leave(&back);
}

static void in_the_keyed_form_too(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_KEY, 1 << 30);
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIAAg==");
    topic.on_origin(topic.arg, 0, 1);
    settle();
    fake_loop_pass(FLUSH_MS);
    check_text(&c, "id:[\"YQ==\",\"AQIAAg==\"]\nevent:delete\ndata:YQ==\n\n");
    leave(&c);
}

/* More than a turn's work, than a flush and than the backlog holds. */
static void many_keys_age_in_many_turns_and_reach_everybody(void **state)
{
    enum { MANY = 60000 };

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        produce(0, key, "v");
    }
    settle();
    struct client quick = open_client(NULL), slow = open_client(NULL);
    assert_int_equal(count_events(&quick), MANY);
    topic.on_origin(topic.arg, 0, MANY - 1);
    settle();
    assert_int_equal(count_events(&quick), MANY - 1);
    assert_in_range(count_events(&slow), MANY, 2 * MANY);
    produce_live(0, "last", "v");
    assert_int_equal(count_events(&quick), 1);
    assert_int_equal(count_events(&slow), 1);
    leave(&quick);
    leave(&slow);
}

/* -- a topic made again -- */

static void every_open_stream_is_reset_when_the_topic_was_made_again(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client fresh = open_client(NULL), resumed = open_client("AQIAAg=="),
                  ahead = open_client("AQIABA==");
    check_data(&fresh, "1");
    make_topic(true, 1);
    check_data(&fresh, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"}");
    produce_live(0, "b", "2");
    check_data(&fresh, "2");
    check_data(&resumed,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    check_data(&ahead,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    leave(&fresh);
    leave(&resumed);
    leave(&ahead);
}

static void a_stream_that_still_waited_is_not_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 5;
    struct client c = open_client(NULL);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

/* Made again as long as before, so that their ids could be honoured. */
static void those_that_wait_with_an_id_of_the_topic_that_was_are_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    consumer.p[0].end = 2;
    struct client waiting = open_client("AQIAAg=="), fresh = open_client(NULL);
    consumer.ready = false;
    struct client opened = open_client("AQIAAg==");
    make_topic(true, 1);
    produce_live(0, "a", "2");
    produce_live(0, "b", "3");
    check_data(&waiting,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2 3");
    check_data(&opened,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2 3");
    check_data(&fresh, "2 3");
    leave(&waiting);
    leave(&fresh);
    leave(&opened);
}

static void who_waits_for_the_topic_that_is_first_known_is_not_reset(void **state)
{
    (void)state;
    struct client c = open_client("AQIAAg==");
    make_topic(true, 1);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    survey();
    check_data(&c, "2");
    leave(&c);
}

/* What comes later is another one, whoever has read the first. */
static void who_waits_for_a_topic_that_was_missing_is_reset(void **state)
{
    (void)state;
    struct client waiting = open_client("AQIAAg=="), fresh = open_client(NULL);
    topic.on_missing(topic.arg);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    check_data(&waiting,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 1 2");
    check_data(&fresh, "1 2");
    leave(&waiting);
    leave(&fresh);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_key_that_the_broker_has_dropped_by_age_is_deleted_on_open_streams),
        T(in_the_keyed_form_too),
        T(many_keys_age_in_many_turns_and_reach_everybody),
        T(every_open_stream_is_reset_when_the_topic_was_made_again),
        T(a_stream_that_still_waited_is_not_reset),
        T(those_that_wait_with_an_id_of_the_topic_that_was_are_reset),
        T(who_waits_for_the_topic_that_is_first_known_is_not_reset),
        T(who_waits_for_a_topic_that_was_missing_is_reset),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

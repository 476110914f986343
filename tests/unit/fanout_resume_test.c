#include "fanout_setup.h"

/* -- resuming -- */

static void who_resumes_gets_the_rest_with_its_deletes(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "a", NULL);
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "2 delete:YQ==");
    produce_live(0, "c", "3");
    check_data(&c, "3");
    leave(&c);
}

static void a_malformed_id_is_reset_and_everything_follows(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("nonsense");
    check_text(&c, "id:AQIAAA==\nevent:reset\ndata:{\"reason\":\"id_malformed\",\"detail\":\"the "
                   "event id is malformed\"}\n\n"
                   "id:AQIAAg==\ndata:1\n\n");
    leave(&c);
}

static void an_id_that_is_merely_ahead_of_us_waits(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA=="); /* next offset 2 */
    check_text(&c, "");
    consumer.p[0].surveyed_end = 3;
    survey();
    check_text(&c, "");
    produce(0, "b", "2");
    settle();
    produce(0, "c", "3");
    settle();
    fake_loop_pass(FLUSH_MS);
    check_data(&c, "3");
    leave(&c);
}

static void an_id_beyond_the_end_is_reset_after_a_look_at_the_cluster(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA==");
    topic.on_survey(topic.arg, consumer.asked - 1); /* one that began before it came */
    check_text(&c, "");
    survey();
    check_data(&c, "reset:{\"reason\":\"id_beyond_end\",\"detail\":\"the event id is beyond the "
                   "end of the topic\"} 1");
    leave(&c);
}

static void an_id_of_a_partition_that_the_topic_lacks_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQQAAgIC"); /* 0@1 1@1 */
    survey();
    check_data(&c, "reset:{\"reason\":\"partition_unknown\",\"detail\":\"the event id names a "
                   "partition that the topic lacks\"} 1");
    leave(&c);
}

static void partitions_that_an_id_omits_start_at_their_beginning(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "2");
    leave(&c);
}

static void an_id_below_a_forgotten_delete_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "a", NULL);
    produce(0, "b", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 1000);
    struct client below = open_client("AQIAAg=="), behind = open_client("AQIABA==");
    check_data(&below, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                       "id are no longer known\"} 2");
    check_data(&behind, "2");
    leave(&below);
    leave(&behind);
}

static void who_resumes_ahead_of_a_partition_without_a_leader_gets_nothing_twice(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    survey();
    come_back(1, 3);
    produce_live(1, "b", "3"); /* offset 1: it has seen that */
    produce_live(1, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

/* Partition 1 has no leader, and the client is one record ahead of us in it; it begins now. */
static struct client begin_ahead_of_a_partition(void)
{
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    topic.on_survey(topic.arg, consumer.asked);
    return c;
}

static void what_comes_before_a_stream_ahead_is_first_sent_comes_once(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    produce(0, "c", "5"); /* in the turn in which it began */
    settle();
    produce_live(0, "d", "6");
    check_text(&c, "id:AQQABAIE\ndata:5\n\n"
                   "id:AQQABgIE\ndata:6\n\n");
    leave(&c);
}

static void
a_partition_that_returns_before_a_stream_ahead_is_first_sent_repeats_nothing(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    come_back(1, 3);
    produce(1, "b", "3"); /* it has seen that */
    settle();
    produce_live(1, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

static void a_stream_ahead_of_a_partition_that_returns_shorter_is_reset(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    settle();
    produce_live(0, "c", "5");
    check_data(&c, "5");
    come_back(1, 1);
    survey();
    check_data(&c, "reset:{\"reason\":\"id_beyond_end\",\"detail\":\"the event id is beyond the "
                   "end of the topic\"} 1 2 5");
    produce_live(1, "b", "3");
    check_data(&c, "3");
    leave(&c);
}

static void who_resumes_with_an_early_id_is_told_of_the_gap(void **state)
{
    (void)state;
    make_topic(false, 1);
    for (int i = 0; i < 5; i++)
        produce(0, "a", "x");
    topic.on_origin(topic.arg, 0, 3);
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "gap:{\"partition\":0,\"from\":1,\"to\":3} x x");
    leave(&c);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(who_resumes_gets_the_rest_with_its_deletes),
        T(a_malformed_id_is_reset_and_everything_follows),
        T(an_id_that_is_merely_ahead_of_us_waits),
        T(an_id_beyond_the_end_is_reset_after_a_look_at_the_cluster),
        T(an_id_of_a_partition_that_the_topic_lacks_is_reset),
        T(partitions_that_an_id_omits_start_at_their_beginning),
        T(an_id_below_a_forgotten_delete_is_reset),
        T(who_resumes_ahead_of_a_partition_without_a_leader_gets_nothing_twice),
        T(what_comes_before_a_stream_ahead_is_first_sent_comes_once),
        T(a_partition_that_returns_before_a_stream_ahead_is_first_sent_repeats_nothing),
        T(a_stream_ahead_of_a_partition_that_returns_shorter_is_reset),
        T(who_resumes_with_an_early_id_is_told_of_the_gap),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fanout_setup.h"

/* -- partitions that go and come back -- */

static void a_partition_holds_the_others_back_until_it_is_given_up(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    consumer.p[1].end = 5;
    struct client c = open_client(NULL);
    settle();
    check_data(&c, "");
    give_up(1);
    settle();
    check_data(&c, "1");
    struct client late = open_client(NULL);
    check_data(&late, "1");
    leave(&c);
    leave(&late);
}

/* Its leader is not heard of before the stream comes. */
static void what_is_superseded_before_a_late_end_is_reached_is_not_shown(void **state)
{
    (void)state;
    make_topic(true, 2);
    consumer.p[1].end = consumer.p[1].surveyed_end = -1;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    struct client c = open_client(NULL);
    produce(0, "q", "q");
    settle();
    check_data(&c, "");
    assert_false(fanout_stats(fanout).caught_up);
    come_back(1, 3);
    produce(1, "k", "old");
    settle();
    produce(1, "k", "newer");
    settle();
    check_data(&c, "");
    produce(1, "k", "newest");
    settle();
    check_data(&c, "q newest");
    assert_true(fanout_stats(fanout).caught_up);
    leave(&c);
}

static void a_partition_that_comes_back_is_shown_as_a_replay_does(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    check_text(&c, "id:AQQAAgIA\ndata:1\n\n"); /* 0@1 1@0 */
    assert_true(fanout_stats(fanout).caught_up);
    come_back(1, 4);
    produce(1, "x", "old");
    produce(1, "y", "gone");
    produce(1, "x", "new");
    settle();
    assert_false(fanout_stats(fanout).caught_up);
    produce_live(0, "b", "2"); /* who comes back with that id gets all of it */
    check_text(&c, "id:AQQABAIA\ndata:2\n\n");
    produce_live(1, "y", NULL);
    check_text(&c, "id:AQQABAIG\ndata:new\n\n");
    assert_true(fanout_stats(fanout).caught_up);
    produce_live(1, "z", "live");
    check_text(&c, "id:AQQABAIK\ndata:live\n\n");
    leave(&c);
}

static void who_knew_it_before_is_told_of_its_deletes(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(1, "x", "1");
    produce(1, "y", "2");
    settle();
    struct client knows = open_client(NULL);
    check_data(&knows, "1 2");
    give_up(1);
    settle();
    struct client late = open_client(NULL);
    check_data(&late, "1 2"); /* what is known of it */
    come_back(1, 5);
    produce(1, "x", "3");
    produce(1, "y", NULL);
    settle();
    check_data(&knows, "");
    produce_live(1, "x", "4");
    check_data(&knows, "delete:eQ== 4");
    check_data(&late, "delete:eQ== 4");
    leave(&knows);
    leave(&late);
}

/* The delete is in the cache already when the stream comes, but hidden. */
static void who_never_had_it_is_not_told_of_its_delete(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(1, "x", "1");
    give_up(1);
    settle();
    produce(1, "x", NULL);
    struct client at_once = open_client(NULL);
    check_data(&at_once, "");
    struct client live = open_client(NULL);
    produce_live(0, "a", "2");
    check_data(&live, "2");
    check_data(&at_once, "2");
    come_back(1, 3);
    struct client with_it = open_unsettled(1, NULL);
    produce_live(1, "y", "3");
    check_data(&at_once, "3");
    check_data(&live, "3");
    check_data(&with_it, "2 3");
    leave(&at_once);
    leave(&live);
    leave(&with_it);
}

/* It was never read, and a delete in it has been forgotten when it is. */
static void who_never_had_any_of_it_is_not_reset(void **state)
{
    (void)state;
    make_topic(true, 2);
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    topic.on_origin(topic.arg, 0, 0);
    topic.on_origin(topic.arg, 1, 0);
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    produce(1, "x", NULL);
    settle();
    fake_loop_pass(2 * RETENTION_MS);
    check_data(&c, "* * * * * * *");
    come_back(1, 2);
    produce_live(1, "y", "2");
    check_data(&c, "2");
    leave(&c);
}

/* It has an id of another responder; the partition comes only later, begins there and ends there.
 */
static struct client open_with_some(int64_t origin, int64_t end)
{
    make_topic(true, 2);
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    topic.on_origin(topic.arg, 0, 0);
    give_up(1);
    settle();
    struct client c = open_client("AQQAAAIC"); /* 0@0 1@1 */
    survey();
    come_back(1, end);
    topic.on_origin(topic.arg, 1, origin);
    consumer.p[1].next = 1;
    return c;
}

static void who_had_some_of_it_elsewhere_is_told_of_its_deletes(void **state)
{
    (void)state;
    struct client c = open_with_some(0, 3);
    produce(1, "x", NULL);
    produce_live(1, "y", "2");
    check_data(&c, "delete:eA== 2");
    leave(&c);
}

static void who_had_some_of_it_elsewhere_that_may_have_aged_is_reset(void **state)
{
    (void)state;
    struct client c = open_with_some(1, 3);
    produce(1, "x", NULL);
    produce_live(1, "y", "2");
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the "
                   "event id are no longer known\"} 2");
    leave(&c);
}

static void so_it_is_where_nothing_is_left(void **state)
{
    (void)state;
    struct client c = open_with_some(1, 1);
    survey();
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the "
                   "event id are no longer known\"}");
    leave(&c);
}

static void what_was_passed_before_a_stream_came_is_no_gap_to_it(void **state)
{
    (void)state;
    make_topic(false, 3);
    produce(2, "a", "1");
    give_up(1);
    settle();
    struct client first = open_client(NULL);
    check_data(&first, "1");
    topic.on_position(topic.arg, 0, 1); /* a transaction was aborted */
    topic.on_origin(topic.arg, 0, 1);
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    come_back(1, 1);
    produce_live(1, "x", "2");
    check_data(&c, "2");
    check_data(&first, "2");
    leave(&c);
    leave(&first);
}

/* It has an id of another responder; the record behind that is gone when this one reads on. */
static void who_had_some_of_it_elsewhere_is_told_of_a_gap(void **state)
{
    (void)state;
    make_topic(false, 2);
    topic.on_topic(topic.arg, false, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    topic.on_origin(topic.arg, 0, 0);
    give_up(1);
    settle();
    struct client first = open_client(NULL), c = open_client("AQQAAAIC"); /* 0@0 1@1 */
    survey();
    produce_live(0, "a", "1");
    check_data(&c, "1");
    come_back(1, 3);
    topic.on_origin(topic.arg, 1, 2);
    produce_live(0, "a", "2");
    consumer.p[1].next = 2;
    produce_live(1, "y", "3");
    check_data(&c, "gap:{\"partition\":1,\"from\":1,\"to\":2} 2 3");
    check_data(&first, "1 2 3");
    leave(&c);
    leave(&first);
}

static void one_that_comes_back_without_a_record_takes_no_id_back(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    come_back(1, 2); /* a transaction was aborted */
    consumer.p[1].next = 2;
    topic.on_position(topic.arg, 1, 2);
    settle();
    produce_live(0, "a", "1");
    check_text(&c, "id:AQQAAgIE\ndata:1\n\n");
    produce(0, "b", "2");
    give_up(1);
    come_back(1, 3);
    produce(1, "x", "3");
    settle();
    check_text(&c, "id:AQQABAIE\ndata:2\n\nid:AQQABAIG\ndata:3\n\n");
    leave(&c);
}

static void one_that_goes_again_before_its_end_stays_hidden(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    come_back(1, 2);
    produce(1, "x", "old");
    settle();
    give_up(1);
    settle();
    struct client late = open_client(NULL);
    check_data(&late, "");
    come_back(1, 3); /* there is more by now */
    produce(1, "x", "newer");
    settle();
    check_data(&c, "");
    produce_live(1, "x", "newest");
    check_data(&c, "newest");
    check_data(&late, "newest");
    leave(&c);
    leave(&late);
}

static void who_comes_while_it_is_read_waits_for_its_end(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    come_back(1, 2);
    produce(1, "x", "old");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "");
    produce_live(1, "x", "new");
    check_data(&c, "new");
    leave(&c);
}

/* The broker has dropped what was not read. */
static struct client open_and_come_back_with_a_hole(bool compacted)
{
    make_topic(compacted, 2);
    produce(0, "a", "1");
    produce(1, "x", "2");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1 2");
    give_up(1);
    settle();
    come_back(1, 11);
    topic.on_origin(topic.arg, 1, 10);
    consumer.p[1].next = 10;
    produce_live(1, "y", "3");
    return c;
}

static void a_partition_that_comes_back_with_a_hole_is_a_reset(void **state)
{
    (void)state;
    struct client c = open_and_come_back_with_a_hole(true);
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event id "
                   "are no longer known\"} 1 3 "
                   "delete:eA=="); /* x has aged */
    leave(&c);
}

static void a_partition_that_comes_back_with_a_gap_is_one(void **state)
{
    (void)state;
    struct client c = open_and_come_back_with_a_hole(false);
    check_data(&c, "gap:{\"partition\":1,\"from\":1,\"to\":10} 3");
    leave(&c);
}

static void so_is_one_that_comes_back_without_a_record(void **state)
{
    (void)state;
    make_topic(false, 2);
    produce(1, "x", "1");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    give_up(1);
    settle();
    come_back(1, 10);
    topic.on_origin(topic.arg, 1, 10);
    consumer.p[1].next = 10;
    settle();
    check_data(&c, "gap:{\"partition\":1,\"from\":1,\"to\":10}");
    produce_live(0, "a", "2");
    check_text(&c, "id:AQQAAgIU\ndata:2\n\n");
    leave(&c);
}

static void a_gap_is_told_whole_while_another_partition_is_away(void **state)
{
    (void)state;
    make_topic(false, 2);
    produce(0, "a", "1");
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    topic.on_origin(topic.arg, 0, 10);
    consumer.p[0].next = 10;
    produce_live(0, "a", "2");
    check_text(&c, "id:AQQAFAIA\nevent:gap\ndata:{\"partition\":0,\"from\":1,\"to\":10}\n\n"
                   "id:AQQAFgIA\ndata:2\n\n");
    leave(&c);
}

/* -- a partition that was away for longer than deletes are kept -- */

static void produce_at(int64_t offset, const char *key, const char *value)
{
    consumer.p[0].next = offset;
    produce_live(0, key, value);
}

/* Of partition 0: its only record, and that there is no other. */
static void read_to_its_end(void)
{
    produce(0, "gone", "1");
    settle();
    topic.on_end(topic.arg, 0, loop_now_ms());
}

/* Its delete was compacted away meanwhile: the log, read again, does not have it. */
static void a_topic_whose_deletes_may_have_been_missed_is_read_anew(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    struct client live = open_client(NULL);
    check_data(&live, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&live, "* * * *");
    produce_at(2, "k", "2");
    assert_true(consumer.read_anew);
    check_data(&live, ""); /* nothing with an id behind the delete */
    struct client knows = open_client("AQIAAg=="), fresh = open_client(NULL);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    check_data(&live, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                      "id are no longer known\"} 2");
    check_data(&knows, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                       "id are no longer known\"} 2");
    check_data(&fresh, "2");
    leave(&live);
    leave(&knows);
    leave(&fresh);
}

/* It was not given what came last, whatever it selects. */
static void one_that_selects_is_judged_by_the_place_before_what_was_missing(void **state)
{
    static const char reset[] =
        "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
        "id are no longer known\"} 2";

    (void)state;
    for (int by_record = 0; by_record < 2; by_record++) {
        make_topic(true, 1);
        read_to_its_end();
        struct client c = open_keys(1, NULL, "gone k");
        check_data(&c, "1");
        fake_loop_pass(RETENTION_MS);
        check_data(&c, "* * * *");
        if (by_record)
            produce_at(2, "k", "2");
        else
            topic.on_position(topic.arg, 0, 2);
        assert_true(consumer.read_anew);
        make_topic(true, 1);
        produce_at(2, "k", "2");
        check_data(&c, reset);
        leave(&c);
    }
}

static void so_is_one_that_now_ends_with_a_hole(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    fake_loop_pass(RETENTION_MS);
    topic.on_position(topic.arg, 0, 2);
    assert_true(consumer.read_anew);
}

/* Its end was not reached yet. */
static void so_is_one_whose_first_load_was_stopped(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 7;
    produce(0, "gone", "1");
    settle();
    fake_loop_pass(2000);
    fake_loop_stop(RETENTION_MS);
    produce_at(5, "k", "2");
    assert_true(consumer.read_anew);
    struct client c = open_client(NULL);
    make_topic(true, 1);
    consumer.p[0].next = 5;
    produce(0, "k", "2");
    produce_live(0, "l", "3");
    check_data(&c, "2 3");
    leave(&c);
}

static void one_that_is_merely_loaded_slowly_is_not(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 20;
    for (int64_t offset = 0; offset < 20; offset += 2) {
        fake_loop_pass(RETENTION_MS - 5000);
        produce_at(offset, "k", "v");
    }
    assert_false(consumer.read_anew);
}

/* An id that was not judged yet is good, if it is behind what may be missing. */
static void who_waits_meanwhile_keeps_the_place(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    fake_loop_pass(RETENTION_MS);
    consumer.p[0].end = 4;
    struct client c = open_client("AQIABg=="); /* 0@3 */
    produce_at(2, "k", "2");
    assert_true(consumer.read_anew);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    produce_live(0, "l", "3");
    check_data(&c, "3");
    leave(&c);
}

/* The stream has what this responder could not read: its own deletes it has seen elsewhere. */
static void who_is_behind_what_may_be_missing_goes_on_without_a_reset(void **state)
{
    (void)state;
    make_topic(true, 2);
    read_to_its_end();
    give_up(0);
    settle();
    struct client c = open_client("AQQABgIA"); /* 0@3, 1@0 */
    fake_loop_pass(RETENTION_MS);
    survey();
    produce_live(1, "a", "2");
    check_data(&c, "* * * * 2");
    come_back(0, 4);
    produce_at(2, "k", "3");
    assert_true(consumer.read_anew);
    make_topic(true, 2);
    produce_at(2, "k", "3");
    produce_live(0, "l", "4");
    produce_live(1, "a", "2");
    produce_live(1, "a", "5");
    check_data(&c, "4 5");
    leave(&c);
}

static void who_was_given_nothing_yet_begins_anew(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    fake_loop_pass(RETENTION_MS);
    struct client c = open_unsettled(1, NULL);
    fake_loop_turn(); /* it begins, but is sent nothing */
    consumer.p[0].next = 2;
    produce(0, "k", "2");
    assert_true(consumer.read_anew);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    check_data(&c, "2");
    leave(&c);
}

/* A key may have aged meanwhile, and nothing speaks of it any more. */
static void what_has_aged_until_it_is_read_again_is_told_by_a_reset(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "gone", "1");
    produce_live(1, "aged", "2");
    topic.on_end(topic.arg, 0, loop_now_ms());
    struct client c = open_client("AQQABgIC"); /* 0@3, 1@1: it has all */
    give_up(0);
    survey();
    fake_loop_pass(RETENTION_MS);
    come_back(0, 3);
    produce_at(2, "k", "3");
    assert_true(consumer.read_anew);
    make_topic(true, 2);
    topic.on_origin(topic.arg, 1, 1);
    produce_at(2, "k", "3");
    check_data(&c, "* * * * reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the "
                   "event id are no longer known\"} 3");
    leave(&c);
}

static void a_topic_made_again_meanwhile_is_told(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&c, "* * * *");
    produce_at(2, "k", "2");
    assert_true(consumer.read_anew);
    topic.on_missing(topic.arg);
    make_topic(true, 1);
    produce_live(0, "m", "3");
    check_data(&c, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 3");
    leave(&c);
}

static void so_is_another_policy(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&c, "* * * *");
    produce_at(2, "k", "2");
    make_topic(false, 1);
    produce_at(2, "k", "2");
    check_data(&c, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    leave(&c);
}

/* It begins and the topic is read anew in one turn. */
static void a_reset_that_was_not_told_yet_keeps_its_reason(void **state)
{
    (void)state;
    make_topic(true, 1);
    read_to_its_end();
    fake_loop_pass(RETENTION_MS);
    struct client c = open_unsettled(1, "malformed");
    fake_loop_turn(); /* it begins, but is sent nothing */
    consumer.p[0].next = 2;
    produce(0, "k", "2");
    assert_true(consumer.read_anew);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    check_data(&c,
               "reset:{\"reason\":\"id_malformed\",\"detail\":\"the event id is malformed\"} 2");
    leave(&c);
}

static void who_was_at_the_end_a_moment_ago_has_missed_nothing(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&c, "* * * *");
    topic.on_end(topic.arg, 0, loop_now_ms());
    produce_at(2, "k", "2"); /* behind a transaction's marker */
    check_data(&c, "2");
    assert_false(consumer.read_anew);
    leave(&c);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_partition_holds_the_others_back_until_it_is_given_up),
        T(what_is_superseded_before_a_late_end_is_reached_is_not_shown),
        T(a_partition_that_comes_back_is_shown_as_a_replay_does),
        T(who_knew_it_before_is_told_of_its_deletes),
        T(who_never_had_it_is_not_told_of_its_delete),
        T(who_never_had_any_of_it_is_not_reset),
        T(who_had_some_of_it_elsewhere_is_told_of_its_deletes),
        T(who_had_some_of_it_elsewhere_that_may_have_aged_is_reset),
        T(so_it_is_where_nothing_is_left),
        T(what_was_passed_before_a_stream_came_is_no_gap_to_it),
        T(who_had_some_of_it_elsewhere_is_told_of_a_gap),
        T(one_that_comes_back_without_a_record_takes_no_id_back),
        T(one_that_goes_again_before_its_end_stays_hidden),
        T(who_comes_while_it_is_read_waits_for_its_end),
        T(a_partition_that_comes_back_with_a_hole_is_a_reset),
        T(a_partition_that_comes_back_with_a_gap_is_one),
        T(so_is_one_that_comes_back_without_a_record),
        T(a_gap_is_told_whole_while_another_partition_is_away),
        T(a_topic_whose_deletes_may_have_been_missed_is_read_anew),
        T(who_is_behind_what_may_be_missing_goes_on_without_a_reset),
        T(who_was_given_nothing_yet_begins_anew),
        T(what_has_aged_until_it_is_read_again_is_told_by_a_reset),
        T(a_topic_made_again_meanwhile_is_told),
        T(so_is_another_policy),
        T(one_that_selects_is_judged_by_the_place_before_what_was_missing),
        T(so_is_one_that_now_ends_with_a_hole),
        T(so_is_one_whose_first_load_was_stopped),
        T(one_that_is_merely_loaded_slowly_is_not),
        T(who_waits_meanwhile_keeps_the_place),
        T(a_reset_that_was_not_told_yet_keeps_its_reason),
        T(who_was_at_the_end_a_moment_ago_has_missed_nothing),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "stream/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "reader_setup.h"

#define RESET(why, words) "reset:{\"reason\":\"" why "\",\"detail\":\"" words "\"}"
#define RESET_DELETES RESET("deletes_unknown", "deletes since the event id are no longer known")

/* -- from the cache -- */

static void a_fresh_reader_gets_the_newest_of_each_key(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "b", "3");
    append(0, "a", "4");
    check_events(fresh(), "2 3 4");
}

static void each_event_has_the_id_of_its_place(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "a", "3");
    struct reader *r = fresh();
    check_text(r, "id:AQQAAAIC\ndata:2\n\nid:AQQABAIC\ndata:3\n\n");
    assert_int_equal(r->at, READER_LIVE);
}

static void a_fresh_reader_gets_no_delete_from_before_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "a", NULL);
    check_events(fresh(), "2");
}

static void a_fresh_reader_gets_a_delete_that_came_after_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = fresh();
    append(0, "a", NULL);
    check_events(r, "delete:YQ==");
}

static void a_fresh_reader_of_a_topic_that_is_not_compacted_gets_all_deletes_too(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, "a", NULL);
    append(0, "a", "2");
    check_events(fresh(), "1 delete:YQ== 2");
}

static void a_record_with_neither_key_nor_value_is_not_sent(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, NULL, NULL);
    append(0, NULL, "1");
    append(0, NULL, NULL);
    check_events(fresh(), "1");
}

static void who_resumes_gets_what_it_has_not_seen_deletes_included(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    append(0, "c", "3");
    append(1, "b", NULL);
    append(0, "a", "4");
    check_events(resumed(1, 1), "3 delete:Yg== 4");
    check_events(resumed(2, 1), "delete:Yg== 4");
    check_events(resumed(3, 2), "");
}

static void who_resumes_gets_new_and_unknown_partitions_from_their_beginning(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    check_events(resumed(1, OFFSET_BEGINNING), "2");
    struct reader *r = resumed(1, 1);
    cache_set_partitions(source.cache, 3);
    append(2, "c", "3");
    check_events(r, "3");
}

static void an_id_that_cannot_be_honoured_is_a_reset_and_everything_follows(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = begin(1, "nonsense");
    check_text(r, "id:AQIAAA==\nevent:reset\ndata:{\"reason\":\"id_malformed\",\"detail\":\"the "
                  "event id is malformed\"}\n\nid:AQIAAg==\ndata:1\n\n");
    assert_int_equal(source.counts.resets[RESET_ID_MALFORMED], 1);
    assert_int_equal(source.counts.events, 2);
}

static void who_has_waited_for_nothing_gets_nothing(void **state)
{
    struct reader r;
    struct iovec iov;

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    reader_init(&r, 1, slice_of(NULL, 0), NULL);
    assert_int_equal(reader_next(&r, &source, &iov, 1), 0);
    assert_false(r.more);
    reader_fini(&r, &source);
}

static void one_whose_topic_is_void_waits_again_and_is_reset(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = fresh();
    check_events(r, "1");
    reader_void(r, &source, RESET_TOPIC_NEW);
    append(0, "b", "2");
    check_events(r, "");
    reader_begin(r, &source, NULL);
    check_events(r, RESET("topic_new", "the topic was made again") " 1 2");
}

/* -- shares -- */

static void one_pull_gives_a_little_over_its_share(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(false, 1, MUCH);
    for (int i = 0; i < 300; i++)
        append_kilobyte("k");
    struct reader *r = fresh();
    assert_true(pull(r, SIZE_MAX, &bytes));
    assert_in_range(bytes.n, 64 << 10, 66 << 10);
    assert_true(r->more);
    buf_fini(&bytes);
}

static void a_long_way_without_an_event_is_gone_in_steps(void **state)
{
    struct buf bytes = {0};
    int pulls = 0;

    (void)state;
    make(true, 1, MUCH);
    for (int i = 0; i < 100000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        append(0, key, NULL); /* there is nothing to delete */
    }
    struct reader *r = fresh();
    while (pull(r, SIZE_MAX, &bytes))
        pulls++;
    assert_int_equal(bytes.n, 0);
    assert_in_range(pulls, 3, 100);
}

static void what_comes_behind_its_first_share_comes_from_the_backlog(void **state)
{
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(true, 1, MUCH);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        append_kilobyte(key);
    }
    struct reader *r = fresh();
    pull(r, SIZE_MAX, &bytes);
    bytes.n = 0;
    append(0, "k", "superseded");
    append(0, "k", "newest");
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_non_null(memmem(out.text.p, out.text.n, "data:superseded\n", 16));
    assert_non_null(memmem(out.text.p, out.text.n, "data:newest\n", 12));
    output_fini(&out);
    buf_fini(&bytes);
}

/* -- between the backlog and the cache -- */

static void who_falls_behind_goes_on_with_the_newest_of_each_key(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = fresh();
    append(0, "b", "2");
    skip_all(r);
    append(0, "c", "3");
    append(0, "b", NULL);
    append(0, "c", "4");
    reader_leave(r, &source);
    check_events(r, "delete:Yg== 4");
    assert_int_equal(r->at, READER_LIVE);
}

static void who_stands_where_the_backlog_is_dropped_is_conflated(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    struct reader *slow = fresh(), *quick = fresh();
    skip_all(slow);
    for (int i = 0; i < 2000; i++) {
        append_kilobyte("k");
        skip_all(quick);
    }
    assert_int_equal(source.counts.conflations, 1);
    assert_int_equal(slow->at, READER_REPLAY);
    pull_all(slow, &bytes);
    assert_in_range(bytes.n, 1024, 1100);
    buf_fini(&bytes);
}

static void who_is_ahead_of_what_is_shown_gets_the_cache_alone(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    struct reader *r = resumed(1, 2);
    assert_int_equal(r->at, READER_AHEAD);
    assert_int_equal(source.ahead, 1);
    check_events(r, "");
    append(0, "c", "3");
    append(1, "b", "seen");
    check_events(r, "3");
    append(1, "b", "4");
    check_events(r, "4");
    assert_int_equal(r->at, READER_LIVE);
    assert_int_equal(source.ahead, 0);
}

/* Its log's start moves on while the reader is not pulled, but the backlog has its first record. */
static void a_partition_that_is_new_begins_no_later_than_in_the_backlog(void **state)
{
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = fresh();
    pull(r, 1, &bytes);
    cache_set_partitions(source.cache, 2);
    cache_set_origin(source.cache, 1, 0);
    append(0, "c", "3");
    append(1, "x", "4");
    cache_set_origin(source.cache, 1, 1);
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_non_null(
        memmem(out.text.p, out.text.n, "id:AQQABgIA\ndata:3\n\nid:AQQABgIC\ndata:4", 38));
    assert_null(memmem(out.text.p, out.text.n, "id:AQQABAIC\ndata:2", 18));
    output_fini(&out);
    buf_fini(&bytes);
}

static void what_was_hidden_of_a_partition_is_given_when_it_is_shown(void **state)
{
    struct hidden hidden;

    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    catchup_hide(source.catchup, 1, source.cache);
    struct reader *r = fresh();
    append(1, "x", "old");
    append(1, "x", "new");
    append(0, "b", "2");
    check_text(r, "id:AQQAAgIA\ndata:1\n\nid:AQQABAIA\ndata:2\n\n");
    assert_true(catchup_any(source.catchup, 1));
    catchup_show(source.catchup, 1, source.cache, &hidden);
    reader_return(r, &source, &hidden);
    source_restart_backlog(&source);
    check_text(r, "id:AQQABAIE\ndata:new\n\n");
}

/* -- keys that have aged -- */

static void a_key_that_has_aged_is_deleted_at_the_place_where_the_reader_is(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = fresh();
    skip_all(r);
    set_origin(0, 1);
    append(0, "c", "3");
    reader_leave(r, &source);
    check_text(r, "id:AQIABA==\nevent:delete\ndata:YQ==\n\nid:AQIABg==\ndata:3\n\n");
    check_text(fresh(), "id:AQIABA==\ndata:2\n\nid:AQIABg==\ndata:3\n\n");
}

static void who_resumes_before_a_key_has_aged_or_just_then_is_told(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    set_origin(0, 1);
    check_text(resumed(1, 0), "id:AQIABA==\ndata:2\n\nid:AQIABA==\nevent:delete\ndata:YQ==\n\n");
    check_text(resumed(2, 0), "id:AQIABA==\nevent:delete\ndata:YQ==\n\n");
    append(0, "c", "3");
    check_text(resumed(2, 0), "id:AQIABA==\nevent:delete\ndata:YQ==\n\nid:AQIABg==\ndata:3\n\n");
}

/* Another responder may have had more records before it saw that. */
static void who_resumes_behind_a_key_that_has_aged_of_late_is_told_too(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    set_origin(0, 1);
    append(0, "c", "3");
    check_text(resumed(3, 0), "id:AQIABg==\nevent:delete\ndata:YQ==\n\n");
    check_text(resumed(4, 0), "id:AQIACA==\nevent:delete\ndata:YQ==\n\n"); /* ahead of us */
}

/* -- deletes that are forgotten under a reader -- */

static void who_has_not_passed_a_forgotten_delete_is_reset(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = resumed(1, 0);
    append(0, "a", NULL);
    forget_deletes();
    check_events(r, RESET_DELETES " 2");
}

static void who_has_passed_a_delete_does_not_lose_it(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = resumed(1, 0);
    append(0, "a", NULL);
    append(0, "b", "2");
    pull(r, 1, &bytes); /* of the delete */
    pull(r, SIZE_MAX, &bytes);
    forget_deletes();
    check_events(r, "2");
    buf_fini(&bytes);
}

/* To find its way it begins somewhat before its place. */
static void who_resumed_behind_a_delete_does_not_lose_it(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", NULL);
    append(1, "b", "2");
    struct reader *behind = resumed(1, 0), *before = resumed(1, 0);
    forget_deletes();
    check_events(behind, "2");
    append(1, "b", NULL);
    forget_deletes();
    check_events(before, RESET_DELETES);
}

static void a_fresh_reader_loses_only_deletes_that_came_after_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", NULL);
    struct reader *without = fresh(), *with = fresh();
    forget_deletes();
    check_events(without, "");
    append(0, "b", NULL);
    forget_deletes();
    check_events(with, RESET_DELETES);
}

static void what_was_forgotten_before_a_resume_was_judged_then(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "a", NULL);
    append(0, "b", "2");
    forget_deletes();
    check_events(resumed(2, 0), "2");
    check_events(resumed(1, 0), RESET_DELETES " 2");
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(a_fresh_reader_gets_the_newest_of_each_key),
        T(each_event_has_the_id_of_its_place),
        T(a_fresh_reader_gets_no_delete_from_before_it),
        T(a_fresh_reader_gets_a_delete_that_came_after_it),
        T(a_fresh_reader_of_a_topic_that_is_not_compacted_gets_all_deletes_too),
        T(a_record_with_neither_key_nor_value_is_not_sent),
        T(who_resumes_gets_what_it_has_not_seen_deletes_included),
        T(who_resumes_gets_new_and_unknown_partitions_from_their_beginning),
        T(an_id_that_cannot_be_honoured_is_a_reset_and_everything_follows),
        T(who_has_waited_for_nothing_gets_nothing),
        T(one_whose_topic_is_void_waits_again_and_is_reset),
        T(one_pull_gives_a_little_over_its_share),
        T(a_long_way_without_an_event_is_gone_in_steps),
        T(what_comes_behind_its_first_share_comes_from_the_backlog),
        T(who_falls_behind_goes_on_with_the_newest_of_each_key),
        T(who_stands_where_the_backlog_is_dropped_is_conflated),
        T(who_is_ahead_of_what_is_shown_gets_the_cache_alone),
        T(a_partition_that_is_new_begins_no_later_than_in_the_backlog),
        T(what_was_hidden_of_a_partition_is_given_when_it_is_shown),
        T(a_key_that_has_aged_is_deleted_at_the_place_where_the_reader_is),
        T(who_resumes_before_a_key_has_aged_or_just_then_is_told),
        T(who_resumes_behind_a_key_that_has_aged_of_late_is_told_too),
        T(who_has_not_passed_a_forgotten_delete_is_reset),
        T(who_has_passed_a_delete_does_not_lose_it),
        T(who_resumed_behind_a_delete_does_not_lose_it),
        T(a_fresh_reader_loses_only_deletes_that_came_after_it),
        T(what_was_forgotten_before_a_resume_was_judged_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

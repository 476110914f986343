#include <stdio.h>
#include <stdlib.h>

#include "reader_setup.h"
#include "stream/reader.h"

/* Where readers start that have no id. */

static int64_t clock_ms;

/* A record of that time. */
static void append_at(int32_t partition, const char *key, const char *value, int64_t timestamp_ms)
{
    const struct record r = {.partition = partition,
                             .offset = cache_progress(source.cache)->next[partition],
                             .timestamp_ms = timestamp_ms,
                             .key = slice_str(key),
                             .value = slice_str(value)};

    publish(cache_append(source.cache, &r, 0, clock_ms), &r);
}

static struct reader *begin_with(const char *id, const char *text, const char *keys)
{
    struct reader *r = wait_keys(1, id, keys);
    struct from from;

    assert_true(from_parse(slice_str(text), &from));
    reader_set_from(r, &from);
    reader_begin(r, &source, NULL);
    return r;
}

static struct reader *begin_from(const char *text, const char *keys)
{
    return begin_with(NULL, text, keys);
}

static void latest_is_told_its_place_and_gets_what_comes(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    struct reader *r = begin_from("latest", NULL);
    check_text(r, "id:AQQAAgIC\n\n");
    append(0, "a", NULL);
    append(1, "b", "3");
    check_events(r, "delete:YQ== 3");
}

static void latest_of_a_selection_likewise(void **state)
{
    struct buf place = {0}, bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = begin_from("latest", "a");
    pull_all(r, &bytes);
    assert_non_null(memmem(bytes.p, bytes.n, "id:AQIAAg==~", 12));
    assert_int_equal(r->at, READER_PICKING);
    assert_false(reader_add_place(r, &source, &place));
    append(0, "b", "2");
    append(0, "a", "3");
    check_events(r, "3");
    buf_fini(&bytes);
}

static void what_came_after_it_is_given_though_it_began_later(void **state)
{
    int64_t next[] = {1, -1};
    const struct progress ends = {2, next};

    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "x", "2");
    append(0, "b", "3");
    append(0, "a", NULL);
    struct reader *r = wait_keys(1, NULL, NULL);
    reader_set_from(r, &(struct from){FROM_LATEST, 0});
    reader_begin(r, &source, &ends);
    check_text(r, "id:AQQAAgIC\n\nid:AQQABAIC\ndata:3\n\n"
                  "id:AQQABgIC\nevent:delete\ndata:YQ==\n\n");
}

static void a_reset_of_one_that_wants_the_latest_is_its_place(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = wait_keys(1, "nonsense", NULL);
    reader_set_from(r, &(struct from){FROM_LATEST, 0});
    reader_begin(r, &source, NULL);
    append(0, "a", "2");
    struct buf bytes = {0};
    struct output out = {0};
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_memory_equal(out.text.p, "id:AQIAAg==\nevent:reset\n", 24);
    assert_null(memmem(out.text.p, out.text.n, "data:1\n", 7));
    assert_non_null(memmem(out.text.p, out.text.n, "data:2\n", 7));
    output_fini(&out);
    buf_fini(&bytes);
}

static void a_topic_made_again_is_given_from_its_beginning(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_from("latest", NULL);
    skip_all(r);
    reader_void(r, &source, RESET_TOPIC_NEW);
    append(0, "a", "1");
    reader_begin(r, &source, NULL);
    struct buf bytes = {0};
    pull_all(r, &bytes);
    assert_non_null(memmem(bytes.p, bytes.n, "data:1\n", 7));
    buf_fini(&bytes);
}

static void a_time_is_where_each_partition_starts(void **state)
{
    (void)state;
    make(false, 2, MUCH);
    append_at(0, "a", "1", 100);
    append_at(1, "a", "2", 300);
    append_at(0, "a", "3", 200);
    append_at(0, "a", "4", 50);
    append_at(0, "b", "5", 250);
    check_events(begin_from("200", NULL), "2 3 4 5");
    check_events(begin_from("200", "a"), "2 3 4");
    check_events(begin_from("251", "a"), "2");
    check_events(begin_from("1000", NULL), "");
    check_events(begin_from("0", NULL), "1 2 3 4 5");
}

static void of_a_compacted_topic_a_time_counts_all_records_that_are_left(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append_at(0, "a", "1", 100);
    append_at(0, "b", "2", 200);
    append_at(0, "a", "3", 50);
    check_events(begin_from("200", NULL), "2 3");
    check_events(begin_from("200", "a"), "3");
    check_events(begin_from("60", "b"), "2");
}

#define GAP(partition, from, to)                                                                   \
    "gap:{\"partition\":" #partition ",\"from\":" #from ",\"to\":" #to "}"

static void what_was_lost_before_a_time_is_told_if_it_may_have_been_newer(void **state)
{
    (void)state;
    make(false, 2, MUCH);
    for (int i = 0; i < 3; i++)
        append_at(0, "a", "old", 100);
    append_at(0, "a", "1", 200);
    append_at(1, "b", "2", 150);
    set_origin(0, 3);
    check_events(begin_from("150", NULL), GAP(0, 0, 3) " 1 2");
    check_events(begin_from("150", "b"), GAP(0, 0, 3) " 2");
    check_events(begin_from("201", NULL), "");
    append_at(0, "a", "3", 300);
    check_events(begin_from("250", NULL), "3");
}

/* The broker has dropped it, and the cache drops it in the next turns. */
static void what_is_told_as_lost_is_not_given(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    append_at(0, "a", "1", 200);
    append_at(0, "a", "2", 200);
    cache_set_origin(source.cache, 0, 1);
    check_events(begin_from("150", NULL), GAP(0, 0, 1) " 2");
}

/* A socket that takes no more than the first byte of the gap. */
static void a_gap_that_is_cut_does_not_take_the_place_of_the_record_behind_it(void **state)
{
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(false, 1, MUCH);
    append_at(0, "a", "old", 100);
    append_at(0, "a", "1", 200);
    append_at(0, "a", "2", 200);
    set_origin(0, 1);
    struct reader *r = begin_from("150", NULL);
    pull(r, 1, &bytes);
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_text(buf_slice(&out.text),
                "id:AQIAAg==\nevent:gap\ndata:{\"partition\":0,\"from\":0,\"to\":1}\n\n"
                "id:AQIABA==\ndata:1\n\nid:AQIABg==\ndata:2\n\n");
    output_fini(&out);
    buf_fini(&bytes);
}

static void the_last_are_those_that_earliest_would_give(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    append(0, "c", "3");
    append(0, "a", "4");
    append(1, "d", NULL);
    check_events(begin_from("-1", NULL), "4");
    check_events(begin_from("-2", NULL), "3 4");
    check_events(begin_from("-10", NULL), "2 3 4");
    check_events(begin_from("-1", "b c"), "3");
    check_events(begin_from("-5", "b c"), "2 3");
    check_events(begin_from("-5", "x"), "");
}

/* Whatever another reader has got of the chunk that all share, and wherever a socket stops. */
static void a_reset_says_where_the_last_begin_and_they_follow_it(void **state)
{
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", "3");
    check_events(fresh(), "1 2 3");
    struct reader *r = begin_with("no id", "-2", NULL);
    pull(r, 1, &bytes);
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_text(
        buf_slice(&out.text),
        "id:AQIAAg==\nevent:reset\ndata:{\"reason\":\"id_malformed\",\"detail\":\"the event "
        "id is malformed\"}\n\nid:AQIABA==\ndata:2\n\nid:AQIABg==\ndata:3\n\n");
    output_fini(&out);
    buf_fini(&bytes);
}

static void the_last_of_a_log_are_found_however_few_are_selected(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, "a", "2");
    for (int i = 0; i < 50000; i++)
        append(0, "b", "x");
    struct reader *r = begin_from("-1", "a");
    append(0, "a", "3");
    check_events(r, "2 3");
    check_text(begin_from("-1", NULL), "id:AQIApo0G\ndata:3\n\n");
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(latest_is_told_its_place_and_gets_what_comes),
        T(latest_of_a_selection_likewise),
        T(what_came_after_it_is_given_though_it_began_later),
        T(a_reset_of_one_that_wants_the_latest_is_its_place),
        T(a_topic_made_again_is_given_from_its_beginning),
        T(a_time_is_where_each_partition_starts),
        T(of_a_compacted_topic_a_time_counts_all_records_that_are_left),
        T(what_was_lost_before_a_time_is_told_if_it_may_have_been_newer),
        T(what_is_told_as_lost_is_not_given),
        T(a_gap_that_is_cut_does_not_take_the_place_of_the_record_behind_it),
        T(the_last_are_those_that_earliest_would_give),
        T(a_reset_says_where_the_last_begin_and_they_follow_it),
        T(the_last_of_a_log_are_found_however_few_are_selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

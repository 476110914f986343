#include "topic/cache.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

enum { RETENTION_MS = 1000, UNLIMITED = 1 << 30, SEGMENT = 4096 };

static struct cache *cache;
static int64_t now_ms, wall_ms, timestamp_ms;

static void make(bool compacted, int32_t partitions, size_t max_bytes)
{
    cache_free(cache);
    cache = cache_new(max_bytes);
    cache_reset(cache, compacted, RETENTION_MS);
    cache_set_partitions(cache, partitions);
    now_ms = 0;
    wall_ms = timestamp_ms = INT64_C(1700000000000);
}

static int teardown(void **state)
{
    (void)state;
    cache_free(cache);
    cache = NULL;
    return 0;
}

static uint64_t append(int32_t partition, int64_t offset, const char *key, const char *value)
{
    const struct record r = {.partition = partition,
                             .offset = offset,
                             .timestamp_ms = timestamp_ms,
                             .key = slice_str(key),
                             .value = slice_str(value)};

    return cache_append(cache, &r, now_ms, wall_ms);
}

/* All that was put off is done. */
static void tidy(void)
{
    while (cache_tidy(cache, now_ms))
        ;
}

static void set_origin(int32_t partition, int64_t origin)
{
    cache_set_origin(cache, partition, origin);
    tidy();
}

/* What a walk shows, as `partition@offset key=value` for each record. */
static void check_walk(uint64_t pos, uint64_t limit, const char *expected)
{
    struct cache_walk walk = cache_walk(cache, pos, limit);
    struct record r;
    uint64_t number;
    struct buf text = {0};

    while (cache_walk_next(&walk, &r, &number)) {
        assert_true(number >= pos && number < limit);
        buf_printf(&text, "%s%d@%lld %.*s=%.*s", text.n ? ", " : "", r.partition,
                   (long long)r.offset, r.key.p ? (int)r.key.n : 1,
                   r.key.p ? (const char *)r.key.p : "-", r.value.p ? (int)r.value.n : 1,
                   r.value.p ? (const char *)r.value.p : "-");
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
}

static void check_all(const char *expected)
{
    check_walk(0, cache_end(cache), expected);
}

/* -- the log -- */

static void the_newest_record_of_each_key_is_kept_in_the_order_of_the_log(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "b", "2");
    append(0, 2, "a", "3");
    append(0, 3, "c", "4");
    check_all("0@1 b=2, 0@2 a=3, 0@3 c=4");
}

static void every_record_is_kept_of_a_topic_that_is_not_compacted(void **state)
{
    (void)state;
    make(false, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "a", "2");
    append(0, 2, "a", NULL);
    append(0, 3, NULL, "4");
    check_all("0@0 a=1, 0@1 a=2, 0@2 a=-, 0@3 -=4");
}

static void records_without_a_key_are_all_kept(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, NULL, "1");
    append(0, 1, NULL, "2");
    check_all("0@0 -=1, 0@1 -=2");
}

static void records_with_neither_key_nor_value_are_not_kept_but_passed(void **state)
{
    (void)state;
    for (int compacted = 0; compacted < 2; compacted++) {
        make(compacted, 1, UNLIMITED);
        append(0, 0, "a", "1");
        size_t bytes = cache_bytes(cache);
        for (int i = 1; i < 3 * SEGMENT; i++)
            append(0, i, NULL, NULL);
        assert_int_equal(cache_bytes(cache), bytes);
        assert_int_equal(cache_progress(cache)->next[0], 3 * SEGMENT);
        uint64_t number = append(0, 3 * SEGMENT, "b", "2");
        assert_int_equal(number + 1, cache_end(cache));
        check_walk(2, number, "");
        check_walk(2, UINT64_MAX, "0@12288 b=2");
    }
}

static void an_empty_key_and_an_empty_value_are_not_absent(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "", "1");
    append(0, 1, "", "");
    check_all("0@1 =");
}

static void the_same_key_in_two_partitions_is_two_keys(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    append(0, 0, "a", "1");
    append(1, 0, "a", "2");
    check_all("0@0 a=1, 1@0 a=2");
}

static void a_delete_is_kept_as_the_newest_of_its_key(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "a", NULL);
    check_all("0@1 a=-");
}

static void an_etag_is_kept_and_one_that_no_id_can_hold_is_not(void **state)
{
    static char etag[EVENT_ID_MAX + 1];
    struct record r = {.key = BYTES("k"), .value = BYTES("v"), .timestamp_ms = -1};

    (void)state;
    make(true, 1, UNLIMITED);
    memset(etag, 'e', sizeof etag);
    for (size_t n = EVENT_ID_MAX; n <= EVENT_ID_MAX + 1; n++, r.offset++) {
        struct record got;
        uint64_t number;
        r.etag = slice_of(etag, n);
        cache_append(cache, &r, now_ms, wall_ms);
        struct cache_walk walk = cache_walk(cache, 0, UINT64_MAX);
        assert_true(cache_walk_next(&walk, &got, &number));
        assert_int_equal(got.etag.n, n <= EVENT_ID_MAX ? n : 0);
        assert_bytes(got.key, r.key);
        assert_bytes(got.value, r.value);
    }
}

static void a_walk_begins_at_its_number_and_ends_before_its_limit(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    uint64_t first = append(0, 0, "a", "1");
    append(0, 1, "b", "2");
    append(0, 2, "c", "3");
    check_walk(first + 1, first + 2, "0@1 b=2");
    check_walk(first, first, "");
    check_walk(first + 3, UINT64_MAX, "");
}

static void a_walk_from_a_superseded_number_goes_on_behind_it(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    uint64_t superseded = append(0, 1, "b", "2");
    append(0, 2, "c", "3");
    append(0, 3, "b", "4");
    check_walk(superseded, UINT64_MAX, "0@2 c=3, 0@3 b=4");
}

static void numbers_go_on_rising_after_a_reset(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    uint64_t before = append(0, 0, "a", "1");
    cache_reset(cache, false, RETENTION_MS);
    cache_set_partitions(cache, 1);
    assert_int_equal(cache_count(cache), 0);
    assert_false(cache_compacted(cache));
    assert_true(append(0, 0, "a", "1") > before);
    check_all("0@0 a=1");
}

/* -- places -- */

static void the_progress_is_behind_the_last_record_of_each_partition(void **state)
{
    (void)state;
    make(true, 3, UNLIMITED);
    append(0, 4, "a", "1");
    append(2, 7, "a", "1");
    cache_advance(cache, 0, 9, now_ms, wall_ms);
    cache_advance(cache, 0, 6, now_ms, wall_ms);
    assert_int_equal(cache_progress(cache)->n, 3);
    assert_int_equal(cache_progress(cache)->next[0], 9);
    assert_int_equal(cache_progress(cache)->next[1], OFFSET_BEGINNING);
    assert_int_equal(cache_progress(cache)->next[2], 8);
}

static void check_start(int64_t expected)
{
    struct progress start = {0};

    cache_start(cache, &start);
    assert_int_equal(start.next[0], expected);
    progress_fini(&start);
}

static void a_stream_starts_at_the_origin(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    check_start(OFFSET_BEGINNING);
    set_origin(0, 5);
    check_start(5);
    append(0, 7, "a", "1");
    check_start(5);
}

static void without_an_origin_the_first_record_or_the_end_is_it(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 7, "a", "1");
    check_start(7);
    make(true, 1, UNLIMITED);
    cache_advance(cache, 0, 9, now_ms, wall_ms);
    check_start(9);
}

static void what_the_broker_dropped_goes(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    append(0, 0, "a", "1");
    append(1, 0, "b", "2");
    append(0, 1, "c", "3");
    append(0, 2, "d", "4");
    set_origin(0, 2);
    check_all("1@0 b=2, 0@2 d=4, 0@3 a=-, 0@3 c=-");
    make(false, 2, UNLIMITED);
    append(0, 0, "a", "1");
    append(1, 0, "b", "2");
    append(0, 1, "c", "3");
    append(0, 2, "d", "4");
    set_origin(0, 2);
    check_all("1@0 b=2, 0@2 d=4");
}

static void an_origin_does_not_fall(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 5);
    set_origin(0, 3);
    check_start(5);
}

static void an_origin_beyond_the_progress_moves_it(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    set_origin(0, 5);
    assert_int_equal(cache_progress(cache)->next[0], 5);
    check_all("0@5 a=-");
}

static void what_the_broker_drops_of_a_topic_that_is_not_compacted_is_lost(void **state)
{
    (void)state;
    make(false, 1, UNLIMITED);
    append(0, 0, "a", "1");
    uint64_t losses = cache_losses(cache);
    set_origin(0, 1);
    assert_int_equal(cache_lost(cache, 0), 1);
    assert_int_equal(cache_horizon(cache, 0), OFFSET_BEGINNING);
    assert_true(cache_losses(cache) != losses);
}

/* -- deletes -- */

static void a_delete_goes_when_its_time_is_over(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    now_ms = 500;
    append(0, 1, "a", NULL);
    now_ms = 500 + RETENTION_MS - 1;
    tidy();
    check_all("0@1 a=-");
    now_ms = 500 + RETENTION_MS;
    tidy();
    check_all("");
}

static void the_horizon_rises_behind_a_delete_that_goes(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    append(1, 0, "a", "1");
    append(1, 1, "a", NULL);
    append(1, 2, "b", "1");
    set_origin(1, 0);
    int64_t before = cache_horizon(cache, 1);
    now_ms = RETENTION_MS;
    tidy();
    assert_true(before <= 1);
    assert_int_equal(cache_horizon(cache, 1), 2);
    assert_int_equal(cache_horizon(cache, 0), OFFSET_BEGINNING);
}

static void a_delete_that_is_superseded_does_not_move_the_horizon(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", NULL);
    append(0, 1, "a", "1");
    now_ms = RETENTION_MS;
    tidy();
    check_all("0@1 a=1");
    assert_int_equal(cache_horizon(cache, 0), 0);
}

static void a_delete_that_goes_is_the_last_forgotten(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    uint64_t number = append(0, 1, "b", NULL);
    uint64_t losses = cache_losses(cache);
    assert_true(cache_last_forgotten(cache) < number);
    now_ms = RETENTION_MS;
    tidy();
    assert_int_equal(cache_last_forgotten(cache), number);
    assert_true(cache_losses(cache) != losses);
}

static void a_changed_retention_counts_for_the_deletes_that_come(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", NULL);
    cache_set_retention(cache, 10 * RETENTION_MS, now_ms);
    append(0, 1, "b", NULL);
    now_ms = RETENTION_MS;
    tidy();
    check_all("0@1 b=-");
    now_ms = 10 * RETENTION_MS - 1;
    tidy();
    check_all("0@1 b=-");
    now_ms = 10 * RETENTION_MS;
    tidy();
    check_all("");
}

static void a_topic_that_is_not_compacted_keeps_its_deletes(void **state)
{
    (void)state;
    make(false, 1, UNLIMITED);
    append(0, 0, "a", NULL);
    now_ms = INT64_MAX;
    tidy();
    check_all("0@0 a=-");
}

/* A hole between offsets 0 and 5; the record before it is that old. */
static int64_t horizon_over_hole(int64_t age_ms)
{
    make(true, 1, UNLIMITED);
    timestamp_ms = age_ms < 0 ? -1 : wall_ms - age_ms;
    append(0, 0, "a", "1");
    append(0, 5, "b", "1");
    return cache_horizon(cache, 0);
}

static void a_hole_behind_an_old_record_may_have_been_a_delete(void **state)
{
    (void)state;
    assert_int_equal(horizon_over_hole(RETENTION_MS + 1), 5);
}

static void a_hole_behind_a_young_record_was_none(void **state)
{
    (void)state;
    assert_int_equal(horizon_over_hole(RETENTION_MS - 1), 0);
}

/* The record before it was written so long before the time became longer. */
static int64_t horizon_over_hole_later(int64_t age_ms, int64_t later_ms)
{
    make(true, 1, UNLIMITED);
    timestamp_ms = wall_ms - age_ms;
    cache_set_retention(cache, 10 * RETENTION_MS, now_ms);
    cache_reset(cache, true, 10 * RETENTION_MS);
    cache_set_partitions(cache, 1);
    now_ms += later_ms;
    wall_ms += later_ms;
    append(0, 0, "a", "1");
    append(0, 5, "b", "1");
    return cache_horizon(cache, 0);
}

static void what_went_before_deletes_were_kept_for_longer_was_kept_for_less_long(void **state)
{
    (void)state;
    assert_int_equal(horizon_over_hole_later(RETENTION_MS + 1, 0), 5);
    assert_int_equal(horizon_over_hole_later(RETENTION_MS + 1, 2 * RETENTION_MS), 5);
    assert_int_equal(horizon_over_hole_later(RETENTION_MS - 1, 0), 0);
    assert_int_equal(horizon_over_hole_later(RETENTION_MS - 1, 9 * RETENTION_MS), 0);
    assert_int_equal(horizon_over_hole_later(RETENTION_MS - 1, 10 * RETENTION_MS), 5);
}

static void a_hole_behind_a_record_without_a_time_may_have_been_a_delete(void **state)
{
    (void)state;
    assert_int_equal(horizon_over_hole(-1), 5);
}

static void a_hole_between_the_origin_and_the_first_record_may_have_been_a_delete(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 2);
    append(0, 5, "a", "1");
    assert_int_equal(cache_horizon(cache, 0), 5);
}

/* Ordinary records, one from the future, a hole where a delete was, and one more. */
static void a_record_from_the_future_hides_no_delete(void **state)
{
    const int64_t ordinary = -2 * RETENTION_MS, future = INT64_C(3) * 365 * 86400000;

    (void)state;
    for (int with_future = 0; with_future < 2; with_future++) {
        make(true, 1, UNLIMITED);
        cache_set_origin(cache, 0, 0);
        timestamp_ms = wall_ms + ordinary;
        append(0, 0, "a", "1");
        append(0, 1, "b", "2");
        if (with_future) {
            timestamp_ms = wall_ms + future;
            append(0, 2, "f", "3");
        }
        timestamp_ms = wall_ms;
        append(0, 4, "c", "4");
        assert_int_equal(cache_horizon(cache, 0), 4);
    }
}

/* The cleaned log ends with a transaction's marker: no record follows the hole. */
static void a_hole_before_the_end_of_the_log_is_judged_too(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    cache_set_origin(cache, 0, 0);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    append(0, 0, "a", "1");
    cache_advance(cache, 0, 3, now_ms, wall_ms);
    assert_int_equal(cache_horizon(cache, 0), 3);
    /* What comes behind that is read live, whatever its timestamps. */
    cache_ended(cache, 0, now_ms);
    append(0, 5, "b", "1");
    cache_advance(cache, 0, 8, now_ms, wall_ms);
    assert_int_equal(cache_horizon(cache, 0), 3);
}

static void away_from_the_end_for_longer_than_deletes_are_kept_it_is_outdated(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    append(0, 0, "a", "1");
    append(0, 5, "b", "1");
    assert_false(cache_outdated(cache)); /* it was filled with what was there */
    cache_ended(cache, 0, now_ms);
    now_ms += 15 * RETENTION_MS;
    append(0, 6, "c", "1");
    assert_false(cache_outdated(cache)); /* nothing is missing */
    append(0, 8, "d", "1");
    assert_true(cache_outdated(cache));
    cache_reset(cache, true, RETENTION_MS);
    assert_false(cache_outdated(cache));
}

/* Looked at each second, and read anew whenever it is outdated: how often is it?  Each step takes
 * that long and leaves a hole behind. */
static int count_rereads(int64_t step_ms, int steps)
{
    int rereads = 0;

    for (int at = 0; at < steps; at++) {
        for (int64_t ms = 0; ms < step_ms; ms += 1000)
            cache_look(cache, now_ms += 1000);
        append(0, 2 * at, "a", "1");
        if (!cache_outdated(cache))
            continue;
        rereads++;
        at = -1;
        cache_reset(cache, true, RETENTION_MS);
        cache_set_partitions(cache, 2);
    }
    return rereads;
}

static void a_load_that_stood_still_for_longer_than_deletes_are_kept_is_outdated(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    cache_look(cache, now_ms);
    append(0, 0, "gone", "1");
    now_ms += 15 * RETENTION_MS;
    append(1, 0, "a", "1");
    append(1, 2, "b", "1");
    assert_true(cache_outdated(cache));
}

static void a_slow_load_comes_to_its_end(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    assert_int_equal(count_rereads(10000, 100), 0);
    make(true, 2, UNLIMITED);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    assert_in_range(count_rereads(50000, 100), 1, 3);
    /* And once it was there, another one has the patience of the first. */
    for (int32_t p = 0; p < 2; p++)
        cache_ended(cache, p, now_ms);
    cache_look(cache, now_ms);
    cache_reset(cache, true, RETENTION_MS);
    cache_set_partitions(cache, 2);
    append(0, 0, "gone", "1");
    now_ms += 15 * RETENTION_MS;
    append(0, 2, "a", "1");
    assert_true(cache_outdated(cache));
}

static void the_last_time_at_the_end_counts(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    timestamp_ms = wall_ms - 2 * RETENTION_MS;
    append(0, 0, "a", "1");
    cache_ended(cache, 0, now_ms + RETENTION_MS);
    cache_ended(cache, 0, now_ms); /* an answer that comes late */
    now_ms += 2 * RETENTION_MS - 1;
    append(0, 2, "b", "1");
    assert_false(cache_outdated(cache));
    assert_int_equal(cache_horizon(cache, 0), 0);
}

/* -- keys that have aged: the broker has dropped the newest record -- */

static void a_key_that_has_aged_is_deleted_at_the_end_of_the_log(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "b", "2");
    uint64_t last = append(0, 2, "c", "3");
    uint64_t losses = cache_losses(cache);
    set_origin(0, 2);
    check_walk(last, UINT64_MAX, "0@2 c=3, 0@3 a=-, 0@3 b=-");
    assert_int_equal(cache_progress(cache)->next[0], 3); /* they stand at no offset */
    assert_int_equal(cache_horizon(cache, 0), 0);        /* nothing is unknown */
    assert_int_equal(cache_losses(cache), losses);
    append(0, 3, "a", "4");
    check_walk(last, UINT64_MAX, "0@2 c=3, 0@3 b=-, 0@3 a=4");
}

static void what_was_not_read_before_the_broker_dropped_it_moves_the_horizon(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    set_origin(0, 2);
    assert_int_equal(cache_horizon(cache, 0), 2);
    assert_int_equal(cache_lost(cache, 0), OFFSET_BEGINNING);
}

static void a_record_without_a_key_that_the_broker_dropped_is_forgotten(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    uint64_t number = append(0, 0, NULL, "1");
    append(0, 1, "c", "1");
    set_origin(0, 1);
    check_all("0@1 c=1");
    assert_int_equal(cache_horizon(cache, 0), 1);
    assert_int_equal(cache_last_forgotten(cache), number);
}

static void a_delete_that_the_broker_dropped_is_kept_for_its_time(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", NULL);
    append(0, 1, "c", "1");
    set_origin(0, 1);
    check_all("0@0 a=-, 0@1 c=1");
    now_ms = RETENTION_MS;
    tidy();
    check_all("0@1 c=1");
    assert_int_equal(cache_horizon(cache, 0), 1);
}

/* An id at their place may be from before or from after: only when records have come is there one
 * that must be told. */
enum { MINUTES_5 = 300000 };

static void aged_keys_of_an_idle_partition_are_remembered_until_it_goes_on(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    set_origin(0, 1);
    for (int i = 0; i < 10; i++) {
        now_ms += RETENTION_MS;
        tidy();
    }
    check_all("0@1 b=1, 0@2 a=-");
    assert_int_equal(cache_horizon(cache, 0), 0);
    append(0, 2, "c", "1");
    for (int i = 0; i < 2; i++) {
        now_ms += MINUTES_5;
        tidy();
    }
    check_all("0@1 b=1, 0@2 c=1");
    assert_int_equal(cache_horizon(cache, 0), 3);
}

/* One that finds it later gives ids from behind it, to clients that still have the key. */
static void an_aged_key_is_remembered_until_all_responders_have_found_it(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    set_origin(0, 1);
    append(0, 2, "c", "1");
    now_ms += 2 * RETENTION_MS;
    tidy();
    check_all("0@1 b=1, 0@2 a=-, 0@2 c=1");
}

static uint64_t seek(int64_t next0, int64_t next1);

static void who_resumes_seeks_the_aged_keys_that_he_may_not_know(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    append(1, 0, "c", "1");
    set_origin(0, 1);
    uint64_t aged = cache_end(cache) - 1;
    assert_true(seek(1, 1) <= aged);
    assert_true(seek(2, 1) <= aged); /* at the very place where it stands */
    now_ms += 10 * 60000; /* not of the last minutes any more, but for those deletes are kept */
    while (cache_tidy(cache, now_ms - 10 * 60000))
        ;
    append(0, 2, "d", "1");
    assert_true(seek(2, 1) <= aged);
}

static void who_resumes_behind_an_aged_key_seeks_it_for_some_minutes(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    cache_reset(cache, true, 10 * MINUTES_5);
    cache_set_partitions(cache, 1);
    now_ms = MINUTES_5;
    tidy();
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    set_origin(0, 1);
    uint64_t aged = cache_end(cache) - 1;
    append(0, 2, "d", "1");
    struct progress end = {0};
    progress_copy(&end, cache_progress(cache));
    assert_int_equal(cache_recent_aged(cache), aged);
    assert_int_equal(cache_seek(cache, &end), aged);
    now_ms += MINUTES_5;
    tidy();
    assert_int_equal(cache_seek(cache, &end), aged);
    now_ms += MINUTES_5;
    tidy();
    assert_int_equal(cache_seek(cache, &end), cache_end(cache));
    assert_true(cache_recent_aged(cache) == UINT64_MAX);
    progress_fini(&end);
}

/* -- keys that have aged before they were read -- */

static int64_t unnamed(void)
{
    return cache_unnamed(cache, 0, 0);
}

static void a_log_that_begins_at_0_has_dropped_no_key_by_age(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 0);
    append(0, 7, "a", "1");
    cache_ended(cache, 0, now_ms);
    assert_true(unnamed() <= 0);
}

static void
keys_that_went_before_they_were_read_are_unnamed_up_to_the_end_of_some_minutes_later(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 3);
    append(0, 3, "a", "1");
    append(0, 4, "b", "1");
    assert_int_equal(unnamed(), 6); /* who is at the end may be from before, too */
    now_ms += 10 * MINUTES_5;
    cache_ended(cache, 0, now_ms); /* it took its time to load it */
    assert_int_equal(unnamed(), 6);
    append(0, 5, "a", "2");
    cache_ended(cache, 0, now_ms + MINUTES_5 - 1);
    assert_int_equal(unnamed(), 7);
    cache_ended(cache, 0, now_ms + MINUTES_5);
    assert_int_equal(unnamed(), 6);
    append(0, 6, "a", "3");
    assert_int_equal(unnamed(), 6);
}

static void a_log_that_loses_its_start_at_its_end_names_the_keys_that_go(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 0);
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    cache_ended(cache, 0, now_ms);
    set_origin(0, 1);
    assert_true(unnamed() <= 0);
}

static void a_log_that_loses_its_start_while_it_is_loaded_does_not(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 0);
    append(0, 0, "a", "1");
    append(0, 1, "b", "1");
    set_origin(0, 1); /* others are further than where the delete of a stands */
    assert_int_equal(unnamed(), 3);
}

static void a_log_that_loses_its_start_behind_what_was_read_does_not(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    set_origin(0, 0);
    append(0, 0, "a", "1");
    cache_ended(cache, 0, now_ms);
    uint64_t number = cache_end(cache);
    set_origin(0, 3);
    assert_int_equal(unnamed(), 4);
    assert_int_equal(cache_unnamed(cache, 0, number), 4);
    append(0, 3, "a", "2");
    assert_int_equal(cache_unnamed(cache, 0, cache_end(cache)), OFFSET_BEGINNING);
}

static void a_log_that_is_not_compacted_has_no_keys_to_name(void **state)
{
    (void)state;
    make(false, 1, UNLIMITED);
    set_origin(0, 3);
    assert_true(unnamed() <= 0);
}

/* -- the limit -- */

static void append_kilobytes(int n)
{
    static char value[1001];
    char key[16];

    memset(value, 'v', 1000);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%d", i);
        append(0, i, key, value);
    }
}

static void beyond_its_limit_the_cache_drops_the_oldest(void **state)
{
    (void)state;
    for (int compacted = 0; compacted < 2; compacted++) {
        make(compacted, 1, 100000);
        append_kilobytes(200);
        struct cache_walk walk = cache_walk(cache, 0, UINT64_MAX);
        struct record r;
        uint64_t number;
        int64_t expected = 200 - (int64_t)cache_count(cache);
        assert_true(cache_bytes(cache) <= 100000 && cache_bytes(cache) > 97000);
        while (cache_walk_next(&walk, &r, &number))
            assert_int_equal(r.offset, expected++);
        assert_int_equal(expected, 200);
    }
}

static void what_the_limit_drops_is_lost_and_moves_no_horizon(void **state)
{
    (void)state;
    make(true, 1, 100000);
    append_kilobytes(200);
    assert_int_equal(cache_lost(cache, 0), 200 - (int64_t)cache_count(cache));
    assert_int_equal(cache_horizon(cache, 0), 0);
    check_start(0);
}

static void a_stream_of_a_topic_that_is_not_compacted_starts_behind_what_is_lost(void **state)
{
    (void)state;
    make(false, 1, 100000);
    append_kilobytes(200);
    check_start(200 - (int64_t)cache_count(cache));
}

static void the_newest_record_stays_whatever_its_size(void **state)
{
    struct buf value = {0};
    struct record r = {.key = BYTES("k"), .timestamp_ms = -1};

    (void)state;
    make(true, 1, 100000);
    memset(buf_reserve(&value, 200000), 'v', 200000);
    r.value = slice_of(value.p, 200000);
    append_kilobytes(10);
    r.offset = 10;
    cache_append(cache, &r, now_ms, wall_ms);
    tidy();
    assert_int_equal(cache_count(cache), 1);
    buf_fini(&value);
}

/* -- seeking -- */

static uint64_t seek(int64_t next0, int64_t next1)
{
    struct progress from = {0};

    progress_resize(&from, 2);
    from.next[0] = next0;
    from.next[1] = next1;
    uint64_t number = cache_seek(cache, &from);
    progress_fini(&from);
    return number;
}

static void who_has_seen_everything_seeks_the_end(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    assert_int_equal(seek(OFFSET_BEGINNING, OFFSET_BEGINNING), cache_end(cache));
    append(0, 0, "a", "1");
    append(1, 0, "a", "1");
    assert_int_equal(seek(1, 1), cache_end(cache));
    assert_int_equal(seek(100, 1), cache_end(cache));
}

static void who_has_seen_nothing_seeks_the_first_record(void **state)
{
    (void)state;
    make(true, 2, UNLIMITED);
    uint64_t first = append(0, 0, "a", "1");
    append(1, 0, "a", "1");
    assert_true(seek(OFFSET_BEGINNING, 1) <= first);
    assert_true(seek(0, 0) <= first);
}

static void a_seek_is_off_by_less_than_two_segments(void **state)
{
    (void)state;
    make(false, 2, UNLIMITED);
    for (int i = 0; i < 10 * SEGMENT; i++)
        append(i % 2, i / 2, NULL, "v");
    uint64_t wanted = cache_end(cache) - 3 * SEGMENT;
    int64_t next = (10 * SEGMENT - 3 * SEGMENT) / 2;
    assert_in_range(seek(next, next), wanted - 2 * SEGMENT, wanted);
}

static void a_partition_that_came_late_is_sought_from_its_first_record(void **state)
{
    (void)state;
    make(true, 1, UNLIMITED);
    for (int i = 0; i < 3 * SEGMENT; i++)
        append(0, i, NULL, "v");
    cache_set_partitions(cache, 2);
    uint64_t late = append(1, 0, "a", "1");
    for (int i = 3 * SEGMENT; i < 6 * SEGMENT; i++)
        append(0, i, NULL, "v");
    assert_true(seek(6 * SEGMENT, OFFSET_BEGINNING) <= late);
    assert_true(seek(6 * SEGMENT, 0) <= late);
}

/* -- everything at once, against a model -- */

enum { PARTITIONS = 3, KEYS = 2000, STEPS = 60000, CHECK_EVERY = 997 };

struct model {
    bool compacted;
    struct item {
        uint64_t number;
        int64_t offset, expires_at_ms;
        int32_t partition;
        int key; /* -1: none */
        bool deleted, there, aged;
    } items[2 * STEPS];
    size_t n, first, there;       /* below first none is there */
    int newest[PARTITIONS][KEYS]; /* item + 1; 0: none */
    int64_t next[PARTITIONS], origin[PARTITIONS], horizon[PARTITIONS], lost[PARTITIONS];
    int64_t timestamps[PARTITIONS][STEPS], ended_at[PARTITIONS]; /* ended_at: -1: never */
    size_t records[PARTITIONS];
    uint64_t last_forgotten;
};
static struct model m;

static void raise_to(int64_t *mark, int64_t offset)
{
    if (offset > *mark)
        *mark = offset;
}

static void model_drop(struct item *i)
{
    i->there = false;
    m.there--;
    if (m.compacted && i->key >= 0)
        m.newest[i->partition][i->key] = 0;
}

static void model_forget(struct item *i)
{
    if (i->number > m.last_forgotten)
        m.last_forgotten = i->number;
    model_drop(i);
}

static bool model_young(int64_t timestamp)
{
    return timestamp >= INT64_C(978307200000) && timestamp <= wall_ms &&
           timestamp > wall_ms - RETENTION_MS;
}

/* May a delete be hidden before the record of that timestamp (NULL: before the log's end)? */
static bool model_hides(int32_t p, const int64_t *behind)
{
    if (m.ended_at[p] >= 0 && now_ms - m.ended_at[p] < RETENTION_MS)
        return false;
    size_t n = m.records[p], first = n > 8 ? n - 8 : 0;
    for (size_t i = first; i < n; i++)
        if (!model_young(m.timestamps[p][i]))
            return true;
    return n == 0 || (behind && !model_young(*behind));
}

static void model_put(const struct item *item)
{
    int p = item->partition, key = item->key;

    if (m.compacted && key >= 0 && m.newest[p][key])
        model_drop(&m.items[m.newest[p][key] - 1]);
    m.items[m.n++] = *item;
    m.there++;
    if (m.compacted && key >= 0)
        m.newest[p][key] = (int)m.n;
}

static void model_append(const struct record *r, int key, uint64_t number)
{
    int32_t p = r->partition;

    if (m.origin[p] == OFFSET_BEGINNING)
        m.origin[p] = m.next[p] = r->offset,
        raise_to(m.compacted ? &m.horizon[p] : &m.lost[p], r->offset);
    if (m.compacted && r->offset > m.next[p] && model_hides(p, &r->timestamp_ms))
        raise_to(&m.horizon[p], r->offset);
    m.timestamps[p][m.records[p]++] = r->timestamp_ms;
    m.next[p] = r->offset + 1;
    if (key >= 0 || r->value.p != NULL)
        model_put(&(struct item){number, r->offset, now_ms + RETENTION_MS, p, key,
                                 r->value.p == NULL, true, false});
}

static void model_advance(int32_t p, int64_t next)
{
    if (m.origin[p] == OFFSET_BEGINNING)
        m.origin[p] = m.next[p] = next, raise_to(m.compacted ? &m.horizon[p] : &m.lost[p], next);
    if (m.compacted && next > m.next[p] && model_hides(p, NULL))
        raise_to(&m.horizon[p], next);
    raise_to(&m.next[p], next);
    m.ended_at[p] = now_ms;
}

/* Aged records get the numbers from `end` on. */
static void model_set_origin(int32_t p, int64_t origin, uint64_t end)
{
    size_t n = m.n;

    if (origin <= m.origin[p])
        return;
    m.origin[p] = origin;
    if (!m.compacted)
        raise_to(&m.lost[p], origin);
    else if (origin > m.next[p])
        raise_to(&m.horizon[p], origin);
    raise_to(&m.next[p], origin);
    for (size_t i = m.first; i < n; i++) {
        struct item *item = &m.items[i];
        if (!item->there || item->partition != p || item->offset >= origin)
            continue;
        if (m.compacted && item->key >= 0 && item->deleted)
            continue;
        if (m.compacted && item->key >= 0) {
            model_put(&(struct item){end++, m.next[p], now_ms + RETENTION_MS, p, item->key, true,
                                     true, true});
            continue;
        }
        if (m.compacted)
            raise_to(&m.horizon[p], item->offset + 1);
        model_forget(item);
    }
}

static void model_expire(void)
{
    for (size_t i = m.first; m.compacted && i < m.n; i++) {
        struct item *d = &m.items[i];
        if (!d->there || !d->deleted || d->key < 0 || d->expires_at_ms > now_ms)
            continue;
        bool recent = d->number >= cache_recent_aged(cache);
        if (d->aged && (recent || d->offset == m.next[d->partition])) {
            d->expires_at_ms = now_ms + RETENTION_MS;
            continue;
        }
        raise_to(&m.horizon[d->partition], d->offset + 1);
        model_forget(d);
    }
}

/* The cache may have dropped its oldest for its limit; it says how many. */
static void model_limit(void)
{
    for (; m.first < m.n && (!m.items[m.first].there || m.there > cache_count(cache)); m.first++) {
        struct item *i = &m.items[m.first];
        if (!i->there)
            continue;
        raise_to(&m.lost[i->partition], i->offset + !i->aged);
        model_drop(i);
    }
}

static int64_t last_hole;

static void random_append(uint64_t *seed)
{
    int key = random_below(seed, 10) ? (int)random_below(seed, KEYS) : -1;
    char text[32];
    struct record r = {.partition = (int32_t)random_below(seed, PARTITIONS)};

    /* Some keys much more often than others, so that segments thin out unevenly. */
    if (key > 0 && random_below(seed, 2))
        key = (int)random_below(seed, (uint32_t)key) / 10;
    last_hole = random_below(seed, 20) ? 0 : random_below(seed, 5);
    r.offset = (m.next[r.partition] < 0 ? 0 : m.next[r.partition]) + last_hole;
    r.timestamp_ms = random_below(seed, 30) ? wall_ms - random_below(seed, 1010) : -1;
    if (key >= 0)
        r.key = slice_of(&key, sizeof key);
    snprintf(text, sizeof text, "%d:%lld", r.partition, (long long)r.offset);
    if (random_below(seed, 4))
        r.value = slice_str(text);
    model_append(&r, key, cache_append(cache, &r, now_ms, wall_ms));
}

static void random_step(uint64_t *seed)
{
    int32_t p = (int32_t)random_below(seed, PARTITIONS);

    switch (random_below(seed, 300)) {
    case 0: {
        int64_t origin = m.origin[p] + random_below(seed, 200);
        model_expire();
        cache_set_origin(cache, p, origin);
        model_set_origin(p, origin, cache_end(cache));
        tidy();
        break;
    }
    case 1: {
        int64_t next = (m.next[p] < 0 ? 0 : m.next[p]) + random_below(seed, 3);
        cache_advance(cache, p, next, now_ms, wall_ms);
        cache_ended(cache, p, now_ms);
        model_advance(p, next);
        break;
    }
    case 2:
        model_expire();
        tidy();
        break;
    default:
        now_ms += random_below(seed, 2);
        wall_ms += random_below(seed, 2);
        random_append(seed);
        while (cache_untidy(cache))
            cache_tidy(cache, 0);
    }
    model_limit();
}

static void compare_walk(uint64_t pos, uint64_t limit)
{
    struct cache_walk walk = cache_walk(cache, pos, limit);
    struct record r;
    uint64_t number;
    size_t i = m.first;

    while (cache_walk_next(&walk, &r, &number)) {
        while (i < m.n && (!m.items[i].there || m.items[i].number < pos))
            i++;
        assert_true(i < m.n);
        assert_int_equal(number, m.items[i].number);
        assert_int_equal(r.partition, m.items[i].partition);
        assert_int_equal(r.offset, m.items[i].offset);
        assert_int_equal(r.aged, m.items[i].aged);
        assert_int_equal(r.key.p == NULL, m.items[i].key < 0);
        if (r.key.p)
            assert_bytes(r.key, slice_of(&m.items[i].key, sizeof(int)));
        char text[32];
        snprintf(text, sizeof text, "%d:%lld", r.partition, (long long)r.offset);
        if (m.items[i].deleted)
            assert_null(r.value.p);
        else
            assert_text(r.value, text);
        i++;
    }
    for (; i < m.n && m.items[i].number < limit; i++)
        assert_true(!m.items[i].there || m.items[i].number < pos);
}

static void compare_seek(uint64_t *seed)
{
    struct progress from = {0};

    progress_resize(&from, (int32_t)random_below(seed, PARTITIONS + 1));
    for (int32_t p = 0; p < from.n; p++)
        if (random_below(seed, 8))
            from.next[p] = random_below(seed, (uint32_t)(m.next[p] > 0 ? m.next[p] : 0) + 2);
    uint64_t number = cache_seek(cache, &from);
    for (size_t i = m.first; i < m.n && m.items[i].number < number; i++)
        assert_true(!m.items[i].there ||
                    (m.items[i].offset < progress_get(&from, m.items[i].partition) &&
                     (!m.items[i].aged || m.items[i].number < cache_recent_aged(cache))));
    progress_fini(&from);
}

static void compare(uint64_t *seed)
{
    struct progress start = {0};
    uint64_t end = cache_end(cache);

    assert_int_equal(cache_count(cache), m.there);
    compare_walk(0, end);
    compare_walk(random_below(seed, (uint32_t)end), random_below(seed, (uint32_t)end + 2));
    for (int i = 0; i < 20; i++)
        compare_seek(seed);
    cache_start(cache, &start);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        bool behind_loss = !m.compacted && m.lost[p] > m.origin[p];
        assert_int_equal(start.next[p], behind_loss ? m.lost[p] : m.origin[p]);
        assert_int_equal(cache_progress(cache)->next[p], m.next[p]);
        assert_int_equal(cache_horizon(cache, p), m.horizon[p]);
        assert_int_equal(cache_lost(cache, p), m.lost[p]);
    }
    if (m.last_forgotten)
        assert_int_equal(cache_last_forgotten(cache), m.last_forgotten);
    progress_fini(&start);
}

static void run_against_model(bool compacted, size_t max_bytes, uint64_t seed)
{
    make(compacted, PARTITIONS, max_bytes);
    memset(&m, 0, sizeof m);
    m.compacted = compacted;
    for (int p = 0; p < PARTITIONS; p++) {
        m.next[p] = m.origin[p] = m.horizon[p] = m.lost[p] = OFFSET_BEGINNING;
        m.ended_at[p] = -1;
    }
    for (int step = 1; step <= STEPS; step++) {
        random_step(&seed);
        assert_true(cache_bytes(cache) <= max_bytes);
        if (step % CHECK_EVERY == 0)
            compare(&seed);
    }
    compare(&seed);
}

static void a_compacted_cache_is_as_its_model(void **state)
{
    (void)state;
    run_against_model(true, UNLIMITED, 11);
}

static void a_compacted_cache_at_its_limit_is_as_its_model(void **state)
{
    (void)state;
    run_against_model(true, 300000, 12);
}

static void a_cache_that_is_not_compacted_is_as_its_model(void **state)
{
    (void)state;
    run_against_model(false, UNLIMITED, 13);
}

static void a_cache_that_is_not_compacted_at_its_limit_is_as_its_model(void **state)
{
    (void)state;
    run_against_model(false, 500000, 14);
}

/* -- what a turn of the loop is asked for, at scale -- */

enum { WIDE = 100, DEEP = 5000, PIECE = 1100 }; /* records that one call may drop */

static void fill_wide(bool compacted)
{
    make(compacted, WIDE, UNLIMITED);
    for (int i = 0; i < DEEP; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        for (int32_t p = 0; p < WIDE; p++)
            append(p, i, key, "v");
    }
}

/* The calls that it took; none of them did more than its piece. */
static int tidy_in_pieces(void)
{
    int calls = 0;
    bool more;

    do {
        size_t had = cache_count(cache);
        uint64_t end = cache_end(cache);
        more = cache_tidy(cache, now_ms);
        assert_in_range(had - cache_count(cache) + (cache_end(cache) - end), 0, PIECE);
        calls++;
    } while (more);
    return calls;
}

/* All that is left of a partition is from `first` on, in order. */
static void check_wide(const int64_t *first)
{
    int64_t next[WIDE];
    struct cache_walk walk = cache_walk(cache, 0, cache_end(cache));
    struct record r;
    uint64_t number;

    memcpy(next, first, sizeof next);
    while (cache_walk_next(&walk, &r, &number))
        if (!r.aged)
            assert_int_equal(r.offset, next[r.partition]++);
    for (int32_t p = 0; p < WIDE; p++)
        assert_int_equal(next[p], DEEP);
}

static void log_starts_that_move_together_cost_what_is_dropped(void **state)
{
    (void)state;
    for (int compacted = 0; compacted < 2; compacted++) {
        int64_t first[WIDE];
        fill_wide(compacted);
        for (int32_t p = 0; p < WIDE; p++) {
            first[p] = DEEP / 2 + p;
            cache_set_origin(cache, p, first[p]);
        }
        int dropped = WIDE * DEEP / 2 + WIDE * WIDE / 2;
        assert_in_range(tidy_in_pieces(), 1, dropped / 900);
        check_wide(first);
        assert_int_equal(cache_count(cache),
                         compacted ? WIDE * DEEP : WIDE * DEEP - dropped + WIDE / 2);
    }
}

/* Others' records are passed over, and those that were passed over once are not looked at again. */
static void log_starts_that_move_one_by_one_cost_little_more(void **state)
{
    int64_t first[WIDE];
    int calls = 0;

    (void)state;
    fill_wide(false);
    for (int32_t p = 0; p < WIDE; p++)
        first[p] = 0;
    for (int round = 1; round <= 5; round++)
        for (int32_t p = 0; p < WIDE; p++) {
            first[p] = round * DEEP / 5;
            cache_set_origin(cache, p, first[p]);
            calls += tidy_in_pieces();
        }
    check_wide(first);
    assert_int_equal(cache_count(cache), 0);
    /* Each slot is looked at once for each partition; there are 16384 in a call. */
    assert_in_range(calls, 1, WIDE * (WIDE * DEEP / 16384 + 5 * 3));
}

static void many_deletes_expire_in_pieces(void **state)
{
    enum { MANY = 50000 };

    (void)state;
    make(true, 1, UNLIMITED);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        append(0, i, key, NULL);
    }
    now_ms = RETENTION_MS;
    assert_in_range(tidy_in_pieces(), MANY / PIECE, MANY / 900);
    assert_int_equal(cache_count(cache), 0);
    assert_int_equal(cache_horizon(cache, 0), MANY);
}

static void what_a_large_record_pushes_out_goes_in_pieces(void **state)
{
    static uint8_t value[2000000];
    struct record r = {.key = BYTES("k"), .value = BYTES("v"), .timestamp_ms = -1};

    (void)state;
    make(false, 1, 2100000);
    for (; r.offset < 30000; r.offset++)
        cache_append(cache, &r, now_ms, wall_ms);
    size_t had = cache_count(cache);
    r.value = slice_of(value, sizeof value);
    cache_append(cache, &r, now_ms, wall_ms);
    assert_in_range(had - cache_count(cache), 0, 10);
    assert_true(cache_untidy(cache));
    assert_in_range(tidy_in_pieces(), 10, 100);
    assert_true(cache_bytes(cache) <= 2100000);
    assert_false(cache_untidy(cache));
}

static void a_topic_that_was_made_again_is_freed_in_pieces(void **state)
{
    (void)state;
    fill_wide(true);
    cache_reset(cache, true, RETENTION_MS);
    cache_set_partitions(cache, 1);
    assert_true(cache_untidy(cache));
    append(0, 0, "a", "1");
    int calls = tidy_in_pieces();
    assert_in_range(calls, WIDE * DEEP / SEGMENT, WIDE * DEEP / SEGMENT + 3);
    assert_false(cache_untidy(cache));
    check_all("0@0 a=1");
}

/* -- memory -- */

static size_t memory_in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it has an allocator of its own */
#endif
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* `rounds` times the keys in turn, or each key `repeats` times in a row; the bytes per key beside
 * key and value at the end. */
static size_t overhead_per_key(uint32_t keys, int rounds, int repeats)
{
    enum { VALUE = 20 };
    static const uint8_t value[VALUE];
    struct record r = {.timestamp_ms = -1, .value = slice_of(value, VALUE)};
    size_t before = memory_in_use();

    make(true, 100, UNLIMITED);
    for (int round = 0; round < rounds; round++) {
        for (uint32_t k = 0; k < keys; k++) {
            r.key = slice_of(&k, sizeof k);
            for (int i = 0; i < repeats; i++, r.offset++)
                cache_append(cache, &r, now_ms, wall_ms);
        }
    }
    assert_int_equal(cache_count(cache), keys);
    size_t all = memory_in_use() - before;
    /* What the limit goes by is the truth, but for the beginnings of tables. */
    assert_in_range(cache_bytes(cache) + 300000, all, all * 12 / 10 + 600000);
    teardown(NULL);
    return all / keys - sizeof(uint32_t) - VALUE;
}

static void a_million_keys_take_at_most_128_bytes_each_beside_key_and_value(void **state)
{
    (void)state;
    assert_in_range(overhead_per_key(1000000, 1, 1), 1, 128);
}

static void keys_that_were_updated_in_turn_take_no_more(void **state)
{
    (void)state;
    assert_in_range(overhead_per_key(100000, 5, 1), 1, 128);
}

static void keys_that_were_updated_often_one_after_the_other_take_no_more(void **state)
{
    (void)state;
    /* 300 KB are there for tables that are begun. */
    assert_in_range(overhead_per_key(300, 1, SEGMENT), 1, 128 + 300000 / 300);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(the_newest_record_of_each_key_is_kept_in_the_order_of_the_log),
        T(every_record_is_kept_of_a_topic_that_is_not_compacted),
        T(records_without_a_key_are_all_kept),
        T(records_with_neither_key_nor_value_are_not_kept_but_passed),
        T(an_empty_key_and_an_empty_value_are_not_absent),
        T(the_same_key_in_two_partitions_is_two_keys),
        T(a_delete_is_kept_as_the_newest_of_its_key),
        T(an_etag_is_kept_and_one_that_no_id_can_hold_is_not),
        T(a_walk_begins_at_its_number_and_ends_before_its_limit),
        T(a_walk_from_a_superseded_number_goes_on_behind_it),
        T(numbers_go_on_rising_after_a_reset),
        T(the_progress_is_behind_the_last_record_of_each_partition),
        T(a_stream_starts_at_the_origin),
        T(without_an_origin_the_first_record_or_the_end_is_it),
        T(what_the_broker_dropped_goes),
        T(an_origin_does_not_fall),
        T(an_origin_beyond_the_progress_moves_it),
        T(what_the_broker_drops_of_a_topic_that_is_not_compacted_is_lost),
        T(a_delete_goes_when_its_time_is_over),
        T(the_horizon_rises_behind_a_delete_that_goes),
        T(a_delete_that_is_superseded_does_not_move_the_horizon),
        T(a_delete_that_goes_is_the_last_forgotten),
        T(a_changed_retention_counts_for_the_deletes_that_come),
        T(a_topic_that_is_not_compacted_keeps_its_deletes),
        T(a_hole_behind_an_old_record_may_have_been_a_delete),
        T(a_hole_behind_a_young_record_was_none),
        T(what_went_before_deletes_were_kept_for_longer_was_kept_for_less_long),
        T(a_hole_behind_a_record_without_a_time_may_have_been_a_delete),
        T(a_hole_between_the_origin_and_the_first_record_may_have_been_a_delete),
        T(a_record_from_the_future_hides_no_delete),
        T(a_hole_before_the_end_of_the_log_is_judged_too),
        T(away_from_the_end_for_longer_than_deletes_are_kept_it_is_outdated),
        T(a_load_that_stood_still_for_longer_than_deletes_are_kept_is_outdated),
        T(a_slow_load_comes_to_its_end),
        T(the_last_time_at_the_end_counts),
        T(a_key_that_has_aged_is_deleted_at_the_end_of_the_log),
        T(what_was_not_read_before_the_broker_dropped_it_moves_the_horizon),
        T(a_record_without_a_key_that_the_broker_dropped_is_forgotten),
        T(a_delete_that_the_broker_dropped_is_kept_for_its_time),
        T(aged_keys_of_an_idle_partition_are_remembered_until_it_goes_on),
        T(an_aged_key_is_remembered_until_all_responders_have_found_it),
        T(who_resumes_seeks_the_aged_keys_that_he_may_not_know),
        T(who_resumes_behind_an_aged_key_seeks_it_for_some_minutes),
        T(a_log_that_begins_at_0_has_dropped_no_key_by_age),
        T(keys_that_went_before_they_were_read_are_unnamed_up_to_the_end_of_some_minutes_later),
        T(a_log_that_loses_its_start_at_its_end_names_the_keys_that_go),
        T(a_log_that_loses_its_start_while_it_is_loaded_does_not),
        T(a_log_that_loses_its_start_behind_what_was_read_does_not),
        T(a_log_that_is_not_compacted_has_no_keys_to_name),
        T(beyond_its_limit_the_cache_drops_the_oldest),
        T(what_the_limit_drops_is_lost_and_moves_no_horizon),
        T(a_stream_of_a_topic_that_is_not_compacted_starts_behind_what_is_lost),
        T(the_newest_record_stays_whatever_its_size),
        T(who_has_seen_everything_seeks_the_end),
        T(who_has_seen_nothing_seeks_the_first_record),
        T(a_seek_is_off_by_less_than_two_segments),
        T(a_partition_that_came_late_is_sought_from_its_first_record),
        T(a_compacted_cache_is_as_its_model),
        T(a_compacted_cache_at_its_limit_is_as_its_model),
        T(a_cache_that_is_not_compacted_is_as_its_model),
        T(a_cache_that_is_not_compacted_at_its_limit_is_as_its_model),
        T(log_starts_that_move_together_cost_what_is_dropped),
        T(log_starts_that_move_one_by_one_cost_little_more),
        T(many_deletes_expire_in_pieces),
        T(what_a_large_record_pushes_out_goes_in_pieces),
        T(a_topic_that_was_made_again_is_freed_in_pieces),
        T(a_million_keys_take_at_most_128_bytes_each_beside_key_and_value),
        T(keys_that_were_updated_in_turn_take_no_more),
        T(keys_that_were_updated_often_one_after_the_other_take_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

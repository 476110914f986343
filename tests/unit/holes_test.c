#include "topic/holes.h"

#include <stdbool.h>

#include "support.h"

#define DAY INT64_C(86400000)
#define NOW INT64_C(1790000000000)

static const struct holes_times times = {
    .now_ms = 5 * DAY, .wall_ms = NOW, .delete_retention_ms = DAY};

/* Records of these ages, then a hole, then one of that age. */
static bool hides(const int64_t *ages_ms, size_t n, int64_t behind_age_ms)
{
    struct holes h = {0};
    int64_t behind = NOW - behind_age_ms;

    for (size_t i = 0; i < n; i++)
        holes_record(&h, NOW - ages_ms[i]);
    return holes_hide_delete(&h, &times, &behind);
}

#define AGES(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / 8

static void among_young_records_it_hides_none(void **state)
{
    (void)state;
    assert_false(hides(AGES(DAY - 1), 0));
    assert_false(hides(AGES(1000, 500, 100), 50));
    assert_false(hides(AGES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), DAY - 1));
}

static void behind_an_old_record_it_may_hide_one(void **state)
{
    (void)state;
    assert_true(hides(AGES(DAY), 0));
    assert_true(hides(AGES(2 * DAY, 100), 50));
}

static void before_an_old_record_it_may_hide_one(void **state)
{
    (void)state;
    assert_true(hides(AGES(1000, 100), DAY));
}

static void an_old_record_long_before_does_not_matter(void **state)
{
    (void)state;
    assert_false(hides(AGES(2 * DAY, 8, 7, 6, 5, 4, 3, 2, 1), 0));
    assert_true(hides(AGES(2 * DAY, 7, 6, 5, 4, 3, 2, 1), 0));
}

static void with_no_record_before_it_nobody_knows(void **state)
{
    (void)state;
    assert_true(hides(NULL, 0, 0));
}

/* By a year or by a moment. */
static void a_record_from_the_future_says_nothing(void **state)
{
    (void)state;
    assert_true(hides(AGES(100, -3 * 365 * DAY), 0));
    assert_true(hides(AGES(100, -1), 0));
    assert_true(hides(AGES(100), -1));
}

static void neither_does_one_from_before_2001(void **state)
{
    (void)state;
    assert_true(hides(AGES(100, NOW - NOW / 1000), 0)); /* seconds */
    assert_true(hides(AGES(100, NOW - NOW * 1000), 0)); /* microseconds */
    assert_true(hides(AGES(100, NOW + 1), 0));          /* -1: none */
    assert_true(hides(AGES(100, NOW), 0));              /* 1970 */
    assert_true(hides(AGES(100), NOW + 1));
}

/* It was appended 1.2 days ago, its clock ran ahead by a day; the others' clocks are right. */
static void a_clock_that_is_a_day_ahead_does_not_make_what_is_old_young(void **state)
{
    (void)state;
    assert_true(hides(AGES(DAY + DAY / 5, DAY / 5), 0));
    assert_true(hides(AGES(DAY / 5), DAY + DAY / 5));
}

static void extreme_times_do_no_harm(void **state)
{
    static const int64_t extremes[] = {INT64_MIN, -1, 0, 1, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct holes h = {0};
        holes_record(&h, extremes[i]);
        assert_true(holes_hide_delete(&h, &times, &extremes[i]));
        assert_true(holes_hide_delete(&h, &times, NULL));
    }
}

/* What is read live: no timestamp matters. */
static void behind_the_end_of_the_log_all_is_as_young_as_that_was_seen(void **state)
{
    struct holes h = {0};
    const int64_t behind = 0;

    (void)state;
    holes_record(&h, 0);
    holes_end(&h, times.now_ms - DAY + 1);
    assert_false(holes_hide_delete(&h, &times, &behind));
    holes_record(&h, 0);
    assert_false(holes_hide_delete(&h, &times, NULL));
    holes_end(&h, times.now_ms - DAY); /* an answer that comes late */
    assert_false(holes_hide_delete(&h, &times, &behind));
    h = (struct holes){0};
    holes_end(&h, times.now_ms - DAY);
    assert_true(holes_hide_delete(&h, &times, &behind));
}

static void what_was_appended_since_the_end_was_seen_outdates_it_once_deletes_go(void **state)
{
    struct holes h = {0};

    (void)state;
    holes_record(&h, 0);
    holes_end(&h, times.now_ms - DAY + 1);
    assert_false(holes_outdate(&h, &times));
    h = (struct holes){0};
    holes_end(&h, times.now_ms - DAY);
    assert_true(holes_outdate(&h, &times));
}

/* Each transaction leaves a hole. */
static void who_reads_all_the_time_is_not_outdated_however_short_deletes_are_kept(void **state)
{
    const struct holes_times soon = {.now_ms = 5 * DAY, .wall_ms = NOW, .delete_retention_ms = 1};
    struct holes h = {0};

    (void)state;
    holes_end(&h, soon.now_ms - 14999);
    assert_false(holes_outdate(&h, &soon));
    h = (struct holes){0};
    holes_end(&h, soon.now_ms - 15000);
    assert_true(holes_outdate(&h, &soon));
}

/* -- before the end was reached for the first time -- */

static struct holes_times at(int64_t now_ms)
{
    return (struct holes_times){.now_ms = now_ms, .wall_ms = NOW, .delete_retention_ms = DAY};
}

/* A second is over in which that was read, or nothing. */
static void look(struct holes *h, int64_t now_ms, int records)
{
    struct holes_times now = at(now_ms);

    for (int i = 0; i < records; i++)
        holes_record(h, 0);
    holes_look(h, &now, now_ms - 1000);
}

static bool is_outdated(const struct holes *h, int64_t now_ms)
{
    struct holes_times now = at(now_ms);

    return holes_outdate(h, &now);
}

static void a_reading_that_stood_still_is_outdated_once_deletes_go(void **state)
{
    struct holes h = {0};

    (void)state;
    look(&h, 1000, 1);
    look(&h, 2000, 1);
    assert_false(is_outdated(&h, DAY + 999));
    assert_true(is_outdated(&h, DAY + 1000));
}

static void and_stays_so_until_the_end_is_reached(void **state)
{
    struct holes h = {0};

    (void)state;
    look(&h, 1000, 1);
    look(&h, 2 * DAY, 1);
    look(&h, 2 * DAY + 1000, 1);
    assert_true(is_outdated(&h, 2 * DAY + 1000));
    holes_end(&h, 2 * DAY + 2000);
    assert_false(is_outdated(&h, 2 * DAY + 2000));
}

static void a_reading_that_goes_on_is_not_outdated_however_long_it_takes(void **state)
{
    struct holes h = {0};

    (void)state;
    for (int64_t day = 0; day < 10; day++)
        for (int64_t s = 0; s < 86400; s++)
            look(&h, day * DAY + s * 1000, s % 80000 == 0);
    assert_false(is_outdated(&h, 10 * DAY));
}

static void where_nothing_was_read_nothing_is_outdated(void **state)
{
    struct holes h = {0};

    (void)state;
    assert_false(is_outdated(&h, 2 * DAY));
    look(&h, 2 * DAY, 0);
    holes_record(&h, 0);
    assert_false(is_outdated(&h, 2 * DAY));
}

/* The first look after a stop comes before what librdkafka has had since before it. */
static void what_was_fetched_before_a_stop_is_as_old_as_that(void **state)
{
    struct holes h = {0};
    struct holes_times now = at(2 * DAY);

    (void)state;
    look(&h, 1000, 0);
    holes_look(&h, &now, 1000);
    holes_record(&h, 0);
    assert_true(is_outdated(&h, 2 * DAY));
}

static void each_time_it_is_read_anew_for_that_it_takes_twice_as_long(void **state)
{
    struct holes h = {0};

    (void)state;
    look(&h, 1000, 1);
    for (uint32_t n = 0; n < 20; n++) {
        struct holes_times now = {.delete_retention_ms = 1, .rereads = n};
        now.now_ms = (INT64_C(15000) << n) - 1;
        assert_false(holes_outdate(&h, &now));
        now.now_ms++;
        assert_true(holes_outdate(&h, &now));
    }
}

static void no_number_of_times_does_harm(void **state)
{
    struct holes h = {0};
    struct holes_times now = at(2 * DAY);

    (void)state;
    look(&h, 1000, 1);
    now.rereads = UINT32_MAX;
    assert_false(holes_outdate(&h, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(among_young_records_it_hides_none),
        cmocka_unit_test(behind_an_old_record_it_may_hide_one),
        cmocka_unit_test(before_an_old_record_it_may_hide_one),
        cmocka_unit_test(an_old_record_long_before_does_not_matter),
        cmocka_unit_test(with_no_record_before_it_nobody_knows),
        cmocka_unit_test(a_record_from_the_future_says_nothing),
        cmocka_unit_test(neither_does_one_from_before_2001),
        cmocka_unit_test(a_clock_that_is_a_day_ahead_does_not_make_what_is_old_young),
        cmocka_unit_test(extreme_times_do_no_harm),
        cmocka_unit_test(behind_the_end_of_the_log_all_is_as_young_as_that_was_seen),
        cmocka_unit_test(what_was_appended_since_the_end_was_seen_outdates_it_once_deletes_go),
        cmocka_unit_test(who_reads_all_the_time_is_not_outdated_however_short_deletes_are_kept),
        cmocka_unit_test(a_reading_that_stood_still_is_outdated_once_deletes_go),
        cmocka_unit_test(and_stays_so_until_the_end_is_reached),
        cmocka_unit_test(a_reading_that_goes_on_is_not_outdated_however_long_it_takes),
        cmocka_unit_test(where_nothing_was_read_nothing_is_outdated),
        cmocka_unit_test(what_was_fetched_before_a_stop_is_as_old_as_that),
        cmocka_unit_test(each_time_it_is_read_anew_for_that_it_takes_twice_as_long),
        cmocka_unit_test(no_number_of_times_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

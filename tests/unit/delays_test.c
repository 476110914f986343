#include "stream/delays.h"

#include "support.h"

static const int64_t NOW = 1700000000000;

static struct delays delays;

static int setup(void **state)
{
    (void)state;
    delays = (struct delays){0};
    return 0;
}

static uint64_t counted(void)
{
    uint64_t n = 0;

    for (int i = 0; i <= DELAY_BOUNDS; i++)
        n += delays.counts.at[i];
    return n;
}

/* A round of one record, of that age at its end. */
static void pass_round(int64_t age_ms)
{
    delays_add(&delays, NOW - age_ms);
    delays_begin(&delays, true);
    delays_end(&delays, NOW);
}

static void a_record_is_counted_when_its_round_is_over(void **state)
{
    (void)state;
    delays_add(&delays, NOW - 7);
    assert_int_equal(counted(), 0);
    delays_begin(&delays, true);
    assert_int_equal(counted(), 0);
    delays_end(&delays, NOW);
    assert_int_equal(counted(), 1);
    assert_int_equal(delays.counts.at[1], 1);
    assert_int_equal(delays.counts.sum_ms, 7);
}

static void one_that_comes_during_a_round_is_for_the_next(void **state)
{
    (void)state;
    delays_add(&delays, NOW);
    delays_begin(&delays, true);
    delays_add(&delays, NOW);
    delays_end(&delays, NOW + 3);
    assert_int_equal(counted(), 1);
    delays_begin(&delays, true);
    delays_end(&delays, NOW + 20);
    assert_int_equal(counted(), 2);
    assert_int_equal(delays.counts.sum_ms, 23);
}

static void a_bound_is_its_buckets_last(void **state)
{
    (void)state;
    for (int i = 0; i < DELAY_BOUNDS; i++) {
        pass_round(delay_bounds_ms[i]);
        assert_int_equal(delays.counts.at[i], 1 + (i > 0));
        pass_round(delay_bounds_ms[i] + 1);
        assert_int_equal(delays.counts.at[i + 1], 1);
    }
}

static void one_of_the_future_took_no_time(void **state)
{
    (void)state;
    pass_round(-1000000);
    assert_int_equal(delays.counts.at[0], 1);
    assert_int_equal(delays.counts.sum_ms, 0);
}

static void one_of_long_ago_took_an_hour(void **state)
{
    (void)state;
    pass_round(NOW);
    assert_int_equal(delays.counts.at[DELAY_BOUNDS], 1);
    assert_int_equal(delays.counts.sum_ms, DELAY_MAX_MS);
}

static void one_without_a_timestamp_is_not_counted(void **state)
{
    (void)state;
    pass_round(NOW + 1);
    assert_int_equal(counted(), 0);
}

static void what_nobody_is_given_is_not_counted(void **state)
{
    (void)state;
    delays_add(&delays, NOW - 7);
    delays_begin(&delays, false);
    delays_end(&delays, NOW);
    pass_round(8);
    assert_int_equal(counted(), 1);
    assert_int_equal(delays.counts.sum_ms, 8);
}

/* None is left out; those beyond are as old as the oldest of them. */
static void there_may_be_more_timestamps_than_there_is_room_for(void **state)
{
    (void)state;
    for (int64_t i = 0; i < DELAY_RUNS + 2; i++)
        delays_add(&delays, NOW - i % 2 * 100);
    delays_begin(&delays, true);
    delays_end(&delays, NOW);
    assert_int_equal(counted(), DELAY_RUNS + 2);
    assert_int_equal(delays.counts.at[0], DELAY_RUNS / 2);
    assert_int_equal(delays.counts.sum_ms, (DELAY_RUNS / 2 + 2) * 100);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(a_record_is_counted_when_its_round_is_over),
        T(one_that_comes_during_a_round_is_for_the_next),
        T(a_bound_is_its_buckets_last),
        T(one_of_the_future_took_no_time),
        T(one_of_long_ago_took_an_hour),
        T(one_without_a_timestamp_is_not_counted),
        T(what_nobody_is_given_is_not_counted),
        T(there_may_be_more_timestamps_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

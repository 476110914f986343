#include "stream/pace.h"

#include "support.h"

enum { NOW = 5000, INTERVAL_MS = 10, BACKLOG = 1 << 20 };

static struct pace pace;

static int setup(void **state)
{
    (void)state;
    pace = (struct pace){.interval_ms = INTERVAL_MS};
    return 0;
}

static void without_bytes_there_is_nothing_to_flush(void **state)
{
    (void)state;
    assert_int_equal(pace_wait_ms(&pace, NOW), -1);
}

static void the_first_after_a_quiet_time_goes_at_once_and_the_next_later(void **state)
{
    (void)state;
    pace_add(&pace, 1);
    assert_int_equal(pace_wait_ms(&pace, NOW), 0);
    pace_begin(&pace, 1, NOW);
    assert_int_equal(pace_wait_ms(&pace, NOW), -1);
    pace_add(&pace, 1);
    assert_int_equal(pace_wait_ms(&pace, NOW), INTERVAL_MS);
    assert_int_equal(pace_wait_ms(&pace, NOW + INTERVAL_MS - 1), 1);
    assert_int_equal(pace_wait_ms(&pace, NOW + INTERVAL_MS), 0);
}

static void much_goes_before_its_time(void **state)
{
    (void)state;
    pace_add(&pace, 1);
    pace_begin(&pace, 1, NOW);
    pace_add(&pace, PACE_MUCH_BYTES - 1);
    assert_false(pace_is_much(&pace));
    assert_int_equal(pace_wait_ms(&pace, NOW + 1), INTERVAL_MS - 1);
    pace_add(&pace, 1);
    assert_true(pace_is_much(&pace));
    assert_int_equal(pace_wait_ms(&pace, NOW + 1), 0);
    pace_begin(&pace, 1, NOW + 1); /* and does not put the next one off for longer */
    pace_add(&pace, 1);
    assert_int_equal(pace_wait_ms(&pace, NOW + 1), INTERVAL_MS);
}

/* 1000 streams: 30 ms on average. */
static void by_itself_it_grows_with_the_streams_and_saves_some_for_a_burst(void **state)
{
    (void)state;
    pace.interval_ms = -1;
    for (int i = 0; i < 4; i++) {
        pace_add(&pace, 1);
        assert_int_equal(pace_wait_ms(&pace, NOW), 0);
        pace_begin(&pace, 1000, NOW);
    }
    pace_add(&pace, 1);
    assert_int_equal(pace_wait_ms(&pace, NOW), 30);
    pace_begin(&pace, 1000000, NOW + 30);
    pace_add(&pace, 1);
    assert_int_equal(pace_wait_ms(&pace, NOW + 30), 100); /* not longer */
}

static void it_is_behind_when_half_a_backlog_waits_or_is_under_way(void **state)
{
    (void)state;
    pace_add(&pace, BACKLOG / 4);
    pace_begin(&pace, 1, NOW);
    pace_add(&pace, BACKLOG / 4);
    assert_false(pace_is_behind(&pace, BACKLOG));
    pace_add(&pace, 1);
    assert_true(pace_is_behind(&pace, BACKLOG));
    pace_end(&pace);
    assert_false(pace_is_behind(&pace, BACKLOG));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(without_bytes_there_is_nothing_to_flush),
        T(the_first_after_a_quiet_time_goes_at_once_and_the_next_later),
        T(much_goes_before_its_time),
        T(by_itself_it_grows_with_the_streams_and_saves_some_for_a_burst),
        T(it_is_behind_when_half_a_backlog_waits_or_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

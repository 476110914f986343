#include "kafka/tick.h"

#include "support.h"

static void a_look_that_is_late_by_a_second_counts_whole(void **state)
{
    struct tick t = tick_new(7000);

    (void)state;
    tick_look(&t, 8001);
    assert_int_equal(t.ran_ms, 1001);
    assert_false(tick_was_stopped(&t, 10001));
    tick_look(&t, 10001);
    assert_int_equal(t.ran_ms, 2000);
    assert_int_equal(t.lost_ms, 0);
    assert_int_equal(t.now_ms, 10001);
}

static void of_a_time_in_which_we_did_not_run_a_second_counts(void **state)
{
    struct tick t = tick_new(7000);

    (void)state;
    assert_true(tick_was_stopped(&t, 9001));
    tick_look(&t, 67000);
    assert_int_equal(t.ran_ms, 1000);
    assert_int_equal(t.lost_ms, 59000);
    assert_false(tick_was_stopped(&t, 67000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_that_is_late_by_a_second_counts_whole),
        cmocka_unit_test(of_a_time_in_which_we_did_not_run_a_second_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

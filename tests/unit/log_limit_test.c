#include "base/log_limit.h"

#include "base/loop.h"
#include "fake_loop.h"
#include "logged.h"
#include "support.h"

static struct loop *loop;
static struct log_limit *limit;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    limit = log_limit_new(loop, "room", "things went wrong");
    log_set_level(LOG_INFO);
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_limit_free(limit);
    loop_free(loop);
    log_release();
    return 0;
}

static void say(enum log_level level, int times)
{
    for (int i = 0; i < times; i++)
        log_limited(limit, level, "room: thing %d", i);
}

static void what_is_within_the_limit_is_logged_as_it_is(void **state)
{
    (void)state;
    say(LOG_WARN, LOG_LIMIT_LINES);
    assert_int_equal(logged("warn: room: thing "), LOG_LIMIT_LINES);
    assert_int_equal(logged("room: thing 7\n"), 1);
    fake_loop_pass(10000);
    assert_int_equal(logged(""), LOG_LIMIT_LINES);
}

static void the_number_of_the_others_comes_within_a_second_by_itself(void **state)
{
    (void)state;
    say(LOG_INFO, LOG_LIMIT_LINES);
    fake_loop_pass(300);
    say(LOG_INFO, 980);
    assert_int_equal(logged(""), LOG_LIMIT_LINES);
    fake_loop_pass(699);
    assert_int_equal(logged("more"), 0);
    fake_loop_pass(1);
    assert_int_equal(logged("info: room: 980 more things went wrong\n"), 1);
    fake_loop_pass(10000);
    assert_int_equal(logged(""), LOG_LIMIT_LINES + 1);
}

static void each_second_has_lines_of_its_own(void **state)
{
    (void)state;
    for (int second = 0; second < 3; second++) {
        say(LOG_INFO, 100);
        fake_loop_pass(1000);
    }
    assert_int_equal(logged("room: thing"), 3 * LOG_LIMIT_LINES);
    assert_int_equal(logged("room: 80 more things"), 3);
}

/* Whoever looks for warnings alone sees that there were more of them. */
static void the_number_has_the_highest_level_of_what_it_counts(void **state)
{
    (void)state;
    say(LOG_INFO, 30);
    say(LOG_ERROR, 1);
    say(LOG_WARN, 30);
    fake_loop_pass(1000);
    assert_int_equal(logged("error: room: 41 more"), 1);
    say(LOG_INFO, 30);
    fake_loop_pass(1000);
    assert_int_equal(logged("info: room: 10 more"), 1);
}

static void what_would_not_be_logged_is_not_counted(void **state)
{
    (void)state;
    say(LOG_DEBUG, 1000);
    say(LOG_INFO, LOG_LIMIT_LINES);
    fake_loop_pass(1000);
    assert_int_equal(logged(""), LOG_LIMIT_LINES);
}

static void the_number_is_told_at_the_end_too(void **state)
{
    (void)state;
    say(LOG_INFO, 25);
    log_limit_free(limit);
    limit = NULL;
    assert_int_equal(logged("room: 5 more"), 1);
}

static void a_flood_of_one_kind_leaves_the_others(void **state)
{
    struct log_limit *other = log_limit_new(loop, "room", "others");

    (void)state;
    say(LOG_INFO, 1000);
    log_limited(other, LOG_INFO, "room: another");
    assert_int_equal(logged("room: another\n"), 1);
    log_limit_free(other);
}

static void what_goes_on_is_told_once_a_minute(void **state)
{
    int64_t told_ms = 0;

    (void)state;
    assert_true(log_once_a_minute(&told_ms, 5));
    assert_false(log_once_a_minute(&told_ms, 5));
    assert_false(log_once_a_minute(&told_ms, 60004));
    assert_true(log_once_a_minute(&told_ms, 60005));
    assert_false(log_once_a_minute(&told_ms, 60006));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_within_the_limit_is_logged_as_it_is),
        T(the_number_of_the_others_comes_within_a_second_by_itself),
        T(each_second_has_lines_of_its_own),
        T(the_number_has_the_highest_level_of_what_it_counts),
        T(what_would_not_be_logged_is_not_counted),
        T(the_number_is_told_at_the_end_too),
        T(a_flood_of_one_kind_leaves_the_others),
        T(what_goes_on_is_told_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

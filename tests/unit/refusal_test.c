#include "front/refusal.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "support.h"

static struct refusals refusals;
static FILE *kept;
static int real_stderr;
static int64_t now_ms;

/* What is logged goes into a file. */
static int setup(void **state)
{
    (void)state;
    refusals = (struct refusals){0};
    now_ms = 1000000;
    log_set_level(LOG_INFO);
    kept = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    dup2(fileno(kept), STDERR_FILENO);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(kept);
    return 0;
}

/* Lines with that text. */
static int logged(const char *text)
{
    char line[1024];
    int n = 0;

    rewind(kept);
    while (fgets(line, sizeof line, kept) != NULL)
        n += strstr(line, text) != NULL;
    return n;
}

static void check_counts(enum refusal why, uint64_t n)
{
    for (int i = 0; i < REFUSALS; i++)
        assert_int_equal(refusals.count[i], i == (int)why ? n : 0);
}

static void each_status_has_its_count_and_line(void **state)
{
    (void)state;
    refusals_add(&refusals, 401, "the token has expired", now_ms);
    check_counts(REFUSAL_TOKEN, 1);
    refusals.count[REFUSAL_TOKEN] = 0;
    refusals_add(&refusals, 403, "the origin is not allowed", now_ms);
    check_counts(REFUSAL_FORBIDDEN, 1);
    refusals.count[REFUSAL_FORBIDDEN] = 0;
    refusals_add(&refusals, 404, "nothing", now_ms);
    refusals_add(&refusals, 500, "nothing", now_ms);
    check_counts(REFUSAL_OTHER, 2);
    assert_int_equal(logged("info: front: 401 the token has expired\n"), 1);
    assert_int_equal(logged("info: front: 403 the origin is not allowed\n"), 1);
    assert_int_equal(logged("front: 404 nothing\n"), 1);
    assert_int_equal(logged(""), 4);
}

static void a_flood_of_them_is_twenty_lines_a_second_and_a_number(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++, now_ms += 1)
        refusals_add(&refusals, 404, "nothing", now_ms);
    assert_int_equal(logged(""), 20);
    refusals_add(&refusals, 404, "nothing", now_ms);
    assert_int_equal(logged("info: front: 980 more requests were refused\n"), 1);
    assert_int_equal(logged("front: 404 nothing\n"), 21);
    now_ms += 1000;
    refusals_add(&refusals, 404, "nothing", now_ms);
    assert_int_equal(logged("more requests"), 1);
    check_counts(REFUSAL_OTHER, 1002);
}

static void to_be_told_to_come_back_is_a_warning_once_a_minute_for_each_reason(void **state)
{
    (void)state;
    for (int why = REFUSAL_DRAINING; why <= REFUSAL_BUSY; why++) {
        refusals_add_come_back(&refusals, (enum refusal)why, now_ms);
        assert_int_equal(logged("warn: front: clients are told to come back later: "), why + 1);
    }
    assert_int_equal(logged("later: all streams are taken (--max-streams)\n"), 1);
    now_ms += 59999;
    refusals_add_come_back(&refusals, REFUSAL_FULL, now_ms);
    assert_int_equal(logged("warn: "), REFUSAL_BUSY + 1);
    assert_int_equal(logged("info: front: told to come back later: full\n"), 1);
    refusals_add_come_back(&refusals, REFUSAL_FULL, now_ms + 1);
    assert_int_equal(logged("warn: "), REFUSAL_BUSY + 2);
    assert_int_equal(refusals.count[REFUSAL_FULL], 3);
}

static void a_flood_of_these_is_bounded_too(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        refusals_add(&refusals, 401, "a token is needed", now_ms);
        refusals_add_come_back(&refusals, REFUSAL_FULL, now_ms);
    }
    assert_int_equal(logged("info: "), 20);
    assert_int_equal(logged("warn: "), 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_status_has_its_count_and_line),
        T(a_flood_of_them_is_twenty_lines_a_second_and_a_number),
        T(to_be_told_to_come_back_is_a_warning_once_a_minute_for_each_reason),
        T(a_flood_of_these_is_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

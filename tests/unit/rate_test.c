#include "guard/rate.h"

#include <stdio.h>

#include "support.h"

static struct rates *rates;

static int setup(void **state)
{
    (void)state;
    rates = rates_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rates_free(rates);
    return 0;
}

static bool allows(const char *whose, int64_t now_ms)
{
    struct token_hash hash = token_hash(slice_str(whose));

    return rates_allow(rates, &hash, now_ms);
}

static void each_has_ten_in_a_second(void **state)
{
    (void)state;
    for (int64_t second = 5; second < 8; second++) {
        for (int i = 0; i < 15; i++)
            assert_int_equal(allows("alice", second * 1000 + 60 * i), i < RATE_PER_SECOND);
        assert_true(allows("bob", second * 1000 + 999));
    }
}

static void those_who_are_remembered_are_bounded(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < RATE_PER_SECOND; i++)
        assert_true(allows("alice", 5000));
    assert_false(allows("alice", 5000));
    for (int i = 0; i < RATES_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_true(allows(name, 5000));
    }
    assert_true(allows("alice", 5000));
}

static void none_is_freed(void **state)
{
    (void)state;
    rates_free(NULL);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_has_ten_in_a_second),
        T(those_who_are_remembered_are_bounded),
        T(none_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

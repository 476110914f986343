#include "front/limits.h"

#include <stdio.h>

#include "base/buf.h"
#include "support.h"

static struct limits *limits;
static int64_t now;

static void start(int64_t streams, int64_t opens)
{
    const struct limits_config config = {streams, opens};

    limits_free(limits);
    limits = limits_new(&config);
    now = 1000;
}

static int teardown(void **state)
{
    (void)state;
    limits_free(limits);
    limits = NULL;
    return 0;
}

static enum limit enter(const char *name, struct visitor **visitor)
{
    return limits_enter(limits, slice_str(name), now, visitor);
}

/* Opens a stream and ends it at once. */
static enum limit visit(const char *name)
{
    struct visitor *visitor;
    enum limit limit = enter(name, &visitor);

    limits_leave(visitor);
    return limit;
}

static void without_limits_nobody_is_counted(void **state)
{
    struct visitor *visitor;

    (void)state;
    start(0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(enter("a", &visitor), LIMIT_NONE);
        assert_null(visitor);
    }
    limits_leave(NULL);
}

static void streams_at_a_time_are_limited_for_each(void **state)
{
    struct visitor *a[3], *b, *none;

    (void)state;
    start(3, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter("a", &a[i]), LIMIT_NONE);
    assert_int_equal(enter("a", &none), LIMIT_STREAMS);
    assert_null(none);
    assert_int_equal(enter("b", &b), LIMIT_NONE);
    limits_leave(a[1]);
    assert_int_equal(enter("a", &a[1]), LIMIT_NONE);
    assert_int_equal(enter("a", &none), LIMIT_STREAMS);
    for (int i = 0; i < 3; i++)
        limits_leave(a[i]);
    limits_leave(b);
}

static void a_minute_has_its_openings_and_they_come_back_evenly(void **state)
{
    (void)state;
    start(0, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_OPENS);
    assert_int_equal(visit("b"), LIMIT_NONE);
    now += 9999;
    assert_int_equal(visit("a"), LIMIT_OPENS);
    now += 1;
    assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_OPENS);
    now += 3600000; /* no more than a minute's share is saved */
    for (int i = 0; i < 6; i++)
        assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_OPENS);
}

static void what_is_refused_costs_no_opening(void **state)
{
    struct visitor *a;

    (void)state;
    start(1, 2);
    assert_int_equal(enter("a", &a), LIMIT_NONE);
    for (int i = 0; i < 10; i++)
        assert_int_equal(visit("a"), LIMIT_STREAMS);
    limits_leave(a);
    assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_OPENS);
}

/* An attacker may come from many addresses: those who have streams stay known. */
static void many_visitors_do_not_make_one_with_streams_forgotten(void **state)
{
    struct visitor *a, *none;

    (void)state;
    start(1, 10);
    assert_int_equal(enter("a", &a), LIMIT_NONE);
    for (int i = 0; i < 100000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(visit(name), LIMIT_NONE);
    }
    assert_int_equal(enter("a", &none), LIMIT_STREAMS);
    limits_leave(a);
}

static void of_those_without_streams_the_last_are_remembered(void **state)
{
    (void)state;
    start(0, 1);
    for (int i = 0; i < 70000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(visit(name), LIMIT_NONE);
    }
    assert_int_equal(visit("69999"), LIMIT_OPENS);
    assert_int_equal(visit("10000"), LIMIT_OPENS);
    assert_int_equal(visit("0"), LIMIT_NONE);
}

static void addresses_are_counted_by_what_one_customer_gets(void **state)
{
    static const struct {
        const char *address, *name;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:DB8:1:2::", "2001:db8:1:2::"},
        {"::1", "::"},
        {"", ""},
        {"192.0.2", ""},
        {"192.0.2.1:80", ""},
        {"fe80::1%eth0", ""},
        {"unix:", ""},
        {NULL, ""},
    };
    char name[LIMITS_NAME];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        limits_address_name(cases[i].address, name);
        assert_string_equal(name, cases[i].name);
    }
}

/* -- without counting, and taken back -- */

static void to_ask_counts_nothing(void **state)
{
    struct visitor *a;

    (void)state;
    start(1, 2);
    for (int i = 0; i < 10; i++)
        assert_int_equal(limits_ask(limits, slice_str("a"), now), LIMIT_NONE);
    assert_int_equal(enter("a", &a), LIMIT_NONE);
    assert_int_equal(limits_ask(limits, slice_str("a"), now), LIMIT_STREAMS);
    assert_int_equal(limits_ask(limits, slice_str("b"), now), LIMIT_NONE);
    limits_leave(a);
    assert_int_equal(visit("a"), LIMIT_NONE);
    for (int i = 0; i < 10; i++)
        assert_int_equal(limits_ask(limits, slice_str("a"), now), LIMIT_OPENS);
    now += 30000;
    assert_int_equal(limits_ask(limits, slice_str("a"), now), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_NONE);
    start(0, 0);
    assert_int_equal(limits_ask(limits, slice_str("a"), now), LIMIT_NONE);
}

static void an_opening_may_be_taken_back(void **state)
{
    (void)state;
    start(0, 2);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(visit("a"), LIMIT_NONE);
        limits_give_back(limits, slice_str("a"));
    }
    limits_give_back(limits, slice_str("a")); /* never more than a minute's */
    limits_give_back(limits, slice_str("unknown"));
    assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_NONE);
    assert_int_equal(visit("a"), LIMIT_OPENS);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        T(without_limits_nobody_is_counted),
        T(streams_at_a_time_are_limited_for_each),
        T(a_minute_has_its_openings_and_they_come_back_evenly),
        T(what_is_refused_costs_no_opening),
        T(many_visitors_do_not_make_one_with_streams_forgotten),
        T(of_those_without_streams_the_last_are_remembered),
        T(addresses_are_counted_by_what_one_customer_gets),
        T(to_ask_counts_nothing),
        T(an_opening_may_be_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

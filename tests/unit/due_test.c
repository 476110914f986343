#include "stream/due.h"

#include "support.h"

static struct due due;

static int teardown(void **state)
{
    (void)state;
    due_fini(&due);
    due = (struct due){0};
    return 0;
}

static void add(struct want *want, uint32_t at)
{
    due_add(&due, want, (struct item){.at = at});
}

static void they_are_taken_in_the_order_in_which_they_came(void **state)
{
    struct want a = {0}, b = {0};

    (void)state;
    assert_null(due_first(&due, due.end));
    add(&a, 1);
    add(&b, 2);
    assert_ptr_equal(due_first(&due, due.end)->want, &a);
    assert_int_equal(due_first(&due, due.end)->first.at, 1);
    due_drop_first(&due);
    assert_ptr_equal(due_first(&due, due.end)->want, &b);
    due_drop_first(&due);
    assert_null(due_first(&due, due.end));
}

static void one_is_found_while_it_is_due(void **state)
{
    struct want a = {0}, b = {0};

    (void)state;
    assert_null(due_find(&due, &a));
    add(&a, 1);
    assert_int_equal(due_find(&due, &a)->first.at, 1);
    assert_null(due_find(&due, &b));
    due_drop_first(&due);
    assert_null(due_find(&due, &a));
    add(&b, 2);
    assert_null(due_find(&due, &a));
}

static void one_that_nobody_wants_any_more_is_left_out(void **state)
{
    struct want a = {0}, b = {0};

    (void)state;
    add(&a, 1);
    add(&b, 2);
    due_find(&due, &a)->want = NULL;
    assert_null(due_find(&due, &a));
    assert_ptr_equal(due_first(&due, due.end)->want, &b);
}

static void a_round_ends_before_those_that_came_after_it_began(void **state)
{
    struct want a = {0}, b = {0};

    (void)state;
    add(&a, 1);
    uint32_t until = due.end;
    add(&b, 2);
    assert_ptr_equal(due_first(&due, until)->want, &a);
    due_drop_first(&due);
    assert_null(due_first(&due, until));
    due_drop_first(&due);
    assert_null(due_first(&due, until)); /* taken out of turn */
}

enum { WANTS = 1000 };

static void any_number_is_kept_in_order_while_some_are_taken(void **state)
{
    static struct want wants[WANTS];
    uint32_t taken = 0;

    (void)state;
    due.begin = due.end = UINT32_MAX - 100; /* they overflow on the way */
    for (uint32_t i = 0; i < WANTS; i++) {
        add(&wants[i], i);
        if (i % 3 == 0) {
            assert_ptr_equal(due_first(&due, due.end)->want, &wants[taken++]);
            due_drop_first(&due);
        }
    }
    for (; taken < WANTS; taken++) {
        assert_int_equal(due_find(&due, &wants[taken])->first.at, taken);
        due_drop_first(&due);
    }
    assert_null(due_first(&due, due.end));
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(they_are_taken_in_the_order_in_which_they_came),
        T(one_is_found_while_it_is_due),
        T(one_that_nobody_wants_any_more_is_left_out),
        T(a_round_ends_before_those_that_came_after_it_began),
        T(any_number_is_kept_in_order_while_some_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

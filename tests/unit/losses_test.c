#include "topic/losses.h"

#include "support.h"
#include "topic/progress.h"

static void of_a_new_partition_nothing_is_lost(void **state)
{
    struct losses l = {0};

    (void)state;
    losses_set_partitions(&l, 2);
    assert_int_equal(l.of[1].horizon, OFFSET_BEGINNING);
    assert_int_equal(l.of[1].lost, OFFSET_BEGINNING);
    losses_fini(&l);
}

static void only_what_is_new_is_a_change(void **state)
{
    struct losses l = {0};

    (void)state;
    losses_set_partitions(&l, 2);
    losses_lose(&l, 0, 5);
    losses_hide_deletes(&l, 0, 5);
    losses_forget(&l, 5);
    assert_int_equal(l.changes, 3);
    losses_lose(&l, 0, 5);
    losses_hide_deletes(&l, 0, 4);
    losses_forget(&l, 3);
    assert_int_equal(l.changes, 3);
    assert_int_equal(l.of[0].horizon, 5);
    assert_int_equal(l.forgotten, 5);
    losses_fini(&l);
}

static void partitions_that_come_leave_the_others_as_they_are(void **state)
{
    struct losses l = {0};

    (void)state;
    losses_set_partitions(&l, 1);
    losses_lose(&l, 0, 7);
    losses_set_partitions(&l, 3);
    assert_int_equal(l.of[0].lost, 7);
    assert_int_equal(l.of[2].lost, OFFSET_BEGINNING);
    losses_fini(&l);
}

static void another_topic_is_a_change_and_has_lost_nothing(void **state)
{
    struct losses l = {0};

    (void)state;
    losses_set_partitions(&l, 1);
    losses_lose(&l, 0, 7);
    losses_reset(&l, 41);
    assert_int_equal(l.changes, 2);
    assert_int_equal(l.forgotten, 41);
    losses_set_partitions(&l, 1);
    assert_int_equal(l.of[0].lost, OFFSET_BEGINNING);
    losses_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_new_partition_nothing_is_lost),
        cmocka_unit_test(only_what_is_new_is_a_change),
        cmocka_unit_test(partitions_that_come_leave_the_others_as_they_are),
        cmocka_unit_test(another_topic_is_a_change_and_has_lost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

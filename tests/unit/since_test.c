#include "stream/since.h"

#include "support.h"

static bool passes(struct since *s, int32_t partition, int64_t timestamp_ms, uint64_t number)
{
    const struct record r = {.partition = partition, .timestamp_ms = timestamp_ms};

    return since_passes(s, &r, number);
}

static void behind_the_first_that_is_not_older_all_pass(void **state)
{
    struct since *s = since_new(100, 2);

    (void)state;
    assert_false(passes(s, 0, 99, 1));
    assert_false(passes(s, 0, -1, 2));
    assert_true(passes(s, 0, 100, 3));
    assert_true(passes(s, 0, 5, 4));
    assert_false(passes(s, 1, 5, 5));
    since_free(s);
}

static void one_that_is_asked_again_is_told_the_same(void **state)
{
    struct since *s = since_new(100, 1);

    (void)state;
    assert_false(passes(s, 0, 1, 1));
    assert_true(passes(s, 0, 100, 2));
    assert_false(passes(s, 0, 1, 1));
    assert_true(passes(s, 0, 100, 2));
    since_free(s);
}

static void it_is_known_which_partitions_were_seen(void **state)
{
    struct since *s = since_new(100, 2);

    (void)state;
    passes(s, 1, 1, 1);
    assert_false(since_knows(s, 0));
    assert_true(since_knows(s, 1));
    assert_true(since_knows(s, 2));
    assert_true(passes(s, 2, 1, 2));
    since_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_the_first_that_is_not_older_all_pass),
        cmocka_unit_test(one_that_is_asked_again_is_told_the_same),
        cmocka_unit_test(it_is_known_which_partitions_were_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/descriptors.h"

#include <sys/resource.h>

#include "support.h"

static void check(uint64_t limit, int64_t max_streams, int64_t streams, int64_t requests)
{
    struct descriptors d = descriptors_share(limit, max_streams);

    assert_int_equal(d.streams, streams);
    assert_int_equal(d.requests, requests);
}

static void some_are_left_for_brokers_and_files(void **state)
{
    (void)state;
    for (uint64_t limit = 256; limit < 3000000; limit += limit / 3) {
        struct descriptors d = descriptors_share(limit, 0);
        assert_true((uint64_t)(d.streams + d.requests) <= limit - 128);
        assert_true(d.streams > 0 && d.requests > 0);
    }
}

static void requests_have_a_quarter_up_to_what_their_tables_hold(void **state)
{
    (void)state;
    check(1024, 0, 672, 224);
    check(20000, 0, 14904, 4968);
    check(1048576, 0, 1043328, 5120);
}

static void fewer_streams_leave_the_share_of_requests_as_it_is(void **state)
{
    (void)state;
    check(1024, 10, 10, 224);
    check(20000, 10000, 10000, 4968);
}

static void streams_are_never_more_than_there_are_descriptors_for(void **state)
{
    (void)state;
    check(1024, 1000000, 672, 224);
    check(RLIM_INFINITY, 0, INT32_MAX, 5120);
    check(RLIM_INFINITY, 1000000, 1000000, 5120);
}

static void the_smallest_limit_leaves_a_few(void **state)
{
    (void)state;
    check(0, 0, 96, 32);
    check(256, 0, 96, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_left_for_brokers_and_files),
        cmocka_unit_test(requests_have_a_quarter_up_to_what_their_tables_hold),
        cmocka_unit_test(fewer_streams_leave_the_share_of_requests_as_it_is),
        cmocka_unit_test(streams_are_never_more_than_there_are_descriptors_for),
        cmocka_unit_test(the_smallest_limit_leaves_a_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

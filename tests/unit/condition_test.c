#include "front/condition.h"

#include "support.h"

static void check_place(const char *header, const char *selection, const char *expected)
{
    struct slice place = condition_place(header, slice_str(selection));

    assert_int_equal(place.p != NULL, expected != NULL);
    assert_text(place, expected ? expected : "");
}

static void a_place_is_a_tag_of_this_selection(void **state)
{
    (void)state;
    check_place("\"AQIAAg==\"", "", "AQIAAg==");
    check_place("\"AQIAAg==~abcdefgh\"", "abcdefgh", "AQIAAg==~abcdefgh");
    check_place("\"AQIAAg==~abcdefgh\"", "", NULL);
    check_place("\"AQIAAg==~abcdefgh\"", "abcdefgi", NULL);
    check_place("\"AQIAAg==\"", "abcdefgh", NULL);
}

static void without_one_of_ours_there_is_none(void **state)
{
    static const char *const headers[] = {"",           "*",
                                          "\"*\"",      "\"\"",
                                          "\"",         "W/",
                                          "W/\"x\"",    "AQIAAg==",
                                          "\"AQIAAg==", "x, \"AQIAAg==\"",
                                          "\"xyz\"",    "\"[\"k\",\"AQIAAg==\"]\""};

    (void)state;
    check_place(NULL, "", NULL);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_place(headers[i], "", NULL);
}

static void of_several_the_first_of_ours_is_taken(void **state)
{
    (void)state;
    check_place("\"x\", W/\"AQIAAg==\",\"AQIABA==\"", "", "AQIAAg==");
    check_place("\"AQIAAg==\", \"AQIABA==~abcdefgh\"", "abcdefgh", "AQIABA==~abcdefgh");
    check_place(" ,, \"AQIAAg==\" ,", "", "AQIAAg==");
}

/* PROTOCOL 14.11. */
static void what_fronts_make_of_a_tag_is_taken_away(void **state)
{
    (void)state;
    check_place("W/\"AQIAAg==\"", "", "AQIAAg==");
    check_place("\"AQIAAg==-gzip\"", "", "AQIAAg==");
    check_place("W/\"AQIAAg==-br\"", "", "AQIAAg==");
    check_place("\"AQIAAg==~abcdefgh-deflate\"", "abcdefgh", "AQIAAg==~abcdefgh");
    check_place("\"AQIAAg==-zstd\"", "", "AQIAAg==");
    check_place("\"AQIAAg==-gzip-gzip\"", "", NULL);
    check_place("\"AQIAAg==-lzma\"", "", NULL);
}

static void a_tag_may_end_like_that_by_itself(void **state)
{
    (void)state;
    check_place("\"AQIAAg==~abc-gzip\"", "abc-gzip", "AQIAAg==~abc-gzip");
    check_place("\"AQIAAg==~abc-gzip-gzip\"", "abc-gzip", "AQIAAg==~abc-gzip");
}

/* PROTOCOL 14.14. */
static void a_wait_is_a_number_of_seconds_up_to_25(void **state)
{
    (void)state;
    assert_int_equal(condition_wait_s("wait=10"), 10);
    assert_int_equal(condition_wait_s("wait=25"), 25);
    assert_int_equal(condition_wait_s("wait=26"), 25);
    assert_int_equal(condition_wait_s("wait=99999999999999999999"), 25);
    assert_int_equal(condition_wait_s("Wait = \"7\" ; x=y, z"), 7);
    assert_int_equal(condition_wait_s("respond-async, wait=3"), 3);
    assert_int_equal(condition_wait_s("x=\",\\\",wait=9\",\twait=3"), 3);
}

static void anything_else_waits_for_nothing(void **state)
{
    static const char *const headers[] = {
        "",
        "wait",
        "wait=",
        "wait=0",
        "wait=x",
        "wait=-1",
        "wait=1.5",
        "wait=5s",
        "wait=\"5",
        "await=5",
        "wait5",
        "waits=5",
        "return=minimal",
        "x=wait=5",
        "\"wait=5\"",
        "wait=0, wait=5",
    };

    (void)state;
    assert_int_equal(condition_wait_s(NULL), 0);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_int_equal(condition_wait_s(headers[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_a_tag_of_this_selection),
        cmocka_unit_test(without_one_of_ours_there_is_none),
        cmocka_unit_test(of_several_the_first_of_ours_is_taken),
        cmocka_unit_test(what_fronts_make_of_a_tag_is_taken_away),
        cmocka_unit_test(a_tag_may_end_like_that_by_itself),
        cmocka_unit_test(a_wait_is_a_number_of_seconds_up_to_25),
        cmocka_unit_test(anything_else_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

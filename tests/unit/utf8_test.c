#include "base/utf8.h"

#include "support.h"

static void each_length_of_character_is_taken_whole(void **state)
{
    (void)state;
    assert_int_equal(utf8_first((const uint8_t *)"a", 1), 1);
    assert_int_equal(utf8_first((const uint8_t *)"\xc3\xa9", 2), 2);
    assert_int_equal(utf8_first((const uint8_t *)"\xe2\x82\xac", 3), 3);
    assert_int_equal(utf8_first((const uint8_t *)"\xf0\x9f\x98\x80", 4), 4);
}

static void a_character_that_is_cut_off_is_none(void **state)
{
    static const char *const whole[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t n = 1; n < strlen(whole[i]); n++)
            assert_false(utf8_valid(slice_of(whole[i], n)));
}

/* RFC 3629, 3 and 4: the first and last of each row of the table, and one beyond them. */
static void only_the_shortest_form_of_what_there_is_counts(void **state)
{
    (void)state;
    assert_true(utf8_valid(BYTES("\x00\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80")));
    assert_true(utf8_valid(BYTES("\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    assert_false(utf8_valid(BYTES("\x80")));
    assert_false(utf8_valid(BYTES("\xc1\xbf")));
    assert_false(utf8_valid(BYTES("\xe0\x9f\xbf")));
    assert_false(utf8_valid(BYTES("\xed\xa0\x80"))); /* a surrogate */
    assert_false(utf8_valid(BYTES("\xf0\x8f\xbf\xbf")));
    assert_false(utf8_valid(BYTES("\xf4\x90\x80\x80")));
    assert_false(utf8_valid(BYTES("\xf5\x80\x80\x80")));
}

static void a_byte_that_does_not_follow_ends_it(void **state)
{
    (void)state;
    assert_false(utf8_valid(BYTES("\xc3(")));
    assert_false(utf8_valid(BYTES("\xe2\x82(")));
    assert_false(utf8_valid(BYTES("\xe2(\xac")));
    assert_false(utf8_valid(BYTES("\xf0\x9f\x98(")));
    assert_false(utf8_valid(BYTES("\xf0\x9f(\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_of_character_is_taken_whole),
        cmocka_unit_test(a_character_that_is_cut_off_is_none),
        cmocka_unit_test(only_the_shortest_form_of_what_there_is_counts),
        cmocka_unit_test(a_byte_that_does_not_follow_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

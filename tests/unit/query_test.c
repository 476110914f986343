#include "front/query.h"

#include "base/percent.h"
#include "support.h"

/* The value of `id` and how many there are; NULL for none. */
static void check_find(const char *query, const char *expected, size_t count)
{
    size_t got = 77;
    struct slice value = query_find(slice_str(query), "id", &got);

    assert_int_equal(got, count);
    if (expected != NULL)
        assert_text(value, expected);
    assert_int_equal(value.p == NULL, expected == NULL);
}

static void parameters_come_one_by_one(void **state)
{
    struct slice query = slice_str("&a=1&b&=2&c=3=4&"), name, value;
    const char *const expected[][2] = {{"", ""}, {"a", "1"}, {"b", ""}, {"", "2"}, {"c", "3=4"}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(query_next(&query, &name, &value));
        assert_text(name, expected[i][0]);
        assert_text(value, expected[i][1]);
    }
    assert_false(query_next(&query, &name, &value));
}

static void a_parameter_is_found_at_any_place(void **state)
{
    (void)state;
    check_find("id=a", "a", 1);
    check_find("x=y&id=a", "a", 1);
    check_find("id=a&x=y", "a", 1);
    check_find("&&x&id=a&&", "a", 1);
}

static void the_first_of_several_counts_and_all_are_counted(void **state)
{
    (void)state;
    check_find("id=a&id=b&x=y&id=c", "a", 3);
    check_find("id=&id=b", "", 2);
}

static void a_parameter_without_a_value_is_empty(void **state)
{
    (void)state;
    check_find("id=", "", 1);
    check_find("id", "", 1);
    check_find("id&x=y", "", 1);
}

static void a_value_goes_to_the_next_ampersand(void **state)
{
    (void)state;
    check_find("id=a=b==&x", "a=b==", 1);
    check_find("id=a;id=b?id=c", "a;id=b?id=c", 1);
}

static void no_other_name_will_do(void **state)
{
    (void)state;
    check_find("", NULL, 0);
    check_find(NULL, NULL, 0);
    check_find("&", NULL, 0);
    check_find("=a", NULL, 0);
    check_find("ID=a&i=a&idd=a&xid=a&%69d=a& id=a", NULL, 0);
}

static void every_prefix_is_searched_without_harm(void **state)
{
    static const char query[] = "x=y&id=%41&id";

    (void)state;
    for (size_t n = 0; n <= sizeof query - 1; n++) {
        size_t count;
        struct slice value = query_find(slice_of(query, n), "id", &count);
        assert_int_equal(count, n == 13 ? 2 : n >= 6 ? 1 : 0);
        assert_int_equal(value.n, n <= 7 ? 0 : n <= 10 ? n - 7 : 3);
    }
}

static void check_decode(const char *encoded, struct slice expected)
{
    struct buf out = {0};

    assert_true(percent_decode(&out, slice_str(encoded)));
    assert_bytes(buf_slice(&out), expected);
    buf_fini(&out);
}

static void percent_and_two_digits_are_a_byte(void **state)
{
    (void)state;
    check_decode("", BYTES(""));
    check_decode("abc", BYTES("abc"));
    check_decode("%41%62%3d%3D", BYTES("Ab=="));
    check_decode("%00%ff%FF", BYTES("\0\xff\xff"));
}

static void a_value_is_decoded_once(void **state)
{
    (void)state;
    check_decode("%2541", BYTES("%41"));
}

static void a_plus_sign_is_a_plus_sign(void **state)
{
    (void)state;
    check_decode("a+b", BYTES("a+b"));
}

static void a_percent_without_two_digits_is_refused(void **state)
{
    static const char *const bad[] = {"%",   "%4",  "ab%", "ab%4", "%g0", "%0g", "%%41", "%4%41",
                                      "% 1", "%+1", "%-1", "%0x",  "%@1", "%`1", "%:1",  "%/1"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf out = {0};
        buf_add_str(&out, "before");
        assert_false(percent_decode(&out, slice_str(bad[i])));
        assert_text(buf_slice(&out), "before");
        buf_fini(&out);
    }
}

static void nothing_behind_the_end_is_looked_at(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 3; n++) {
        struct buf out = {0};
        assert_int_equal(percent_decode(&out, slice_of("%41", n)), n == 0 || n == 3);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_come_one_by_one),
        cmocka_unit_test(a_parameter_is_found_at_any_place),
        cmocka_unit_test(the_first_of_several_counts_and_all_are_counted),
        cmocka_unit_test(a_parameter_without_a_value_is_empty),
        cmocka_unit_test(a_value_goes_to_the_next_ampersand),
        cmocka_unit_test(no_other_name_will_do),
        cmocka_unit_test(every_prefix_is_searched_without_harm),
        cmocka_unit_test(percent_and_two_digits_are_a_byte),
        cmocka_unit_test(a_value_is_decoded_once),
        cmocka_unit_test(a_plus_sign_is_a_plus_sign),
        cmocka_unit_test(a_percent_without_two_digits_is_refused),
        cmocka_unit_test(nothing_behind_the_end_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "topic/field.h"

#include "support.h"

static void check(const char *json, const char *path, const char *expected)
{
    struct buf out = {0};

    buf_add_str(&out, "x");
    assert_int_equal(field_first(&out, slice_str(json), path), expected != NULL);
    assert_text(slice_of(out.p + 1, out.n - 1), expected ? expected : "");
    buf_fini(&out);
}

static void strings_numbers_and_booleans_are_texts(void **state)
{
    (void)state;
    check("{\"a\":\"b\"}", "a", "b");
    check("{ \"a\" : 1.50 , \"b\": 2 }", "a", "1.50");
    check("{\"a\":1,\"b\":-2e5}", "b", "-2e5");
    check("{\"a\":true}", "a", "true");
    check("{\"a\":[false]}", "a", "false");
    check("{\"a\":\"\"}", "a", "");
}

static void null_and_objects_are_none(void **state)
{
    (void)state;
    check("{\"a\":null}", "a", NULL);
    check("{\"a\":{\"b\":1}}", "a", NULL);
    check("{\"a\":[]}", "a", NULL);
    check("{\"a\":[[1]]}", "a", NULL);
    check("{}", "a", NULL);
    check("[\"a\"]", "a", NULL);
    check("\"a\"", "a", NULL);
    check("1", "a", NULL);
    check("{\"a\":", "a", NULL);
    check("Hello", "a", NULL);
    check("", "a", NULL);
}

static void dots_lead_into_objects_unless_a_name_has_them(void **state)
{
    (void)state;
    check("{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b.c", "d");
    check("{\"a\":{\"b\":1},\"a.b\":2}", "a.b", "2");
    check("{\"a\":{\"b.c\":1}}", "a.b.c", NULL);
    check("{\"a\":1}", "a.b", NULL);
    check("{\"a\":[{\"b\":1}]}", "a.b", NULL);
    check("{\"b\":{\"c\":1},\"a\":{\"x\":[{\"b\":2}],\"b\":3}}", "a.b", "3");
}

static void of_a_name_that_comes_twice_the_last_counts(void **state)
{
    (void)state;
    check("{\"a\":1,\"b\":{\"a\":3},\"a\":2}", "a", "2");
    check("{\"a\":{\"b\":1},\"a\":{}}", "a.b", NULL);
}

static void of_an_array_the_first_text_counts(void **state)
{
    struct buf json = {0};

    (void)state;
    check("{\"a\":[null,{\"b\":[1,2]},[\"x\"],\"c\",\"d\"]}", "a", "c");
    for (int last = FIELD_ELEMENTS - 1; last <= FIELD_ELEMENTS; last++) {
        json.n = 0;
        buf_add_str(&json, "{\"a\":[");
        for (int i = 0; i < last; i++)
            buf_add_str(&json, "null,");
        buf_add_str(&json, "1]}");
        buf_add_byte(&json, 0);
        check((const char *)json.p, "a", last < FIELD_ELEMENTS ? "1" : NULL);
    }
    buf_fini(&json);
}

static void names_and_strings_are_compared_decoded(void **state)
{
    (void)state;
    check("{\"\\u0061\":\"\\u00e9\\n\\/\\\"\\\\\"}", "a", "\xc3\xa9\n/\"\\");
    check("{\"a\":\"\\u20ac\\uD83D\\ude00\"}", "a", "\xe2\x82\xac\xf0\x9f\x98\x80");
    check("{\"\xc3\xa9\":\"b\"}", "\xc3\xa9", "b");
    check("{\"a\\\"\":1,\"a\":\"}],{\"}", "a", "}],{");
    check("{\"a\":\"\\ud800\\u0041\"}", "a",
          "\xed\xa0\x80"
          "A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_numbers_and_booleans_are_texts),
        cmocka_unit_test(null_and_objects_are_none),
        cmocka_unit_test(dots_lead_into_objects_unless_a_name_has_them),
        cmocka_unit_test(of_a_name_that_comes_twice_the_last_counts),
        cmocka_unit_test(of_an_array_the_first_text_counts),
        cmocka_unit_test(names_and_strings_are_compared_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

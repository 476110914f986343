#include "guard/jsontext.h"

#include <stdlib.h>

#include "support.h"

/* What the text is taken for, as compact JSON with ASCII alone; NULL: no JSON. */
static char *load(const char *text, bool *tamed)
{
    struct buf bytes = {0};
    json_error_t why;

    buf_add_str(&bytes, text);
    json_t *json = jsontext_load(&bytes, JSON_REJECT_DUPLICATES, tamed, &why);
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(json);
    buf_fini(&bytes);
    return dumped;
}

static void check(const char *text, const char *expected, bool expected_tamed)
{
    bool tamed;
    char *json = load(text, &tamed);

    if (json == NULL || strcmp(json, expected) != 0)
        fail_msg("%s: %s, not %s", text, json ? json : "no JSON", expected);
    assert_int_equal(tamed, expected_tamed);
    free(json);
}

static void check_refused(const char *text)
{
    bool tamed;
    char *json = load(text, &tamed);

    if (json != NULL)
        fail_msg("%s: taken for %s", text, json);
}

static void what_jansson_holds_stays_as_it_is(void **state)
{
    (void)state;
    check("{\"a\":1,\"b\":[1.5,true,null,\"\\ud834\\udd1e\\u0001\\\\u0000\"]}",
          "{\"a\":1,\"b\":[1.5,true,null,\"\\uD834\\uDD1E\\u0001\\\\u0000\"]}", false);
    check("[9223372036854775807,-9223372036854775808]",
          "[9223372036854775807,-9223372036854775808]", false);
}

static void a_number_that_does_not_fit_becomes_null(void **state)
{
    (void)state;
    check("[18446744073709551615,1]", "[null,1]", true);
    check("[-9223372036854775809]", "[null]", true);
    check("{\"a\":1e400,\"b\":-1E+999,\"c\":2}", "{\"a\":null,\"b\":null,\"c\":2}", true);
    check("[1e309]", "[null]", true);
    check("[1e-999,1e400]", "[0.0,null]", true);
    check("[1e400,\"18446744073709551615\"]", "[null,\"18446744073709551615\"]", true);
    check("{\"18446744073709551615\":1e400}", "{\"18446744073709551615\":null}", true);
}

static void a_very_long_number_becomes_null(void **state)
{
    struct buf text = {0};

    (void)state;
    buf_add_byte(&text, '[');
    for (int i = 0; i < 5000; i++)
        buf_add_byte(&text, '9');
    buf_add_str(&text, "]");
    buf_add_byte(&text, 0);
    check((const char *)text.p, "[null]", true);
    buf_fini(&text);
}

static void an_escape_that_is_no_character_becomes_nul_in_a_string(void **state)
{
    (void)state;
    check("[\"a\\u0000b\"]", "[\"a\\u0000b\"]", true);
    check("[\"\\ud800\"]", "[\"\\u0000\"]", true);
    check("[\"\\udc00\"]", "[\"\\u0000\"]", true);
    check("[\"\\ud800\\ud800\"]", "[\"\\u0000\\u0000\"]", true);
    check("[\"\\uD800\\u0041\"]", "[\"\\u0000A\"]", true);
    check("[\"\\ud800x\\udc00\"]", "[\"\\u0000x\\u0000\"]", true);
    check("[\"\\\\\\ud800\\\\ud800\\ud834\\udd1e\"]", "[\"\\\\\\u0000\\\\ud800\\uD834\\uDD1E\"]",
          true);
}

static void in_a_name_it_becomes_the_replacement_character(void **state)
{
    (void)state;
    check("{\"a\\u0000\":\"\\u0000\"}", "{\"a\\uFFFD\":\"\\u0000\"}", true);
    check("{\"\\ud800\" \n : 1}", "{\"\\uFFFD\":1}", true);
}

static void what_is_no_json_stays_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[",
        "[1e400",
        "[\"\\u0000",
        "[\"\\ud800\\",
        "[\"\\ud80\"]",
        "[\"\\u00\"",
        "[099999999999999999999999]",
        "[1e]",
        "[1.e400]",
        "[1.]",
        "[-]",
        "[+1e400]",
        "[Infinity]",
        "[NaN]",
        "[-Infinity]",
        "[0x1p4000]",
        "[1e400x]",
        "[18446744073709551615 1]",
        "{\"a\":1e400,\"a\":1}",
        "[1e400,\"\xff\"]",
        "[1e400,\"\n\"]",
        "[1e400]]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_refused(texts[i]);
}

static void a_nul_byte_is_refused(void **state)
{
    static const char text[] = "[1e400]\0";
    struct buf bytes = {0};
    json_error_t why;
    bool tamed;

    (void)state;
    buf_add(&bytes, text, sizeof text - 1);
    assert_null(jsontext_load(&bytes, 0, &tamed, &why));
    assert_false(tamed);
    buf_fini(&bytes);
}

/* In memory of its own size, so that the address sanitizer sees a read behind it. */
static void every_prefix_is_read_to_its_end_and_no_further(void **state)
{
    static const char text[] = "{\"a\\u0000\":[-1e400,\"\\ud800\\udc00\\ud800\\\"\"],\"b\":1}";

    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct buf bytes = {0};
        bool tamed;
        buf_add(&bytes, text, n);
        assert_null(jsontext_load(&bytes, 0, &tamed, NULL));
        buf_fini(&bytes);
    }
    check(text, "{\"a\\uFFFD\":[null,\"\\uD800\\uDC00\\u0000\\\"\"],\"b\":1}", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_jansson_holds_stays_as_it_is),
        cmocka_unit_test(a_number_that_does_not_fit_becomes_null),
        cmocka_unit_test(a_very_long_number_becomes_null),
        cmocka_unit_test(an_escape_that_is_no_character_becomes_nul_in_a_string),
        cmocka_unit_test(in_a_name_it_becomes_the_replacement_character),
        cmocka_unit_test(what_is_no_json_stays_refused),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(every_prefix_is_read_to_its_end_and_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

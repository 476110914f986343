#include "topic/minify.h"

#include "support.h"

static void check(struct slice text, const char *expected)
{
    struct buf out = {0};

    buf_add_str(&out, "before");
    bool good = minify_add(&out, text);
    assert_int_equal(good, expected != NULL);
    assert_memory_equal(out.p, "before", 6);
    assert_text(slice_of(out.p + 6, out.n - 6), expected ? expected : "");
    buf_fini(&out);
}

static void as_written(const char *text)
{
    check(slice_str(text), text);
}

static void none(const char *text)
{
    check(slice_str(text), NULL);
}

static void values_of_each_kind_stay_as_they_are(void **state)
{
    (void)state;
    as_written("null");
    as_written("true");
    as_written("false");
    as_written("\"\"");
    as_written("[]");
    as_written("{}");
    as_written("[1,[2,[]],{\"a\":{}}]");
    as_written("{\"a\":1,\"a\":2,\"\":null}");
}

static void numbers_stay_as_written(void **state)
{
    static const char *const good[] = {"0",    "-0",   "12.50", "1e9",   "1E+09",
                                       "1e-0", "0.10", "0e1",   "1e999", "123456789012345678901"};
    static const char *const bad[] = {"01", "-",   "+1",  ".5",   "1.",  "1e",       "1e+",
                                      "1x", "0x1", "--1", "1.e1", "NaN", "-Infinity"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        as_written(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        none(bad[i]);
}

static void blanks_between_are_taken_out_and_no_others(void **state)
{
    (void)state;
    check(BYTES(" \t\r\n{ \"a b\" :\n[ 1 , \" \" , true ]\r}\t "), "{\"a b\":[1,\" \",true]}");
    none("1 2");
    none("[1 2]");
    none("tr ue");
    check(BYTES("1\f"), NULL);
    check(BYTES("\xc2\xa0"
                "1"),
          NULL);
    check(BYTES("\xef\xbb\xbf{}"), NULL); /* RFC 8259, 8.1: no byte order mark */
}

static void strings_keep_their_escapes(void **state)
{
    (void)state;
    as_written("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"");
    as_written("\"\\ud800\""); /* RFC 8259, 8.2: the grammar has it */
    as_written("\"\xc3\xa9\xf0\x9f\x98\x80\x7f\"");
    none("\"\\x\"");
    none("\"\\u12g4\"");
    none("\"\\u123\"");
    none("\"\\");
    none("\"a");
    none("'a'");
    check(BYTES("\"a\\\0b\""), NULL);
}

static void strings_hold_no_control_byte_and_only_utf8(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        const uint8_t text[] = {'"', (uint8_t)c, '"'};
        check(slice_of(text, sizeof text), NULL);
    }
    none("\"\xff\"");
    none("\"\xed\xa0\x80\"");
    none("\"\xc3\"");
    none("{\"\xc3\":1}");
}

static void what_is_not_whole_or_goes_on_is_none(void **state)
{
    static const char whole[] = "{\"a\":[1.5e3,\"b\\u00e9\",null,true,{}]}";

    (void)state;
    for (size_t n = 0; n < strlen(whole); n++)
        check(slice_of(whole, n), NULL);
    as_written(whole);
    none("{}{}");
    none("{},");
    none("[1,]");
    none("[,1]");
    none("{\"a\":1,}");
    none("{\"a\"}");
    none("{a:1}");
    none("{1:1}");
    none("[}");
    none("]");
    none("nul");
    none("nulll");
    none("// \n1");
    check(BYTES("1\0"), NULL);
}

static void nests(size_t depth, bool good)
{
    struct buf text = {0}, out = {0};

    for (size_t i = 0; i < depth; i++)
        buf_add_str(&text, i % 2 ? "{\"a\":" : "[");
    buf_add_str(&text, "1");
    for (size_t i = depth; i-- > 0;)
        buf_add_str(&text, i % 2 ? "}" : "]");
    assert_int_equal(minify_add(&out, buf_slice(&text)), good);
    buf_fini(&text);
    buf_fini(&out);
}

static void it_is_nested_64_deep_at_most(void **state)
{
    (void)state;
    nests(MINIFY_DEPTH_MAX, true);
    nests(MINIFY_DEPTH_MAX + 1, false);
    nests(100000, false);
}

static void it_has_a_mebibyte_at_most(void **state)
{
    static char text[MINIFY_BYTES_MAX + 1];
    struct buf out = {0};

    (void)state;
    memset(text, ' ', sizeof text);
    text[0] = '1';
    assert_true(minify_add(&out, slice_of(text, MINIFY_BYTES_MAX)));
    assert_false(minify_add(&out, slice_of(text, MINIFY_BYTES_MAX + 1)));
    assert_text(buf_slice(&out), "1");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_each_kind_stay_as_they_are),
        cmocka_unit_test(numbers_stay_as_written),
        cmocka_unit_test(blanks_between_are_taken_out_and_no_others),
        cmocka_unit_test(strings_keep_their_escapes),
        cmocka_unit_test(strings_hold_no_control_byte_and_only_utf8),
        cmocka_unit_test(what_is_not_whole_or_goes_on_is_none),
        cmocka_unit_test(it_is_nested_64_deep_at_most),
        cmocka_unit_test(it_has_a_mebibyte_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

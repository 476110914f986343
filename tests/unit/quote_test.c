#include "base/quote.h"

#include "support.h"

static void check(struct slice text, const char *expected)
{
    struct buf out = {0};

    buf_add_str(&out, "x");
    quote_add(&out, text);
    assert_text(slice_of(out.p + 1, out.n - 1), expected);
    buf_fini(&out);
}

static void a_text_stands_between_quotation_marks(void **state)
{
    (void)state;
    check(BYTES(""), "\"\"");
    check(BYTES("a/b \xc3\xa9\x7f"), "\"a/b \xc3\xa9\x7f\"");
}

static void what_json_does_not_allow_is_escaped(void **state)
{
    (void)state;
    check(BYTES("\""), "\"\\\"\"");
    check(BYTES("a\\b"), "\"a\\\\b\"");
    check(BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    check(BYTES("\0\x1f "), "\"\\u0000\\u001f \"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_stands_between_quotation_marks),
        cmocka_unit_test(what_json_does_not_allow_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

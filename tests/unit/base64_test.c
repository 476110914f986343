#include "base/base64.h"

#include "support.h"

static bool decodes_to(const char *text, struct slice expected)
{
    struct buf out = {0};
    bool ok = base64url_decode(&out, slice_str(text)) && slice_equal(buf_slice(&out), expected);

    buf_fini(&out);
    return ok;
}

/* Refused, and what was in the buffer before is all that is in it. */
static bool refused(struct slice text)
{
    struct buf out = {0};

    buf_add_str(&out, "before");
    bool ok = !base64url_decode(&out, text) && slice_equal(buf_slice(&out), slice_str("before"));
    buf_fini(&out);
    return ok;
}

static void the_examples_of_the_rfc_are_encoded_with_padding(void **state)
{
    static const char *const examples[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct buf out = {0};
        base64url_add(&out, slice_str(examples[i][0]));
        assert_text(buf_slice(&out), examples[i][1]);
        assert_int_equal(out.n, base64url_length(strlen(examples[i][0])));
        buf_fini(&out);
    }
}

static void the_last_two_characters_are_those_for_urls_or_those_of_base64(void **state)
{
    struct buf out = {0};

    (void)state;
    base64url_add(&out, BYTES("\xfb\xff\xbf"));
    assert_text(buf_slice(&out), "-_-_");
    out.n = 0;
    base64_add(&out, BYTES("\xfb\xff\xbf\xff"));
    assert_text(buf_slice(&out), "+/+//w==");
    buf_fini(&out);
}

static void bytes_of_any_length_come_back(void **state)
{
    uint64_t seed = 1;
    uint8_t bytes[300];

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf text = {0}, back = {0};
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)random_below(&seed, 256);
        base64url_add(&text, slice_of(bytes, n));
        assert_true(base64url_decode(&back, buf_slice(&text)));
        assert_bytes(buf_slice(&back), slice_of(bytes, n));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void both_append(void **state)
{
    struct buf out = {0};

    (void)state;
    buf_add_str(&out, "id:");
    base64url_add(&out, slice_str("f"));
    assert_true(base64url_decode(&out, slice_str("Zm8=")));
    assert_text(buf_slice(&out), "id:Zg==fo");
    buf_fini(&out);
}

static void padding_may_be_missing(void **state)
{
    (void)state;
    assert_true(decodes_to("Zg", slice_str("f")));
    assert_true(decodes_to("Zm8", slice_str("fo")));
    assert_true(decodes_to("Zm9vYg", slice_str("foob")));
}

static void padding_in_any_other_place_is_refused(void **state)
{
    static const char *const texts[] = {
        "=",     "==",    "====",   "A",    "A=",       "A==",  "A===",    "AA=",
        "AAA==", "AAAA=", "AAAA==", "=AAA", "AA==AA==", "AA=A", "AAAA===="};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(refused(slice_str(texts[i])));
}

static void each_byte_that_is_not_of_the_alphabet_is_refused(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    (void)state;
    for (int c = 0; c < 256; c++) {
        const uint8_t text[] = {'A', (uint8_t)c, 'A', 'A'};
        bool known = c != 0 && strchr(alphabet, c) != NULL;
        assert_int_equal(refused(slice_of(text, sizeof text)), !known);
    }
}

static void bits_that_stand_for_nothing_must_be_zero(void **state)
{
    (void)state;
    assert_true(decodes_to("_w==", BYTES("\xff")));
    assert_true(refused(slice_str("_x==")));
    assert_true(refused(slice_str("_z")));
    assert_true(decodes_to("__8=", BYTES("\xff\xff")));
    assert_true(refused(slice_str("__9=")));
    assert_true(refused(slice_str("__-")));
}

static void nothing_decodes_to_nothing(void **state)
{
    (void)state;
    assert_true(decodes_to("", BYTES("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_are_encoded_with_padding),
        cmocka_unit_test(the_last_two_characters_are_those_for_urls_or_those_of_base64),
        cmocka_unit_test(bytes_of_any_length_come_back),
        cmocka_unit_test(both_append),
        cmocka_unit_test(padding_may_be_missing),
        cmocka_unit_test(padding_in_any_other_place_is_refused),
        cmocka_unit_test(each_byte_that_is_not_of_the_alphabet_is_refused),
        cmocka_unit_test(bits_that_stand_for_nothing_must_be_zero),
        cmocka_unit_test(nothing_decodes_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

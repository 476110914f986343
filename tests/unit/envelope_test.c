#include "topic/envelope.h"

#include "base/headers.h"
#include "support.h"

static const char *const names[] = {"region", "trace \"id\""};
static const struct envelope orders = {"orders", names, 2};

/* The object of the record, but for its braces and what all of these tests begin with. */
static void check(const struct record *r, const char *expected)
{
    static const char start[] = "{\"topic\":\"orders\",\"partition\":0,\"offset\":41,";
    struct buf out = {0};

    envelope_add(&out, &orders, r);
    assert_memory_equal(out.p, start, sizeof start - 1);
    assert_int_equal(out.p[out.n - 1], '}');
    assert_text(slice_of(out.p + sizeof start - 1, out.n - sizeof start), expected);
    buf_fini(&out);
}

static struct record record(const char *key, const char *value)
{
    return (struct record){
        .offset = 41, .timestamp_ms = -1, .key = slice_str(key), .value = slice_str(value)};
}

static void an_envelope_has_all_that_a_record_has(void **state)
{
    struct record r = {.partition = 3,
                       .offset = 41,
                       .timestamp_ms = 1764400000000,
                       .key = BYTES("k"),
                       .value = BYTES("{ \"n\": 12.50 }")};
    struct buf packed = {0}, out = {0};

    (void)state;
    headers_add(&packed, 0, BYTES("eu"));
    r.headers = buf_slice(&packed);
    envelope_add(&out, &orders, &r);
    assert_text(buf_slice(&out), "{\"topic\":\"orders\",\"partition\":3,\"offset\":41,"
                                 "\"timestamp\":1764400000000,\"key\":\"k\","
                                 "\"headers\":{\"region\":[\"eu\"]},\"value\":{\"n\":12.50}}");
    buf_fini(&packed);
    buf_fini(&out);
}

/* PROTOCOL 13.8. */
static void what_a_record_has_not_is_not_there(void **state)
{
    (void)state;
    check(&(struct record){.offset = 41, .timestamp_ms = -1, .value = BYTES("1")},
          "\"headers\":{},\"value\":1");
    check(&(struct record){.offset = 41, .timestamp_ms = 0, .value = BYTES("1")},
          "\"timestamp\":0,\"headers\":{},\"value\":1");
}

static void a_key_is_a_text_or_base64(void **state)
{
    struct record r = record("", "1");

    (void)state;
    check(&r, "\"key\":\"\",\"headers\":{},\"value\":1");
    r.key = BYTES("a\"\xc3\xa9\0");
    check(&r, "\"key\":\"a\\\"\xc3\xa9\\u0000\",\"headers\":{},\"value\":1");
    r.key = BYTES("\xff\xfe\xfb");
    check(&r, "\"keyBase64\":\"//77\",\"headers\":{},\"value\":1");
    r.key = BYTES("\xff");
    check(&r, "\"keyBase64\":\"/w==\",\"headers\":{},\"value\":1");
}

static void a_value_is_json_a_text_or_base64(void **state)
{
    struct record r = record("k", "{\"a\" :\n1}");

    (void)state;
    check(&r, "\"key\":\"k\",\"headers\":{},\"value\":{\"a\":1}");
    r.value = BYTES("Hello\n\"you\"");
    check(&r, "\"key\":\"k\",\"headers\":{},\"text\":\"Hello\\n\\\"you\\\"\"");
    r.value = BYTES("");
    check(&r, "\"key\":\"k\",\"headers\":{},\"text\":\"\"");
    r.value = BYTES("\xfb\xff");
    check(&r, "\"key\":\"k\",\"headers\":{},\"base64\":\"+/8=\"");
    r.value = BYTES("\"\xff\"");
    check(&r, "\"key\":\"k\",\"headers\":{},\"base64\":\"Iv8i\"");
}

static void json_beyond_the_limits_is_a_text(void **state)
{
    struct buf deep = {0}, out = {0};

    (void)state;
    for (int i = 0; i < 65; i++)
        buf_add_byte(&deep, '[');
    for (int i = 0; i < 65; i++)
        buf_add_byte(&deep, ']');
    struct record r = {.value = buf_slice(&deep)};
    envelope_add(&out, &orders, &r);
    buf_add_byte(&out, 0);
    assert_non_null(strstr((char *)out.p, ",\"text\":\"[[["));
    assert_null(strstr((char *)out.p, "\"value\""));
    buf_fini(&deep);
    buf_fini(&out);
}

static void headers_are_lists_in_the_topics_order(void **state)
{
    struct record r = record(NULL, "1");
    struct buf packed = {0};

    (void)state;
    headers_add(&packed, 1, BYTES("t"));
    headers_add(&packed, 0, BYTES("eu"));
    headers_add(&packed, 0, BYTES("\xff"));
    headers_add(&packed, 0, slice_of(NULL, 0));
    headers_add(&packed, 0, BYTES(""));
    r.headers = buf_slice(&packed);
    check(&r, "\"headers\":{\"region\":[\"eu\",{\"base64\":\"/w==\"},null,\"\"],"
              "\"trace \\\"id\\\"\":[\"t\"]},\"value\":1");
    packed.n = 0;
    headers_add(&packed, 1, BYTES("t"));
    r.headers = buf_slice(&packed);
    check(&r, "\"headers\":{\"trace \\\"id\\\"\":[\"t\"]},\"value\":1");
    buf_fini(&packed);
}

/* PROTOCOL 13.9. */
static void a_delete_says_so_and_has_no_value(void **state)
{
    struct record r = record("k", NULL);
    struct buf out = {0};

    (void)state;
    check(&r, "\"key\":\"k\",\"headers\":{},\"deleted\":true");
    r.aged = true;
    envelope_add(&out, &orders, &r);
    assert_text(buf_slice(&out), "{\"topic\":\"orders\",\"partition\":0,\"key\":\"k\","
                                 "\"headers\":{},\"deleted\":true}");
    buf_fini(&out);
}

static void members_can_stand_behind_others(void **state)
{
    struct record r = record("k", NULL);
    struct buf out = {0};

    (void)state;
    buf_add_str(&out, "{\"id\":\"1\",");
    envelope_add_members(&out, &orders, &r);
    assert_text(buf_slice(&out), "{\"id\":\"1\",\"topic\":\"orders\",\"partition\":0,\"offset\":41,"
                                 "\"key\":\"k\",\"headers\":{},\"deleted\":true");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_has_all_that_a_record_has),
        cmocka_unit_test(what_a_record_has_not_is_not_there),
        cmocka_unit_test(a_key_is_a_text_or_base64),
        cmocka_unit_test(a_value_is_json_a_text_or_base64),
        cmocka_unit_test(json_beyond_the_limits_is_a_text),
        cmocka_unit_test(headers_are_lists_in_the_topics_order),
        cmocka_unit_test(a_delete_says_so_and_has_no_value),
        cmocka_unit_test(members_can_stand_behind_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

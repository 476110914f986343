#include "front/format.h"

#include "support.h"

static void check(const char *accept, enum format expected)
{
    if (format_accepted(accept) != expected)
        fail_msg("%s is %d", accept ? accept : "nothing", format_accepted(accept));
}

/* PROTOCOL 14.1. */
static void a_format_is_named_as_it_stands(void **state)
{
    static const char *const none[] = {"", "SSE", "json ", "jsonl", "ndjso", "ndjsonx", "*"};
    enum format format = FORMAT_JSON;

    (void)state;
    assert_true(format_parse(slice_str("sse"), &format));
    assert_int_equal(format, FORMAT_SSE);
    assert_true(format_parse(slice_str("ndjson"), &format));
    assert_int_equal(format, FORMAT_NDJSON);
    assert_true(format_parse(slice_str("json"), &format));
    assert_int_equal(format, FORMAT_JSON);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(format_parse(slice_str(none[i]), &format));
    assert_false(format_parse(slice_of("sse\0", 4), &format));
}

/* PROTOCOL 14.2. */
static void whoever_names_none_of_ours_gets_an_event_stream(void **state)
{
    (void)state;
    check(NULL, FORMAT_SSE);
    check("", FORMAT_SSE);
    check("*/*", FORMAT_SSE);
    check("application/*", FORMAT_SSE);
    check("text/html, image/webp;q=0.8", FORMAT_SSE);
    check("application/jsonx, application/json+x, xapplication/json", FORMAT_SSE);
    check("text/html;x=application/json", FORMAT_SSE);
    check("text/html;x=\",application/json,\"", FORMAT_SSE);
    check("text/html;x=\"\\\",application/json", FORMAT_SSE);
    check(",,;,", FORMAT_SSE);
}

/* PROTOCOL 14.2. */
static void an_event_stream_anywhere_wins(void **state)
{
    (void)state;
    check("text/event-stream", FORMAT_SSE);
    check("application/json, text/event-stream;q=0.1", FORMAT_SSE);
    check("application/x-ndjson,Text/Event-Stream", FORMAT_SSE);
}

/* PROTOCOL 14.2. */
static void else_the_first_of_ours_is_taken(void **state)
{
    (void)state;
    check("application/json, text/plain, */*", FORMAT_JSON); /* axios */
    check("application/json", FORMAT_JSON);
    check("Application/JSON;charset=utf-8", FORMAT_JSON);
    check("application/x-ndjson", FORMAT_NDJSON);
    check("application/jsonl", FORMAT_NDJSON);
    check(" application/jsonl ;q=0.1,\tapplication/json;q=1", FORMAT_NDJSON);
    check("text/html,application/json;q=0.9,application/jsonl", FORMAT_JSON);
}

/* PROTOCOL 14.2. */
static void a_quality_of_zero_is_a_refusal(void **state)
{
    (void)state;
    check("text/event-stream;q=0, application/json", FORMAT_JSON);
    check("text/event-stream; Q=0.000 ,application/json", FORMAT_JSON);
    check("application/json;q=0., application/jsonl", FORMAT_NDJSON);
    check("application/json;a=\"b;,\" ; q=0, application/jsonl", FORMAT_NDJSON);
    check("application/json;q=0", FORMAT_SSE);
    check("application/json;q=0.001", FORMAT_JSON);
    check("application/json;q=01", FORMAT_JSON);
    check("application/json;xq=0", FORMAT_JSON);
    check("application/json;a=\";q=0\"", FORMAT_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_format_is_named_as_it_stands),
        cmocka_unit_test(whoever_names_none_of_ours_gets_an_event_stream),
        cmocka_unit_test(an_event_stream_anywhere_wins),
        cmocka_unit_test(else_the_first_of_ours_is_taken),
        cmocka_unit_test(a_quality_of_zero_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/narrowing.h"

#include <stdlib.h>

#include "support.h"

static struct narrowing narrowing;

static enum refusal read_query(const char *query)
{
    narrowing_fini(&narrowing);
    narrowing = (struct narrowing){0};
    narrowing_read(&narrowing, slice_str(query), false);
    return narrowing.why;
}

static int teardown(void **state)
{
    (void)state;
    narrowing_fini(&narrowing);
    narrowing = (struct narrowing){0};
    return 0;
}

static void check(const char *query, const char *expected)
{
    struct buf text = {0};

    assert_int_equal(read_query(query), REFUSALS);
    for (size_t i = 0; i < narrowing.keys.n; i++) {
        buf_add_str(&text, i ? "|" : "");
        buf_add_slice(&text, values_at(&narrowing.keys, i));
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
}

static void of_key_and_key_base64_any_may_be(void **state)
{
    (void)state;
    check("key=b&key=a&keyBase64=Yw==&key=b", "a|b|c");
    check("x=1&key=a&keys=2", "a");
    check("keyBase64=w6k", "\xc3\xa9");
    check("key", "");
    assert_int_equal(narrowing.keys.n, 1);
    check("", "");
    assert_false(narrowing.any);
}

static void a_plus_is_a_blank_and_escapes_are_decoded_once(void **state)
{
    (void)state;
    check("key=a+b", "a b");
    check("key=a%2Bb", "a+b");
    check("key=%2541", "%41");
    check("k%65y=a", "a");
    check("keyBase64=Yw%3D%3D", "c");
}

static void what_is_badly_encoded_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_query("key=%"), REFUSAL_FILTER_INVALID);
    assert_int_equal(read_query("key=a&keyBase64=a!"), REFUSAL_FILTER_INVALID);
    assert_int_equal(read_query("x%=1"), REFUSALS);
}

static void headers_and_fields_are_not_declared(void **state)
{
    (void)state;
    assert_int_equal(read_query("header:a=1"), REFUSAL_FILTER_UNKNOWN);
    assert_int_equal(read_query("field%3Aa=1"), REFUSAL_FILTER_UNKNOWN);
    assert_int_equal(read_query("headers=1&field=2"), REFUSALS);
}

static void its_values_are_bounded(void **state)
{
    struct buf query = {0};

    (void)state;
    for (int i = 0; i < NARROWING_VALUES; i++)
        buf_add_str(&query, "&key=a");
    buf_add_byte(&query, 0);
    check((const char *)query.p, "a");
    query.n--;
    buf_add(&query, "&key=b", sizeof "&key=b");
    assert_int_equal(read_query((const char *)query.p), REFUSAL_FILTER_TOO_LARGE);
    query.n = 0;
    buf_add_str(&query, "key=");
    for (int i = 0; i < NARROWING_BYTES; i++)
        buf_add_byte(&query, 'a');
    buf_add_byte(&query, 0);
    assert_int_equal(read_query((const char *)query.p), REFUSALS);
    query.n--;
    buf_add(&query, "a", sizeof "a");
    assert_int_equal(read_query((const char *)query.p), REFUSAL_FILTER_TOO_LARGE);
    buf_fini(&query);
}

static void from_says_where_it_starts(void **state)
{
    (void)state;
    assert_int_equal(read_query("key=a"), REFUSALS);
    assert_false(narrowing.has_from);
    assert_int_equal(read_query("from=latest"), REFUSALS);
    assert_true(narrowing.has_from && !narrowing.any);
    assert_int_equal(narrowing.from.kind, FROM_LATEST);
    assert_int_equal(read_query("from=1970-01-01T01:00:01+01:00"), REFUSALS);
    assert_int_equal(narrowing.from.value, 1000);
    assert_int_equal(read_query("from=1970-01-01T01:00:01%2B01:00"), REFUSALS);
    assert_int_equal(narrowing.from.value, 1000);
    assert_int_equal(read_query("from=newest"), REFUSAL_FROM_INVALID);
    assert_int_equal(read_query("from="), REFUSAL_FROM_INVALID);
    assert_int_equal(read_query("from=latest&from=latest"), REFUSAL_FROM_INVALID);
}

static void with_an_id_from_is_not_looked_at(void **state)
{
    (void)state;
    narrowing_read(&narrowing, BYTES("from=newest&key=a"), true);
    assert_int_equal(narrowing.why, REFUSALS);
    assert_int_equal(narrowing.keys.n, 1);
}

/* What a stream of a route with that "select" (NULL: none) gets. */
static enum refusal narrow(const char *query, const char *select, const char *expected)
{
    const struct route_text text = {
        .path = "/of/{a}", .topic = "t", .select = select ? json_loads(select, 0, NULL) : NULL};
    struct destination to = {.route = NULL};
    struct selection *of_route, *selection;
    struct values none = {0};
    char wrong[256];
    int lacks = -1;

    struct routes *routes = routes_new();
    routes_add_topic(routes, "t");
    assert_true(routes_add(routes, &text, wrong, sizeof wrong));
    assert_int_equal(routes_find(routes, BYTES("/of/x%2F"), &to), ROUTE_FOUND);
    read_query(query);
    enum refusal why = narrowing_select(&narrowing, &to, &none, &of_route, &selection, &lacks);
    struct buf keys = {0};
    for (size_t i = 0; selection != NULL && i < selection_count(selection); i++) {
        buf_add_str(&keys, i ? "|" : "");
        buf_add_slice(&keys, selection_key(selection, i));
    }
    assert_int_equal(selection != NULL, expected != NULL);
    if (expected != NULL)
        assert_text(buf_slice(&keys), expected);
    buf_fini(&keys);
    selection_unref(selection);
    selection_unref(of_route);
    destination_fini(&to);
    json_decref((json_t *)text.select);
    routes_free(routes);
    return why;
}

static void it_only_narrows(void **state)
{
    (void)state;
    assert_int_equal(narrow("", NULL, NULL), REFUSALS);
    assert_int_equal(narrow("key=a", NULL, "a"), REFUSALS);
    assert_int_equal(narrow("", "[{\"key\":[\"a\",\"{a}\"]}]", "a|x/"), REFUSALS);
    assert_int_equal(narrow("key=a&key=b", "[{\"key\":[\"a\",\"{a}\"]}]", "a"), REFUSALS);
    assert_int_equal(narrow("key=b", "[{\"key\":\"a\"}]", ""), REFUSALS);
}

static void a_query_is_judged_before_claims(void **state)
{
    static const char select[] = "[{\"key\":\"{claim:c}\"}]";

    (void)state;
    assert_int_equal(narrow("", select, NULL), REFUSAL_CLAIM_MISSING);
    assert_int_equal(narrow("key=%", select, NULL), REFUSAL_FILTER_INVALID);
    assert_int_equal(narrow("", "[{\"keyBase64\":\"{a}\"}]", NULL), REFUSAL_PATH_NOT_BASE64);
}

/* PROTOCOL 14.1. */
static void a_format_is_named_once(void **state)
{
    (void)state;
    check("format=nd%6Ason&key=a", "a");
    assert_true(narrowing.has_format);
    assert_int_equal(narrowing.format, FORMAT_NDJSON);
    check("formats=json", "");
    assert_false(narrowing.has_format);
    assert_int_equal(read_query("format=xml"), REFUSAL_FORMAT_INVALID);
    assert_int_equal(read_query("format="), REFUSAL_FORMAT_INVALID);
    assert_int_equal(read_query("format=%zz"), REFUSAL_FORMAT_INVALID);
    assert_int_equal(read_query("format=json&format=json"), REFUSAL_FORMAT_INVALID);
}

static void data_is_named_once(void **state)
{
    (void)state;
    check("data=%65nvelope&key=a", "a");
    assert_true(narrowing.has_data && narrowing.enveloped);
    check("data=value", "");
    assert_true(narrowing.has_data && !narrowing.enveloped);
    check("datas=envelope", "");
    assert_false(narrowing.has_data);
    assert_int_equal(read_query("data=all"), REFUSAL_DATA_INVALID);
    assert_int_equal(read_query("data="), REFUSAL_DATA_INVALID);
    assert_int_equal(read_query("data=%zz"), REFUSAL_DATA_INVALID);
    assert_int_equal(read_query("data=value&data=value"), REFUSAL_DATA_INVALID);
}

/* PROTOCOL 13.12. */
static void a_keepalive_is_an_event_where_it_is_named_once(void **state)
{
    (void)state;
    check("keepalive=%65vent&key=a", "a");
    assert_true(narrowing.keepalive_events);
    check("keepalives=event", "");
    assert_false(narrowing.keepalive_events);
    assert_int_equal(read_query("keepalive=15"), REFUSAL_KEEPALIVE_INVALID);
    assert_int_equal(read_query("keepalive="), REFUSAL_KEEPALIVE_INVALID);
    assert_int_equal(read_query("keepalive=%zz"), REFUSAL_KEEPALIVE_INVALID);
    assert_int_equal(read_query("keepalive=event&keepalive=event"), REFUSAL_KEEPALIVE_INVALID);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(of_key_and_key_base64_any_may_be),
        T(a_plus_is_a_blank_and_escapes_are_decoded_once),
        T(what_is_badly_encoded_is_refused),
        T(headers_and_fields_are_not_declared),
        T(its_values_are_bounded),
        T(from_says_where_it_starts),
        T(data_is_named_once),
        T(a_keepalive_is_an_event_where_it_is_named_once),
        T(with_an_id_from_is_not_looked_at),
        T(it_only_narrows),
        T(a_query_is_judged_before_claims),
        T(a_format_is_named_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "guard/claim.h"

#include "support.h"

static json_t *payload;

static int setup(void **state)
{
    (void)state;
    payload = json_loads("{\"sub\":\"alice\",\"https://a.example/b.c\":\"whole\","
                         "\"realm\":{\"roles\":[\"reader\",7],\"deep\":{\"id\":\"x\"}},"
                         "\"nul\":\"a\\u0000b\",\"none\":null,\"words\":\" read:a  write:a \"}",
                         JSON_ALLOW_NUL, NULL);
    return payload != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(payload);
    return 0;
}

static void a_path_leads_into_objects_by_its_dots(void **state)
{
    (void)state;
    assert_string_equal(json_string_value(claim_at(payload, "sub")), "alice");
    assert_string_equal(json_string_value(claim_at(payload, "realm.deep.id")), "x");
    assert_true(json_is_array(claim_at(payload, "realm.roles")));
    assert_true(json_is_null(claim_at(payload, "none")));
}

static void a_name_that_holds_the_dots_wins(void **state)
{
    (void)state;
    assert_string_equal(json_string_value(claim_at(payload, "https://a.example/b.c")), "whole");
    json_object_set_new(payload, "realm.deep.id", json_string("first"));
    assert_string_equal(json_string_value(claim_at(payload, "realm.deep.id")), "first");
}

static void a_path_that_leads_nowhere_is_no_claim(void **state)
{
    static const char *const paths[] = {"",
                                        "nobody",
                                        "sub.id",
                                        "realm.",
                                        ".realm",
                                        "realm..deep",
                                        "realm.deep.id.more",
                                        "realm.roles.0",
                                        "none.id"};
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(claim_at(payload, paths[i]));
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_null(claim_at(payload, longest));
    assert_null(claim_at(NULL, "sub"));
}

static void a_text_is_a_string_without_nul(void **state)
{
    (void)state;
    assert_string_equal(claim_text(payload, "sub"), "alice");
    assert_null(claim_text(payload, "nul"));
    assert_null(claim_text(payload, "none"));
    assert_null(claim_text(payload, "realm"));
    assert_null(claim_text(NULL, "sub"));
}

static void a_claim_is_a_text_or_has_it(void **state)
{
    (void)state;
    assert_true(claim_is_or_has(claim_at(payload, "sub"), "alice"));
    assert_true(claim_is_or_has(claim_at(payload, "realm.roles"), "reader"));
    assert_false(claim_is_or_has(claim_at(payload, "realm.roles"), "7"));
    assert_false(claim_is_or_has(claim_at(payload, "sub"), "ali"));
    assert_false(claim_is_or_has(claim_at(payload, "nul"), "a"));
    assert_false(claim_is_or_has(claim_at(payload, "realm"), "roles"));
    assert_false(claim_is_or_has(NULL, "alice"));
}

static void words_stand_between_blanks(void **state)
{
    const json_t *words = claim_at(payload, "words");

    (void)state;
    assert_true(claim_has_word(words, "read:a"));
    assert_true(claim_has_word(words, "write:a"));
    assert_false(claim_has_word(words, "read:"));
    assert_false(claim_has_word(words, ""));
    assert_true(claim_has_word(claim_at(payload, "realm.roles"), "reader"));
    assert_false(claim_has_word(claim_at(payload, "nul"), "a"));
    assert_false(claim_has_word(NULL, "read:a"));
}

/* Those of a claim of that JSON, with blanks between. */
static void check_values(const char *json, const char *expected)
{
    json_t *claim = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct values values = {0};
    struct buf text = {0};

    claim_add_values(claim, &values);
    for (size_t i = 0; i < values.n; i++) {
        buf_add_str(&text, i ? " " : "");
        buf_add_slice(&text, values_at(&values, i));
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    values_fini(&values);
    json_decref(claim);
}

static void a_stream_is_selected_by_texts_and_numbers(void **state)
{
    (void)state;
    check_values("\"eu\"", "eu");
    check_values("[\"eu\",\"us\",7]", "eu us 7");
    check_values("-9007199254740993", "-9007199254740993");
    check_values("[1.5,0.1,1e3,12345678.9]", "1.5 0.1 1000 12345678.9");
    claim_add_values(NULL, NULL);
}

static void what_is_empty_or_of_another_kind_is_not_there(void **state)
{
    (void)state;
    check_values("\"\"", "");
    check_values("true", "");
    check_values("null", "");
    check_values("{\"a\":\"b\"}", "");
    check_values("[]", "");
    check_values("[\"\",null,false,{},[\"x\"],\"a\\u0000b\",\"y\"]", "y");
}

static void of_an_array_the_first_1024_count(void **state)
{
    json_t *claim = json_array();
    struct values values = {0};

    (void)state;
    for (int i = 0; i < 1100; i++)
        json_array_append_new(claim, json_integer(i));
    claim_add_values(claim, &values);
    assert_int_equal(values.n, CLAIM_VALUES);
    values_fini(&values);
    json_decref(claim);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_path_leads_into_objects_by_its_dots),
        T(a_name_that_holds_the_dots_wins),
        T(a_path_that_leads_nowhere_is_no_claim),
        T(a_text_is_a_string_without_nul),
        T(a_claim_is_a_text_or_has_it),
        T(words_stand_between_blanks),
        T(a_stream_is_selected_by_texts_and_numbers),
        T(what_is_empty_or_of_another_kind_is_not_there),
        T(of_an_array_the_first_1024_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

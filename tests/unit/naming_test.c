#include "topic/naming.h"

#include <stdio.h>

#include "base/headers.h"
#include "support.h"

static const char *const names[] = {"type", "other"};
static const struct envelope orders = {"orders", names, 2};

static void check(const char *rule, const struct record *r, const char *expected)
{
    struct naming n = {0};
    struct buf out = {0};

    assert_true(naming_parse(rule, &n));
    buf_add_str(&out, "x");
    assert_int_equal(naming_add(&out, &n, &orders, r), expected != NULL);
    assert_text(slice_of(out.p + 1, out.n - 1), expected ? expected : "");
    buf_fini(&out);
}

static void check_field(const char *name, const char *expected)
{
    struct buf json = {0};

    buf_printf(&json, "{\"type\":\"%s\"}", name);
    const struct record r = {.value = buf_slice(&json)};
    check("field:type", &r, expected);
    buf_fini(&json);
}

static void a_rule_is_topic_header_or_field(void **state)
{
    struct naming n = {.by = NAMING_NONE};

    (void)state;
    assert_true(naming_parse("header:a:b", &n) && n.by == NAMING_HEADER);
    assert_string_equal(n.of, "a:b");
    assert_true(naming_parse("field:a.b", &n) && n.by == NAMING_FIELD);
    assert_string_equal(n.of, "a.b");
    assert_false(naming_parse("header:", &n));
    assert_false(naming_parse("field:", &n));
    assert_false(naming_parse("Topic", &n));
    assert_false(naming_parse("", &n));
    assert_int_equal(n.by, NAMING_FIELD);
}

static void a_topic_names_all_of_its_events(void **state)
{
    (void)state;
    check("topic", &(struct record){.value = BYTES("v")}, "orders");
}

static void the_last_header_of_its_name_counts(void **state)
{
    struct buf packed = {0};
    struct record r = {.value = BYTES("v")};

    (void)state;
    check("header:type", &r, NULL);
    headers_add(&packed, 0, BYTES("created"));
    headers_add(&packed, 0, BYTES("changed"));
    headers_add(&packed, 1, BYTES("x"));
    r.headers = buf_slice(&packed);
    check("header:type", &r, "changed");
    check("header:other", &r, "x");
    headers_add(&packed, 0, slice_of(NULL, 0));
    r.headers = buf_slice(&packed);
    check("header:type", &r, NULL);
    buf_fini(&packed);
}

static void a_field_names_an_event(void **state)
{
    (void)state;
    check_field("created", "created");
    check("field:a.b", &(struct record){.value = BYTES("{\"a\":{\"b\":7}}")}, "7");
    check("field:a.b", &(struct record){.value = BYTES("Hello")}, NULL);
}

static void a_name_has_64_bytes_of_some_kinds_at_most(void **state)
{
    char name[80];

    (void)state;
    snprintf(name, sizeof name, "%064d", 0);
    check_field(name, name);
    snprintf(name, sizeof name, "%065d", 0);
    check_field(name, NULL);
    check_field("", NULL);
    check_field("azAZ09_.-", "azAZ09_.-");
    check_field("a b", NULL);
    check_field("a:b", NULL);
    check_field("a\\nb", NULL);
    check_field("a\\u0000", NULL);
    check_field("\xc3\xa9", NULL);
}

static void names_that_mean_something_are_nobodys(void **state)
{
    static const char *const ours[] = {"message",   "delete",    "reset", "gap",
                                       "challenge", "keepalive", "open",  "error"};

    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        check_field(ours[i], NULL);
    check_field("Message", "Message");
    check_field("deleted", "deleted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_topic_header_or_field),
        cmocka_unit_test(a_topic_names_all_of_its_events),
        cmocka_unit_test(the_last_header_of_its_name_counts),
        cmocka_unit_test(a_field_names_an_event),
        cmocka_unit_test(a_name_has_64_bytes_of_some_kinds_at_most),
        cmocka_unit_test(names_that_mean_something_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

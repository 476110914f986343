#include "route/routes.h"

#include <stdio.h>

#include "support.h"

static struct routes *routes;
static char wrong[256];

static int setup(void **state)
{
    (void)state;
    routes = routes_new();
    routes_add_topic(routes, "orders");
    routes_add_topic(routes, "prices");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    routes_free(routes);
    return 0;
}

static bool add(const char *path, const char *topic, const char *scope)
{
    const char *const scopes[] = {scope};
    const struct route_text text = {
        .path = path, .topic = topic, .scopes = scopes, .scope_count = scope != NULL};

    return routes_add(routes, &text, wrong, sizeof wrong);
}

static void check_topic(const char *path, const char *topic)
{
    struct destination to;

    assert_int_equal(routes_find(routes, slice_str(path), &to), ROUTE_FOUND);
    if (topic == NULL)
        assert_int_equal(to.topic, -1);
    else
        assert_string_equal(routes_topic(routes, (size_t)to.topic), topic);
}

static void check_none(const char *path, enum route_found found)
{
    struct destination to;

    assert_int_equal(routes_find(routes, slice_str(path), &to), found);
}

/* PROTOCOL 9.1. */
static void the_first_route_that_fits_is_taken(void **state)
{
    (void)state;
    assert_true(add("/a/b", "orders", NULL));
    assert_true(add("/a/{x}", "prices", NULL));
    assert_true(add("/{y}/{x}", "orders", NULL));
    check_topic("/a/b", "orders");
    check_topic("/a/c", "prices");
    check_topic("/b/b", "orders");
    check_none("/a", ROUTE_UNKNOWN);
}

static void a_topic_may_stand_in_the_path(void **state)
{
    (void)state;
    assert_true(add("/raw/{topic}", "{topic}", NULL));
    assert_true(add("/{v}/of/{name}", "{name}", NULL));
    check_topic("/raw/orders", "orders");
    check_topic("/raw/%6frders", "orders");
    check_topic("/raw/Orders", NULL);
    check_topic("/raw/orders%00", NULL);
    check_topic("/raw/orders%2F", NULL);
    check_topic("/prices/of/orders", "orders");
}

static void a_bad_escape_is_told_only_where_a_route_fits(void **state)
{
    static const char *const bad[] = {"/raw/%", "/raw/a%2", "/raw/%zz", "/raw/%2G", "/raw/orders%"};

    (void)state;
    assert_true(add("/raw/{topic}", "{topic}", NULL));
    assert_true(add("/of/{any}", "orders", NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_none(bad[i], ROUTE_BAD_ESCAPE);
    check_none("/of/%", ROUTE_BAD_ESCAPE); /* though nothing uses it */
    check_none("/ra%/orders", ROUTE_UNKNOWN);
    check_topic("/raw/%25", NULL); /* decoded once */
}

static void the_only_route_is_literal(void **state)
{
    (void)state;
    routes_add_literal(routes, "/a%2/{x}", (struct from){0});
    check_topic("/a%2/{x}", "orders");
    check_none("/a%2/y", ROUTE_UNKNOWN);
}

static void scopes_have_a_bit_each(void **state)
{
    (void)state;
    assert_true(add("/a", "orders", "read"));
    assert_true(add("/b", "orders", "write"));
    assert_true(add("/c", "orders", "read"));
    assert_true(add("/d", "orders", NULL));
    assert_int_equal(routes_scopes(routes), 2);
    assert_string_equal(routes_scope(routes)[1], "write");
    static const uint64_t expected[] = {1, 2, 1, 0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(routes_at(routes, i)->scopes, expected[i]);
}

static void refuses(const char *path, const char *topic, const char *why)
{
    size_t n = routes_count(routes);

    assert_false(add(path, topic, NULL));
    assert_string_equal(wrong, why);
    assert_int_equal(routes_count(routes), n);
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    assert_true(add("/a/{x}", "orders", NULL));
    refuses("a", "orders", "path: must begin with /");
    refuses("/a/{y}", "orders", "path: another route has it: /a/{x}");
    refuses("/b", "other", "topic: is not in topics: other");
    refuses("/b", "", "topic: is not in topics: ");
    refuses("/b/{topic}", "{topics}", "topic: the path lacks {topics}");
    refuses("/b/{topic}", "{topic", "topic: is not in topics: {topic");
    refuses("/b/{topic}", "a{topic}", "topic: is not in topics: a{topic}");
    refuses("/b/{topic*}", "{topic*}", "topic: the path lacks {topic*}");
    assert_true(add("/b/{topic*}", "{topic}", NULL));
}

static void there_are_so_many_routes_and_scopes(void **state)
{
    char text[32];

    (void)state;
    for (int i = 0; i < ROUTES_MAX; i++) {
        snprintf(text, sizeof text, "/%d", i);
        assert_true(add(text, "orders", i < ROUTE_SCOPES_MAX ? text : NULL));
    }
    assert_false(add("/x", "orders", NULL));
    assert_string_equal(wrong, "there are more than 256 routes");
    teardown(NULL);
    setup(NULL);
    for (int i = 0; i < ROUTE_SCOPES_MAX; i++) {
        snprintf(text, sizeof text, "/%d", i);
        assert_true(add(text, "orders", text));
    }
    assert_int_equal(routes_at(routes, 63)->scopes, UINT64_C(1) << 63);
    assert_false(add("/x", "orders", "/x"));
    assert_string_equal(wrong, "scopes: more than 64 different ones");
    assert_true(add("/x", "orders", "/63"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_route_that_fits_is_taken),
        T(a_topic_may_stand_in_the_path),
        T(a_bad_escape_is_told_only_where_a_route_fits),
        T(the_only_route_is_literal),
        T(scopes_have_a_bit_each),
        T(what_is_wrong_is_told),
        T(there_are_so_many_routes_and_scopes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

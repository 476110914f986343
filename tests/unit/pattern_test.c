#include "route/pattern.h"

#include "support.h"

static struct slice values[PATTERN_PARAMS];

static struct pattern *make(const char *text)
{
    const char *wrong = NULL;
    struct pattern *p = pattern_new(text, &wrong);

    if (p == NULL)
        fail_msg("%s: %s", text, wrong);
    return p;
}

static bool fits(const char *pattern, const char *path)
{
    struct pattern *p = make(pattern);
    bool fit = pattern_fits(p, slice_str(path), values);

    pattern_free(p);
    return fit;
}

/* PROTOCOL 9.1. */
static void a_literal_path_is_compared_as_it_stands(void **state)
{
    static const char *const others[] = {"",         "/",         "/event",   "/eventss",
                                         "/events/", "//events",  "/Events",  "/%65vents",
                                         "events",   "/events/a", "/events%", "/events/."};

    (void)state;
    assert_true(fits("/events", "/events"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(fits("/events", others[i]));
    assert_true(fits("/", "/"));
    assert_false(fits("/", ""));
    assert_false(fits("/", "//"));
    assert_true(fits("/a//b/", "/a//b/"));
    assert_false(fits("/a//b/", "/a//b"));
}

/* PROTOCOL 9.2. */
static void a_parameter_is_a_whole_segment(void **state)
{
    static const char *const others[] = {"/orders",     "/orders/", "/orders//", "/orders/a/",
                                         "/orders/a/b", "/order/a", "/ordersa"};

    (void)state;
    assert_true(fits("/orders/{customer}", "/orders/a%2Fb"));
    assert_text(values[0], "a%2Fb");
    assert_true(fits("/orders/{customer}", "/orders/.."));
    assert_true(fits("/orders/{customer}", "/orders/{customer}"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(fits("/orders/{customer}", others[i]));
    assert_true(fits("/{a}/x/{b_2}", "/1/x/2"));
    assert_text(values[0], "1");
    assert_text(values[1], "2");
    assert_false(fits("/{a}/x/{b_2}", "/1/y/2"));
}

/* PROTOCOL 9.2. */
static void the_rest_may_hold_slashes(void **state)
{
    (void)state;
    assert_true(fits("/prices/{symbol*}", "/prices/a/b//c/"));
    assert_text(values[0], "a/b//c/");
    assert_true(fits("/prices/{symbol*}", "/prices/a"));
    assert_false(fits("/prices/{symbol*}", "/prices/"));
    assert_false(fits("/prices/{symbol*}", "/prices"));
    assert_true(fits("/{a}/{b*}", "/1/2/3"));
    assert_text(values[0], "1");
    assert_text(values[1], "2/3");
    assert_true(fits("/{a*}", "//"));
}

/* Counted as decoded.  PROTOCOL 9.2. */
static void a_parameter_stands_for_4096_bytes_at_most(void **state)
{
    static const char *const patterns[] = {"/{a}", "/{a*}"};
    static char path[2 + 3 * (PATTERN_VALUE + 1)];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = PATTERN_VALUE; n <= PATTERN_VALUE + 1; n++) {
            memset(path, 0, sizeof path);
            memset(path, 'a', n + 1);
            path[0] = '/';
            assert_int_equal(fits(patterns[i], path), n == PATTERN_VALUE);
            for (size_t k = 0; k < n; k++)
                memcpy(path + 1 + 3 * k, "%41", 4);
            assert_int_equal(fits(patterns[i], path), n == PATTERN_VALUE);
        }
    }
}

static void braces_are_literal_where_there_are_no_parameters(void **state)
{
    struct pattern *p = pattern_literal("/{a}/b?");

    (void)state;
    assert_true(pattern_fits(p, slice_str("/{a}/b?"), values));
    assert_false(pattern_fits(p, slice_str("/x/b?"), values));
    assert_string_equal(pattern_text(p), "/{a}/b?");
    pattern_free(p);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *wrong;
    } rows[] = {
        {"", "must begin with /"},
        {"events", "must begin with /"},
        {"{a}", "must begin with /"},
        {"/a?b", "must hold no ?, # or blank"},
        {"/a#b", "must hold no ?, # or blank"},
        {"/a b", "must hold no ?, # or blank"},
        {"/a\tb", "must hold no ?, # or blank"},
        {"/a{b}", "a {name} must be a whole segment"},
        {"/{b}a", "a {name} must be a whole segment"},
        {"/{b", "a {name} must be a whole segment"},
        {"/b}", "a {name} must be a whole segment"},
        {"/{", "a {name} must be a whole segment"},
        {"/{}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{*}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{A}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{a-b}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{a**}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{{a}}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{claim:sub}", "the name of a {name} is made of a-z, 0-9 and _"},
        {"/{a*}/b", "a {name*} must be at the end"},
        {"/{a*}/", "a {name*} must be at the end"},
        {"/{a*}/{b*}", "a {name*} must be at the end"},
        {"/{a}/{a}", "a {name} comes twice"},
        {"/{a}/{a*}", "a {name} comes twice"},
        {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "more than 8 {name}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *wrong = NULL;
        assert_null(pattern_new(rows[i].text, &wrong));
        if (strcmp(wrong, rows[i].wrong) != 0)
            fail_msg("%s: %s", rows[i].text, wrong);
    }
    pattern_free(make("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h*}"));
}

static bool same(const char *a, const char *b)
{
    struct pattern *one = make(a), *other = make(b);
    bool are = pattern_same(one, other);

    pattern_free(one);
    pattern_free(other);
    return are;
}

static void paths_are_the_same_whatever_their_parameters_are_called(void **state)
{
    (void)state;
    assert_true(same("/a/{b}", "/a/{c}"));
    assert_true(same("/a/{b*}", "/a/{c*}"));
    assert_false(same("/a/{b*}", "/a/{b}"));
    assert_false(same("/a/{b}", "/a/b"));
    assert_false(same("/a", "/a/"));
    assert_false(same("/a", "/b"));
}

static bool covers(const char *before, const char *behind)
{
    struct pattern *a = make(before), *b = make(behind);
    bool covered = pattern_covers(a, b);

    pattern_free(a);
    pattern_free(b);
    return covered;
}

static void one_covers_another_whose_paths_it_fits_all(void **state)
{
    (void)state;
    assert_true(covers("/a", "/a"));
    assert_true(covers("/{x}", "/a"));
    assert_true(covers("/{x}", "/{y}"));
    assert_true(covers("/{x}/b", "/a/b"));
    assert_true(covers("/{x*}", "/a"));
    assert_true(covers("/{x*}", "/{y}/b"));
    assert_true(covers("/{x*}", "/{y*}"));
    assert_true(covers("/{x*}", "//a"));
    assert_true(covers("/a/{x*}", "/a/b/"));
    assert_false(covers("/a", "/b"));
    assert_false(covers("/a", "/{x}"));
    assert_false(covers("/a", "/a/b"));
    assert_false(covers("/a/b", "/a"));
    assert_false(covers("/{x}", "/"));
    assert_false(covers("/{x}", "/{y*}"));
    assert_false(covers("/{x}/b", "/a/{y}"));
    assert_false(covers("/{x*}", "/"));
    assert_false(covers("/a/{x*}", "/a"));
    assert_false(covers("/a/{x*}", "/a/"));
}

static bool is_doubted(const char *text)
{
    struct pattern *p = make(text);
    bool doubted = pattern_doubt(p) != NULL;

    pattern_free(p);
    return doubted;
}

static void a_path_that_no_client_sends_or_no_front_passes_on_is_doubted(void **state)
{
    (void)state;
    assert_false(is_doubted("/"));
    assert_false(is_doubted("/a/"));
    assert_false(is_doubted("/a.b/.../%C3%A4/{x}/{y*}"));
    assert_true(is_doubted("/\xc3\xa4"));
    assert_true(is_doubted("/a%2"));
    assert_true(is_doubted("/a%zz/b"));
    assert_true(is_doubted("/a//b"));
    assert_true(is_doubted("//"));
    assert_true(is_doubted("/./a"));
    assert_true(is_doubted("/{x}/.."));
}

static void a_parameter_has_its_number(void **state)
{
    struct pattern *p = make("/x/{a}/y/{bc*}");

    (void)state;
    assert_int_equal(pattern_param(p, slice_str("a")), 0);
    assert_int_equal(pattern_param(p, slice_str("bc")), 1);
    assert_int_equal(pattern_param(p, slice_str("b")), -1);
    assert_int_equal(pattern_param(p, slice_str("x")), -1);
    assert_int_equal(pattern_param(p, slice_str("")), -1);
    assert_text(pattern_param_name(p, 0), "a");
    assert_text(pattern_param_name(p, 1), "bc");
    assert_null(pattern_param_name(p, 2).p);
    assert_null(pattern_param_name(p, -1).p);
    pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_path_is_compared_as_it_stands),
        cmocka_unit_test(a_parameter_is_a_whole_segment),
        cmocka_unit_test(the_rest_may_hold_slashes),
        cmocka_unit_test(a_parameter_stands_for_4096_bytes_at_most),
        cmocka_unit_test(braces_are_literal_where_there_are_no_parameters),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(paths_are_the_same_whatever_their_parameters_are_called),
        cmocka_unit_test(one_covers_another_whose_paths_it_fits_all),
        cmocka_unit_test(a_path_that_no_client_sends_or_no_front_passes_on_is_doubted),
        cmocka_unit_test(a_parameter_has_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

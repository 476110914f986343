#include "select/template.h"

#include "support.h"

static char wrong[256];
static char claims[4][64];
static int claim_count;

/* The path has {a} and {b}. */
static int param(void *arg, struct slice name)
{
    (void)arg;
    return slice_equal(name, BYTES("a")) ? 0 : slice_equal(name, BYTES("b")) ? 1 : -1;
}

static int claim(void *arg, const char *path)
{
    (void)arg;
    if (claim_count == 4)
        return -1;
    strcpy(claims[claim_count], path);
    return claim_count++;
}

static struct template *make(const char *select)
{
    const struct template_names names = {param, claim, NULL};
    json_t *json = json_loads(select, JSON_DECODE_ANY, NULL);

    assert_non_null(json);
    claim_count = 0;
    wrong[0] = 0;
    struct template *t = template_new(json, &names, wrong, sizeof wrong);
    json_decref(json);
    return t;
}

static void refuses(const char *select, const char *why)
{
    struct template *t = make(select);

    assert_null(t);
    if (strstr(wrong, why) == NULL)
        fail_msg("%s: %s, not: %s", select, wrong, why);
}

static struct values set_of(const char *texts)
{
    struct values v = {0};

    for (size_t n; texts != NULL && *texts != 0; texts += n + (texts[n] != 0)) {
        n = strcspn(texts, " ");
        values_add(&v, slice_of(texts, n));
    }
    return v;
}

static int lacks;

/* {a} and {b}, and what the claims say, are these texts with blanks between. */
static enum template_result fill(const char *select, const char *params, const char *first,
                                 const char *second, const char *expected)
{
    struct values of = set_of(params), keys = {0}, said[] = {set_of(first), set_of(second)};
    struct template *t = make(select);
    struct buf text = {0};

    assert_non_null(t);
    lacks = -2;
    enum template_result result = template_fill(t, &of, said, &keys, &lacks);
    for (size_t i = 0; i < keys.n; i++) {
        buf_add_str(&text, i ? " " : "");
        buf_add_slice(&text, values_at(&keys, i));
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    values_fini(&of);
    values_fini(&keys);
    values_fini(&said[0]);
    values_fini(&said[1]);
    template_free(t);
    return result;
}

static void check(const char *select, const char *params, const char *first, const char *expected)
{
    assert_int_equal(fill(select, params, first, NULL, expected), TEMPLATE_FILLED);
}

static void entries_are_alternatives_and_members_conditions(void **state)
{
    (void)state;
    check("[{\"key\":\"x\"}]", "", NULL, "x");
    check("[{\"key\":[\"y\",\"x\",\"y\"]}]", "", NULL, "x y");
    check("[{\"key\":\"y\"},{\"key\":\"x\"}]", "", NULL, "x y");
    check("[{\"key\":[\"x\",\"y\"],\"keyBase64\":[\"eQ==\",\"eg\"]}]", "", NULL, "y");
    check("[{\"key\":\"x\",\"keyBase64\":\"eQ==\"}]", "", NULL, "");
}

static void parameters_and_claims_are_filled_in(void **state)
{
    (void)state;
    check("[{\"key\":\"{b}\"}]", "v w", NULL, "w");
    check("[{\"key\":[\"{a}\",\"x\"]}]", "v w", NULL, "v x");
    check("[{\"key\":\"{claim:sub}\"}]", "", "me", "me");
    assert_string_equal(claims[0], "sub");
    check("[{\"key\":\"{claim:https://a.example/t}\"}]", "", "t2 t1", "t1 t2");
    assert_string_equal(claims[0], "https://a.example/t");
    check("[{\"keyBase64\":\"{a}\"}]", "eA== w", NULL, "x");
    check("[{\"keyBase64\":\"{claim:c}\"}]", "", "eA ! eQ==", "x y");
}

static void what_stands_for_something_is_never_a_pattern(void **state)
{
    (void)state;
    check("[{\"key\":\"{a}\"}]", "{b} w", NULL, "{b}");
    check("[{\"key\":\"{claim:c}\"}]", "", "{a} *", "* {a}");
}

static void a_claim_that_is_not_there_is_missing_only_if_no_entry_can_hold(void **state)
{
    (void)state;
    assert_int_equal(fill("[{\"key\":\"{claim:c}\"}]", "", NULL, NULL, ""), TEMPLATE_LACKS);
    assert_int_equal(lacks, 0);
    check("[{\"key\":\"{claim:c}\"},{\"key\":\"x\"}]", "", NULL, "x");
    assert_int_equal(fill("[{\"key\":\"{claim:c}\"},{\"key\":\"{claim:d}\"}]", "", "c", NULL, "c"),
                     TEMPLATE_FILLED);
    /* The member holds for nothing, whatever else it names. */
    assert_int_equal(fill("[{\"key\":[\"x\",\"{claim:c}\"]}]", "", NULL, NULL, ""), TEMPLATE_LACKS);
    assert_int_equal(fill("[{\"keyBase64\":\"{claim:c}\"}]", "", "!", NULL, ""), TEMPLATE_LACKS);
}

static void a_parameter_that_is_not_base64url_is_told(void **state)
{
    (void)state;
    assert_int_equal(fill("[{\"keyBase64\":\"{a}\"}]", "! w", NULL, NULL, ""), TEMPLATE_NOT_BASE64);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    refuses("{}", "select: must be a list of objects");
    refuses("[]", "select: must be a list of objects, one at least");
    refuses("[1]", "select[0]: must be an object");
    refuses("[{\"key\":\"x\"},{}]", "select[1]: an entry without members");
    refuses("[{\"keys\":\"x\"}]", "select[0]: unknown member keys");
    refuses("[{\"header:a\":\"x\"}]", "header:a: this version selects by key alone");
    refuses("[{\"field:a.b\":\"x\"}]", "field:a.b: this version selects by key alone");
    refuses("[{\"key\":1}]", "key: must be a text, or a list of texts");
    refuses("[{\"key\":[\"x\",null]}]", "key: must be a text, or a list of texts");
    refuses("[{\"key\":[]}]", "key: an empty list");
    refuses("[{\"key\":\"{c}\"}]", "key: the path lacks {c}");
    refuses("[{\"key\":\"{claim:}\"}]", "needs a path");
    refuses("[{\"keyBase64\":\"!\"}]", "keyBase64: is not base64url");
    static const char *const mixed[] = {"x{a}", "{a}x", "{a}{b}", "{", "}", "{}", "{{a}}"};
    for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++) {
        char select[64];
        snprintf(select, sizeof select, "[{\"key\":\"%s\"}]", mixed[i]);
        refuses(select, "a text is literal, or exactly one {name}");
    }
    refuses("[{\"key\":[\"{claim:1}\",\"{claim:2}\",\"{claim:3}\",\"{claim:4}\",\"{claim:5}\"]}]",
            "more different claims");
}

static void the_empty_text_is_the_empty_key(void **state)
{
    struct values keys = {0};

    (void)state;
    struct template *t = make("[{\"key\":\"\"}]");
    assert_int_equal(template_fill(t, NULL, NULL, &keys, &lacks), TEMPLATE_FILLED);
    assert_int_equal(keys.n, 1);
    assert_int_equal(values_at(&keys, 0).n, 0);
    values_fini(&keys);
    template_free(t);
}

static void it_says_what_it_is_filled_in_from(void **state)
{
    (void)state;
    struct template *t = make("[{\"key\":\"x\"},{\"key\":[\"y\",\"{b}\"]}]");
    assert_false(template_has_claims(t));
    assert_false(template_has_param(t, 0));
    assert_true(template_has_param(t, 1));
    template_free(t);
    t = make("[{\"key\":\"{claim:sub}\"}]");
    assert_true(template_has_claims(t));
    template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_alternatives_and_members_conditions),
        cmocka_unit_test(parameters_and_claims_are_filled_in),
        cmocka_unit_test(what_stands_for_something_is_never_a_pattern),
        cmocka_unit_test(a_claim_that_is_not_there_is_missing_only_if_no_entry_can_hold),
        cmocka_unit_test(a_parameter_that_is_not_base64url_is_told),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_empty_text_is_the_empty_key),
        cmocka_unit_test(it_says_what_it_is_filled_in_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

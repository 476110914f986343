#include "front/cors.h"

#include "support.h"

static bool policy_accepted(const char *policy)
{
    struct cors *cors = cors_new(policy);
    bool accepted = cors != NULL;

    cors_free(cors);
    return accepted;
}

static bool allowed(const char *policy, struct cors_request request)
{
    struct cors *cors = cors_new(policy);
    bool ok = cors_allowed(cors, &request);

    cors_free(cors);
    return ok;
}

static void check_headers(const char *policy, struct cors_request request, const char *expected)
{
    struct cors *cors = cors_new(policy);
    struct buf headers = {0};

    cors_add_headers(&headers, cors, &request);
    assert_text(buf_slice(&headers), expected);
    buf_fini(&headers);
    cors_free(cors);
}

static struct cors_request from(const char *origin)
{
    return (struct cors_request){.origin = origin, .host = "own.example"};
}

static void a_policy_is_cross_origin_or_origins(void **state)
{
    static const char *const good[] = {"cross-origin", "https://a.example", "http://[::1]:8080",
                                       "https://a.example,http://b.example:81", "app://x_y-z"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(policy_accepted(good[i]));
}

static void a_policy_with_anything_else_in_it_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ",",
        "*",
        "same-origin",
        "null",
        "a.example",
        "://a.example",
        "https://",
        "https://a.example/",
        "https://a.example/path",
        "https://a.example?q",
        "https://a.example,",
        ",https://a.example",
        "https://a.example,,https://b.example",
        "https://a.example, https://b.example",
        "https://a.example,cross-origin",
        "https://a b",
        "https://a\r\nX: y",
        "https://user@a.example",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (policy_accepted(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
}

#define EXPOSED                                                                                    \
    "Access-Control-Expose-Headers: retry-after, www-authenticate, etag, preference-applied\r\n"

static void cross_origin_allows_everybody(void **state)
{
    (void)state;
    assert_true(allowed("cross-origin", from("https://a.example")));
    assert_true(allowed("cross-origin", from("null")));
    check_headers("cross-origin", from("https://a.example"),
                  "Access-Control-Allow-Origin: *\r\n" EXPOSED);
    check_headers("cross-origin", from(NULL), "Access-Control-Allow-Origin: *\r\n" EXPOSED);
}

static void an_origin_of_the_list_is_echoed(void **state)
{
    static const char list[] = "https://a.example,https://b.example:81";

    (void)state;
    assert_true(allowed(list, from("https://a.example")));
    assert_true(allowed(list, from("https://b.example:81")));
    check_headers(list, from("https://b.example:81"),
                  "Access-Control-Allow-Origin: https://b.example:81\r\n" EXPOSED
                  "Vary: Origin\r\n");
}

static void another_origin_is_not_allowed_and_not_echoed(void **state)
{
    static const char list[] = "https://a.example,https://b.example:81";
    static const char *const foreign[] = {
        "https://b.example",
        "http://a.example",
        "https://a.example:443",
        "https://a.exampl",
        "https://a.example.evil",
        "null",
        "https://a.example,https://b.example:81",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_false(allowed(list, from(foreign[i])));
        check_headers(list, from(foreign[i]), "Vary: Origin\r\n");
    }
}

static void without_an_origin_there_is_no_page_to_refuse(void **state)
{
    (void)state;
    assert_true(allowed("https://a.example", from(NULL)));
    check_headers("https://a.example", from(NULL), "Vary: Origin\r\n");
}

static void the_own_origin_is_always_allowed(void **state)
{
    const struct cors_request http = {"http://own.example", "own.example", false};
    const struct cors_request https = {"https://own.example:9090", "own.example:9090", true};

    (void)state;
    assert_true(allowed("https://a.example", http));
    assert_true(allowed("https://a.example", https));
    check_headers("https://a.example", http,
                  "Access-Control-Allow-Origin: http://own.example\r\n" EXPOSED "Vary: Origin\r\n");
}

static void the_own_origin_has_the_same_scheme_host_and_port(void **state)
{
    static const struct cors_request foreign[] = {
        {"https://own.example", "own.example", false},
        {"http://own.example", "own.example", true},
        {"http://own.example:80", "own.example:81", false},
        {"http://own.example.evil", "own.example", false},
        {"http://own.example", NULL, false},
        {"http://", "own.example", false},
        {"http://own.example\r\nA: b", "own.example\r\nA: b", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(allowed("https://a.example", foreign[i]));
}

static void a_preflight_names_methods_and_headers_one_by_one(void **state)
{
    struct buf headers = {0};

    (void)state;
    cors_add_preflight(&headers);
    assert_text(buf_slice(&headers),
                "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"
                "Access-Control-Allow-Headers: authorization, content-type, last-event-id, "
                "cache-control, if-none-match, prefer, traceparent, tracestate, baggage, "
                "x-requested-with, pragma\r\n"
                "Access-Control-Max-Age: 600\r\n");
    buf_fini(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_is_cross_origin_or_origins),
        cmocka_unit_test(a_policy_with_anything_else_in_it_is_refused),
        cmocka_unit_test(cross_origin_allows_everybody),
        cmocka_unit_test(an_origin_of_the_list_is_echoed),
        cmocka_unit_test(another_origin_is_not_allowed_and_not_echoed),
        cmocka_unit_test(without_an_origin_there_is_no_page_to_refuse),
        cmocka_unit_test(the_own_origin_is_always_allowed),
        cmocka_unit_test(the_own_origin_has_the_same_scheme_host_and_port),
        cmocka_unit_test(a_preflight_names_methods_and_headers_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

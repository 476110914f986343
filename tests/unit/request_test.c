#include "front/request.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "support.h"

static struct decoder *decoder;

static int setup(void **state)
{
    (void)state;
    decoder = decoder_new();
    return decoder == NULL;
}

static int teardown(void **state)
{
    (void)state;
    decoder_free(decoder);
    return 0;
}

static struct request decode(const char *const *pairs)
{
    struct buf b = {0};
    struct request r;

    add_request(&b, 1, pairs);
    assert_int_equal(request_decode(decoder, b.p, b.n, &r), 0);
    buf_fini(&b);
    return r;
}

static const char *const names[PARAMS] = {
    [PARAM_METHOD] = "REQUEST_METHOD",
    [PARAM_URI] = "REQUEST_URI",
    [PARAM_QUERY] = "QUERY_STRING",
    [PARAM_SCRIPT_NAME] = "SCRIPT_NAME",
    [PARAM_PATH_INFO] = "PATH_INFO",
    [PARAM_CONTENT_TYPE] = "CONTENT_TYPE",
    [PARAM_AUTHORIZATION] = "HTTP_AUTHORIZATION",
    [PARAM_LAST_EVENT_ID] = "HTTP_LAST_EVENT_ID",
    [PARAM_ORIGIN] = "HTTP_ORIGIN",
    [PARAM_HOST] = "HTTP_HOST",
    [PARAM_HTTPS] = "HTTPS",
    [PARAM_PREFLIGHT_METHOD] = "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
    [PARAM_ACCEPT] = "HTTP_ACCEPT",
    [PARAM_IF_NONE_MATCH] = "HTTP_IF_NONE_MATCH",
    [PARAM_PREFER] = "HTTP_PREFER",
    [PARAM_REMOTE_ADDR] = "REMOTE_ADDR",
    [PARAM_REMOTE_PORT] = "REMOTE_PORT",
    [PARAM_REDIRECT_STATUS] = "REDIRECT_STATUS",
    [PARAM_ADMIN] = "SKF_ADMIN",
    [PARAM_REQUIRE_GUARD] = "SKF_REQUIRE_GUARD",
};

static void padding_makes_no_difference(void **state)
{
    const uint8_t begin[8] = {0, 1};
    struct slice method = BYTES("\16\3REQUEST_METHODGET"), none = {0};

    (void)state;
    for (int padding = 0; padding < 256; padding++) {
        struct buf b = {0};
        struct request r;
        add_record(&b, FCGI_BEGIN, 1, slice_of(begin, sizeof begin), (uint8_t)padding);
        add_record(&b, FCGI_PARAMS, 1, method, (uint8_t)padding);
        add_record(&b, FCGI_PARAMS, 1, none, (uint8_t)padding);
        add_record(&b, FCGI_STDIN, 1, none, (uint8_t)padding);
        assert_int_equal(request_decode(decoder, b.p, b.n, &r), 0);
        assert_string_equal(request_get(&r, PARAM_METHOD), "GET");
        buf_fini(&b);
    }
}

static void each_parameter_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < PARAMS; i++) {
        const char *const pairs[] = {"X", "y", names[i], "a=b", "SERVER_NAME", "z", NULL};
        struct request r = decode(pairs);
        for (int k = 0; k < PARAMS; k++) {
            if (k == i)
                assert_string_equal(r.param[k], "a=b");
            else
                assert_null(r.param[k]);
        }
    }
}

static void names_are_compared_whole(void **state)
{
    static const char *const pairs[] = {"REQUEST_METHO",
                                        "1",
                                        "REQUEST_METHODS",
                                        "2",
                                        "request_method",
                                        "3",
                                        "HTTPS_",
                                        "4",
                                        "R",
                                        "5",
                                        NULL};

    (void)state;
    struct request r = decode(pairs);
    for (int i = 0; i < PARAMS; i++)
        assert_null(r.param[i]);
}

static void an_empty_parameter_is_there(void **state)
{
    static const char *const pairs[] = {"QUERY_STRING", "", NULL};

    (void)state;
    assert_string_equal(decode(pairs).param[PARAM_QUERY], "");
}

static void values_of_any_length_come_whole(void **state)
{
    static char value[60001];
    const char *const pairs[] = {"REQUEST_URI", value, "REQUEST_METHOD", "GET", NULL};

    (void)state;
    for (size_t n = 0; n < sizeof value - 1; n = n < 300 ? n + 1 : n * 3 / 2) {
        memset(value, 'v', n);
        value[n] = 0;
        struct request r = decode(pairs);
        assert_string_equal(r.param[PARAM_URI], value);
        assert_string_equal(r.param[PARAM_METHOD], "GET");
    }
}

static void a_parameter_that_decides_and_comes_twice_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < PARAMS; i++) {
        const char *const twice[] = {names[i], "a", "X", "y", names[i], "a", NULL};
        const char *const once[] = {names[i], "a", "X", "y", "X", "y", NULL};
        bool decides = i != PARAM_HOST && i != PARAM_HTTPS && i != PARAM_PREFLIGHT_METHOD &&
                       i != PARAM_ACCEPT && i != PARAM_REMOTE_PORT && i != PARAM_REDIRECT_STATUS &&
                       i != PARAM_IF_NONE_MATCH && i != PARAM_PREFER;
        assert_int_equal(decode(twice).repeated, decides);
        assert_false(decode(once).repeated);
    }
}

static void an_empty_parameter_that_comes_twice_is_told_too(void **state)
{
    static const char *const pairs[] = {"QUERY_STRING", "", "QUERY_STRING", "a", NULL};

    (void)state;
    assert_true(decode(pairs).repeated);
}

/* PROTOCOL 10.9. */
static void without_a_query_parameter_the_uri_has_the_query(void **state)
{
    static const char *const uri[] = {"REQUEST_URI", "/events?key=a?b", NULL};
    static const char *const plain[] = {"REQUEST_URI", "/events", NULL};
    static const char *const both[] = {"REQUEST_URI", "/e?key=a", "QUERY_STRING", "", NULL};

    (void)state;
    assert_string_equal(decode(uri).param[PARAM_QUERY], "key=a?b");
    assert_string_equal(decode(uri).param[PARAM_URI], "/events?key=a?b");
    assert_null(decode(plain).param[PARAM_QUERY]);
    assert_string_equal(decode(both).param[PARAM_QUERY], ""); /* the front may have rewritten it */
}

static void one_request_after_the_other_is_decoded(void **state)
{
    static const char *const first[] = {"REQUEST_METHOD", "POST", "HTTP_ORIGIN", "a", NULL};
    static const char *const second[] = {"REQUEST_METHOD", "GET", NULL};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_string_equal(decode(first).param[PARAM_METHOD], "POST");
        struct request r = decode(second);
        assert_string_equal(r.param[PARAM_METHOD], "GET");
        assert_null(r.param[PARAM_ORIGIN]);
    }
}

static void no_descriptor_is_left_open(void **state)
{
    static const char *const pairs[] = {"REQUEST_METHOD", "GET", NULL};

    (void)state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 10; i++)
        decode(pairs);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

/* The parameters cut into records, with padding, a body behind them and a request id of its own. */
static void records_are_put_together(void **state)
{
    struct buf b = {0}, params = {0};
    struct request r;

    (void)state;
    add_pair(&params, "REQUEST_METHOD", "GET");
    add_pair(&params, "REQUEST_URI", "/events");
    add_begin(&b, 0x0203, 1);
    for (size_t i = 0; i < params.n; i++)
        add_record(&b, FCGI_PARAMS, 0x0203, slice_of(params.p + i, 1), (uint8_t)i);
    add_record(&b, FCGI_PARAMS, 0x0203, BYTES(""), 0);
    add_record(&b, FCGI_STDIN, 0x0203, BYTES("body"), 4);
    add_record(&b, FCGI_STDIN, 0x0203, BYTES(""), 0);
    assert_int_equal(request_decode(decoder, b.p, b.n, &r), 0);
    assert_string_equal(r.param[PARAM_URI], "/events");
    buf_fini(&b);
    buf_fini(&params);
}

static void every_parameter_list_that_the_parser_passes_is_decoded(void **state)
{
    uint64_t seed = 31;
    struct buf whole = {0};
    static const char *const pairs[] = {"REQUEST_METHOD", "GET", "A", "b", "HTTP_HOST", "", NULL};

    (void)state;
    add_request(&whole, 1, pairs);
    for (int round = 0; round < 3000; round++) {
        struct buf b = {0};
        struct fcgi_request parsed;
        struct request r;
        buf_add_slice(&b, buf_slice(&whole));
        b.p[24 + random_below(&seed, (uint32_t)b.n - 40)] = (uint8_t)random_below(&seed, 256);
        if (fcgi_request_parse(b.p, b.n, &parsed) == FCGI_COMPLETE)
            assert_int_equal(request_decode(decoder, b.p, parsed.length, &r), 0);
        buf_fini(&b);
    }
    buf_fini(&whole);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(padding_makes_no_difference),
        T(each_parameter_is_found_by_its_name),
        T(names_are_compared_whole),
        T(an_empty_parameter_is_there),
        T(values_of_any_length_come_whole),
        T(a_parameter_that_decides_and_comes_twice_is_told),
        T(an_empty_parameter_that_comes_twice_is_told_too),
        T(without_a_query_parameter_the_uri_has_the_query),
        T(one_request_after_the_other_is_decoded),
        T(no_descriptor_is_left_open),
        T(records_are_put_together),
        T(every_parameter_list_that_the_parser_passes_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

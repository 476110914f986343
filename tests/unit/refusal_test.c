#include "front/refusal.h"

#include "base/log.h"
#include "fake_loop.h"
#include "logged.h"
#include "support.h"

static struct loop *loop;
static struct refusals refusals;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    loop = loop_new();
    refusals_init(&refusals, loop);
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    refusals_fini(&refusals);
    loop_free(loop);
    log_release();
    return 0;
}

static void come_back(enum refusal why)
{
    refusals_add_come_back(&refusals, why, loop_now_ms());
}

static void check_counts(enum refused counted, uint64_t n)
{
    for (int i = 0; i < REFUSED_COUNTS; i++)
        assert_int_equal(refusals.count[i], i == (int)counted ? n : 0);
}

static void each_refusal_has_its_status_and_code(void **state)
{
    static const struct {
        enum refusal why;
        int status;
        const char *code;
    } expected[] = {
        {REFUSAL_DRAINING, 503, "busy"},
        {REFUSAL_FULL, 503, "busy"},
        {REFUSAL_ADDRESS_STREAMS, 503, "rate"},
        {REFUSAL_ADDRESS_OPENS, 503, "rate"},
        {REFUSAL_ADDRESS_ATTEMPTS, 503, "rate"},
        {REFUSAL_SUBJECT_STREAMS, 503, "rate"},
        {REFUSAL_SUBJECT_OPENS, 503, "rate"},
        {REFUSAL_TOKENS_WAIT, 503, "busy"},
        {REFUSAL_REQUESTS_WAIT, 503, "busy"},
        {REFUSAL_TOPIC_MISSING, 503, "busy"},
        {REFUSAL_TOPIC_NOT_READ, 503, "busy"},
        {REFUSAL_TOKENS_WAIT, 503, "busy"},
        {REFUSAL_TOKEN_MISSING, 401, "token_missing"},
        {REFUSAL_TOKEN_INVALID, 401, "token_invalid"},
        {REFUSAL_TOKEN_TOO_LONG, 401, "token_too_long"},
        {REFUSAL_TOKEN_PLACE, 400, "token_invalid"},
        {REFUSAL_SCOPE_MISSING, 403, "scope_missing"},
        {REFUSAL_SUBJECT_DIFFERS, 403, "subject_differs"},
        {REFUSAL_CLAIM_MISSING, 403, "claim_missing"},
        {REFUSAL_ORIGIN, 403, "origin"},
        {REFUSAL_ROUTE_UNKNOWN, 404, "route_unknown"},
        {REFUSAL_TOPIC_UNKNOWN, 404, "topic_unknown"},
        {REFUSAL_PATH_INVALID, 400, "path_invalid"},
        {REFUSAL_PATH_NOT_BASE64, 400, "path_invalid"},
        {REFUSAL_FILTER_UNKNOWN, 400, "filter_unknown"},
        {REFUSAL_FILTER_INVALID, 400, "filter_unknown"},
        {REFUSAL_FILTER_TOO_LARGE, 400, "filter_too_large"},
        {REFUSAL_FROM_INVALID, 400, "from_invalid"},
        {REFUSAL_FORMAT_INVALID, 400, "format_invalid"},
        {REFUSAL_DATA_INVALID, 400, "data_invalid"},
        {REFUSAL_KEEPALIVE_INVALID, 400, "keepalive_invalid"},
        {REFUSAL_METHOD, 405, "method"},
        {REFUSAL_RENEWALS_NONE, 405, "method"},
        {REFUSAL_STREAMS_NONE, 405, "method"},
        {REFUSAL_STREAM_INVALID, 400, "stream_invalid"},
        {REFUSAL_STREAM_UNKNOWN, 404, "stream_unknown"},
        {REFUSAL_STREAM_RATE, 429, "rate"},
        {REFUSAL_TYPE, 415, "type"},
        {REFUSAL_LARGE_HEAD, 431, "too_large"},
        {REFUSAL_LARGE_BODY, 413, "too_large"},
        {REFUSAL_RENEWALS_RATE, 429, "rate"},
        {REFUSAL_PEER_AWAY, 503, "busy"},
        {REFUSAL_POOL_AWAY, 503, "busy"},
        {REFUSAL_REQUEST_INVALID, 400, "request_invalid"},
        {REFUSAL_NOT_DECODED, 503, "busy"},
        {REFUSAL_PARAM_TWICE, 400, "request_invalid"},
        {REFUSAL_PARAMS_MISSING, 500, "misconfigured"},
        {REFUSAL_NOT_SET_UP, 500, "misconfigured"},
        {REFUSAL_UNGUARDED, 500, "misconfigured"},
    };

    (void)state;
    assert_int_equal(sizeof expected / sizeof expected[0], REFUSALS);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct refusal_row *row = refusal_row(expected[i].why);
        assert_int_equal(row->status, expected[i].status);
        assert_string_equal(row->code, expected[i].code);
    }
}

static void each_has_its_count_and_line(void **state)
{
    (void)state;
    refusals_add(&refusals, REFUSAL_TOKEN_INVALID, "the token has expired");
    check_counts(REFUSED_TOKEN, 1);
    refusals.count[REFUSED_TOKEN] = 0;
    refusals_add(&refusals, REFUSAL_ORIGIN, NULL);
    check_counts(REFUSED_FORBIDDEN, 1);
    refusals.count[REFUSED_FORBIDDEN] = 0;
    refusals_add(&refusals, REFUSAL_ROUTE_UNKNOWN, NULL);
    refusals_add(&refusals, REFUSAL_UNGUARDED, NULL);
    check_counts(REFUSED_OTHER, 2);
    assert_int_equal(logged("info: front: 401 token_invalid: the token has expired\n"), 1);
    assert_int_equal(logged("info: front: 403 origin: the origin is not allowed\n"), 1);
    assert_int_equal(logged("front: 404 route_unknown: there is nothing at this path\n"), 1);
    assert_int_equal(logged(""), 4);
}

static void a_flood_of_them_is_twenty_lines_a_second_and_a_number(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        refusals_add(&refusals, REFUSAL_ROUTE_UNKNOWN, NULL);
    assert_int_equal(logged(""), 20);
    fake_loop_pass(1000);
    assert_int_equal(logged("info: front: 980 more requests were refused\n"), 1);
    refusals_add(&refusals, REFUSAL_ROUTE_UNKNOWN, NULL);
    assert_int_equal(logged("front: 404 "), 21);
    fake_loop_pass(10000);
    assert_int_equal(logged("more requests"), 1);
    check_counts(REFUSED_OTHER, 1001);
}

static void to_be_told_to_come_back_is_a_warning_once_a_minute_for_each_reason(void **state)
{
    (void)state;
    for (int why = REFUSAL_DRAINING; why <= REFUSAL_ANSWER_ENDED; why++) {
        come_back((enum refusal)why);
        assert_int_equal(logged("warn: front: clients are told to come back later: "), why + 1);
    }
    assert_int_equal(logged("later: all streams are taken (--max-streams)\n"), 1);
    assert_int_equal(logged("later: the topic is not read to its end yet\n"), 1);
    fake_loop_pass(59999);
    come_back(REFUSAL_FULL);
    assert_int_equal(logged("warn: "), REFUSAL_ANSWER_ENDED + 1);
    assert_int_equal(
        logged("info: front: told to come back later: all streams are taken (--max-streams)\n"), 1);
    fake_loop_pass(1);
    come_back(REFUSAL_FULL);
    assert_int_equal(logged("warn: "), REFUSAL_ANSWER_ENDED + 2);
    assert_int_equal(refusals.count[REFUSED_FULL], 3);
}

static void a_flood_of_these_is_bounded_too(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        refusals_add(&refusals, REFUSAL_TOKEN_MISSING, NULL);
        come_back(REFUSAL_FULL);
    }
    assert_int_equal(logged("info: "), 20);
    assert_int_equal(logged("warn: "), 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_refusal_has_its_status_and_code),
        T(each_has_its_count_and_line),
        T(a_flood_of_them_is_twenty_lines_a_second_and_a_number),
        T(to_be_told_to_come_back_is_a_warning_once_a_minute_for_each_reason),
        T(a_flood_of_these_is_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/exchange.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "support.h"

static struct loop *loop;
static struct cors *cors;
static struct exchanges *all;
static struct exchange *x;
static int peer;
static struct output answer;

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    cors = cors_new("cross-origin");
    all = exchanges_new(loop, cors);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    exchanges_free(all);
    cors_free(cors);
    loop_free(loop);
    output_fini(&answer);
    return 0;
}

/* A new one, of that address. */
static void begin(const char *address)
{
    struct request r = {.repeated = false};
    int fds[2];

    small_socketpair(fds);
    r.param[PARAM_REMOTE_ADDR] = address;
    x = exchange_new(all, fds[0], 7, &r);
    peer = fds[1];
}

static uint32_t connection_of(const char *address, const char *port)
{
    struct request r = {.param[PARAM_REMOTE_ADDR] = address, .param[PARAM_REMOTE_PORT] = port};
    struct exchange *one = exchange_new(all, -1, 1, &r);
    uint32_t connection = one->connection;

    exchange_free(one);
    return connection;
}

static void requests_of_one_client_connection_are_told_apart_from_others(void **state)
{
    (void)state;
    uint32_t one = connection_of("192.0.2.1", "4711");
    assert_int_equal(connection_of("192.0.2.1", "4711"), one);
    assert_int_not_equal(connection_of("192.0.2.1", "4712"), one);
    assert_int_not_equal(connection_of("192.0.2.2", "4711"), one);
    assert_int_not_equal(connection_of("192.0.2.1", NULL), one);
    assert_int_equal(connection_of(NULL, NULL), connection_of(NULL, NULL));
}

/* It has been answered, as a whole, and its connection closed. */
static void check_answer(const char *begins)
{
    struct buf received = {0};

    assert_true(read_all(peer, &received));
    output_fini(&answer);
    output_read(&answer, buf_slice(&received));
    assert_true(answer.id == 7 && answer.ended && answer.rest == 0);
    assert_true(answer.text.n >= strlen(begins));
    assert_memory_equal(answer.text.p, begins, strlen(begins));
    assert_int_equal(exchanges_waiting(all), 0);
    close(peer);
    buf_fini(&received);
}

static bool answered(const char *part)
{
    return memmem(answer.text.p, answer.text.n, part, strlen(part)) != NULL;
}

static void one_that_is_under_way_waits(void **state)
{
    (void)state;
    begin("::ffff:192.0.2.1");
    assert_string_equal(x->address, "192.0.2.1");
    assert_int_equal(exchanges_waiting(all), 1);
    exchange_finish_with(x, slice_str("Status: 200 OK\r\n\r\n"));
    check_answer("Status: 200 OK\r\n\r\n");
}

static void one_whose_descriptor_is_given_away_is_no_more(void **state)
{
    (void)state;
    begin(NULL);
    int fd = x->fd;
    exchange_free(x);
    assert_int_equal(exchanges_waiting(all), 0);
    assert_int_equal(close(fd), 0);
    close(peer);
}

/* The request is gone by then. */
static void what_is_needed_of_the_request_is_copied(void **state)
{
    struct request r = {.repeated = false};
    char origin[] = "https://a.example", host[] = "b.example";
    int fds[2];

    (void)state;
    small_socketpair(fds);
    r.param[PARAM_ORIGIN] = origin;
    r.param[PARAM_HOST] = host;
    x = exchange_new(all, fds[0], 7, &r);
    peer = fds[1];
    origin[0] = host[0] = 0;
    assert_string_equal(x->origin.origin, "https://a.example");
    assert_string_equal(x->origin.host, "b.example");
    exchange_refuse(x, REFUSAL_ORIGIN, NULL);
    check_answer("Status: 403 ");
}

static void an_answer_can_be_read_by_a_page(void **state)
{
    struct answer nothing = {.status = 204};

    (void)state;
    begin(NULL);
    exchange_finish(x, &nothing);
    check_answer("Status: 204 No Content\r\n");
    assert_true(answered("Access-Control-Allow-Origin: *\r\n"));
}

static void a_refusal_is_counted_and_has_its_header(void **state)
{
    (void)state;
    begin(NULL);
    exchange_refuse(x, REFUSAL_METHOD, "Allow: GET\r\n");
    check_answer("Status: 405 ");
    assert_true(answered("Allow: GET\r\n"));
    assert_true(answered("\"reason\":\"method\""));
    assert_int_equal(exchanges_refused(all)[REFUSED_OTHER], 1);
}

static void a_refused_head_has_no_body(void **state)
{
    (void)state;
    begin(NULL);
    x->head = true;
    exchange_refuse(x, REFUSAL_ROUTE_UNKNOWN, NULL);
    check_answer("Status: 404 ");
    assert_memory_equal(answer.text.p + answer.text.n - 4, "\r\n\r\n", 4);
}

static void who_wants_a_stream_is_turned_away_by_one(void **state)
{
    (void)state;
    begin(NULL);
    x->wants_stream = true;
    exchange_turn_away(x, REFUSAL_FULL);
    check_answer("Status: 200 OK\r\n");
    assert_true(answered("\r\n\r\nretry:"));
    begin(NULL);
    exchange_turn_away(x, REFUSAL_FULL);
    check_answer("Status: 503 ");
    assert_true(answered("Retry-After: 10\r\n"));
    assert_int_equal(exchanges_refused(all)[REFUSED_FULL], 2);
}

static void a_refused_token_is_told_why(void **state)
{
    static const struct {
        enum token_error error;
        const char *status, *challenge;
        enum refused counted;
    } table[] = {
        {TOKEN_EXPIRED, "Status: 401 ", "Bearer error=\"invalid_token\"", REFUSED_TOKEN},
        {TOKEN_TOO_LONG, "Status: 401 ", "Bearer error=\"invalid_token\"", REFUSED_TOKEN},
        {TOKEN_SCOPE, "Status: 403 ", "Bearer error=\"insufficient_scope\"", REFUSED_FORBIDDEN},
        {TOKEN_BUSY, "Status: 503 ", "Retry-After: 10\r\n", REFUSED_BUSY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t before = exchanges_refused(all)[table[i].counted];
        begin(NULL);
        exchange_refuse_token(x, table[i].error);
        check_answer(table[i].status);
        assert_true(answered(table[i].challenge));
        assert_int_equal(exchanges_refused(all)[table[i].counted], before + 1);
    }
}

static void a_request_that_was_not_read_is_refused(void **state)
{
    struct buf out = {0};

    (void)state;
    exchanges_refuse_unread(all, REFUSAL_REQUESTS_WAIT, 7, false, &out);
    output_fini(&answer);
    output_read(&answer, buf_slice(&out));
    assert_true(answer.id == 7 && answer.ended);
    assert_true(answered("Status: 503 ") && answered("Retry-After: 10\r\n"));
    assert_true(answered("Access-Control-Allow-Origin: *\r\n"));
    buf_fini(&out);
}

static void a_head_that_was_not_read_is_refused_without_a_body(void **state)
{
    struct buf out = {0};

    (void)state;
    exchanges_refuse_unread(all, REFUSAL_REQUEST_INVALID, 7, true, &out);
    output_fini(&answer);
    output_read(&answer, buf_slice(&out));
    assert_true(answered("Status: 400 ") && answered("Content-Length: ") && !answered("{"));
    buf_fini(&out);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(requests_of_one_client_connection_are_told_apart_from_others),
        T(one_that_is_under_way_waits),
        T(one_whose_descriptor_is_given_away_is_no_more),
        T(what_is_needed_of_the_request_is_copied),
        T(an_answer_can_be_read_by_a_page),
        T(a_refusal_is_counted_and_has_its_header),
        T(a_refused_head_has_no_body),
        T(who_wants_a_stream_is_turned_away_by_one),
        T(a_refused_token_is_told_why),
        T(a_request_that_was_not_read_is_refused),
        T(a_head_that_was_not_read_is_refused_without_a_body),
    };

    log_set_level(LOG_ERROR); /* refusals are expected here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

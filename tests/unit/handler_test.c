#include "front/handler.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "stream/fanout.h"
#include "support.h"

/* -- the fan-out, as the handler sees it -- */

static struct {
    int count, fd;
    uint16_t id;
    struct buf head, last_event_id;
    bool has_id;
} opened;

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, struct slice head,
                           struct slice last_event_id, const struct stream_owner *owner)
{
    (void)f;
    (void)owner;
    opened.count++;
    opened.fd = fd;
    opened.id = id;
    buf_add_slice(&opened.head, head);
    buf_add_slice(&opened.last_event_id, last_event_id);
    opened.has_id = last_event_id.p != NULL;
    return NULL;
}

/* Sessions would call these. */
void fanout_say(struct stream *s, struct slice records)
{
    (void)s;
    (void)records;
}

void fanout_hold(struct stream *s, bool hold)
{
    (void)s;
    (void)hold;
}

void fanout_finish(struct stream *s, enum stream_end why)
{
    (void)s;
    (void)why;
}

size_t fanout_count(const struct fanout *f)
{
    (void)f;
    return 0;
}

/* -- a request and what comes of it -- */

static char fanout; /* never looked into */
static struct handler *handler;
static struct output answer;

static void make(const char *cors, int64_t retry_ms)
{
    const struct handler_config config = {
        .path = "/events", .cors = cors, .retry_ms = retry_ms, .max_streams = 100};

    handler_free(handler);
    handler = handler_new(&config, (struct fanout *)&fanout);
    assert_non_null(handler);
}

static void clear(void)
{
    if (opened.count)
        close(opened.fd);
    buf_fini(&opened.head);
    buf_fini(&opened.last_event_id);
    memset(&opened, 0, sizeof opened);
    output_fini(&answer);
}

static int setup(void **state)
{
    (void)state;
    make("cross-origin", 2000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clear();
    handler_free(handler);
    handler = NULL;
    return 0;
}

/* Hands over the bytes; the answer, if there is one, is whole and its socket closed behind it. */
static void ask_bytes(struct slice bytes)
{
    struct fcgi_request request;
    struct inlet_handler h = handler_inlet(handler);
    struct buf received = {0};
    int fds[2];

    clear();
    small_socketpair(fds);
    assert_int_equal(fcgi_request_parse(bytes.p, bytes.n, &request), FCGI_COMPLETE);
    h.on_request(h.arg, fds[0], &request, bytes);
    bool closed = read_all(fds[1], &received);
    output_read(&answer, buf_slice(&received));
    assert_int_equal(closed, opened.count == 0);
    assert_int_equal(answer.ended, opened.count == 0);
    assert_int_equal(answer.rest, 0);
    buf_fini(&received);
    close(fds[1]);
}

static void ask_pairs(const char *const *pairs)
{
    struct buf b = {0};

    add_request(&b, 1, pairs);
    ask_bytes(buf_slice(&b));
    buf_fini(&b);
}

#define ask(...) ask_pairs((const char *const[]){__VA_ARGS__, NULL})
#define ask_events(method, ...) ask("REQUEST_METHOD", method, "REQUEST_URI", "/events", __VA_ARGS__)

static bool answered(const char *part)
{
    return memmem(answer.text.p, answer.text.n, part, strlen(part)) != NULL;
}

static void check_status(int status)
{
    char line[32];

    snprintf(line, sizeof line, "Status: %d ", status);
    if (!answered(line))
        fail_msg("no %s in: %.*s", line, (int)answer.text.n, (const char *)answer.text.p);
    assert_memory_equal(answer.text.p, line, strlen(line));
}

/* -- GET and HEAD -- */

static void a_get_opens_a_stream(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_ACCEPT", "*/*");
    assert_int_equal(opened.count, 1);
    assert_int_equal(opened.id, 1);
    assert_false(opened.has_id);
}

static void a_stream_begins_with_its_headers_and_a_time_to_retry(void **state)
{
    struct output head = {0};
    static const char begin[] = "Status: 200 OK\r\n"
                                "Content-Type: text/event-stream\r\n"
                                "Cache-Control: no-store, no-transform\r\n"
                                "X-Accel-Buffering: no\r\n"
                                "Access-Control-Allow-Origin: *\r\n"
                                "\r\n"
                                "retry:";

    (void)state;
    ask_events("GET", "X", "y");
    output_read(&head, buf_slice(&opened.head));
    assert_int_equal(head.id, 1);
    assert_memory_equal(head.text.p, begin, sizeof begin - 1);
    const char *digits = (const char *)head.text.p + sizeof begin - 1;
    size_t n = strspn(digits, "0123456789");
    assert_bytes(slice_of(digits + n, head.text.n - (sizeof begin - 1) - n), BYTES("\n\n:\n\n"));
    output_fini(&head);
}

static void the_time_to_retry_is_spread_from_half_to_one_and_a_half(void **state)
{
    long low = LONG_MAX, high = 0;

    (void)state;
    make("cross-origin", 100);
    for (int i = 0; i < 3000; i++) {
        struct output head = {0};
        ask_events("GET", "X", "y");
        output_read(&head, buf_slice(&opened.head));
        buf_add_byte(&head.text, 0);
        long ms = strtol(strstr((const char *)head.text.p, "retry:") + 6, NULL, 10);
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
        output_fini(&head);
    }
    assert_in_range(low, 50, 55);
    assert_in_range(high, 145, 150);
}

static void the_id_of_the_request_is_kept(void **state)
{
    static const char *const pairs[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", "/events", NULL};
    static const char *const bad[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", "/", NULL};
    struct buf b = {0};

    (void)state;
    add_request(&b, 0x1234, pairs);
    ask_bytes(buf_slice(&b));
    assert_int_equal(opened.id, 0x1234);
    b.n = 0;
    add_request(&b, 0x4321, bad);
    ask_bytes(buf_slice(&b));
    assert_int_equal(answer.id, 0x4321);
    buf_fini(&b);
}

static void a_head_gets_the_same_headers_and_the_end(void **state)
{
    (void)state;
    ask_events("HEAD", "X", "y");
    assert_int_equal(opened.count, 0);
    assert_text(buf_slice(&answer.text), "Status: 200 OK\r\n"
                                         "Content-Type: text/event-stream\r\n"
                                         "Cache-Control: no-store, no-transform\r\n"
                                         "X-Accel-Buffering: no\r\n"
                                         "Access-Control-Allow-Origin: *\r\n"
                                         "\r\n");
}

/* -- where a stream resumes -- */

static void check_id(const char *expected)
{
    assert_int_equal(opened.count, 1);
    assert_int_equal(opened.has_id, expected != NULL);
    if (expected != NULL)
        assert_text(buf_slice(&opened.last_event_id), expected);
}

static void the_header_says_where_to_resume(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_LAST_EVENT_ID", "AQIAAg==");
    check_id("AQIAAg==");
}

static void the_query_says_where_to_resume_in_three_spellings(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "lastEventId=AQIAAg%3D%3D");
    check_id("AQIAAg==");
    ask_events("GET", "QUERY_STRING", "x=y&last-event-id=a");
    check_id("a");
    ask_events("GET", "QUERY_STRING", "last_event_id=a&z");
    check_id("a");
}

static void the_header_wins_unless_it_is_empty(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_LAST_EVENT_ID", "a", "QUERY_STRING", "lastEventId=b");
    check_id("a");
    ask_events("GET", "HTTP_LAST_EVENT_ID", "", "QUERY_STRING", "lastEventId=b");
    check_id("b");
}

static void an_empty_place_is_none(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_LAST_EVENT_ID", "", "QUERY_STRING", "lastEventId=&last-event-id");
    check_id(NULL);
    ask_events("GET", "QUERY_STRING", "LastEventId=a&other=b");
    check_id(NULL);
}

static void a_place_that_is_badly_encoded_is_no_fresh_start(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "lastEventId=AQIAAg==%zz");
    check_id("AQIAAg==%zz");
}

/* -- the path -- */

static void the_path_goes_to_the_first_question_mark(void **state)
{
    (void)state;
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/events?/x?y");
    assert_int_equal(opened.count, 1);
}

static void there_is_nothing_at_another_path(void **state)
{
    static const char *const paths[] = {
        "/",       "/event",    "/events/",   "/eventss", "//events", "",
        "/Events", "/%65vents", "/events%3f", "/events#", "events",   "http://localhost/events",
        "?/events"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask("REQUEST_METHOD", "GET", "REQUEST_URI", paths[i]);
        check_status(404);
    }
    ask("REQUEST_METHOD", "GET");
    check_status(404);
}

static void what_the_front_made_of_the_path_may_be_split_anywhere(void **state)
{
    static const char path[] = "/events";

    (void)state;
    for (size_t n = 0; n <= strlen(path); n++) {
        char script[16] = "";
        memcpy(script, path, n);
        ask_events("GET", "SCRIPT_NAME", script, "PATH_INFO", path + n);
        assert_int_equal(opened.count, 1);
    }
}

static void what_the_front_made_of_the_path_must_not_differ(void **state)
{
    static const char *const splits[][2] = {
        {"/events", "/"}, {"/events/", ""}, {"/event", ""},         {"", "/event"},   {"", "/"},
        {"/other", ""},   {"", "/other"},   {"/events", "/events"}, {"/ev", "/ents"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        ask_events("GET", "SCRIPT_NAME", splits[i][0], "PATH_INFO", splits[i][1]);
        check_status(404);
    }
}

/* -- other methods -- */

static void a_renewal_is_not_allowed_where_nothing_is_guarded(void **state)
{
    static const char *const types[] = {
        "application/x-challenge-response",    "Application/X-Challenge-Response",
        " application/x-challenge-response\t", "application/x-challenge-response ; charset=utf-8",
        "application/x-challenge-response;",
    };

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ask_events("POST", "CONTENT_TYPE", types[i]);
        check_status(405);
        assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
    }
}

static void a_post_of_another_content_type_is_not_supported(void **state)
{
    static const char *const types[] = {
        "",
        "application/json",
        "application/x-challenge-responses",
        "application/x-challenge-respons",
        "x; application/x-challenge-response",
        "application/x-challenge-response,text/plain",
    };

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ask_events("POST", "CONTENT_TYPE", types[i]);
        check_status(415);
    }
    ask_events("POST", "X", "y");
    check_status(415);
}

static void a_preflight_is_answered(void **state)
{
    (void)state;
    ask_events("OPTIONS", "HTTP_ORIGIN", "https://a.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
               "GET");
    check_status(204);
    assert_true(answered("Access-Control-Allow-Origin: *\r\n"));
    assert_true(answered("Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"));
    assert_false(answered("Allow: GET"));
}

static void another_options_names_the_methods(void **state)
{
    (void)state;
    ask_events("OPTIONS", "HTTP_ORIGIN", "https://a.example");
    check_status(204);
    assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
    ask_events("OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "GET");
    check_status(204);
    assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
}

static void any_other_method_is_not_allowed(void **state)
{
    static const char *const methods[] = {"PUT",  "DELETE", "PATCH", "TRACE", "CONNECT", "get",
                                          "GETS", "GE",     "QUERY", "",      " GET"};

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ask_events(methods[i], "X", "y");
        check_status(405);
        assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
    }
    ask("REQUEST_URI", "/events");
    check_status(405);
}

/* -- refusals -- */

static void a_parameter_that_comes_twice_is_a_bad_request(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "a", "QUERY_STRING", "a");
    check_status(400);
    ask_events("GET", "REQUEST_URI", "/other");
    check_status(400);
}

static void a_refusal_is_a_problem_document_that_a_page_can_read(void **state)
{
    (void)state;
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/<script>");
    assert_text(
        buf_slice(&answer.text),
        "Status: 404 Not Found\r\n"
        "Cache-Control: no-store\r\n"
        "Access-Control-Allow-Origin: *\r\n"
        "Content-Type: application/problem+json\r\n"
        "Content-Length: 75\r\n"
        "\r\n"
        "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"there is nothing at this path\"}");
}

static void a_refused_head_has_no_body(void **state)
{
    (void)state;
    ask("REQUEST_METHOD", "HEAD", "REQUEST_URI", "/other");
    check_status(404);
    assert_memory_equal(answer.text.p + answer.text.n - 4, "\r\n\r\n", 4);
}

static void a_foreign_origin_is_refused_if_there_is_a_list(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST"};

    (void)state;
    make("https://a.example", 2000);
    for (size_t i = 0; i < 4; i++) {
        ask_events(methods[i], "HTTP_ORIGIN", "https://evil.example");
        check_status(403);
        assert_false(answered("Access-Control-Allow-Origin"));
        assert_true(answered("Vary: Origin\r\n"));
    }
}

static void an_origin_of_the_list_and_the_own_are_allowed(void **state)
{
    (void)state;
    make("https://a.example", 2000);
    ask_events("GET", "HTTP_ORIGIN", "https://a.example");
    assert_int_equal(opened.count, 1);
    ask_events("GET", "HTTP_ORIGIN", "http://own", "HTTP_HOST", "own");
    assert_int_equal(opened.count, 1);
    ask_events("GET", "HTTP_ORIGIN", "http://own", "HTTP_HOST", "own", "HTTPS", "off");
    assert_int_equal(opened.count, 1);
    ask_events("GET", "HTTP_ORIGIN", "https://own", "HTTP_HOST", "own", "HTTPS", "on");
    assert_int_equal(opened.count, 1);
    ask_events("GET", "HTTP_ORIGIN", "https://own", "HTTP_HOST", "own");
    check_status(403);
    ask_events("GET", "X", "y");
    assert_int_equal(opened.count, 1);
}

static void a_request_that_was_aborted_meanwhile_opens_nothing(void **state)
{
    static const char *const pairs[] = {"REQUEST_METHOD", "GET", "REQUEST_URI", "/events", NULL};
    struct buf b = {0};

    (void)state;
    add_request(&b, 1, pairs);
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    ask_bytes(buf_slice(&b));
    assert_int_equal(opened.count, 0);
    assert_int_equal(answer.text.n, 0);
    buf_fini(&b);
}

/* What the inlet is told to answer to a request that was never one. */
static void refuse(enum fcgi_state state)
{
    struct inlet_handler h = handler_inlet(handler);
    struct buf out = {0};

    clear();
    h.on_refusal(h.arg, state, 0x0105, &out);
    output_read(&answer, buf_slice(&out));
    assert_true(answer.ended && answer.id == 0x0105);
    buf_fini(&out);
}

static void a_request_that_is_too_large_is_told_why(void **state)
{
    (void)state;
    refuse(FCGI_LARGE_PARAMS);
    check_status(431);
    assert_true(answered("Access-Control-Allow-Origin: *\r\n"));
    refuse(FCGI_LARGE_STDIN);
    check_status(413);
}

static void another_role_is_told_to_fastcgi(void **state)
{
    (void)state;
    refuse(FCGI_BAD_ROLE);
    assert_int_equal(answer.text.n, 0);
    assert_int_equal(answer.status, FCGI_STATUS_UNKNOWN_ROLE);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_get_opens_a_stream),
        T(a_stream_begins_with_its_headers_and_a_time_to_retry),
        T(the_time_to_retry_is_spread_from_half_to_one_and_a_half),
        T(the_id_of_the_request_is_kept),
        T(a_head_gets_the_same_headers_and_the_end),
        T(the_header_says_where_to_resume),
        T(the_query_says_where_to_resume_in_three_spellings),
        T(the_header_wins_unless_it_is_empty),
        T(an_empty_place_is_none),
        T(a_place_that_is_badly_encoded_is_no_fresh_start),
        T(the_path_goes_to_the_first_question_mark),
        T(there_is_nothing_at_another_path),
        T(what_the_front_made_of_the_path_may_be_split_anywhere),
        T(what_the_front_made_of_the_path_must_not_differ),
        T(a_renewal_is_not_allowed_where_nothing_is_guarded),
        T(a_post_of_another_content_type_is_not_supported),
        T(a_preflight_is_answered),
        T(another_options_names_the_methods),
        T(any_other_method_is_not_allowed),
        T(a_parameter_that_comes_twice_is_a_bad_request),
        T(a_refusal_is_a_problem_document_that_a_page_can_read),
        T(a_refused_head_has_no_body),
        T(a_foreign_origin_is_refused_if_there_is_a_list),
        T(an_origin_of_the_list_and_the_own_are_allowed),
        T(a_request_that_was_aborted_meanwhile_opens_nothing),
        T(a_request_that_is_too_large_is_told_why),
        T(another_role_is_told_to_fastcgi),
    };
    log_set_level(LOG_ERROR); /* refusals are expected here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

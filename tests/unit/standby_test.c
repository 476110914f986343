#include "front/standby.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define ORIGIN "https://a.example"

static struct buf out;
static bool stands_in;

static int teardown(void **state)
{
    (void)state;
    stands_in = false;
    buf_fini(&out);
    return 0;
}

static bool says(const char *part)
{
    return out.n > 0 && memmem(out.p, out.n, part, strlen(part)) != NULL;
}

static bool begins(const char *part)
{
    return out.n >= strlen(part) && memcmp(out.p, part, strlen(part)) == 0;
}

static void answer_to(const struct request *r, const char *policy)
{
    struct cors *cors = cors_new(policy);

    out.n = 0;
    standby_answer(&out, r, cors, stands_in);
    cors_free(cors);
}

/* The whole answer, but for the time to come back. */
static void check_stream(const char *origin_lines)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "Status: 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n"
                     "X-Content-Type-Options: nosniff\r\n"
                     "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n"
                     "Incremental: ?1\r\n%s\r\n"
                     "retry:",
                     origin_lines);

    assert_true(begins(head));
    struct slice rest = slice_of(out.p + n, out.n - (size_t)n);
    while (rest.n > 0 && *rest.p >= '0' && *rest.p <= '9') {
        rest.p++;
        rest.n--;
    }
    assert_text(rest, "\n");
}

static void check_short(const char *phrase, const char *lines, enum refusal why)
{
    const struct refusal_row *row = refusal_row(why);
    char expected[1024], body[256];

    snprintf(body, sizeof body,
             "{\"title\":\"%s\",\"status\":%d,\"reason\":\"%s\",\"detail\":\"%s\"}", phrase,
             row->status, row->code, row->detail);
    snprintf(expected, sizeof expected,
             "Status: %d %s\r\nCache-Control: no-store\r\n%s"
             "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n%s",
             row->status, phrase, lines, strlen(body), body);
    assert_text(buf_slice(&out), expected);
}

/* -- who wants a stream -- */

static void one_that_accepts_an_event_stream_wants_one(void **state)
{
    static const char *const wants[] = {"text/event-stream", "Text/Event-Stream",
                                        "text/html, text/event-stream;q=0.5", "text/event-stream,"};
    static const char *const wants_not[] = {
        NULL, "", "*/*", "text/*", "text/html", "application/json", "text/event"};

    (void)state;
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        assert_true(standby_wants_stream(&(struct request){.param[PARAM_ACCEPT] = wants[i]}));
    for (size_t i = 0; i < sizeof wants_not / sizeof wants_not[0]; i++)
        assert_false(standby_wants_stream(&(struct request){.param[PARAM_ACCEPT] = wants_not[i]}));
}

/* -- come back -- */

static void who_wants_a_stream_gets_one_that_ends(void **state)
{
    (void)state;
    standby_add_come_back(&out, true, REFUSAL_FULL, slice_str("Vary: Origin\r\n"), true);
    check_stream("Vary: Origin\r\n");
}

static void anybody_else_is_told_503(void **state)
{
    (void)state;
    standby_add_come_back(&out, false, REFUSAL_FULL, slice_str("Vary: Origin\r\n"), true);
    check_short("Service Unavailable", "Vary: Origin\r\nRetry-After: 10\r\n", REFUSAL_FULL);
}

static void clients_come_back_spread_over_10_to_30_s(void **state)
{
    enum { N = 4000, TENTHS = 10 };
    int in[TENTHS] = {0};

    (void)state;
    for (int i = 0; i < N; i++) {
        out.n = 0;
        standby_add_come_back(&out, true, REFUSAL_FULL, slice_of(NULL, 0), true);
        buf_add_byte(&out, 0);
        long ms = strtol(strstr((const char *)out.p, "retry:") + 6, NULL, 10);
        assert_in_range(ms, 10000, 30000);
        in[ms == 30000 ? TENTHS - 1 : (ms - 10000) / 2000]++;
    }
    for (int i = 0; i < TENTHS; i++)
        assert_in_range(in[i], N / TENTHS / 2, N / TENTHS * 2);
}

/* -- a standby responder: all that can be asked -- */

static const struct {
    const char *status;
    bool of_front;
} errors[] = {
    {NULL, false},   {"", false},     {"200", false}, {"404", false}, {"501", false},
    {"505", false},  {"500", true},   {"502", true},  {"503", true},  {"504", true},
    {"5000", false}, {" 503", false}, {"50", false},
};

static const struct {
    const char *accept;
    bool stream;
} accepts[] = {{NULL, false}, {"*/*", false}, {"text/event-stream", true}};

static const struct {
    const char *type;
    bool renewal;
} types[] = {
    {NULL, false},
    {"application/json", false},
    {"application/x-challenge-response", true},
    {"Application/X-Challenge-Response; charset=utf-8", true},
};

static const struct {
    const char *origin, *method;
    bool preflight;
} pages[] = {
    {NULL, NULL, false},
    {ORIGIN, NULL, false},
    {NULL, "GET", false},
    {ORIGIN, "GET", true},
    {"https://evil.example", "POST", true},
};

#define EXPOSED                                                                                    \
    "Access-Control-Expose-Headers: retry-after, www-authenticate, etag, preference-applied\r\n"

static const char *cors_lines(const char *policy, const char *origin)
{
    if (strcmp(policy, "cross-origin") == 0)
        return "Access-Control-Allow-Origin: *\r\n" EXPOSED;
    if (origin != NULL && strcmp(origin, ORIGIN) == 0)
        return "Access-Control-Allow-Origin: " ORIGIN "\r\n" EXPOSED "Vary: Origin\r\n";
    return "Vary: Origin\r\n";
}

static void check_preflight(const char *lines)
{
    char head[512];

    snprintf(head, sizeof head, "Status: 204 No Content\r\nCache-Control: no-store\r\n%s", lines);
    assert_true(begins(head));
    assert_true(says("Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"));
    assert_true(says("Access-Control-Allow-Headers: authorization, "));
    assert_memory_equal(out.p + out.n - 4, "\r\n\r\n", 4);
    assert_false(says("Content-"));
}

static void check_standby(const struct request *r, const char *policy, bool of_front,
                          bool preflight, bool stream)
{
    const char *cors = cors_lines(policy, r->param[PARAM_ORIGIN]);
    char lines[512];

    answer_to(r, policy);
    snprintf(lines, sizeof lines, "%sRetry-After: 10\r\n", cors);
    if (!of_front)
        check_short("Not Found", cors, REFUSAL_ROUTE_UNKNOWN);
    else if (preflight)
        check_preflight(cors);
    else if (stream)
        check_stream(cors);
    else
        check_short("Service Unavailable", lines, REFUSAL_POOL_AWAY);
}

/* PROTOCOL 10.7. */
static void each_request_gets_what_its_client_understands(void **state)
{
    static const char *const policies[] = {"cross-origin", "https://b.example," ORIGIN};

    (void)state;
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
        for (size_t a = 0; a < sizeof accepts / sizeof accepts[0]; a++)
            for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
                for (size_t p = 0; p < sizeof pages / sizeof pages[0]; p++)
                    for (size_t c = 0; c < sizeof policies / sizeof policies[0]; c++) {
                        struct request r = {.param[PARAM_REDIRECT_STATUS] = errors[e].status,
                                            .param[PARAM_ACCEPT] = accepts[a].accept,
                                            .param[PARAM_CONTENT_TYPE] = types[t].type,
                                            .param[PARAM_ORIGIN] = pages[p].origin,
                                            .param[PARAM_PREFLIGHT_METHOD] = pages[p].method};
                        check_standby(&r, policies[c], errors[e].of_front, pages[p].preflight,
                                      accepts[a].stream && !types[t].renewal);
                    }
}

static void what_the_front_refuses_for_the_requests_sake_stays_refused(void **state)
{
    struct request r = {.param[PARAM_ACCEPT] = "text/event-stream"};

    (void)state;
    r.param[PARAM_REDIRECT_STATUS] = "400";
    answer_to(&r, ORIGIN);
    assert_true(begins("Status: 400 Bad Request\r\n") && says("\"status\":400"));
    r.param[PARAM_REDIRECT_STATUS] = "413";
    answer_to(&r, ORIGIN);
    assert_true(begins("Status: 413 Content Too Large\r\n") && says("\"status\":413"));
}

static void the_pages_own_origin_may_read_it_whatever_the_list(void **state)
{
    struct request r = {.param[PARAM_REDIRECT_STATUS] = "503",
                        .param[PARAM_ACCEPT] = "text/event-stream",
                        .param[PARAM_ORIGIN] = "https://own.example",
                        .param[PARAM_HOST] = "own.example",
                        .param[PARAM_HTTPS] = "on"};

    (void)state;
    answer_to(&r, ORIGIN);
    check_stream("Access-Control-Allow-Origin: https://own.example\r\n" EXPOSED "Vary: Origin\r\n");
    r.param[PARAM_HTTPS] = NULL;
    answer_to(&r, ORIGIN);
    check_stream("Vary: Origin\r\n");
}

/* PROTOCOL 10.8. */
static void one_that_stands_in_answers_whatever_comes(void **state)
{
    static const char *const uris[] = {"/events", "/other", "/health/ready", NULL};

    (void)state;
    stands_in = true;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct request r = {.param[PARAM_URI] = uris[i], .param[PARAM_METHOD] = "GET"};
        answer_to(&r, "cross-origin");
        assert_true(begins("Status: 503 ") && says("Retry-After: 10\r\n"));
        r.param[PARAM_ACCEPT] = "text/event-stream";
        answer_to(&r, "cross-origin");
        assert_true(begins("Status: 200 ") && says("\r\n\r\nretry:"));
    }
}

static void head_gets_no_body(void **state)
{
    struct request r = {.param[PARAM_METHOD] = "HEAD", .param[PARAM_ACCEPT] = "text/event-stream"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        stands_in = i;
        answer_to(&r, "cross-origin");
        assert_true(begins(i ? "Status: 503 " : "Status: 404 "));
        assert_true(says("Content-Length: ") && !says("retry:"));
        assert_memory_equal(out.p + out.n - 4, "\r\n\r\n", 4);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(one_that_accepts_an_event_stream_wants_one),
        T(who_wants_a_stream_gets_one_that_ends),
        T(anybody_else_is_told_503),
        T(clients_come_back_spread_over_10_to_30_s),
        T(each_request_gets_what_its_client_understands),
        T(what_the_front_refuses_for_the_requests_sake_stays_refused),
        T(one_that_stands_in_answers_whatever_comes),
        T(head_gets_no_body),
        T(the_pages_own_origin_may_read_it_whatever_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

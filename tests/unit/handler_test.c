#include "front/handler.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "front/status.h"
#include "guard/guard.h"
#include "stream/fanouts.h"
#include "stream/stream.h"
#include "support.h"

/* -- the fan-outs, as the handler sees them -- */

static char a_fanout, another; /* never looked into */
static struct fanout *by_topic[] = {(struct fanout *)&a_fanout, (struct fanout *)&another};
static struct fanouts fanouts = {by_topic, 2};

static struct {
    int count, fd;
    const struct fanout *in;
    uint16_t id;
    struct buf head, last_event_id;
    bool has_id;
    struct opening as; /* what it refers to is gone */
    bool is_finite;
    struct finite_opening finite;
    struct buf unless;
} opened;

struct stream {
    int unused;
};
static struct stream a_stream;            /* each of them: never looked into */
static struct stream_owner *owners[4096]; /* of those that go on */
static size_t owner_count;
static size_t stream_count;

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, const struct opening *opening)
{
    opened.in = f;
    opened.as = *opening;
    owners[owner_count++] = opening->owner;
    opened.count++;
    opened.fd = fd;
    opened.id = id;
    buf_add_slice(&opened.head, opening->head);
    buf_add_slice(&opened.last_event_id, opening->last_event_id);
    opened.has_id = opening->last_event_id.p != NULL;
    opened.is_finite = opening->finite != NULL;
    if (opening->finite != NULL) {
        opened.finite = *opening->finite;
        buf_add_slice(&opened.unless, opening->finite->unless);
    }
    return &a_stream;
}

/* The one that was opened first. */
static void end_first_stream(void)
{
    struct stream_owner *owner = owners[0];

    assert_true(owner_count > 0);
    memmove(owners, owners + 1, --owner_count * sizeof *owners);
    owner->on_end(owner);
}

void stream_set_input(struct stream *s, const struct fcgi_input *input)
{
    (void)s;
    (void)input;
}

/* Sessions would call these. */
enum framing stream_framing(const struct stream *s)
{
    (void)s;
    return FRAMING_SSE;
}

void stream_say(struct stream *s, struct slice records)
{
    (void)s;
    (void)records;
}

void stream_hold(struct stream *s, bool hold)
{
    (void)s;
    (void)hold;
}

void stream_select(struct stream *s, struct selection *selection)
{
    (void)s;
    (void)selection;
}

void stream_narrow(struct stream *s, struct selection *selection)
{
    (void)s;
    (void)selection;
}

void stream_finish(struct stream *s, enum stream_end why)
{
    (void)s;
    (void)why;
}

size_t fanout_count(const struct fanout *f)
{
    return f == by_topic[0] ? stream_count : 0;
}

/* -- the guard, likewise: what it says of each token -- */

static struct verdict verdict;
static int checks;         /* that were asked for */
static bool known;         /* no token needs a check */
static bool verdict_waits; /* until a later turn */
static void (*waiting)(void *arg, const struct verdict *verdict);
static void *waiting_arg;

void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    (void)g;
    assert_true(text.n > 0);
    checks++;
    waiting = done;
    waiting_arg = arg;
    if (!verdict_waits)
        done(arg, &verdict);
}

bool guard_has_room(const struct guard *g)
{
    (void)g;
    return true;
}

bool guard_knows(struct guard *g, struct slice text)
{
    (void)g;
    (void)text;
    return known;
}

bool guard_names(const struct guard *g, struct slice text, const char *issuer, const char *subject)
{
    (void)g, (void)text, (void)issuer, (void)subject;
    return false;
}

bool guard_has_key(const struct guard *g, const char *issuer,
                   const uint8_t thumbprint[KEY_THUMBPRINT])
{
    (void)g, (void)issuer, (void)thumbprint;
    return true;
}

struct token_hash token_hash(struct slice text)
{
    struct token_hash h = {{0}};

    if (text.n > 0)
        memcpy(h.bytes, text.p, text.n < sizeof h.bytes ? text.n : sizeof h.bytes);
    return h;
}

/* Sessions would be told of one. */
void loop_on_clock_step(struct loop *l, void (*stepped)(void *arg), void *arg)
{
    (void)l;
    (void)stepped;
    (void)arg;
}

/* -- a request and what comes of it -- */

static struct loop *loop;
static struct handler *handler;
static struct output answer;

static void make_with(const struct handler_config *config)
{
    while (owner_count > 0)
        end_first_stream();
    handler_free(handler);
    handler = handler_new(loop, config, &fanouts);
    assert_non_null(handler);
}

static struct routes *routes; /* as long as the group runs */

static int group_setup(void **state)
{
    static const char *const scopes[] = {"raw:read"};
    const struct route_text raw = {
        .path = "/raw/{topic}", .topic = "{topic}", .scopes = scopes, .scope_count = 1};
    char wrong[256];

    (void)state;
    routes = routes_new();
    routes_add_topic(routes, "t");
    routes_add_topic(routes, "t2");
    routes_add_literal(routes, "/events", (struct from){0});
    return routes_add(routes, &raw, wrong, sizeof wrong) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    routes_free(routes);
    return 0;
}

static void make(const char *cors, int64_t retry_ms)
{
    const struct handler_config config = {
        .routes = routes, .cors = cors, .retry_ms = retry_ms, .max_streams = 100};

    make_with(&config);
}

static void clear(void)
{
    if (opened.count)
        close(opened.fd);
    buf_fini(&opened.head);
    buf_fini(&opened.last_event_id);
    buf_fini(&opened.unless);
    memset(&opened, 0, sizeof opened);
    output_fini(&answer);
}

static int setup(void **state)
{
    (void)state;
    stream_count = 0;
    verdict =
        (struct verdict){.exp_ms = loop_wall_ms() + 3600000, .issuer = "i", .subject = "alice"};
    verdict_waits = known = false;
    checks = 0;
    loop = loop_new();
    make("cross-origin", 2000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clear();
    while (owner_count > 0)
        end_first_stream();
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
    for (size_t had = 0; !closed && received.n > had;) { /* what is long goes on in the loop */
        had = received.n;
        fake_loop_settle();
        closed = read_all(fds[1], &received);
    }
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

#define EXPOSED                                                                                    \
    "Access-Control-Expose-Headers: retry-after, www-authenticate, etag, preference-applied\r\n"

/* -- finite responses -- */

/* What the one that was opened is answered, when that is its outcome. */
static void check_outcome(enum finite_outcome outcome, const char *expected)
{
    struct buf text = {0};

    opened.finite.on_outcome(owners[owner_count - 1], outcome, BYTES("AQIAAg=="), &text);
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
}

/* PROTOCOL 14.1, 14.9. */
static void json_is_a_response_that_ends(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_ACCEPT", "application/json, text/plain, */*");
    assert_true(opened.count == 1 && opened.is_finite && !opened.finite.head_only);
    assert_int_equal(opened.head.n, 0);
    assert_true(opened.unless.n == 0 && opened.finite.wait_ms == 0);
    check_outcome(FINITE_DOCUMENT,
                  "Status: 200 OK\r\nContent-Type: application/json\r\n"
                  "X-Content-Type-Options: nosniff\r\nAccept-Ranges: none\r\n"
                  "Cache-Control: no-cache\r\nVary: Accept\r\n"
                  "ETag: \"AQIAAg==\"\r\nAccess-Control-Allow-Origin: *\r\n" EXPOSED "\r\n");
    ask_events("GET", "QUERY_STRING", "format=json", "HTTP_ACCEPT", "text/event-stream");
    assert_true(opened.is_finite);
    ask_events("GET", "QUERY_STRING", "format=sse", "HTTP_ACCEPT", "application/json");
    assert_true(opened.count == 1 && !opened.is_finite);
    ask_events("GET", "QUERY_STRING", "format=xml");
    check_status(400);
    assert_true(answered("\"format_invalid\""));
}

static void a_client_says_what_its_stream_is_like(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "");
    assert_true(opened.as.framing == FRAMING_SSE && !opened.as.enveloped);
    assert_false(opened.as.keepalive_events);
    ask_events("GET", "QUERY_STRING", "data=envelope&keepalive=event");
    assert_true(opened.as.framing == FRAMING_SSE && opened.as.enveloped);
    assert_true(opened.as.keepalive_events);
    ask_events("GET", "QUERY_STRING", "data=all");
    check_status(400);
    assert_true(answered("\"data_invalid\""));
    ask_events("GET", "QUERY_STRING", "keepalive=5");
    check_status(400);
    assert_true(answered("\"keepalive_invalid\""));
}

static void lines_of_json_begin_with_an_empty_one(void **state)
{
    static const char start[] = "Status: 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                                "X-Content-Type-Options: nosniff\r\n";
    struct output head = {0};

    (void)state;
    ask_events("GET", "HTTP_ACCEPT", "application/jsonl");
    assert_int_equal(opened.as.framing, FRAMING_NDJSON);
    output_read(&head, buf_slice(&opened.head));
    assert_memory_equal(head.text.p, start, sizeof start - 1);
    assert_memory_equal(head.text.p + head.text.n - 5, "\r\n\r\n\n", 5);
    output_fini(&head);
    ask_events("GET", "QUERY_STRING", "format=ndjson", "HTTP_ACCEPT", "text/event-stream");
    assert_int_equal(opened.as.framing, FRAMING_NDJSON);
}

/* PROTOCOL 14.8. */
static void a_head_of_json_is_known_as_late(void **state)
{
    (void)state;
    ask_events("HEAD", "QUERY_STRING", "format=json");
    assert_true(opened.is_finite && opened.finite.head_only);
}

/* PROTOCOL 14.14. */
static void what_a_client_has_already_is_no_answer(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "format=json", "HTTP_IF_NONE_MATCH",
               "\"x\", W/\"AQIAAg==-gzip\"", "HTTP_PREFER", "wait=30");
    assert_text(buf_slice(&opened.unless), "AQIAAg==");
    assert_int_equal(opened.finite.wait_ms, 25000);
    check_outcome(FINITE_SAME,
                  "Status: 304 Not Modified\r\nCache-Control: no-cache\r\nVary: Accept\r\n"
                  "ETag: \"AQIAAg==\"\r\nPreference-Applied: wait=25\r\n"
                  "Access-Control-Allow-Origin: *\r\n" EXPOSED "\r\n");
    ask_events("GET", "QUERY_STRING", "format=json&lastEventId=AQIAAg%3D%3D", "HTTP_PREFER",
               "wait=7");
    assert_text(buf_slice(&opened.last_event_id), "AQIAAg==");
    assert_int_equal(opened.finite.wait_ms, 7000);
    ask_events("GET", "QUERY_STRING", "format=json&key=a", "HTTP_IF_NONE_MATCH", "\"AQIAAg==\"",
               "HTTP_PREFER", "wait=7");
    assert_true(opened.unless.n == 0 && opened.finite.wait_ms == 0);
}

/* PROTOCOL 14.9. By the same URL a cache knows the whole. */
static void what_a_header_asks_to_be_left_out_is_in_no_cache(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "format=json", "HTTP_LAST_EVENT_ID", "AQIAAg==");
    check_outcome(FINITE_SAME, "Status: 304 Not Modified\r\nCache-Control: no-store\r\n"
                               "Vary: Accept\r\nETag: \"AQIAAg==\"\r\n"
                               "Access-Control-Allow-Origin: *\r\n" EXPOSED "\r\n");
}

/* PROTOCOL 14.9. */
static void a_place_that_fronts_would_not_let_pass_is_no_tag(void **state)
{
    struct buf text = {0}, place = {0};

    (void)state;
    ask_events("GET", "QUERY_STRING", "format=json");
    memset(buf_reserve(&place, 4097), 'A', 4097);
    place.n = 4097;
    opened.finite.on_outcome(owners[owner_count - 1], FINITE_DOCUMENT, buf_slice(&place), &text);
    assert_null(memmem(text.p, text.n, "ETag", 4));
    text.n = 0;
    place.n--;
    opened.finite.on_outcome(owners[owner_count - 1], FINITE_DOCUMENT, buf_slice(&place), &text);
    assert_non_null(memmem(text.p, text.n, "ETag", 4));
    buf_fini(&text);
    buf_fini(&place);
}

static void what_is_not_there_yet_is_to_be_asked_for_again(void **state)
{
    static const enum finite_outcome outcomes[] = {FINITE_MISSING, FINITE_NOT_LOADED,
                                                   FINITE_BROKEN};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf text = {0};
        ask_events("GET", "QUERY_STRING", "format=json");
        opened.finite.on_outcome(owners[owner_count - 1], outcomes[i], BYTES(""), &text);
        assert_memory_equal(text.p, "Status: 503 ", 12);
        assert_non_null(memmem(text.p, text.n, "Retry-After: 10\r\n", 17));
        assert_non_null(memmem(text.p, text.n, "Access-Control-Allow-Origin: *", 30));
        assert_non_null(memmem(text.p, text.n, "\"busy\"", 6));
        buf_fini(&text);
    }
    assert_int_equal(handler_refusals(handler)[REFUSED_BUSY], 3);
}

static void a_stream_begins_with_its_headers_and_a_time_to_retry(void **state)
{
    struct output head = {0};
    static const char begin[] = "Status: 200 OK\r\n"
                                "Content-Type: text/event-stream;charset=utf-8\r\n"
                                "X-Content-Type-Options: nosniff\r\n"
                                "Cache-Control: no-store, no-transform\r\n"
                                "X-Accel-Buffering: no\r\n"
                                "Incremental: ?1\r\n"
                                "Access-Control-Allow-Origin: *\r\n" EXPOSED "\r\n"
                                "retry:";

    (void)state;
    ask_events("GET", "X", "y");
    output_read(&head, buf_slice(&opened.head));
    assert_int_equal(head.id, 1);
    assert_memory_equal(head.text.p, begin, sizeof begin - 1);
    const char *digits = (const char *)head.text.p + sizeof begin - 1;
    size_t n = strspn(digits, "0123456789");
    assert_bytes(slice_of(digits + n, head.text.n - (sizeof begin - 1) - n), BYTES("\n:\n"));
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
                                         "Content-Type: text/event-stream;charset=utf-8\r\n"
                                         "X-Content-Type-Options: nosniff\r\n"
                                         "Cache-Control: no-store, no-transform\r\n"
                                         "X-Accel-Buffering: no\r\n"
                                         "Incremental: ?1\r\n"
                                         "Access-Control-Allow-Origin: *\r\n" EXPOSED "\r\n");
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

static void the_query_says_where_to_resume(void **state)
{
    (void)state;
    ask_events("GET", "QUERY_STRING", "x=y&lastEventId=AQIAAg%3D%3D");
    check_id("AQIAAg==");
    ask_events("GET", "HTTP_LAST_EVENT_ID", "a", "QUERY_STRING", "lastEventId=b");
    check_id("a");
}

static void an_empty_place_is_none(void **state)
{
    (void)state;
    ask_events("GET", "HTTP_LAST_EVENT_ID", "", "QUERY_STRING", "lastEventId=&last-event-id");
    check_id(NULL);
}

/* -- the path -- */

static void the_path_goes_to_the_first_question_mark(void **state)
{
    (void)state;
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/events?/x?y");
    assert_int_equal(opened.count, 1);
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
    static const char *const methods[] = {"PUT", "DELETE", "PATCH", "TRACE", "CONNECT",
                                          "get", "GETS",   "GE",    "QUERY", " GET"};

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ask_events(methods[i], "X", "y");
        check_status(405);
        assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
    }
}

/* -- refusals -- */

static void a_front_that_passes_no_method_or_no_uri_is_told_so(void **state)
{
    (void)state;
    ask("REQUEST_URI", "/events");
    check_status(500);
    assert_true(answered("no REQUEST_METHOD or no REQUEST_URI"));
    ask_events("", "X", "y");
    check_status(500);
    ask("REQUEST_METHOD", "GET");
    check_status(500);
    ask("REQUEST_METHOD", "GET", "SKF_ADMIN", "1");
    check_status(500);
}

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
        "Access-Control-Allow-Origin: *\r\n" EXPOSED "Content-Type: application/problem+json\r\n"
        "Content-Length: 100\r\n"
        "\r\n"
        "{\"title\":\"Not Found\",\"status\":404,\"reason\":\"route_unknown\",\"detail\":\"there "
        "is nothing at this path\"}");
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
    h.on_refusal(h.arg, state, 0x0105, false, &out);
    output_read(&answer, buf_slice(&out));
    assert_true(answer.ended && answer.id == 0x0105);
    buf_fini(&out);
}

static void a_request_that_cannot_be_read_is_told_why(void **state)
{
    (void)state;
    refuse(FCGI_LARGE_PARAMS);
    check_status(431);
    assert_true(answered("Access-Control-Allow-Origin: *\r\n"));
    refuse(FCGI_LARGE_STDIN);
    check_status(413);
    refuse(FCGI_NUL);
    check_status(400);
}

static void another_role_is_told_to_fastcgi(void **state)
{
    (void)state;
    refuse(FCGI_BAD_ROLE);
    assert_int_equal(answer.text.n, 0);
    assert_int_equal(answer.status, FCGI_STATUS_UNKNOWN_ROLE);
}

/* -- those who are told to come back -- */

static uint64_t refusals(enum refused counted)
{
    return handler_refusals(handler)[counted];
}

/* The refusals that were counted are these, and no other. */
static void check_refusals(enum refused counted, uint64_t n)
{
    for (int i = 0; i < REFUSED_COUNTS; i++)
        assert_int_equal(handler_refusals(handler)[i], i == (int)counted ? n : 0);
}

static void check_turned_away(bool wants_stream)
{
    assert_int_equal(opened.count, 0);
    if (!wants_stream) {
        check_status(503);
        assert_true(answered("Retry-After: 10\r\n"));
        return;
    }
    check_status(200);
    assert_true(answered("Content-Type: text/event-stream;charset=utf-8\r\n"));
    assert_true(answered("\r\n\r\nretry:"));
    assert_memory_equal(answer.text.p + answer.text.n - 1, "\n", 1);
}

#define STREAM "HTTP_ACCEPT", "text/event-stream"

/* Both kinds of clients. */
static void check_all_turned_away(void)
{
    ask_events("GET", STREAM);
    check_turned_away(true);
    ask_events("GET", "HTTP_ACCEPT", "*/*");
    check_turned_away(false);
}

static void one_that_is_full_tells_clients_to_come_back(void **state)
{
    (void)state;
    stream_count = 99;
    ask_events("GET", STREAM);
    assert_int_equal(opened.count, 1);
    for (stream_count = 100; stream_count < 102; stream_count++)
        check_all_turned_away();
    check_refusals(REFUSED_FULL, 4);
    stream_count = 99;
    ask_events("GET", STREAM);
    assert_int_equal(opened.count, 1);
}

static void one_that_drains_tells_clients_to_come_back(void **state)
{
    (void)state;
    handler_drain(handler);
    check_all_turned_away();
    stream_count = 100;
    check_all_turned_away();
    check_refusals(REFUSED_DRAINING, 4);
}

static void a_page_can_read_that_it_is_to_come_back(void **state)
{
    (void)state;
    make("https://a.example", 2000);
    stream_count = 100;
    ask_events("GET", STREAM, "HTTP_ORIGIN", "https://a.example");
    check_turned_away(true);
    assert_true(
        answered("Access-Control-Allow-Origin: https://a.example\r\n" EXPOSED "Vary: Origin\r\n"));
    ask_events("GET", "HTTP_ORIGIN", "https://a.example");
    check_turned_away(false);
    assert_true(
        answered("Access-Control-Allow-Origin: https://a.example\r\n" EXPOSED "Vary: Origin\r\n"));
}

static void who_wants_no_stream_is_answered_as_ever(void **state)
{
    (void)state;
    make("https://a.example", 2000);
    handler_drain(handler);
    ask_events("HEAD", STREAM);
    check_status(200);
    assert_false(answered("retry:"));
    ask_events("OPTIONS", "HTTP_ORIGIN", "https://a.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
               "GET");
    check_status(204);
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/other", STREAM);
    check_status(404);
    ask_events("GET", STREAM, "HTTP_ORIGIN", "https://evil.example");
    check_status(403);
    ask_events("PUT", STREAM);
    check_status(405);
    assert_int_equal(refusals(REFUSED_DRAINING), 0);
}

/* -- limits of an address -- */

static void make_limited(int64_t address_streams, int64_t subject_streams, int64_t opens)
{
    make_with(&(struct handler_config){.routes = routes,
                                       .cors = "cross-origin",
                                       .retry_ms = 2000,
                                       .max_streams = 100,
                                       .address = {address_streams, opens},
                                       .subject = {subject_streams, opens}});
}

static bool opens(const char *address)
{
    ask_events("GET", STREAM, "REMOTE_ADDR", address);
    if (opened.count == 0)
        check_turned_away(true);
    return opened.count > 0;
}

static void an_address_has_so_many_streams(void **state)
{
    (void)state;
    make_limited(2, 0, 0);
    assert_true(opens("192.0.2.1") && opens("192.0.2.1"));
    assert_false(opens("192.0.2.1"));
    ask_events("GET", "REMOTE_ADDR", "192.0.2.1");
    check_turned_away(false);
    check_refusals(REFUSED_ADDRESS_STREAMS, 2);
    assert_true(opens("192.0.2.2"));
    end_first_stream();
    assert_true(opens("192.0.2.1"));
    assert_false(opens("192.0.2.1"));
}

static void what_one_customer_gets_is_one_address(void **state)
{
    (void)state;
    make_limited(1, 0, 0);
    assert_true(opens("2001:db8:0:1::1"));
    assert_false(opens("2001:db8:0:1:ffff::2"));
    assert_true(opens("2001:db8:0:2::1"));
    assert_true(opens("192.0.2.1"));
    assert_false(opens("::ffff:192.0.2.1"));
}

static void without_an_address_all_are_one(void **state)
{
    (void)state;
    make_limited(1, 0, 0);
    assert_true(opens(""));
    ask_events("GET", STREAM);
    check_turned_away(true);
    assert_false(opens("unix:"));
}

static void an_address_has_so_many_openings_a_minute(void **state)
{
    (void)state;
    make_limited(0, 0, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(opens("192.0.2.1"));
        end_first_stream();
    }
    assert_false(opens("192.0.2.1"));
    check_refusals(REFUSED_ADDRESS_OPENS, 1);
    assert_true(opens("192.0.2.2"));
}

static void a_head_is_no_opening(void **state)
{
    (void)state;
    make_limited(1, 0, 1);
    for (int i = 0; i < 3; i++) {
        ask_events("HEAD", "REMOTE_ADDR", "192.0.2.1");
        check_status(200);
    }
    assert_true(opens("192.0.2.1"));
    ask_events("HEAD", "REMOTE_ADDR", "192.0.2.1");
    check_status(200);
    assert_int_equal(owner_count, 1);
}

/* -- topics and routes -- */

static void a_stream_is_opened_in_the_fanout_of_its_topic(void **state)
{
    static const char *const uris[] = {"/events", "/raw/t", "/raw/t2", "/raw/%742"};

    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        ask("REQUEST_METHOD", "GET", "REQUEST_URI", uris[i]);
        assert_int_equal(opened.count, 1);
        assert_ptr_equal(opened.in, by_topic[i / 2]);
    }
}

static void open_streams_are_counted_by_their_route(void **state)
{
    const size_t *streams = handler_streams(handler);

    (void)state;
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/raw/t");
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/raw/t2");
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/events");
    ask("REQUEST_METHOD", "HEAD", "REQUEST_URI", "/events");
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/raw/other");
    assert_true(streams[0] == 1 && streams[1] == 2);
    end_first_stream();
    assert_true(streams[0] == 1 && streams[1] == 1);
    end_first_stream();
    end_first_stream();
    assert_true(streams[0] == 0 && streams[1] == 0);
}

/* -- behind a guard -- */

static struct sessions *sessions;
static struct renewals *renewals;
static char guard; /* never looked into */

static void free_gate(void)
{
    renewals_free(renewals);
    sessions_free(sessions);
    renewals = NULL;
}

static void make_gate(bool guarded, int64_t max_age_ms)
{
    const struct session_config config = {.challenge_ms = 10000, .max_age_ms = max_age_ms};

    sessions = sessions_new(loop, &config);
    if (guarded)
        renewals = renewals_new(
            loop, &(struct renewals_config){.guard = (struct guard *)&guard, .sessions = sessions},
            NULL, 0);
    handler_set_gate(handler, &(struct gate){.guard = guarded ? (struct guard *)&guard : NULL,
                                             .sessions = sessions,
                                             .renewals = renewals});
}

static int teardown_gate(void **state)
{
    teardown(state);
    free_gate();
    loop_free(loop);
    return 0;
}

#define WITH_TOKEN STREAM, "HTTP_AUTHORIZATION", "Bearer x"

static bool opens_as(const char *sub)
{
    verdict.subject = sub;
    ask_events("GET", WITH_TOKEN, "REMOTE_ADDR", "192.0.2.1");
    if (opened.count == 0)
        check_turned_away(true);
    return opened.count > 0;
}

/* PROTOCOL 14.9. */
static void json_behind_a_guard_is_for_its_client_alone(void **state)
{
    struct buf text = {0};

    (void)state;
    make_gate(true, 0);
    ask_events("GET", "QUERY_STRING", "format=json", "HTTP_AUTHORIZATION", "Bearer x");
    opened.finite.on_outcome(owners[owner_count - 1], FINITE_DOCUMENT, BYTES("AQIAAg=="), &text);
    assert_non_null(memmem(text.p, text.n, "\r\nCache-Control: private, no-cache\r\n", 36));
    assert_non_null(memmem(text.p, text.n, "\r\nReferrer-Policy: no-referrer\r\n", 32));
    buf_fini(&text);
}

/* PROTOCOL 14.18. */
static void json_whose_token_is_over_before_it_begins_is_refused(void **state)
{
    struct buf text = {0};

    (void)state;
    make_gate(true, 0);
    ask_events("GET", "QUERY_STRING", "format=json", "HTTP_AUTHORIZATION", "Bearer x");
    check_outcome(FINITE_TOKEN_OVER,
                  "Status: 401 Unauthorized\r\nCache-Control: no-store\r\n"
                  "WWW-Authenticate: Bearer error=\"invalid_token\", "
                  "error_description=\"the token is expired\"\r\n"
                  "Access-Control-Allow-Origin: *\r\n" EXPOSED
                  "Content-Type: application/problem+json\r\nContent-Length: 94\r\n\r\n"
                  "{\"title\":\"Unauthorized\",\"status\":401,\"reason\":\"token_invalid\","
                  "\"detail\":\"the token is expired\"}");
    check_refusals(REFUSED_TOKEN, 1);
    ask_events("HEAD", "QUERY_STRING", "format=json", "HTTP_AUTHORIZATION", "Bearer x");
    opened.finite.on_outcome(owners[owner_count - 1], FINITE_TOKEN_OVER, BYTES(""), &text);
    assert_memory_equal(text.p, "Status: 401 ", 12);
    assert_memory_equal(text.p + text.n - 4, "\r\n\r\n", 4);
    buf_fini(&text);
}

static void a_subject_has_so_many_streams(void **state)
{
    (void)state;
    make_limited(0, 2, 0);
    make_gate(true, 0);
    assert_true(opens_as("alice") && opens_as("alice"));
    assert_false(opens_as("alice"));
    check_refusals(REFUSED_SUBJECT_STREAMS, 1);
    assert_true(opens_as("bob"));
    end_first_stream();
    assert_true(opens_as("alice"));
    assert_false(opens_as("alice"));
}

static void a_token_without_a_subject_is_counted_by_itself(void **state)
{
    (void)state;
    make_limited(0, 1, 0);
    make_gate(true, 0);
    assert_true(opens_as(NULL));
    assert_false(opens_as(NULL));
    assert_true(opens_as("alice"));
    verdict.subject = NULL;
    ask_events("GET", STREAM, "HTTP_AUTHORIZATION", "Bearer another");
    assert_int_equal(opened.count, 1);
}

static void a_subject_has_so_many_openings_a_minute(void **state)
{
    (void)state;
    make_with(&(struct handler_config){.routes = routes,
                                       .cors = "cross-origin",
                                       .retry_ms = 2000,
                                       .max_streams = 100,
                                       .subject = {0, 2}});
    make_gate(true, 0);
    assert_true(opens_as("alice") && opens_as("alice"));
    assert_false(opens_as("alice"));
    check_refusals(REFUSED_SUBJECT_OPENS, 1);
    assert_true(opens_as("bob"));
}

/* The address was counted before the token was looked at: it must get its stream back. */
static void an_address_does_not_pay_for_what_was_refused(void **state)
{
    (void)state;
    make_limited(1, 1, 0);
    make_gate(true, 0);
    verdict.error = TOKEN_EXPIRED;
    ask_events("GET", WITH_TOKEN, "REMOTE_ADDR", "192.0.2.1");
    check_status(401);
    verdict.error = TOKEN_SCOPE;
    ask_events("GET", WITH_TOKEN, "REMOTE_ADDR", "192.0.2.1");
    check_status(403);
    verdict.error = TOKEN_BUSY;
    assert_false(opens_as("alice"));
    verdict.error = 0;
    ask_events("GET", STREAM, "REMOTE_ADDR", "192.0.2.1");
    check_status(401);
    ask_events("GET", STREAM, "HTTP_AUTHORIZATION", "Bearer", "REMOTE_ADDR", "192.0.2.1");
    check_status(400);
    assert_true(opens_as("alice"));
    assert_false(opens_as("bob"));
    assert_int_equal(refusals(REFUSED_ADDRESS_STREAMS), 1);
    end_first_stream();
    verdict.subject = "alice";
    ask_events("GET", WITH_TOKEN, "REMOTE_ADDR", "192.0.2.2");
    assert_int_equal(opened.count, 1);
    assert_false(opens_as("alice")); /* its subject has one, elsewhere */
    assert_int_equal(refusals(REFUSED_SUBJECT_STREAMS), 1);
    assert_true(opens_as("bob"));
}

/* -- refused tokens -- */

static void make_attempts_limited(int64_t attempts, int64_t openings)
{
    make_with(&(struct handler_config){.routes = routes,
                                       .cors = "cross-origin",
                                       .retry_ms = 2000,
                                       .max_streams = 100,
                                       .address = {0, openings},
                                       .max_attempts = attempts});
    make_gate(true, 0);
}

static void ask_with_token(const char *method, const char *address)
{
    ask_events(method, WITH_TOKEN, "REMOTE_ADDR", address, "CONTENT_TYPE",
               "application/x-challenge-response");
}

static void a_refused_token_is_no_opening(void **state)
{
    (void)state;
    make_attempts_limited(0, 1);
    verdict.error = TOKEN_SIGNATURE;
    for (int i = 0; i < 5; i++) {
        ask_with_token("GET", "192.0.2.1");
        check_status(401);
    }
    verdict.error = TOKEN_OK;
    ask_with_token("GET", "192.0.2.1");
    assert_int_equal(opened.count, 1);
    ask_with_token("GET", "192.0.2.1");
    check_turned_away(true);
    assert_int_equal(refusals(REFUSED_ADDRESS_OPENS), 1);
}

/* It costs nothing but the look. */
static void an_address_without_openings_left_has_no_token_checked(void **state)
{
    (void)state;
    make_attempts_limited(0, 1);
    ask_with_token("GET", "192.0.2.1");
    ask_with_token("GET", "192.0.2.1");
    check_turned_away(true);
    assert_int_equal(checks, 1);
}

static void a_token_that_a_route_refuses_counts_as_refused(void **state)
{
    static const char *const by[][2] = {
        {"GET", "192.0.2.1"}, {"HEAD", "192.0.2.2"}, {"POST", "192.0.2.3"}};

    (void)state;
    make_attempts_limited(1, 0);
    for (size_t i = 0; i < 3; i++) {
        ask("REQUEST_METHOD", by[i][0], "CONTENT_TYPE", "application/x-challenge-response",
            "REQUEST_URI", "/raw/other", WITH_TOKEN, "REMOTE_ADDR", by[i][1]);
        check_status(403);
        ask_with_token("GET", by[i][1]);
        check_turned_away(true);
    }
}

static void an_address_has_so_many_refused_tokens_a_minute(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};

    (void)state;
    for (int i = 0; i < 9; i++) { /* the first, then any other */
        if (i > 0)
            free_gate();
        make_attempts_limited(2, 0);
        checks = 0;
        verdict.error = i % 2 ? TOKEN_SIGNATURE : TOKEN_SCOPE;
        for (int n = 0; n < 2; n++) {
            ask_with_token(methods[i % 3], "192.0.2.1");
            check_status(i % 2 ? 401 : 403);
        }
        ask_with_token(methods[i / 3], "192.0.2.1");
        check_turned_away(i / 3 == 0);
        assert_int_equal(checks, 2);
        assert_int_equal(refusals(REFUSED_ADDRESS_ATTEMPTS), 1);
        ask_with_token(methods[i / 3], "192.0.2.2");
        check_status(i % 2 ? 401 : 403);
    }
}

static void a_good_token_is_no_attempt(void **state)
{
    (void)state;
    make_attempts_limited(1, 0);
    for (int i = 0; i < 5; i++) {
        ask_with_token("GET", "192.0.2.1");
        assert_int_equal(opened.count, 1);
        ask_with_token("HEAD", "192.0.2.1");
        check_status(200);
        ask_with_token("POST", "192.0.2.1");
        check_status(204);
    }
    verdict.error = TOKEN_BUSY; /* not the token's fault */
    for (int i = 0; i < 3; i++) {
        ask_with_token("GET", "192.0.2.1");
        check_turned_away(true);
    }
    assert_int_equal(refusals(REFUSED_ADDRESS_ATTEMPTS), 0);
}

static void tokens_that_wait_for_their_turn_count_as_attempts(void **state)
{
    (void)state;
    make_attempts_limited(1, 0);
    struct buf request = {0};
    static const char *const pairs[] = {"REQUEST_METHOD", "GET",         "REQUEST_URI", "/events",
                                        WITH_TOKEN,       "REMOTE_ADDR", "192.0.2.1",   NULL};
    struct fcgi_request parsed;
    struct inlet_handler h = handler_inlet(handler);
    int fds[2];

    add_request(&request, 1, pairs);
    assert_int_equal(fcgi_request_parse(request.p, request.n, &parsed), FCGI_COMPLETE);
    verdict_waits = true;
    small_socketpair(fds);
    h.on_request(h.arg, fds[0], &parsed, buf_slice(&request));
    void *first = waiting_arg;
    ask_with_token("GET", "192.0.2.1");
    check_turned_away(true);
    waiting(first, &verdict); /* it was good */
    close(fds[1]);
    assert_int_equal(opened.count, 1);
    verdict_waits = false;
    ask_with_token("GET", "192.0.2.1");
    assert_int_equal(opened.count, 1);
    buf_fini(&request);
}

/* The others of an office are not kept out by one tab with a bad token, nor let that try more. */
static void a_known_token_passes_by_the_attempts_of_others(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};

    (void)state;
    make_attempts_limited(1, 0);
    verdict.error = TOKEN_EXPIRED;
    ask_with_token("GET", "192.0.2.1");
    check_status(401);
    verdict.error = TOKEN_OK;
    ask_with_token("GET", "192.0.2.1");
    check_turned_away(true);
    for (size_t i = 0; i < 3; i++) {
        known = true;
        ask_with_token(methods[i], "192.0.2.1");
        assert_true(i == 0 ? opened.count == 1
                           : answered(i == 1 ? "Status: 200 " : "Status: 204 "));
        known = false;
        ask_with_token("GET", "192.0.2.1");
        check_turned_away(true);
    }
}

static void too_many_waiting_tokens_send_all_away(void **state)
{
    (void)state;
    make_gate(true, 0);
    verdict.error = TOKEN_BUSY;
    assert_false(opens_as("alice"));
    ask_events("GET", "HTTP_AUTHORIZATION", "Bearer x");
    check_turned_away(false);
    ask_events("POST", WITH_TOKEN, "CONTENT_TYPE", "application/x-challenge-response");
    check_turned_away(false);
    check_refusals(REFUSED_BUSY, 3);
}

static void the_reasons_of_refusals_are_counted(void **state)
{
    (void)state;
    make_gate(true, 0);
    verdict.error = TOKEN_EXPIRED;
    ask_events("GET", WITH_TOKEN);
    ask_events("GET", STREAM);
    assert_int_equal(refusals(REFUSED_TOKEN), 2);
    verdict.error = TOKEN_SCOPE;
    ask_events("GET", WITH_TOKEN);
    assert_int_equal(refusals(REFUSED_FORBIDDEN), 1);
    ask_events("PUT", STREAM);
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/other");
    refuse(FCGI_LARGE_PARAMS);
    assert_int_equal(refusals(REFUSED_OTHER), 3);
}

/* A verdict comes turns after its request, when much may have changed. */
static void what_counts_is_how_it_is_when_the_verdict_comes(void **state)
{
    static const char *const accepts[] = {"text/event-stream", "*/*"};

    (void)state;
    make_gate(true, 0);
    for (int i = 0; i < 2; i++) {
        struct buf b = {0}, received = {0};
        const char *const pairs[] = {
            "REQUEST_METHOD", "GET",         "REQUEST_URI", "/events", "HTTP_AUTHORIZATION",
            "Bearer x",       "HTTP_ACCEPT", accepts[i],    NULL};
        struct inlet_handler h;
        struct fcgi_request request;
        int fds[2];

        make("cross-origin", 2000);
        handler_set_gate(handler, &(struct gate){.guard = (struct guard *)&guard,
                                                 .sessions = sessions,
                                                 .renewals = renewals});
        h = handler_inlet(handler);
        clear();
        small_socketpair(fds);
        add_request(&b, 1, pairs);
        fcgi_request_parse(b.p, b.n, &request);
        verdict_waits = true;
        h.on_request(h.arg, fds[0], &request, buf_slice(&b));
        assert_false(read_all(fds[1], &received));
        handler_drain(handler);
        waiting(waiting_arg, &verdict);
        assert_true(read_all(fds[1], &received));
        output_read(&answer, buf_slice(&received));
        check_turned_away(i == 0);
        check_refusals(REFUSED_DRAINING, 1);
        close(fds[1]);
        buf_fini(&received);
        buf_fini(&b);
    }
}

static void a_renewal_is_accepted_to_the_last(void **state)
{
    (void)state;
    make_gate(true, 0);
    stream_count = 100;
    handler_drain(handler);
    ask_events("POST", "HTTP_AUTHORIZATION", "Bearer x", "CONTENT_TYPE",
               "application/x-challenge-response");
    check_status(204);
}

#define RENEWAL "CONTENT_TYPE", "application/x-challenge-response"

static void check_renewals(enum renewal_outcome outcome, uint64_t n)
{
    assert_int_equal(handler_renewals(handler)[outcome], n);
}

#define AT(uri) "REQUEST_URI", uri, "HTTP_AUTHORIZATION", "Bearer x"

/* In the order in which a request is judged: who may not be there does not learn what there is. */
static void a_route_demands_its_scopes_before_it_tells_of_topics(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};

    (void)state;
    make_gate(true, 0);
    for (size_t i = 0; i < 3; i++) {
        verdict.scopes = 0;
        ask("REQUEST_METHOD", methods[i], RENEWAL, AT("/raw/t"));
        check_status(403);
        assert_true(answered("Bearer error=\"insufficient_scope\""));
        ask("REQUEST_METHOD", methods[i], RENEWAL, AT("/raw/other"));
        check_status(403);
        verdict.error = TOKEN_EXPIRED;
        ask("REQUEST_METHOD", methods[i], RENEWAL, AT("/raw/other"));
        check_status(401);
        verdict.error = TOKEN_OK;
        verdict.scopes = 1;
        ask("REQUEST_METHOD", methods[i], RENEWAL, AT("/raw/other"));
        check_status(404);
        assert_int_equal(answered("\"reason\":\"topic_unknown\""), i != 1);
        ask("REQUEST_METHOD", methods[i], RENEWAL, AT("/raw/%zz"));
        check_status(400);
        assert_int_equal(answered("\"reason\":\"path_invalid\""), i != 1);
        assert_int_equal(opened.count, 0);
    }
    ask("REQUEST_METHOD", "POST", RENEWAL, AT("/raw/t"));
    check_status(204);
    ask("REQUEST_METHOD", "GET", STREAM, AT("/raw/%74"));
    assert_int_equal(opened.count, 1);
}

static void renewals_are_counted_by_outcome(void **state)
{
    (void)state;
    make_gate(true, 0);
    verdict.subject = "alice";
    for (int i = 0; i < 11; i++) /* 10 in a second are allowed */
        ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x");
    check_status(429);
    check_renewals(RENEWAL_ACCEPTED, 10);
    check_renewals(RENEWAL_LIMITED, 1);
    ask_events("POST", RENEWAL);
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x,y");
    verdict.error = TOKEN_EXPIRED;
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x");
    check_renewals(RENEWAL_TOKEN, 3);
    verdict.error = TOKEN_SCOPE;
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x");
    verdict.error = TOKEN_OK;
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x", "QUERY_STRING",
               "access_token=of.somebody.else");
    check_status(403);
    check_renewals(RENEWAL_FORBIDDEN, 2);
    verdict.error = TOKEN_BUSY;
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x");
    check_renewals(RENEWAL_BUSY, 1);
    check_renewals(RENEWAL_ACCEPTED, 10);
}

static void where_no_stream_can_be_told_what_to_select_a_form_is_not_accepted(void **state)
{
    (void)state;
    ask_events("POST", "CONTENT_TYPE", "application/x-www-form-urlencoded");
    check_status(405);
    assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
}

static void a_renewal_that_can_reach_no_stream_is_not_accepted(void **state)
{
    (void)state;
    make_gate(true, 0);
    handler_set_gate(handler,
                     &(struct gate){.guard = (struct guard *)&guard, .sessions = sessions});
    ask_events("POST", RENEWAL, "HTTP_AUTHORIZATION", "Bearer x");
    check_status(405);
    assert_true(answered("Allow: GET, HEAD, OPTIONS\r\n"));
    check_renewals(RENEWAL_ACCEPTED, 0);
}

static void an_open_stream_has_a_session_if_it_has_an_age(void **state)
{
    (void)state;
    make_gate(false, 1000);
    assert_true(opens("192.0.2.1"));
    assert_int_equal(owner_count, 1);
    end_first_stream();
}

/* -- how we are -- */

static void collect(void *arg, struct metrics *m)
{
    (void)arg;
    health_set(&m->topics[0].health, REASON_CATCHING_UP, 1);
}

static struct status *status;

static void make_status(void)
{
    const struct status_config config = {.topics = 1, .responder = "r", .collect = collect};

    status = status_new(NULL, &config, NULL, 0);
    handler_set_status(handler, status);
}

static int teardown_status(void **state)
{
    teardown(state);
    status_free(status);
    return 0;
}

#define ask_admin(method, uri, ...)                                                                \
    ask("REQUEST_METHOD", method, "REQUEST_URI", uri, "SKF_ADMIN", __VA_ARGS__)

static void the_front_lets_ask_how_we_are(void **state)
{
    (void)state;
    make_status();
    ask_admin("GET", "/health/live", "1");
    check_status(200);
    assert_true(answered("\r\n\r\n{\"live\":true}\n"));
    ask_admin("GET", "/health/ready?x=y", "1");
    check_status(503);
    assert_true(answered("catching_up"));
    ask_admin("GET", "/metrics", "1");
    check_status(200);
    assert_true(answered("\nsse_kafka_fanout_streams{"));
}

static void a_head_of_how_we_are_has_no_body(void **state)
{
    (void)state;
    make_status();
    ask_admin("HEAD", "/metrics", "1");
    check_status(200);
    assert_memory_equal(answer.text.p + answer.text.n - 4, "\r\n\r\n", 4);
}

static void without_the_front_nobody_asks(void **state)
{
    static const char *const paths[] = {"/health/live", "/health/ready", "/metrics"};
    static const char *const others[] = {"", "0", "2", "11", "true", "1 "};

    (void)state;
    make_status();
    for (size_t i = 0; i < 3; i++) {
        ask("REQUEST_METHOD", "GET", "REQUEST_URI", paths[i]);
        check_status(404);
        ask("REQUEST_METHOD", "GET", "REQUEST_URI", paths[i], "HTTP_SKF_ADMIN", "1");
        check_status(404);
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            ask_admin("GET", paths[i], others[k]);
            check_status(404);
        }
        ask_admin("GET", paths[i], "1", "SKF_ADMIN", "1");
        check_status(400);
    }
}

static void one_without_a_status_has_nothing_to_say(void **state)
{
    (void)state;
    ask_admin("GET", "/health/live", "1");
    check_status(404);
}

static void there_are_no_events_where_one_asks_how_we_are(void **state)
{
    (void)state;
    make_status();
    ask_admin("GET", "/events", "1", STREAM);
    check_status(404);
    assert_int_equal(opened.count, 0);
    ask_admin("POST", "/metrics", "1");
    check_status(405);
    assert_true(answered("Allow: GET, HEAD\r\n"));
    ask_admin("OPTIONS", "/metrics", "1");
    check_status(405);
}

static void one_that_drains_or_lacks_its_guard_says_how_it_is(void **state)
{
    (void)state;
    make_status();
    handler_drain(handler);
    stream_count = 100;
    ask_admin("GET", "/health/live", "1", "SKF_REQUIRE_GUARD", "1");
    check_status(200);
}

/* -- standing by -- */

static void without_a_fan_out_it_stands_by(void **state)
{
    const struct handler_config config = {.routes = routes, .cors = "cross-origin"};

    (void)state;
    handler_free(handler);
    handler = handler_new(loop, &config, NULL);
    ask_events("GET", STREAM);
    check_status(404);
    ask_events("GET", STREAM, "REDIRECT_STATUS", "503");
    check_turned_away(true);
    ask("REQUEST_METHOD", "GET", "REQUEST_URI", "/other", "REDIRECT_STATUS", "502");
    check_turned_away(false);
    ask_events("HEAD", STREAM, "REDIRECT_STATUS", "404");
    check_status(404);
    ask_admin("GET", "/health/live", "1");
    check_status(404);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define G(test) cmocka_unit_test_setup_teardown(test, setup, teardown_gate)
#define S(test) cmocka_unit_test_setup_teardown(test, setup, teardown_status)
    const struct CMUnitTest tests[] = {
        T(a_get_opens_a_stream),
        T(a_stream_begins_with_its_headers_and_a_time_to_retry),
        T(the_time_to_retry_is_spread_from_half_to_one_and_a_half),
        T(a_client_says_what_its_stream_is_like),
        T(lines_of_json_begin_with_an_empty_one),
        T(json_is_a_response_that_ends),
        T(a_head_of_json_is_known_as_late),
        T(what_a_client_has_already_is_no_answer),
        T(what_a_header_asks_to_be_left_out_is_in_no_cache),
        T(a_place_that_fronts_would_not_let_pass_is_no_tag),
        T(what_is_not_there_yet_is_to_be_asked_for_again),
        T(the_id_of_the_request_is_kept),
        T(a_head_gets_the_same_headers_and_the_end),
        T(the_header_says_where_to_resume),
        T(the_query_says_where_to_resume),
        T(an_empty_place_is_none),
        T(the_path_goes_to_the_first_question_mark),
        T(a_renewal_is_not_allowed_where_nothing_is_guarded),
        T(a_post_of_another_content_type_is_not_supported),
        T(a_preflight_is_answered),
        T(another_options_names_the_methods),
        T(any_other_method_is_not_allowed),
        T(a_front_that_passes_no_method_or_no_uri_is_told_so),
        T(a_parameter_that_comes_twice_is_a_bad_request),
        T(a_refusal_is_a_problem_document_that_a_page_can_read),
        T(a_refused_head_has_no_body),
        T(a_foreign_origin_is_refused_if_there_is_a_list),
        T(an_origin_of_the_list_and_the_own_are_allowed),
        T(a_request_that_was_aborted_meanwhile_opens_nothing),
        T(a_request_that_cannot_be_read_is_told_why),
        T(another_role_is_told_to_fastcgi),
        T(one_that_is_full_tells_clients_to_come_back),
        T(one_that_drains_tells_clients_to_come_back),
        T(a_page_can_read_that_it_is_to_come_back),
        T(who_wants_no_stream_is_answered_as_ever),
        T(an_address_has_so_many_streams),
        T(what_one_customer_gets_is_one_address),
        T(without_an_address_all_are_one),
        T(an_address_has_so_many_openings_a_minute),
        T(a_head_is_no_opening),
        T(a_stream_is_opened_in_the_fanout_of_its_topic),
        T(open_streams_are_counted_by_their_route),
        G(json_behind_a_guard_is_for_its_client_alone),
        G(json_whose_token_is_over_before_it_begins_is_refused),
        G(a_subject_has_so_many_streams),
        G(a_token_without_a_subject_is_counted_by_itself),
        G(a_refused_token_is_no_opening),
        G(an_address_without_openings_left_has_no_token_checked),
        G(a_token_that_a_route_refuses_counts_as_refused),
        G(an_address_has_so_many_refused_tokens_a_minute),
        G(a_good_token_is_no_attempt),
        G(tokens_that_wait_for_their_turn_count_as_attempts),
        G(a_known_token_passes_by_the_attempts_of_others),
        G(a_subject_has_so_many_openings_a_minute),
        G(an_address_does_not_pay_for_what_was_refused),
        G(too_many_waiting_tokens_send_all_away),
        G(the_reasons_of_refusals_are_counted),
        G(what_counts_is_how_it_is_when_the_verdict_comes),
        G(a_renewal_is_accepted_to_the_last),
        G(a_route_demands_its_scopes_before_it_tells_of_topics),
        G(renewals_are_counted_by_outcome),
        T(where_no_stream_can_be_told_what_to_select_a_form_is_not_accepted),
        G(a_renewal_that_can_reach_no_stream_is_not_accepted),
        G(an_open_stream_has_a_session_if_it_has_an_age),
        S(the_front_lets_ask_how_we_are),
        S(a_head_of_how_we_are_has_no_body),
        S(without_the_front_nobody_asks),
        T(one_without_a_status_has_nothing_to_say),
        S(there_are_no_events_where_one_asks_how_we_are),
        S(one_that_drains_or_lacks_its_guard_says_how_it_is),
        T(without_a_fan_out_it_stands_by),
    };
    log_set_level(LOG_ERROR); /* refusals are expected here */
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

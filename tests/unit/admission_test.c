#include "front/admission.h"

#include <stdlib.h>

#include "fake_loop.h"
#include "stream/fanouts.h"
#include "support.h"

/* -- the fan-out and the guard, as admission sees them -- */

static size_t stream_count, elsewhere; /* elsewhere: of another topic */
static bool known;                     /* every token was verified before */
static char fanout, another, guard, renewals;
static struct fanout *at[] = {(struct fanout *)&fanout, NULL, (struct fanout *)&another};
static const struct fanouts fanouts = {at, 3};

size_t fanout_count(const struct fanout *f)
{
    return f == at[0] ? stream_count : f == at[2] ? elsewhere : 0;
}

bool guard_knows(struct guard *g, struct slice text)
{
    (void)text;
    assert_ptr_equal(g, &guard);
    return known;
}

struct token_hash token_hash(struct slice text)
{
    struct token_hash h = {{0}};

    for (size_t i = 0; i < text.n; i++)
        h.bytes[i % sizeof h.bytes] ^= text.p[i];
    return h;
}

/* -- a request and what is said of it -- */

static struct gate gate;
static struct cors *cors;
static struct admission *admission;
static const char *path;
static struct routes *routes;
static struct destination destination;

static void make(int64_t streams, int64_t opens, int64_t attempts)
{
    routes_free(routes);
    routes = routes_new();
    routes_add_topic(routes, "t");
    routes_add_literal(routes, path, (struct from){0});
    const struct admission_config config = {.routes = routes,
                                            .cors = cors,
                                            .fanouts = &fanouts,
                                            .gate = &gate,
                                            .max_streams = 100,
                                            .address = {streams, opens},
                                            .subject = {streams, opens},
                                            .max_attempts = attempts};

    admission_free(admission);
    admission = admission_new(&config);
}

static int setup(void **state)
{
    (void)state;
    stream_count = elsewhere = 0;
    known = false;
    path = "/events";
    gate = (struct gate){0};
    cors = cors_new("https://a.example");
    make(0, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_free(admission);
    admission = NULL;
    routes_free(routes);
    routes = NULL;
    cors_free(cors);
    return 0;
}

static void guard_it(void)
{
    gate.guard = (struct guard *)&guard;
    gate.renewals = (struct renewals *)&renewals;
}

static struct request request(const char *method, const char *uri)
{
    struct request r = {.repeated = false};

    r.param[PARAM_METHOD] = method;
    r.param[PARAM_URI] = uri;
    return r;
}

static enum refusal judge(const struct request *r)
{
    struct cors_request origin = request_origin(r);

    return admission_judge(admission, r, &origin, &destination);
}

static enum refusal judge_path(const char *uri, const char *script, const char *info)
{
    struct request r = request("GET", uri);

    r.param[PARAM_SCRIPT_NAME] = script;
    r.param[PARAM_PATH_INFO] = info;
    return judge(&r);
}

/* -- the path -- */

static void there_is_nothing_at_another_path(void **state)
{
    static const char *const paths[] = {"/",
                                        "/event",
                                        "/events/",
                                        "/eventss",
                                        "//events",
                                        "/Events",
                                        "/%65vents",
                                        "/events%3f",
                                        "/events#",
                                        "events",
                                        "http://localhost/events",
                                        "?/events"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(judge_path(paths[i], NULL, NULL), REFUSAL_ROUTE_UNKNOWN);
    assert_int_equal(judge_path("/events?/x?y", NULL, NULL), REFUSALS);
}

static void what_the_front_made_of_the_path_may_be_split_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n <= strlen(path); n++) {
        char script[16] = "";
        memcpy(script, path, n);
        assert_int_equal(judge_path(path, script, path + n), REFUSALS);
    }
}

static void what_the_front_made_of_the_path_must_not_differ(void **state)
{
    static const char *const splits[][2] = {
        {"/events", "/"}, {"/events/", ""}, {"/event", ""},         {"", "/event"},   {"", "/"},
        {"/other", ""},   {"", "/other"},   {"/events", "/events"}, {"/ev", "/ents"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++)
        assert_int_equal(judge_path("/events", splits[i][0], splits[i][1]), REFUSAL_ROUTE_UNKNOWN);
}

static void what_the_front_made_of_the_path_may_be_decoded_once(void **state)
{
    static const char *const same[][2] = {
        {"/a%20b%2Fc%252F;x", ""}, {"/a b/c%2F;x", ""}, {"/a b%2Fc%2F;x", ""},
        {"/a b", "/c%2F;x"},       {"", "/a b/c%2F;x"}, {"/a b%2", "Fc%2F;x"},
    };
    static const char *const others[] = {"/a%20b/c%252F;x", "/a b/c/;x",    "/a b/c%2F",
                                         "/a b%2fc%2F;x",   "/a+b/c%2F;x",  "/a b//c%2F;x",
                                         "/a b/c%2F;x/",    "/a b/./c%2F;x"};

    (void)state;
    path = "/a%20b%2Fc%252F;x";
    make(0, 0, 0);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(judge_path(path, same[i][0], same[i][1]), REFUSALS);
        assert_int_equal(judge_path("/a b/c%2F;x", same[i][0], same[i][1]), REFUSAL_ROUTE_UNKNOWN);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(judge_path(path, others[i], ""), REFUSAL_ROUTE_UNKNOWN);
}

static void a_path_that_cannot_be_decoded_is_only_what_it_is(void **state)
{
    (void)state;
    path = "/a%2";
    make(0, 0, 0);
    assert_int_equal(judge_path(path, path, ""), REFUSALS);
    assert_int_equal(judge_path(path, "/a", "%"), REFUSAL_ROUTE_UNKNOWN);
    assert_int_equal(judge_path(path, "/a", ""), REFUSAL_ROUTE_UNKNOWN);
}

/* -- the order of reasons -- */

static void the_first_reason_of_several_is_told(void **state)
{
    struct request r = request("PUT", "/other");

    (void)state;
    r.repeated = true;
    r.param[PARAM_REQUIRE_GUARD] = "1";
    r.param[PARAM_ORIGIN] = "https://evil.example";
    assert_int_equal(judge(&r), REFUSAL_PARAM_TWICE);
    r.repeated = false;
    assert_int_equal(judge(&r), REFUSAL_UNGUARDED);
    r.param[PARAM_REQUIRE_GUARD] = "0";
    assert_int_equal(judge(&r), REFUSAL_ROUTE_UNKNOWN);
    r.param[PARAM_URI] = "/events";
    assert_int_equal(judge(&r), REFUSAL_ORIGIN);
    r.param[PARAM_ORIGIN] = "https://a.example";
    assert_int_equal(judge(&r), REFUSAL_METHOD);
    r.param[PARAM_METHOD] = "GET";
    assert_int_equal(judge(&r), REFUSALS);
}

static void a_guard_that_is_demanded_and_there_is_no_reason(void **state)
{
    struct request r = request("GET", "/events");

    (void)state;
    guard_it();
    r.param[PARAM_REQUIRE_GUARD] = "1";
    assert_int_equal(judge(&r), REFUSALS);
}

/* -- methods -- */

static void a_post_is_a_renewal_where_there_are_renewals(void **state)
{
    struct request r = request("POST", "/events");

    (void)state;
    assert_int_equal(judge(&r), REFUSAL_TYPE);
    r.param[PARAM_CONTENT_TYPE] = "application/x-challenge-response";
    assert_int_equal(judge(&r), REFUSAL_METHOD);
    assert_string_equal(admission_allowed(admission), "Allow: GET, HEAD, OPTIONS\r\n");
    guard_it();
    assert_int_equal(judge(&r), REFUSALS);
    assert_string_equal(admission_allowed(admission), "Allow: GET, HEAD, POST, OPTIONS\r\n");
    gate.renewals = NULL;
    assert_int_equal(judge(&r), REFUSAL_RENEWALS_NONE);
    assert_string_equal(admission_allowed(admission), "Allow: GET, HEAD, OPTIONS\r\n");
}

/* -- tokens -- */

static void tokens_are_found_in_both_places(void **state)
{
    struct request r = request("GET", "/events");
    struct buf header = {0}, url = {0};

    (void)state;
    assert_int_equal(admission_credentials(&r, &header, &url), REFUSALS);
    assert_true(header.n == 0 && url.n == 0);
    r.param[PARAM_AUTHORIZATION] = "Bearer a.b.c";
    r.param[PARAM_QUERY] = "access_token=d.e.f";
    assert_int_equal(admission_credentials(&r, &header, &url), REFUSALS);
    assert_text(buf_slice(&header), "a.b.c");
    assert_text(buf_slice(&url), "d.e.f");
    r.param[PARAM_AUTHORIZATION] = "Bearer";
    assert_int_equal(admission_credentials(&r, &header, &url), REFUSAL_TOKEN_PLACE);
    buf_fini(&header);
    buf_fini(&url);
}

static bool counted;

static enum refusal try_token(void)
{
    return admission_try_token(admission, "192.0.2.1", slice_str("x"), &counted);
}

static void tried(enum token_error error)
{
    admission_token_tried(admission, "192.0.2.1", error, &counted);
}

static void a_token_counts_as_refused_until_it_was_good(void **state)
{
    (void)state;
    guard_it();
    make(0, 0, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(try_token(), REFUSALS);
        tried(i == 0 ? TOKEN_OK : TOKEN_BUSY);
    }
    assert_int_equal(try_token(), REFUSALS);
    tried(TOKEN_EXPIRED);
    tried(TOKEN_OK);
    assert_int_equal(try_token(), REFUSAL_ADDRESS_ATTEMPTS);
    tried(TOKEN_OK);
    assert_int_equal(try_token(), REFUSAL_ADDRESS_ATTEMPTS);
}

static void a_known_token_takes_back_nothing_that_others_were_refused(void **state)
{
    (void)state;
    guard_it();
    make(0, 0, 1);
    assert_int_equal(try_token(), REFUSALS);
    tried(TOKEN_EXPIRED);
    known = true;
    assert_int_equal(try_token(), REFUSALS);
    tried(TOKEN_OK);
    known = false;
    assert_int_equal(try_token(), REFUSAL_ADDRESS_ATTEMPTS);
}

/* -- routes -- */

static void add_routes(void)
{
    static const char *const scopes[] = {"raw:read"};
    const struct route_text raw = {
        .path = "/raw/{topic}", .topic = "{topic}", .scopes = scopes, .scope_count = 1};
    char wrong[256];

    if (!routes_add(routes, &raw, wrong, sizeof wrong))
        fail_msg("%s", wrong);
}

static void a_path_with_a_bad_escape_is_invalid(void **state)
{
    (void)state;
    add_routes();
    assert_int_equal(judge_path("/raw/a%2", NULL, NULL), REFUSAL_PATH_INVALID);
    assert_int_equal(judge_path("/raw/a%2", "/raw/a%2", ""), REFUSAL_PATH_INVALID);
    assert_int_equal(judge_path("/raw/a%2", "/raw/a", NULL), REFUSAL_ROUTE_UNKNOWN);
}

static void what_the_front_made_of_a_parameter_may_be_decoded_once(void **state)
{
    static const struct {
        const char *uri, *script, *info;
        enum refusal why;
    } rows[] = {
        {"/raw/t%2fx", "/raw/t%2fx", "", REFUSALS},
        {"/raw/t%2fx", "/raw/t/x", NULL, REFUSALS},
        {"/raw/t%2fx%20", "/raw", "/t%2fx ", REFUSALS},
        {"/raw/t%252fx", "/raw/t%2fx", NULL, REFUSALS},
        {"/raw/t%252fx", "/raw/t/x", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw/t;x", "/raw/t", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw/a+b", "/raw/a b", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw/..", "/", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw/%2e%2e", "/raw", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw//t", "/raw/t", NULL, REFUSAL_ROUTE_UNKNOWN},
        {"/raw/t/", "/raw/t", NULL, REFUSAL_ROUTE_UNKNOWN},
    };

    (void)state;
    add_routes();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(judge_path(rows[i].uri, rows[i].script, rows[i].info), rows[i].why);
}

/* Who may not be there at all does not learn which topics there are. */
static void scopes_come_before_the_topic(void **state)
{
    struct verdict may = {.scopes = 1}, may_not = {.scopes = 0};

    (void)state;
    add_routes();
    assert_int_equal(judge_path("/raw/other", NULL, NULL), REFUSALS);
    assert_int_equal(admission_destination(&destination, &may_not), REFUSAL_SCOPE_MISSING);
    assert_int_equal(admission_destination(&destination, &may), REFUSAL_TOPIC_UNKNOWN);
    assert_int_equal(judge_path("/raw/%74", NULL, NULL), REFUSALS);
    assert_int_equal(admission_destination(&destination, &may_not), REFUSAL_SCOPE_MISSING);
    assert_int_equal(admission_destination(&destination, &may), REFUSALS);
    assert_int_equal(judge_path("/events", NULL, NULL), REFUSALS);
    assert_int_equal(admission_destination(&destination, &may_not), REFUSALS);
    assert_int_equal(admission_destination(&destination, NULL), REFUSALS);
}

/* -- room -- */

static struct guest guest;

static enum refusal enter_from(const char *address, const char *issuer, const char *sub)
{
    const struct verdict verdict = {.issuer = issuer, .subject = sub};

    return admission_enter(admission, address, slice_str("x"), &verdict, &guest);
}

static enum refusal enter(const char *address, const char *sub)
{
    return enter_from(address, "i", sub);
}

static void there_is_room_for_so_many_streams(void **state)
{
    (void)state;
    stream_count = 60;
    elsewhere = 39;
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSALS);
    elsewhere = 40;
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSAL_FULL);
    assert_int_equal(enter("192.0.2.1", "alice"), REFUSAL_FULL);
    admission_drain(admission);
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSAL_DRAINING);
    assert_int_equal(enter("192.0.2.1", "alice"), REFUSAL_DRAINING);
}

/* Whether all are turned away is told before how much one has. */
static void one_that_drains_says_so_whoever_asks(void **state)
{
    struct guest first;

    (void)state;
    make(1, 0, 0);
    assert_int_equal(enter("192.0.2.1", "alice"), REFUSALS);
    first = guest;
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSAL_ADDRESS_STREAMS);
    admission_drain(admission);
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSAL_DRAINING);
    admission_leave(&first);
}

static void to_ask_counts_nothing(void **state)
{
    (void)state;
    make(0, 1, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSALS);
    assert_int_equal(enter("192.0.2.1", "alice"), REFUSALS);
    assert_int_equal(admission_ask(admission, "192.0.2.1"), REFUSAL_ADDRESS_OPENS);
    admission_leave(&guest);
}

/* The address was counted first: it gets its stream back. */
static void who_is_refused_by_subject_has_left_by_address(void **state)
{
    struct guest first;

    (void)state;
    make(1, 0, 0);
    assert_int_equal(enter("192.0.2.1", "alice"), REFUSALS);
    first = guest;
    assert_int_equal(enter("192.0.2.2", "alice"), REFUSAL_SUBJECT_STREAMS);
    assert_int_equal(enter("192.0.2.2", "bob"), REFUSALS);
    admission_leave(&guest);
    admission_leave(&first);
}

static void the_same_subject_of_another_issuer_is_counted_by_itself(void **state)
{
    struct guest first;

    (void)state;
    make(1, 0, 0);
    assert_int_equal(enter_from("192.0.2.1", "https://a.example", "7"), REFUSALS);
    first = guest;
    assert_int_equal(enter_from("192.0.2.2", "https://a.example", "7"), REFUSAL_SUBJECT_STREAMS);
    assert_int_equal(enter_from("192.0.2.2", "https://b.example", "7"), REFUSALS);
    admission_leave(&guest);
    admission_leave(&first);
}

static void who_left_may_come_again(void **state)
{
    (void)state;
    make(1, 0, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter("192.0.2.1", NULL), REFUSALS);
        admission_leave(&guest);
    }
}

static void without_a_verdict_no_subject_is_counted(void **state)
{
    (void)state;
    make(1, 0, 0);
    assert_int_equal(admission_enter(admission, "192.0.2.1", slice_str(""), NULL, &guest),
                     REFUSALS);
    assert_non_null(guest.address);
    assert_null(guest.subject);
    admission_leave(&guest);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(there_is_nothing_at_another_path),
        T(what_the_front_made_of_the_path_may_be_split_anywhere),
        T(what_the_front_made_of_the_path_must_not_differ),
        T(what_the_front_made_of_the_path_may_be_decoded_once),
        T(a_path_that_cannot_be_decoded_is_only_what_it_is),
        T(the_first_reason_of_several_is_told),
        T(a_guard_that_is_demanded_and_there_is_no_reason),
        T(a_post_is_a_renewal_where_there_are_renewals),
        T(tokens_are_found_in_both_places),
        T(a_token_counts_as_refused_until_it_was_good),
        T(a_known_token_takes_back_nothing_that_others_were_refused),
        T(a_path_with_a_bad_escape_is_invalid),
        T(what_the_front_made_of_a_parameter_may_be_decoded_once),
        T(scopes_come_before_the_topic),
        T(there_is_room_for_so_many_streams),
        T(one_that_drains_says_so_whoever_asks),
        T(to_ask_counts_nothing),
        T(who_is_refused_by_subject_has_left_by_address),
        T(the_same_subject_of_another_issuer_is_counted_by_itself),
        T(who_left_may_come_again),
        T(without_a_verdict_no_subject_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

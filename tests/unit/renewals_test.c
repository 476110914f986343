#include "guard/renewals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_loop.h"
#include "guard/peer.h"
#include "logged.h"
#include "support.h"

/* -- the guard, as renewals see it: it says of each token what the test wants -- */

static char a_guard; /* never looked into */
static struct verdict verdict;
static uint64_t demanded;  /* scopes, by the route */
static bool verdict_waits; /* until a later turn */
static bool has_room;
static void (*waiting)(void *arg, const struct verdict *verdict);
static void *waiting_arg;

void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    assert_ptr_equal(g, &a_guard);
    assert_true(text.n > 0);
    waiting = done;
    waiting_arg = arg;
    if (!verdict_waits)
        done(arg, &verdict);
}

bool guard_has_room(const struct guard *g)
{
    assert_ptr_equal(g, &a_guard);
    return has_room;
}

/* What is short can be read in it. */
struct token_hash token_hash(struct slice text)
{
    struct token_hash h = {{0}};

    for (size_t i = 0; i < text.n; i++)
        h.bytes[i % sizeof h.bytes] ^= text.p[i];
    return h;
}

/* The token is "issuer/subject". */
bool guard_names(const struct guard *g, struct slice text, const char *issuer, const char *subject)
{
    char expected[64];

    assert_ptr_equal(g, &a_guard);
    snprintf(expected, sizeof expected, "%s/%s", issuer, subject ? subject : "");
    return slice_equal(text, slice_str(expected));
}

const char *token_error_text(enum token_error error)
{
    return error == TOKEN_SIGNATURE ? "signature" : "other";
}

/* -- sessions and peers, likewise: what they are told, in order -- */

static char all_sessions; /* never looked into */
static bool (*settled)(void *arg);
static void *settled_arg;
static struct buf told;

void sessions_ask_before_end(struct sessions *ss, bool (*ask)(void *arg), void *arg)
{
    assert_ptr_equal(ss, &all_sessions);
    settled = ask;
    settled_arg = arg;
}

void sessions_renew(struct sessions *ss, const struct token_hash *selector, const struct verdict *v)
{
    assert_ptr_equal(ss, &all_sessions);
    buf_printf(&told, "renew %s %s\n", v->subject ? v->subject : "nobody",
               selector ? (const char *)selector->bytes : "none");
}

static struct peers_handler peers_handler;
static bool peer_away, drained;
static int peers_made;

struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size)
{
    (void)loop;
    if (strcmp(directory, "none") == 0) {
        snprintf(error, size, "no such directory");
        return NULL;
    }
    assert_text(agreement, "agreed");
    peers_handler = *handler;
    peers_made++;
    return (struct peers *)&peers_made;
}

void peers_free(struct peers *peers)
{
    if (peers != NULL)
        peers_made--;
}

bool peers_drain(struct peers *peers)
{
    assert_ptr_equal(peers, &peers_made);
    return drained;
}

int peers_tell(struct peers *peers, const struct peer_message *message)
{
    assert_ptr_equal(peers, &peers_made);
    if (peer_away)
        return -EAGAIN;
    buf_printf(&told, "tell %.*s %s\n", (int)message->text.n, (const char *)message->text.p,
               message->hash ? (const char *)message->hash->bytes : "none");
    return 0;
}

/* -- a renewal and what comes of it -- */

static struct loop *loop;
static struct renewals *renewals;
static int answers;
static enum renewal_outcome outcome;
static enum token_error error;

static void make(const char *directory)
{
    const struct renewals_config config = {.guard = (struct guard *)&a_guard,
                                           .sessions = (struct sessions *)&all_sessions,
                                           .peer_directory = directory,
                                           .agreement = slice_str("agreed")};

    renewals_free(renewals);
    renewals = renewals_new(loop, &config, NULL, 0);
}

static int setup(void **state)
{
    (void)state;
    verdict = (struct verdict){.issuer = "i", .subject = "alice"};
    verdict_waits = peer_away = false;
    demanded = 0;
    has_room = drained = true;
    answers = 0;
    loop = loop_new();
    make("pool");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    renewals_free(renewals);
    renewals = NULL;
    buf_fini(&told);
    loop_free(loop);
    assert_int_equal(peers_made, 0);
    return 0;
}

static void on_done(void *arg, enum renewal_outcome what, enum token_error why)
{
    assert_ptr_equal(arg, &answers);
    answers++;
    outcome = what;
    error = why;
}

static void take(const char *token, const char *selector)
{
    const struct renewal_request request = {slice_str(token), slice_str(selector), demanded, NULL,
                                            NULL};

    renewals_take(renewals, &request, on_done, &answers);
}

/* What came of it, and what was told to peers and sessions meanwhile. */
static void check_taken(const char *token, const char *selector, enum renewal_outcome expected,
                        const char *text)
{
    answers = 0;
    told.n = 0;
    take(token, selector);
    assert_int_equal(answers, 1);
    assert_int_equal(outcome, expected);
    assert_text(buf_slice(&told), text);
}

static bool opens_nothing(void *arg, const struct verdict *v)
{
    assert_ptr_equal(arg, &answers);
    return v == NULL;
}

static void one_that_could_not_open_a_stream_there_is_forbidden(void **state)
{
    const struct renewal_request request = {.token = BYTES("x"), .opens = opens_nothing};

    (void)state;
    told.n = 0;
    renewals_take(renewals, &request, on_done, &answers);
    assert_int_equal(outcome, RENEWAL_FORBIDDEN);
    assert_int_equal(error, TOKEN_OK);
    assert_text(buf_slice(&told), "");
}

/* It is known by whose handle it is. */
static bool by_handle(void *arg, const struct verdict *v, struct token_hash *handle)
{
    assert_ptr_equal(arg, &answers);
    snprintf((char *)handle->bytes, sizeof handle->bytes, "%s's",
             v->subject ? v->subject : "nobody");
    return v->subject != NULL;
}

static void a_handle_selects_where_no_token_does(void **state)
{
    struct renewal_request request = {.token = BYTES("x"), .names = by_handle};

    (void)state;
    told.n = 0;
    renewals_take(renewals, &request, on_done, &answers);
    request.selector = BYTES("i/alice");
    renewals_take(renewals, &request, on_done, &answers);
    assert_text(buf_slice(&told), "tell x alice's\nrenew alice alice's\n"
                                  "tell x i/alice\nrenew alice i/alice\n");
}

static void pass_on(const char *token, const struct token_hash *selector)
{
    struct peer_message message = {.text = slice_str(token), .hash = selector};

    told.n = 0;
    peers_handler.on_message(peers_handler.arg, &message);
}

static void a_good_one_is_told_to_the_pool_and_applied(void **state)
{
    (void)state;
    check_taken("x", "", RENEWAL_ACCEPTED, "tell x none\nrenew alice none\n");
    assert_int_equal(error, TOKEN_OK);
    check_taken("x", "i/alice", RENEWAL_ACCEPTED, "tell x i/alice\nrenew alice i/alice\n");
}

static void a_pool_of_one_has_nobody_to_tell(void **state)
{
    (void)state;
    make(NULL);
    check_taken("x", "", RENEWAL_ACCEPTED, "renew alice none\n");
    assert_true(settled(settled_arg));
}

static void a_bad_token_renews_nothing(void **state)
{
    static const struct {
        enum token_error error;
        enum renewal_outcome outcome;
    } table[] = {{TOKEN_EXPIRED, RENEWAL_TOKEN},
                 {TOKEN_SIGNATURE, RENEWAL_TOKEN},
                 {TOKEN_SCOPE, RENEWAL_FORBIDDEN},
                 {TOKEN_BUSY, RENEWAL_BUSY}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        verdict.error = table[i].error;
        check_taken("x", "i/alice", table[i].outcome, "");
        assert_int_equal(error, table[i].error);
    }
}

static void the_selector_is_of_the_same_issuer_and_subject(void **state)
{
    static const char *const others[] = {"i/bob", "other/alice", "i/", "alice"};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        check_taken("x", others[i], RENEWAL_FORBIDDEN, "");
        assert_int_equal(error, TOKEN_OK);
    }
    verdict.subject = NULL;
    check_taken("x", "i/", RENEWAL_ACCEPTED, "tell x i/\nrenew nobody i/\n");
}

static void the_token_must_be_good_for_the_route(void **state)
{
    (void)state;
    demanded = 3;
    verdict.scopes = 1;
    check_taken("x", "i/alice", RENEWAL_FORBIDDEN, "");
    assert_int_equal(error, TOKEN_SCOPE);
    verdict.scopes = 7;
    check_taken("x", "", RENEWAL_ACCEPTED, "tell x none\nrenew alice none\n");
    assert_int_equal(error, TOKEN_OK);
}

/* It is refused as a whole: whoever brings it will come again. */
static void a_peer_that_cannot_be_told_is_told_first(void **state)
{
    (void)state;
    peer_away = true;
    check_taken("x", "", RENEWAL_PEER, "");
    peer_away = false;
    check_taken("x", "", RENEWAL_ACCEPTED, "tell x none\nrenew alice none\n");
}

static void a_pool_that_cannot_be_joined_is_an_error(void **state)
{
    const struct renewals_config config = {.guard = (struct guard *)&a_guard,
                                           .sessions = (struct sessions *)&all_sessions,
                                           .peer_directory = "none"};
    char text[64] = "";

    (void)state;
    assert_null(renewals_new(loop, &config, text, sizeof text));
    assert_string_equal(text, "no such directory");
}

/* -- the rate -- */

static bool allows_of(const char *issuer, const char *sub, const char *token, const char *selector)
{
    char of[64];

    snprintf(of, sizeof of, "%s/%s%s", issuer, sub ? sub : "", selector ? "" : "/");
    verdict = (struct verdict){.issuer = issuer, .subject = sub};
    take(token, selector ? of : "");
    assert_true(outcome == RENEWAL_ACCEPTED || outcome == RENEWAL_LIMITED);
    return outcome == RENEWAL_ACCEPTED;
}

static void a_subject_has_ten_renewals_a_second(void **state)
{
    (void)state;
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 15; i++)
            assert_int_equal(allows_of("i", "alice", i % 2 ? "t" : "u", i % 3 ? "s" : NULL),
                             i < 10);
        assert_true(allows_of("i", "bob", "t", NULL));
        assert_true(allows_of("i", NULL, "t", NULL));
        assert_true(allows_of("i", "", "t", NULL));
        assert_true(allows_of("another", "alice", "t", NULL));
        fake_loop_pass(1000);
    }
}

static void what_is_limited_renews_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(allows_of("i", "alice", "t", NULL));
    check_taken("t", "", RENEWAL_LIMITED, "");
}

/* So that a holder who knows another's selector does not use it up. */
static void without_a_subject_each_token_and_selector_has_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 15; i++)
        assert_int_equal(allows_of("i", NULL, "mallory", "s"), i < 10);
    assert_true(allows_of("i", NULL, "alice", "s"));
    assert_true(allows_of("i", NULL, "mallory", NULL));
    assert_true(allows_of("k", NULL, "mallory", "s"));
}

static void what_a_peer_passed_on_counts_here_too(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        pass_on("t", NULL);
    check_taken("t", "", RENEWAL_LIMITED, "");
    pass_on("t", NULL); /* which its first receiver has limited */
    assert_text(buf_slice(&told), "renew alice none\n");
}

/* -- what a peer passes on -- */

static void what_a_peer_passed_on_is_applied_and_goes_no_further(void **state)
{
    struct token_hash selector = token_hash(slice_str("of.bob"));

    (void)state;
    pass_on("x", NULL);
    assert_text(buf_slice(&told), "renew alice none\n");
    pass_on("x", &selector);
    assert_text(buf_slice(&told), "renew alice of.bob\n");
}

static void a_bad_token_of_a_peer_is_a_log_line(void **state)
{
    (void)state;
    verdict.error = TOKEN_SIGNATURE;
    log_capture();
    pass_on("x", NULL);
    assert_int_equal(logged("guard: a peer passed on a token that is not good here: signature"), 1);
    log_release();
    assert_int_equal(told.n, 0);
}

static void a_renewal_of_a_key_that_a_peer_has_read_first_waits_for_it(void **state)
{
    struct token_hash selector = token_hash(slice_str("of.bob"));

    (void)state;
    log_capture();
    verdict.error = TOKEN_KEY;
    pass_on("x", &selector);
    pass_on("y", NULL);
    fake_loop_pass(9000);
    renewals_keys_changed(renewals); /* of another issuer */
    assert_int_equal(told.n, 0);
    assert_true(settled(settled_arg)); /* no stream outlives its token for it */
    verdict.error = TOKEN_OK;
    renewals_keys_changed(renewals);
    assert_text(buf_slice(&told), "renew alice of.bob\nrenew alice none\n");
    told.n = 0;
    renewals_keys_changed(renewals);
    assert_int_equal(told.n, 0);
    fake_loop_pass(20000);
    assert_int_equal(logged(""), 0);
    log_release();
}

static void it_waits_for_ten_seconds(void **state)
{
    (void)state;
    log_capture();
    verdict.error = TOKEN_KEY;
    pass_on("x", NULL);
    fake_loop_pass(5000);
    pass_on("y", NULL);
    renewals_keys_changed(renewals);
    fake_loop_pass(5000);
    assert_int_equal(logged("guard: a peer passed on a token that is not good here: "), 1);
    verdict.error = TOKEN_OK;
    renewals_keys_changed(renewals);
    assert_text(buf_slice(&told), "renew alice none\n");
    log_release();
}

static void of_too_many_that_wait_the_oldest_goes(void **state)
{
    (void)state;
    log_capture();
    verdict.error = TOKEN_KEY;
    for (int i = 0; i < 1025; i++)
        pass_on("x", NULL);
    assert_int_equal(logged("guard: a peer passed on a token that is not good here: "), 1);
    log_release();
}

static void peers_wait_while_the_guard_has_no_room(void **state)
{
    (void)state;
    assert_true(peers_handler.has_room(peers_handler.arg));
    has_room = false;
    assert_false(peers_handler.has_room(peers_handler.arg));
}

/* -- what waits -- */

static void one_that_waits_for_its_verdict_is_not_settled(void **state)
{
    (void)state;
    assert_true(settled(settled_arg));
    verdict_waits = true;
    take("x", "");
    assert_false(settled(settled_arg));
    assert_int_equal(answers, 0);
    waiting(waiting_arg, &verdict);
    assert_int_equal(answers, 1);
    assert_true(settled(settled_arg));
    pass_on("x", NULL);
    assert_false(settled(settled_arg));
    waiting(waiting_arg, &verdict);
    assert_true(settled(settled_arg));
}

static void what_waits_with_peers_is_not_settled(void **state)
{
    (void)state;
    drained = false;
    assert_false(settled(settled_arg));
    drained = true;
    assert_true(settled(settled_arg));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_good_one_is_told_to_the_pool_and_applied),
        T(a_handle_selects_where_no_token_does),
        T(one_that_could_not_open_a_stream_there_is_forbidden),
        T(a_pool_of_one_has_nobody_to_tell),
        T(a_bad_token_renews_nothing),
        T(the_selector_is_of_the_same_issuer_and_subject),
        T(the_token_must_be_good_for_the_route),
        T(a_peer_that_cannot_be_told_is_told_first),
        T(a_pool_that_cannot_be_joined_is_an_error),
        T(a_subject_has_ten_renewals_a_second),
        T(what_is_limited_renews_nothing),
        T(without_a_subject_each_token_and_selector_has_its_own),
        T(what_a_peer_passed_on_counts_here_too),
        T(what_a_peer_passed_on_is_applied_and_goes_no_further),
        T(a_bad_token_of_a_peer_is_a_log_line),
        T(a_renewal_of_a_key_that_a_peer_has_read_first_waits_for_it),
        T(it_waits_for_ten_seconds),
        T(of_too_many_that_wait_the_oldest_goes),
        T(peers_wait_while_the_guard_has_no_room),
        T(one_that_waits_for_its_verdict_is_not_settled),
        T(what_waits_with_peers_is_not_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "guard/session.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_loop.h"
#include "stream/fanout.h"
#include "support.h"

enum {
    CHALLENGE_MS = 10000,
    LEEWAY_MS = 2000,
    MAX_AGE_MS = 600000,
    DUE_TURN = 200,
    SETTLE_MS = 2000
};

static const char challenge[] =
    "event:challenge\ndata:{\"method\":\"POST\",\"headers\":{\"content-type\":"
    "\"application/x-challenge-response\"}}\n\n";

static const char challenge_line[] =
    "{\"event\":\"challenge\",\"method\":\"POST\",\"headers\":{\"content-type\":"
    "\"application/x-challenge-response\"}}\n";

/* -- clocks: one that can be set, and one on which each look takes some time -- */

static int64_t stepped_ms;
static void (*on_step)(void *arg);
static void *on_step_arg;

int64_t __real_loop_wall_ms(void);
int64_t __wrap_loop_wall_ms(void);
int64_t __wrap_loop_wall_ms(void)
{
    return __real_loop_wall_ms() + stepped_ms;
}

static uint32_t chance; /* what is drawn, up to the bound */

uint32_t __wrap_arc4random_uniform(uint32_t bound);
uint32_t __wrap_arc4random_uniform(uint32_t bound)
{
    return chance < bound ? chance : bound - 1;
}

void loop_on_clock_step(struct loop *loop, void (*stepped)(void *arg), void *arg)
{
    (void)loop;
    on_step = stepped;
    on_step_arg = arg;
}

static void step_clock(int64_t ms)
{
    stepped_ms += ms;
    on_step(on_step_arg);
    fake_loop_settle();
}

/* -- streams, as the sessions see them -- */

struct stream {
    enum framing framing;
    struct session *session; /* NULL: closed */
    int challenges, finished;
    enum stream_end why;
    enum token_error error;
    bool held;
    bool lingers;          /* half an event is still under way when it is finished */
    bool dies_when_spoken; /* the front turns out to have gone */
};

static struct session *all[2048]; /* that are not closed */
static size_t count;

static void end(struct stream *s)
{
    for (size_t i = 0; i < count; i++)
        if (all[i] == s->session)
            all[i] = all[--count];
    session_close(s->session);
    s->session = NULL;
}

enum framing stream_framing(const struct stream *s)
{
    return s->framing;
}

void stream_say(struct stream *s, struct slice records)
{
    struct output out = {0};

    output_read(&out, records);
    assert_text(buf_slice(&out.text), s->framing == FRAMING_SSE ? challenge : challenge_line);
    assert_true(out.id == 1 && !out.ended && out.rest == 0);
    output_fini(&out);
    assert_non_null(s->session);
    if (s->finished)
        return;
    s->challenges++;
    if (s->dies_when_spoken)
        end(s);
}

void stream_hold(struct stream *s, bool hold)
{
    s->held = hold;
    if (s->dies_when_spoken)
        end(s);
}

void stream_finish(struct stream *s, enum stream_end why)
{
    assert_non_null(s->session);
    s->finished++;
    s->why = why;
    s->error = session_error(s->session);
    if (!s->lingers)
        end(s);
}

/* -- the guard, likewise -- */

static uint8_t withdrawn; /* keys up to this one */

bool guard_has_key(const struct guard *g, const char *of, const uint8_t thumbprint[KEY_THUMBPRINT])
{
    (void)g;
    assert_string_equal(of, "i");
    return thumbprint[0] > withdrawn;
}

struct token_hash token_hash(struct slice text)
{
    struct token_hash h;

    SHA256(text.p, text.n, h.bytes);
    return h;
}

/* -- renewals that wait -- */

static int unsettled; /* they are seen to when they were asked for so many times */

static bool settled(void *arg)
{
    assert_ptr_equal(arg, &unsettled);
    if (unsettled == 0)
        return true;
    unsettled--;
    return false;
}

/* -- sessions -- */

static struct loop *loop;
static struct sessions *sessions;
static const char *issuer;      /* of the tokens */
static uint64_t demanded, held; /* scopes, by the streams and of the tokens */

static void start_with(int64_t leeway_ms, int64_t max_age_ms)
{
    const struct session_config config = {
        .challenge_ms = CHALLENGE_MS, .leeway_ms = leeway_ms, .max_age_ms = max_age_ms};

    loop = loop_new();
    sessions = sessions_new(loop, &config);
    sessions_ask_before_end(sessions, settled, &unsettled);
}

static void start(int64_t leeway_ms)
{
    start_with(leeway_ms, MAX_AGE_MS);
}

static int setup(void **state)
{
    (void)state;
    issuer = "i";
    demanded = held = 0;
    stepped_ms = 0;
    chance = 0;
    withdrawn = 0;
    unsettled = 0;
    start(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (count > 0) /* of a test that failed */
        session_close(all[--count]);
    sessions_free(sessions);
    loop_free(loop);
    return 0;
}

static struct verdict verdict_by(const char *sub, int64_t left_ms, uint8_t key)
{
    return (struct verdict){.exp_ms = loop_wall_ms() + left_ms,
                            .issuer = issuer,
                            .subject = sub,
                            .scopes = held,
                            .key = {key}};
}

/* What a good token says: whose it is, and how long it is good from now on. */
static struct verdict verdict(const char *sub, int64_t left_ms)
{
    return verdict_by(sub, left_ms, 1);
}

/* With that token in the URL; NULL: it came in the header. */
static void open_by(struct stream *s, const char *sub, int64_t left_ms, const char *in_url,
                    uint8_t key)
{
    struct verdict v = verdict_by(sub, left_ms, key);
    struct token_hash hash = token_hash(slice_str(in_url));

    *s = (struct stream){.session = session_open(sessions, &v, demanded, in_url ? &hash : NULL)};
    all[count++] = s->session;
    session_attach(s->session, s);
    fake_loop_settle();
}

static void open_stream(struct stream *s, const char *sub, int64_t left_ms, const char *in_url)
{
    open_by(s, sub, left_ms, in_url, 1);
}

/* One that needs no token. */
static void open_without_token(struct stream *s)
{
    *s = (struct stream){.session = session_open(sessions, NULL, 0, NULL)};
    all[count++] = s->session;
    session_attach(s->session, s);
    fake_loop_settle();
}

static void renew_by(const char *sub, int64_t left_ms, const char *selector, uint8_t key)
{
    struct verdict v = verdict_by(sub, left_ms, key);
    struct token_hash hash = token_hash(slice_str(selector));

    sessions_renew(sessions, selector ? &hash : NULL, &v);
    fake_loop_settle();
}

static void renew(const char *sub, int64_t left_ms, const char *selector)
{
    renew_by(sub, left_ms, selector, 1);
}

/* The files hold no key up to that one any more. */
static void withdraw(uint8_t key)
{
    withdrawn = key;
    sessions_check_keys(sessions, NULL);
    fake_loop_settle();
}

/* The stream ends `left_ms` from now, not before. */
static void check_end_in(struct stream *s, int64_t left_ms)
{
    fake_loop_pass(left_ms - 1);
    assert_int_equal(s->finished, 0);
    fake_loop_pass(1);
    assert_int_equal(s->finished, 1);
}

static void check_challenge_in(struct stream *s, int64_t ms)
{
    int before = s->challenges;

    fake_loop_pass(ms - 1);
    assert_int_equal(s->challenges, before);
    fake_loop_pass(1);
    assert_int_equal(s->challenges, before + 1);
}

/* -- challenge and end -- */

static void the_challenge_comes_a_window_before_the_expiry(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    check_challenge_in(&s, 20000);
    check_end_in(&s, 10000);
    assert_int_equal(s.challenges, 1);
    assert_int_equal(sessions_challenges(sessions), 1);
}

static void the_challenge_of_a_stream_of_lines_is_a_line(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    s.framing = FRAMING_NDJSON;
    check_challenge_in(&s, 20000);
    end(&s);
}

static void the_end_comes_at_the_expiry_with_the_leeway(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start(LEEWAY_MS);
    open_stream(&s, "alice", 30000, NULL);
    check_challenge_in(&s, 20000);
    check_end_in(&s, 10000 + LEEWAY_MS);
}

static void a_token_that_lives_shorter_is_challenged_at_once(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 3000, NULL);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 1);
    check_end_in(&s, 3000);
    assert_int_equal(s.challenges, 1);
}

static void a_token_that_lives_just_the_window_is_challenged_at_once(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", CHALLENGE_MS, NULL);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 1);
    check_end_in(&s, CHALLENGE_MS);
}

static void a_token_that_is_over_but_for_the_leeway_opens_a_short_stream(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start(LEEWAY_MS);
    open_stream(&s, "alice", -500, NULL);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 1);
    check_end_in(&s, LEEWAY_MS - 500);
}

static void each_stream_of_a_token_is_challenged(void **state)
{
    struct stream s[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        open_stream(&s[i], "alice", 30000, "a");
    fake_loop_pass(20000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s[i].challenges, 1);
    fake_loop_pass(10000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s[i].finished, 1);
}

static void a_session_may_be_closed_at_any_time(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    end(&s);
    open_stream(&s, "alice", 30000, NULL);
    fake_loop_pass(25000);
    end(&s);
    fake_loop_pass(10000);
    assert_int_equal(s.finished, 0);
}

static void a_session_without_a_stream_yet_waits_for_it(void **state)
{
    struct verdict v = verdict("alice", 5000);
    struct stream s = {.session = session_open(sessions, &v, 0, NULL)};

    (void)state;
    session_attach(s.session, &s);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 1);
    end(&s);
}

static void a_session_whose_stream_never_came_is_closed(void **state)
{
    struct verdict v = verdict("alice", 5000);

    (void)state;
    session_close(session_open(sessions, &v, 0, NULL));
    fake_loop_pass(10000);
}

static void a_stream_may_turn_out_to_be_gone_at_its_challenge(void **state)
{
    struct stream s, other;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    open_stream(&other, "alice", 30000, NULL);
    s.dies_when_spoken = true;
    fake_loop_pass(40000);
    assert_int_equal(s.challenges, 1);
    assert_int_equal(s.finished, 0);
    assert_int_equal(other.finished, 1);
}

static void a_stream_that_lingers_is_not_challenged_nor_finished_again(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    s.lingers = true;
    fake_loop_pass(32000);
    assert_true(s.challenges == 1 && s.finished == 1);
    end(&s);
}

/* -- renewals -- */

static void a_renewal_moves_challenge_and_end(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    fake_loop_pass(25000);
    renew("alice", 30000, NULL);
    check_challenge_in(&s, 20000);
    check_end_in(&s, 10000);
    assert_int_equal(s.challenges, 2);
}

static void a_renewal_before_the_challenge_moves_it_too(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    fake_loop_pass(5000);
    renew("alice", 40000, NULL);
    check_challenge_in(&s, 30000);
    check_end_in(&s, 10000);
}

static void a_renewal_in_the_last_millisecond_counts(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    fake_loop_pass(29999);
    renew("alice", 30000, NULL);
    fake_loop_pass(1000);
    assert_int_equal(s.finished, 0);
    end(&s);
}

static void renewals_may_follow_each_other_without_limit(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 12000, NULL);
    for (int i = 1; i <= 40; i++) {
        fake_loop_pass(10000);
        assert_true(s.challenges == i && s.finished == 0);
        renew("alice", 12000, NULL);
    }
    check_end_in(&s, 12000);
}

static void a_renewal_for_less_than_the_window_is_challenged_at_once(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 12000, NULL);
    fake_loop_pass(10000);
    renew("alice", 5000, NULL);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 2);
    check_end_in(&s, 5000);
}

static void an_expiry_that_is_not_later_changes_nothing(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    renew("alice", 30000, NULL);
    renew("alice", 29999, NULL);
    renew("alice", -1000, NULL);
    check_challenge_in(&s, 20000);
    renew("alice", 10000, NULL);
    renew("alice", 5000, NULL);
    check_end_in(&s, 10000);
    assert_int_equal(s.challenges, 1);
}

/* A token made before the challenge came, and sent again after the renewal. */
static void a_repeated_renewal_brings_no_second_challenge(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    fake_loop_pass(25000);
    struct verdict v = verdict("alice", 12000);
    for (int i = 0; i < 3; i++)
        sessions_renew(sessions, NULL, &v);
    fake_loop_pass(2000);
    assert_int_equal(s.challenges, 2);
    sessions_renew(sessions, NULL, &v);
    fake_loop_pass(9999);
    assert_int_equal(s.challenges, 2);
    check_end_in(&s, 1);
}

static void no_renewal_goes_beyond_the_greatest_age(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    renew("alice", 10 * MAX_AGE_MS, NULL);
    check_end_in(&s, MAX_AGE_MS);
}

static void no_token_opens_a_stream_beyond_the_greatest_age(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 10 * MAX_AGE_MS, NULL);
    check_end_in(&s, MAX_AGE_MS);
}

static void a_stream_that_is_finished_is_not_renewed(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, NULL);
    s.lingers = true;
    fake_loop_pass(30000);
    assert_int_equal(s.finished, 1);
    renew("alice", 300000, NULL);
    fake_loop_pass(2000);
    assert_true(s.challenges == 1 && s.finished == 1);
    end(&s);
}

/* -- age -- */

static void each_stream_draws_its_age_from_nine_tenths_on(void **state)
{
    static const uint32_t draws[] = {0, 1, 20000, MAX_AGE_MS / 10 - 1, MAX_AGE_MS / 10, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof draws / sizeof draws[0]; i++) {
        struct stream s;
        chance = draws[i];
        open_stream(&s, "alice", 10 * MAX_AGE_MS, NULL);
        check_end_in(&s, MAX_AGE_MS - (chance < MAX_AGE_MS / 10 ? chance : MAX_AGE_MS / 10));
        assert_int_equal(s.why, STREAM_END_AGE);
    }
}

static void renewals_do_not_draw_again(void **state)
{
    struct stream s;

    (void)state;
    chance = 50000;
    open_stream(&s, "alice", 30000, NULL);
    chance = 0;
    renew("alice", 10 * MAX_AGE_MS, NULL);
    check_end_in(&s, MAX_AGE_MS - 50000);
    assert_int_equal(s.why, STREAM_END_AGE);
}

static void a_token_that_is_over_first_is_the_reason(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start(LEEWAY_MS);
    open_stream(&s, "alice", MAX_AGE_MS - LEEWAY_MS - 1, NULL);
    check_end_in(&s, MAX_AGE_MS - 1);
    assert_int_equal(s.why, STREAM_END_TOKEN);
    open_stream(&s, "alice", MAX_AGE_MS - LEEWAY_MS + 1, NULL);
    check_end_in(&s, MAX_AGE_MS);
    assert_int_equal(s.why, STREAM_END_AGE);
}

static void without_a_greatest_age_the_token_alone_counts(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start_with(0, 0);
    open_stream(&s, "alice", 100 * MAX_AGE_MS, NULL);
    check_challenge_in(&s, 100 * MAX_AGE_MS - CHALLENGE_MS);
    renew("alice", 100 * MAX_AGE_MS, NULL);
    check_end_in(&s, 100 * MAX_AGE_MS);
    assert_int_equal(s.why, STREAM_END_TOKEN);
}

static void a_stream_without_a_token_has_its_age_and_no_challenge(void **state)
{
    struct stream s;

    (void)state;
    chance = 12345;
    open_without_token(&s);
    check_end_in(&s, MAX_AGE_MS - 12345);
    assert_int_equal(s.why, STREAM_END_AGE);
    assert_int_equal(s.challenges, 0);
}

static void a_stream_without_a_token_is_of_nobody_and_is_not_renewed(void **state)
{
    struct stream s;

    (void)state;
    open_without_token(&s);
    renew("", 100000, NULL);
    renew(NULL, 100000, NULL);
    renew(NULL, 10 * MAX_AGE_MS, "");
    check_end_in(&s, MAX_AGE_MS);
    assert_int_equal(s.challenges, 0);
}

static void a_stream_without_a_token_may_leave_before(void **state)
{
    struct stream s;

    (void)state;
    open_without_token(&s);
    fake_loop_pass(MAX_AGE_MS / 2);
    end(&s);
    fake_loop_pass(MAX_AGE_MS);
    assert_int_equal(s.finished, 0);
}

static void the_wall_clock_rules_the_age_too(void **state)
{
    struct stream s;

    (void)state;
    open_without_token(&s);
    step_clock(MAX_AGE_MS / 2);
    check_end_in(&s, MAX_AGE_MS / 2);
}

/* A year, which is the most that can be configured. */
static void the_greatest_age_may_be_long(void **state)
{
    static const int64_t year_ms = INT64_C(31536000000);
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start_with(0, year_ms);
    chance = UINT32_MAX;
    open_without_token(&s);
    check_end_in(&s, year_ms - year_ms / 10);
}

/* -- which streams -- */

static void another_subject_renews_nothing(void **state)
{
    struct stream in_header, in_url;

    (void)state;
    open_stream(&in_header, "alice", 30000, NULL);
    open_stream(&in_url, "alice", 30000, "a");
    renew("bob", 100000, NULL);
    renew("bob", 100000, "a");
    renew("alic", 100000, "a");
    renew(NULL, 100000, NULL);
    renew(NULL, 100000, "a");
    renew("", 100000, "a");
    fake_loop_pass(30000);
    assert_true(in_header.finished && in_url.finished);
}

static void a_selector_renews_the_streams_with_that_token_in_their_url(void **state)
{
    struct stream a[2], b, in_header;

    (void)state;
    open_stream(&a[0], "alice", 30000, "a");
    open_stream(&b, "alice", 30000, "b");
    open_stream(&a[1], "alice", 30000, "a");
    open_stream(&in_header, "alice", 30000, NULL);
    renew("alice", 100000, "a");
    fake_loop_pass(30000);
    assert_true(!a[0].finished && !a[1].finished && b.finished && in_header.finished);
    fake_loop_pass(70000);
    assert_true(a[0].finished && a[1].finished);
}

static void without_a_selector_the_streams_without_a_token_in_their_url_are_renewed(void **state)
{
    struct stream a, in_header[2];

    (void)state;
    open_stream(&in_header[0], "alice", 30000, NULL);
    open_stream(&a, "alice", 30000, "a");
    open_stream(&in_header[1], "alice", 20000, NULL);
    renew("alice", 100000, NULL);
    fake_loop_pass(30000);
    assert_true(a.finished && !in_header[0].finished && !in_header[1].finished);
    fake_loop_pass(70000);
}

static void a_selector_that_matches_nothing_renews_nothing(void **state)
{
    struct stream a, in_header;

    (void)state;
    open_stream(&a, "alice", 30000, "a");
    open_stream(&in_header, "alice", 30000, NULL);
    renew("alice", 100000, "b");
    renew("alice", 100000, "");
    fake_loop_pass(30000);
    assert_true(a.finished && in_header.finished);
}

/* The selector stays what stands in the URL, however often it was renewed. */
static void a_selector_goes_on_to_select_after_a_renewal(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 30000, "a");
    for (int i = 0; i < 10; i++) {
        fake_loop_pass(25000);
        renew("alice", 30000, "a");
    }
    assert_int_equal(s.finished, 0);
    check_end_in(&s, 30000);
}

static void the_same_subject_of_another_issuer_renews_nothing(void **state)
{
    struct stream in_header, in_url;

    (void)state;
    open_stream(&in_header, "7", 30000, NULL);
    open_stream(&in_url, "7", 30000, "a");
    issuer = "another";
    renew("7", 100000, NULL);
    renew("7", 100000, "a");
    fake_loop_pass(30000);
    assert_true(in_header.finished && in_url.finished);
}

static void a_token_renews_what_it_could_open_alone(void **state)
{
    struct stream open_to_all, one, both;

    (void)state;
    held = 3;
    open_stream(&open_to_all, "alice", 30000, NULL);
    demanded = 1;
    open_stream(&one, "alice", 30000, NULL);
    demanded = 3;
    open_stream(&both, "alice", 30000, NULL);
    held = 5;
    renew("alice", 100000, NULL);
    fake_loop_pass(30000);
    assert_true(!open_to_all.finished && !one.finished && both.finished);
    fake_loop_pass(70000);
}

struct asked {
    bool may;
    int times, named;
};

static bool on_asked(void *arg, const struct verdict *v, bool named)
{
    struct asked *asked = arg;

    assert_non_null(v);
    asked->times++;
    asked->named += named;
    return asked->may;
}

static void a_token_renews_only_whom_the_owner_lets_it(void **state)
{
    struct asked no = {.may = false}, yes = {.may = true};
    struct stream refused, renewed;

    (void)state;
    open_stream(&refused, "alice", 20000, NULL);
    open_stream(&renewed, "alice", 20000, NULL);
    session_ask(refused.session, on_asked, &no);
    session_ask(renewed.session, on_asked, &yes);
    renew("alice", 60000, NULL);
    assert_true(no.times == 1 && no.named == 0 && yes.times == 1);
    fake_loop_pass(20000);
    assert_true(refused.finished);
    assert_false(renewed.finished);
    renew("alice", 30000, NULL); /* its end is later already */
    assert_int_equal(yes.times, 1);
}

static void the_owner_is_told_that_a_selector_named_it(void **state)
{
    struct asked yes = {.may = true};
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 20000, "url");
    session_ask(s.session, on_asked, &yes);
    renew("alice", 60000, "url");
    assert_true(yes.times == 1 && yes.named == 1);
}

static void a_token_without_subject_renews_only_by_selector(void **state)
{
    struct stream in_header, in_url;

    (void)state;
    open_stream(&in_header, NULL, 30000, NULL);
    open_stream(&in_url, NULL, 30000, "a");
    renew(NULL, 100000, NULL);
    renew(NULL, 100000, "a");
    fake_loop_pass(30000);
    assert_true(in_header.finished && !in_url.finished);
    fake_loop_pass(70000);
}

static void no_subject_is_not_an_empty_one(void **state)
{
    struct stream in_url;

    (void)state;
    open_stream(&in_url, NULL, 30000, "a");
    renew("", 100000, "a");
    fake_loop_pass(30000);
    assert_true(in_url.finished);
}

static void a_stream_is_selected_by_its_handle_as_well(void **state)
{
    const struct token_hash handle = token_hash(BYTES("handle"));
    const struct verdict alice = verdict("alice", 30000), nobody = verdict(NULL, 30000);
    struct stream plain, in_url, without_subject, ended;

    (void)state;
    open_stream(&plain, "alice", 30000, NULL);
    open_stream(&in_url, "alice", 30000, "a");
    open_stream(&ended, "alice", 30000, NULL);
    session_name(plain.session, &alice, &handle);
    session_name(in_url.session, &alice, &handle);
    session_name(ended.session, &alice, &handle);
    open_stream(&without_subject, NULL, 30000, "a");
    session_name(without_subject.session, &nobody, &handle);
    end(&ended);
    renew("bob", 100000, "handle");
    renew(NULL, 100000, "handle");
    renew("alice", 50000, "handle");
    renew("alice", 60000, NULL);
    renew("alice", 70000, "a");
    fake_loop_pass(30000);
    assert_true(without_subject.finished && !plain.finished && !in_url.finished);
    fake_loop_pass(30000);
    assert_true(plain.finished && !in_url.finished);
    end(&in_url);
}

/* Selectors and subjects must not run into each other, whatever they hold. */
static void a_subject_cannot_be_made_to_look_like_a_selector(void **state)
{
    struct verdict v = verdict("alice", 30000);
    struct token_hash hash;
    char sub[64] = "";

    (void)state;
    memset(&hash, 'x', sizeof hash);
    hash.bytes[0] = 1; /* as the mark of a subject */
    struct stream s = {.session = session_open(sessions, &v, 0, &hash)};
    all[count++] = s.session;
    session_attach(s.session, &s);
    snprintf(sub, sizeof sub, "%.31s\001alice", (const char *)hash.bytes + 1);
    renew(sub, 100000, NULL);
    fake_loop_pass(30000);
    assert_int_equal(s.finished, 1);
}

static void a_stream_that_has_ended_leaves_its_group(void **state)
{
    struct stream s[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        open_stream(&s[i], "alice", 30000, "a");
    end(&s[1]);
    renew("alice", 50000, "a");
    end(&s[0]);
    renew("alice", 60000, "a");
    check_end_in(&s[2], 60000);
    renew("alice", 70000, "a");
}

/* -- an end, and renewals that wait -- */

static struct stream waiting;

/* Its time comes, and renewals wait. */
static void let_wait(int times)
{
    open_stream(&waiting, "alice", 30000, NULL);
    fake_loop_pass(29999);
    unsettled = times;
    fake_loop_pass(1);
    assert_true(waiting.held);
    assert_int_equal(waiting.finished, 0);
}

static void renew_waiting(void)
{
    struct verdict v = verdict("alice", 30000);

    sessions_renew(sessions, NULL, &v);
    fake_loop_settle();
}

static void an_end_waits_for_the_renewals_that_wait(void **state)
{
    (void)state;
    let_wait(50);
    fake_loop_pass(49 * 20);
    assert_int_equal(waiting.finished, 0);
    fake_loop_pass(20);
    assert_int_equal(waiting.finished, 1);
    assert_int_equal(waiting.why, STREAM_END_TOKEN);
}

static void a_renewal_that_waited_keeps_the_stream(void **state)
{
    (void)state;
    let_wait(1000);
    fake_loop_pass(500);
    renew_waiting();
    assert_false(waiting.held);
    check_challenge_in(&waiting, 20000);
    unsettled = 0;
    check_end_in(&waiting, 10000);
}

static void a_renewal_may_find_that_the_front_has_gone(void **state)
{
    (void)state;
    let_wait(1000);
    waiting.dies_when_spoken = true;
    renew_waiting();
    assert_null(waiting.session);
}

static void a_challenge_waits_for_nothing(void **state)
{
    (void)state;
    open_stream(&waiting, "alice", 30000, NULL);
    unsettled = 1000;
    check_challenge_in(&waiting, 20000);
    assert_false(waiting.held);
    end(&waiting);
}

static void an_end_waits_two_seconds_at_most(void **state)
{
    (void)state;
    let_wait(1 << 30);
    fake_loop_pass(SETTLE_MS - 20);
    assert_int_equal(waiting.finished, 0);
    fake_loop_pass(40);
    assert_int_equal(waiting.finished, 1);
}

static void the_next_end_may_wait_as_long_again(void **state)
{
    (void)state;
    let_wait(1 << 30);
    fake_loop_pass(SETTLE_MS - 100);
    renew_waiting();
    fake_loop_pass(30000 + SETTLE_MS - 20);
    assert_int_equal(waiting.finished, 0);
    fake_loop_pass(40);
    assert_int_equal(waiting.finished, 1);
}

static void a_clock_set_back_lets_an_end_that_waits_go_on(void **state)
{
    (void)state;
    let_wait(1 << 30);
    step_clock(-10000);
    assert_false(waiting.held);
    unsettled = 0;
    check_end_in(&waiting, 10000);
}

/* -- keys -- */

static void streams_of_a_withdrawn_key_are_challenged_and_end_after_the_window(void **state)
{
    struct stream s, other;

    (void)state;
    open_by(&s, "alice", 300000, NULL, 1);
    open_by(&other, "alice", 300000, NULL, 2);
    fake_loop_pass(1000);
    withdraw(1);
    assert_true(s.challenges == 1 && other.challenges == 0);
    check_end_in(&s, CHALLENGE_MS);
    assert_int_equal(s.challenges, 1);
    fake_loop_pass(100000);
    assert_true(other.finished == 0 && other.challenges == 0);
    end(&other);
}

static void the_window_after_a_withdrawal_holds_with_a_leeway_too(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start(LEEWAY_MS);
    open_by(&s, "alice", 300000, NULL, 1);
    withdraw(1);
    assert_int_equal(s.challenges, 1);
    check_end_in(&s, CHALLENGE_MS);
}

/* The challenge that it had was for a later end. */
static void a_stream_within_its_leeway_is_challenged_again_by_a_withdrawal(void **state)
{
    struct stream s;

    (void)state;
    sessions_free(sessions);
    start(LEEWAY_MS + CHALLENGE_MS);
    open_by(&s, "alice", 30000, NULL, 1);
    fake_loop_pass(30000);
    assert_true(s.challenges == 1 && s.finished == 0);
    withdraw(1);
    assert_int_equal(s.challenges, 2);
    check_end_in(&s, CHALLENGE_MS);
}

static void a_withdrawal_prolongs_nothing(void **state)
{
    struct stream s, t;

    (void)state;
    open_by(&s, "alice", 3000, NULL, 1);
    open_by(&t, "alice", 300000, NULL, 1);
    withdraw(1);
    check_end_in(&s, 3000);
    withdraw(1); /* the files changed once more */
    withdraw(1);
    check_end_in(&t, CHALLENGE_MS - 3000);
    assert_int_equal(t.challenges, 1);
}

static void a_stream_renewed_under_a_key_of_the_set_stays(void **state)
{
    struct stream s;

    (void)state;
    open_by(&s, "alice", 300000, NULL, 1);
    withdraw(1);
    fake_loop_pass(5000);
    renew_by("alice", 30000, NULL, 2);
    withdraw(1);
    check_challenge_in(&s, 20000);
    check_end_in(&s, 10000);
}

static void an_end_is_by_the_expiry_or_by_the_withdrawal_of_the_key(void **state)
{
    struct stream alice, bob, eve;

    (void)state;
    open_by(&alice, "alice", 20000, NULL, 1);
    open_by(&bob, "bob", 300000, NULL, 1);
    open_by(&eve, "eve", 20000, NULL, 2);
    withdraw(1);
    renew_by("alice", 30000, NULL, 2);
    fake_loop_pass(30000);
    assert_true(alice.finished == 1 && bob.finished == 1 && eve.finished == 1);
    assert_int_equal(alice.error, TOKEN_EXPIRED);
    assert_int_equal(bob.error, TOKEN_KEY);
    assert_int_equal(eve.error, TOKEN_EXPIRED);
}

/* A renewal whose expiry is not later must not take the stream to its key: it changes nothing. */
static void a_stream_keeps_its_key_unless_it_is_renewed(void **state)
{
    struct stream s;

    (void)state;
    open_by(&s, "alice", 300000, NULL, 2);
    renew_by("alice", 200000, NULL, 1);
    withdraw(1);
    fake_loop_pass(100000);
    assert_true(s.finished == 0 && s.challenges == 0);
    end(&s);
}

/* Its key is still good, but the token's later expiry is what holds the stream open. */
static void a_stream_renewed_by_a_key_that_is_withdrawn_is_challenged(void **state)
{
    struct stream s;

    (void)state;
    open_by(&s, "alice", 30000, NULL, 2);
    renew_by("alice", 200000, NULL, 1);
    withdraw(1);
    assert_int_equal(s.challenges, 1);
    check_end_in(&s, CHALLENGE_MS);
}

/* -- the clock -- */

static void a_clock_set_forward_ends_streams_by_the_new_time(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    fake_loop_pass(10000);
    step_clock(25000);
    check_challenge_in(&s, 15000);
    step_clock(9000);
    check_end_in(&s, 1000);
}

static void a_clock_set_beyond_the_expiry_ends_the_stream_at_once(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    step_clock(3600000);
    fake_loop_pass(0);
    assert_int_equal(s.finished, 1);
    assert_int_equal(s.challenges, 0);
}

static void a_clock_set_back_lets_streams_live_by_the_new_time(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    fake_loop_pass(30000);
    step_clock(-20000);
    check_challenge_in(&s, 40000);
    check_end_in(&s, 10000);
}

static void a_clock_that_was_ahead_for_a_while_costs_no_challenge(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    fake_loop_pass(1000);
    step_clock(50000);
    fake_loop_pass(0);
    assert_int_equal(s.challenges, 1);
    fake_loop_pass(1000);
    step_clock(-50000);
    assert_int_equal(s.challenges, 1);
    check_challenge_in(&s, 48000);
    check_end_in(&s, 10000);
    assert_int_equal(s.challenges, 2);
}

/* As one does that keeps its token until shortly before its expiry. */
static void an_answer_of_the_same_expiry_while_the_clock_was_ahead_costs_no_challenge(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    step_clock(50000);
    fake_loop_pass(0);
    renew("alice", 10000, NULL);
    step_clock(-50000);
    check_challenge_in(&s, 50000);
    renew("alice", 60000, NULL);
    check_challenge_in(&s, 50000);
    check_end_in(&s, 10000);
}

static void a_clock_that_steps_within_the_window_brings_no_second_challenge(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s, "alice", 60000, NULL);
    fake_loop_pass(55000);
    step_clock(2000);
    step_clock(-5000);
    check_end_in(&s, 8000);
    assert_int_equal(s.challenges, 1);
}

/* -- many at once -- */

static int sum(const struct stream *s, int n, bool finished)
{
    int all_of = 0;

    for (int i = 0; i < n; i++)
        all_of += finished ? s[i].finished : s[i].challenges;
    return all_of;
}

static void many_that_are_due_in_one_moment_are_served_some_in_a_turn(void **state)
{
    enum { N = 5 * DUE_TURN + 50 };
    static struct stream s[N];

    (void)state;
    for (int i = 0; i < N; i++)
        open_stream(&s[i], "alice", 30000, NULL);
    withdrawn = 1;
    for (int finished = 0; finished < 2; finished++) {
        int turns = 0;
        stepped_ms += finished ? 30000 : 0;
        sessions_check_keys(sessions, NULL); /* all are due */
        assert_int_equal(sum(s, N, finished), 0);
        for (int done = 0; done < N; turns++) {
            fake_loop_turn();
            int now = sum(s, N, finished);
            assert_in_range(now - done, 1, DUE_TURN);
            done = now;
        }
        assert_int_equal(turns, 6);
    }
}

static void one_that_is_due_may_be_closed_before_its_turn(void **state)
{
    struct stream s[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        open_by(&s[i], "alice", 300000, NULL, 1);
    withdrawn = 1;
    sessions_check_keys(sessions, NULL); /* all are due */
    end(&s[1]);
    fake_loop_settle();
    assert_true(s[0].challenges && !s[1].challenges && s[2].challenges);
    end(&s[0]);
    end(&s[2]);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_challenge_comes_a_window_before_the_expiry),
        T(the_challenge_of_a_stream_of_lines_is_a_line),
        T(the_end_comes_at_the_expiry_with_the_leeway),
        T(a_token_that_lives_shorter_is_challenged_at_once),
        T(a_token_that_lives_just_the_window_is_challenged_at_once),
        T(a_token_that_is_over_but_for_the_leeway_opens_a_short_stream),
        T(each_stream_of_a_token_is_challenged),
        T(a_session_may_be_closed_at_any_time),
        T(a_session_without_a_stream_yet_waits_for_it),
        T(a_session_whose_stream_never_came_is_closed),
        T(a_stream_may_turn_out_to_be_gone_at_its_challenge),
        T(a_stream_that_lingers_is_not_challenged_nor_finished_again),
        T(a_renewal_moves_challenge_and_end),
        T(a_renewal_before_the_challenge_moves_it_too),
        T(a_renewal_in_the_last_millisecond_counts),
        T(renewals_may_follow_each_other_without_limit),
        T(a_renewal_for_less_than_the_window_is_challenged_at_once),
        T(an_expiry_that_is_not_later_changes_nothing),
        T(a_repeated_renewal_brings_no_second_challenge),
        T(no_renewal_goes_beyond_the_greatest_age),
        T(no_token_opens_a_stream_beyond_the_greatest_age),
        T(a_stream_that_is_finished_is_not_renewed),
        T(each_stream_draws_its_age_from_nine_tenths_on),
        T(renewals_do_not_draw_again),
        T(a_token_that_is_over_first_is_the_reason),
        T(without_a_greatest_age_the_token_alone_counts),
        T(a_stream_without_a_token_has_its_age_and_no_challenge),
        T(a_stream_without_a_token_is_of_nobody_and_is_not_renewed),
        T(a_stream_without_a_token_may_leave_before),
        T(the_wall_clock_rules_the_age_too),
        T(the_greatest_age_may_be_long),
        T(another_subject_renews_nothing),
        T(a_selector_renews_the_streams_with_that_token_in_their_url),
        T(without_a_selector_the_streams_without_a_token_in_their_url_are_renewed),
        T(a_selector_that_matches_nothing_renews_nothing),
        T(a_selector_goes_on_to_select_after_a_renewal),
        T(the_same_subject_of_another_issuer_renews_nothing),
        T(a_token_renews_what_it_could_open_alone),
        T(a_token_renews_only_whom_the_owner_lets_it),
        T(the_owner_is_told_that_a_selector_named_it),
        T(a_token_without_subject_renews_only_by_selector),
        T(no_subject_is_not_an_empty_one),
        T(a_stream_is_selected_by_its_handle_as_well),
        T(a_subject_cannot_be_made_to_look_like_a_selector),
        T(a_stream_that_has_ended_leaves_its_group),
        T(an_end_waits_for_the_renewals_that_wait),
        T(a_renewal_that_waited_keeps_the_stream),
        T(a_renewal_may_find_that_the_front_has_gone),
        T(a_clock_set_back_lets_an_end_that_waits_go_on),
        T(a_challenge_waits_for_nothing),
        T(an_end_waits_two_seconds_at_most),
        T(the_next_end_may_wait_as_long_again),
        T(streams_of_a_withdrawn_key_are_challenged_and_end_after_the_window),
        T(the_window_after_a_withdrawal_holds_with_a_leeway_too),
        T(a_stream_within_its_leeway_is_challenged_again_by_a_withdrawal),
        T(a_withdrawal_prolongs_nothing),
        T(a_stream_renewed_under_a_key_of_the_set_stays),
        T(an_end_is_by_the_expiry_or_by_the_withdrawal_of_the_key),
        T(a_stream_keeps_its_key_unless_it_is_renewed),
        T(a_stream_renewed_by_a_key_that_is_withdrawn_is_challenged),
        T(a_clock_set_forward_ends_streams_by_the_new_time),
        T(a_clock_set_beyond_the_expiry_ends_the_stream_at_once),
        T(a_clock_set_back_lets_streams_live_by_the_new_time),
        T(a_clock_that_was_ahead_for_a_while_costs_no_challenge),
        T(an_answer_of_the_same_expiry_while_the_clock_was_ahead_costs_no_challenge),
        T(a_clock_that_steps_within_the_window_brings_no_second_challenge),
        T(many_that_are_due_in_one_moment_are_served_some_in_a_turn),
        T(one_that_is_due_may_be_closed_before_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

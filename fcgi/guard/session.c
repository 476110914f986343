#include "guard/session.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/fcgi_record.h"
#include "base/mem.h"
#include "guard/subject.h"
#include "stream/stream.h"

/* The members of an object, but for its first brace: as an event it is Zilla's, byte for byte, for
 * clients take their next request from it. */
#define CHALLENGE                                                                                  \
    "\"method\":\"POST\",\"headers\":{\"content-type\":\"application/x-challenge-response\"}}"

enum {
    DUE_TURN = 200,   /* sessions served in one turn */
    SETTLE_MS = 2000, /* for renewals that wait, before a stream is ended all the same */
    SETTLE_LOOK_MS = 20,
};

/* The sessions that one selector selects. */
struct group {
    UT_hash_handle hh;
    struct token_hash key;
    LIST_HEAD(, member) members;
};

struct member {
    LIST_ENTRY(member) link;
    struct group *group; /* NULL: in none */
    struct session *session;
};

struct session {
    struct member by_url, by_handle;
    TAILQ_ENTRY(session) all;
    TAILQ_ENTRY(session) due_link;
    struct sessions *sessions;
    struct stream *stream;
    struct timer *timer;
    int64_t exp_ms;     /* of the token, since 1970 */
    int64_t last_ms;    /* the age limit, likewise */
    uint64_t scopes;    /* demanded */
    const char *issuer; /* of its token, the guard's; NULL: it needs none */
    uint8_t key[KEY_THUMBPRINT];
    int64_t challenged_exp_ms; /* the expiry that it was challenged for; 0: for none */
    bool due;
    bool withdrawn; /* the key of its token was */
    bool (*renews)(void *arg, const struct verdict *verdict, bool named); /* NULL: each may */
    void *arg;
    int64_t over_at_ms; /* when it was found to be over, by loop_now_ms(); 0: it is not */
};

static const int64_t NEVER_MS = INT64_MAX / 2; /* sums with it fit */

struct sessions {
    struct loop *loop;
    struct session_config config;
    bool (*settled)(void *arg); /* NULL: no renewal can wait */
    void *settled_arg;
    TAILQ_HEAD(, session) all;
    TAILQ_HEAD(, session) due;
    struct task serve;
    struct group *groups;
    uint64_t challenges;
};

/* -- groups -- */

/* Streams are selected by the token in their URL, if there is one, or by their handle, and always
 * by their subject: a stranger who knows a URL cannot join, or renew, what is behind it. */
static struct token_hash group_of(const struct token_hash *selector, const struct verdict *v)
{
    struct buf text = {0};

    buf_add_byte(&text, selector != NULL);
    if (selector != NULL)
        buf_add(&text, selector, sizeof *selector);
    subject_add(&text, v->issuer, v->subject);
    struct token_hash h = token_hash(buf_slice(&text));
    buf_fini(&text);
    return h;
}

static struct group *find_group(struct sessions *ss, const struct token_hash *key)
{
    struct group *group;

    HASH_FIND(hh, ss->groups, key, sizeof *key, group);
    return group;
}

static void join_group(struct session *s, struct member *m, const struct token_hash *key)
{
    struct sessions *ss = s->sessions;

    m->session = s;
    m->group = find_group(ss, key);
    if (m->group == NULL) {
        m->group = mem_zero(sizeof *m->group);
        m->group->key = *key;
        LIST_INIT(&m->group->members);
        HASH_ADD(hh, ss->groups, key, sizeof m->group->key, m->group);
    }
    LIST_INSERT_HEAD(&m->group->members, m, link);
}

static void leave_group(struct member *m)
{
    struct group *group = m->group;

    if (group == NULL)
        return;
    LIST_REMOVE(m, link);
    if (!LIST_EMPTY(&group->members))
        return;
    HASH_DEL(m->session->sessions->groups, group);
    free(group);
}

/* -- time -- */

static int64_t end_ms(const struct session *s)
{
    int64_t end = s->exp_ms + s->sessions->config.leeway_ms;

    return end < s->last_ms ? end : s->last_ms;
}

static int64_t challenge_ms(const struct session *s)
{
    return s->exp_ms - s->sessions->config.challenge_ms;
}

static bool is_challenged(const struct session *s)
{
    return s->challenged_exp_ms == s->exp_ms;
}

static void arm(struct session *s)
{
    int64_t at = end_ms(s);

    if (!is_challenged(s) && challenge_ms(s) < at)
        at = challenge_ms(s);
    timer_start(s->timer, at - loop_wall_ms());
}

static void send_challenge(struct stream *stream)
{
    struct buf event = {0};
    size_t mark = fcgi_stdout_begin(&event);

    buf_add_str(&event, stream_framing(stream) == FRAMING_SSE
                            ? "event:challenge\ndata:{" CHALLENGE "\n\n"
                            : "{\"event\":\"challenge\"," CHALLENGE "\n");
    fcgi_stdout_end(&event, mark, 1);
    stream_say(stream, buf_slice(&event));
    buf_fini(&event);
}

static void set_due(void *arg)
{
    struct session *s = arg;
    struct sessions *ss = s->sessions;

    if (s->due)
        return;
    s->due = true;
    TAILQ_INSERT_TAIL(&ss->due, s, due_link);
    loop_defer(ss->loop, &ss->serve);
}

/* Its times have changed. */
static void arm_anew(struct session *s)
{
    if (s->over_at_ms != 0)
        set_due(s); /* it may be held for nothing now */
    else
        arm(s);
}

/* Its time is over: nothing new is sent, and the stream ends when the renewals that have come by
 * now were seen to. */
static void finish(struct session *s, bool settled)
{
    int64_t now = loop_now_ms();

    if (s->over_at_ms == 0)
        s->over_at_ms = now;
    if (settled || now - s->over_at_ms >= SETTLE_MS) {
        bool old = s->last_ms < s->exp_ms + s->sessions->config.leeway_ms;
        stream_finish(s->stream, old ? STREAM_END_AGE : STREAM_END_TOKEN); /* may free s */
        return;
    }
    timer_start(s->timer, SETTLE_LOOK_MS);
    stream_hold(s->stream, true); /* may free s */
}

static void go_on(struct session *s, bool challenge_is_due)
{
    struct sessions *ss = s->sessions;
    struct stream *stream = s->stream;
    bool was_over = s->over_at_ms != 0;

    s->over_at_ms = 0;
    if (challenge_is_due)
        s->challenged_exp_ms = s->exp_ms;
    arm(s);
    if (was_over)
        stream_hold(stream, false); /* may free s */
    if (!challenge_is_due)
        return;
    ss->challenges++;
    send_challenge(stream); /* likewise */
}

static void serve(struct session *s, bool settled)
{
    int64_t now = loop_wall_ms();

    s->due = false;
    TAILQ_REMOVE(&s->sessions->due, s, due_link);
    if (s->stream == NULL) /* not attached yet */
        arm(s);
    else if (now >= end_ms(s))
        finish(s, settled);
    else
        go_on(s, !is_challenged(s) && now >= challenge_ms(s));
}

/* Thousands may be due in one second. */
static void serve_due(void *arg)
{
    struct sessions *ss = arg;
    bool settled = ss->settled == NULL || ss->settled(ss->settled_arg);

    for (int n = 0; n < DUE_TURN && !TAILQ_EMPTY(&ss->due); n++)
        serve(TAILQ_FIRST(&ss->due), settled);
    if (!TAILQ_EMPTY(&ss->due))
        loop_defer(ss->loop, &ss->serve);
}

/* The timers count elapsed time: after a step of the wall clock all are set anew.  Who was
 * challenged while it went ahead had no need of a new token, and is challenged again in time. */
static void on_clock_step(void *arg)
{
    struct sessions *ss = arg;
    int64_t now = loop_wall_ms();
    struct session *s;

    TAILQ_FOREACH(s, &ss->all, all)
    {
        if (now < challenge_ms(s))
            s->challenged_exp_ms = 0;
        arm_anew(s);
    }
}

/* -- sessions -- */

/* Streams that were opened in the same second do not end in the same second. */
static int64_t age_ms(const struct sessions *ss)
{
    int64_t max = ss->config.max_age_ms;

    return max - arc4random_uniform((uint32_t)(max / 10) + 1);
}

struct session *session_open(struct sessions *ss, const struct verdict *v, uint64_t scopes,
                             const struct token_hash *in_url)
{
    struct session *s = mem_zero(sizeof *s);

    s->sessions = ss;
    s->scopes = scopes;
    s->exp_ms = v ? v->exp_ms : NEVER_MS;
    s->last_ms = ss->config.max_age_ms > 0 ? loop_wall_ms() + age_ms(ss) : NEVER_MS;
    if (v != NULL) {
        s->issuer = v->issuer;
        memcpy(s->key, v->key, sizeof s->key);
    }
    TAILQ_INSERT_TAIL(&ss->all, s, all);
    if (v != NULL && (in_url != NULL || v->subject != NULL)) {
        struct token_hash key = group_of(in_url, v);
        join_group(s, &s->by_url, &key);
    }
    s->timer = timer_new(ss->loop, set_due, s);
    arm(s);
    return s;
}

void session_name(struct session *s, const struct verdict *v, const struct token_hash *handle)
{
    struct token_hash key = group_of(handle, v);

    if (v->subject != NULL)
        join_group(s, &s->by_handle, &key);
}

void session_attach(struct session *s, struct stream *stream)
{
    s->stream = stream;
}

void session_ask(struct session *s,
                 bool (*renews)(void *arg, const struct verdict *verdict, bool named), void *arg)
{
    s->renews = renews;
    s->arg = arg;
}

enum token_error session_error(const struct session *s)
{
    return s->withdrawn ? TOKEN_KEY : TOKEN_EXPIRED;
}

void session_close(struct session *s)
{
    struct sessions *ss = s->sessions;

    leave_group(&s->by_url);
    leave_group(&s->by_handle);
    TAILQ_REMOVE(&ss->all, s, all);
    if (s->due)
        TAILQ_REMOVE(&ss->due, s, due_link);
    timer_free(s->timer);
    free(s);
}

void sessions_renew(struct sessions *ss, const struct token_hash *selector, const struct verdict *v)
{
    struct token_hash key = group_of(selector, v);
    struct group *group = find_group(ss, &key);
    struct member *m;

    if (group == NULL)
        return;
    LIST_FOREACH(m, &group->members, link)
    {
        struct session *s = m->session;
        if (v->exp_ms <= s->exp_ms || (s->scopes & ~v->scopes) != 0)
            continue;
        if (s->renews != NULL && !s->renews(s->arg, v, selector != NULL))
            continue;
        s->exp_ms = v->exp_ms;
        memcpy(s->key, v->key, sizeof s->key);
        s->withdrawn = false;
        arm_anew(s);
    }
}

uint64_t sessions_challenges(const struct sessions *ss)
{
    return ss->challenges;
}

void sessions_check_keys(struct sessions *ss, const struct guard *guard)
{
    struct session *s;

    TAILQ_FOREACH(s, &ss->all, all)
    {
        if (guard_has_key(guard, s->issuer, s->key))
            continue;
        s->withdrawn = true;
        int64_t window_end = loop_wall_ms() + ss->config.challenge_ms;
        if (s->exp_ms + ss->config.leeway_ms > window_end)
            s->exp_ms = window_end - ss->config.leeway_ms;
        set_due(s); /* the challenge, if it was not sent for that end */
    }
}

/* -- life -- */

void sessions_ask_before_end(struct sessions *ss, bool (*settled)(void *arg), void *arg)
{
    ss->settled = settled;
    ss->settled_arg = arg;
}

struct sessions *sessions_new(struct loop *loop, const struct session_config *config)
{
    struct sessions *ss = mem_zero(sizeof *ss);

    ss->loop = loop;
    ss->config = *config;
    TAILQ_INIT(&ss->all);
    TAILQ_INIT(&ss->due);
    ss->serve = (struct task){.run = serve_due, .arg = ss};
    loop_on_clock_step(loop, on_clock_step, ss);
    return ss;
}

void sessions_free(struct sessions *ss)
{
    if (ss == NULL)
        return;
    loop_cancel(ss->loop, &ss->serve);
    free(ss);
}

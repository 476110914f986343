#include "guard/renewals.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "guard/peer.h"
#include "guard/rate.h"
#include "guard/subject.h"

/* A file of keys that a peer has read already is read here within that time. */
enum { EARLY_MS = 10000, EARLY_MAX = 1024 };

/* Passed on by a peer, of a key that is not known here yet. */
struct early {
    TAILQ_ENTRY(early) link;
    int64_t until_ms;
    struct token_hash selector;
    bool has_selector;
    size_t size;
    uint8_t token[];
};
TAILQ_HEAD(early_list, early);

struct renewals {
    struct guard *guard;
    struct sessions *sessions;
    struct peers *peers; /* NULL: a pool of one */
    struct rates *rates;
    struct log_limit *lines;
    size_t waiting;          /* for the verdict on their token */
    struct early_list early; /* the oldest first */
    size_t early_count;
    struct timer *early_timer;
    const struct peer_message *judged; /* a peer's, at this moment; NULL: none */
    int64_t judged_until_ms;           /* so long it may wait for its key */
};

/* One that waits. */
struct waiting {
    struct renewals *renewals;
    struct token_hash token, selector;
    bool has_selector;
    /* Not of one that a peer has passed on. */
    struct renewal_request request;
    void (*done)(void *arg, enum renewal_outcome outcome, enum token_error error);
    void *arg;
};

static struct waiting *waiting_new(struct renewals *r, struct slice token)
{
    struct waiting *w = mem_zero(sizeof *w);

    w->renewals = r;
    w->token = token_hash(token);
    r->waiting++;
    return w;
}

static void waiting_free(struct waiting *w)
{
    w->renewals->waiting--;
    free(w);
}

static const struct token_hash *selector_of(const struct waiting *w)
{
    return w->has_selector ? &w->selector : NULL;
}

/* What has no subject is counted by its new token and its selector, so that nobody else can use it
 * up. */
static struct token_hash whose(const struct waiting *w, const struct verdict *v)
{
    struct token_hash both[2] = {w->token, w->selector};
    struct buf text = {0};

    if (v->subject == NULL)
        return token_hash(slice_of(both, sizeof both));
    subject_add(&text, v->issuer, v->subject);
    struct token_hash h = token_hash(buf_slice(&text));
    buf_fini(&text);
    return h;
}

static bool allow(const struct waiting *w, const struct verdict *verdict)
{
    struct token_hash by = whose(w, verdict);

    return rates_allow(w->renewals->rates, &by, loop_now_ms());
}

/* -- brought by a client -- */

enum renewal_outcome renewals_outcome(enum token_error error)
{
    return error == TOKEN_BUSY    ? RENEWAL_BUSY
           : error == TOKEN_SCOPE ? RENEWAL_FORBIDDEN
                                  : RENEWAL_TOKEN;
}

static int tell_peers(const struct waiting *w)
{
    struct peer_message message = {.text = w->request.token, .hash = selector_of(w)};

    return w->renewals->peers ? peers_tell(w->renewals->peers, &message) : 0;
}

/* A token that lacks what the route demands is as one that lacks a scope of its issuer. */
static enum token_error error_of(const struct waiting *w, const struct verdict *verdict)
{
    bool lacks = (w->request.scopes & ~verdict->scopes) != 0;

    return verdict->error ? verdict->error : lacks ? TOKEN_SCOPE : TOKEN_OK;
}

static enum renewal_outcome renew(struct waiting *w, const struct verdict *verdict)
{
    enum token_error error = error_of(w, verdict);

    if (error)
        return renewals_outcome(error);
    if (w->request.opens != NULL && !w->request.opens(w->arg, verdict))
        return RENEWAL_FORBIDDEN;
    if (w->has_selector &&
        !guard_names(w->renewals->guard, w->request.selector, verdict->issuer, verdict->subject))
        return RENEWAL_FORBIDDEN;
    if (!w->has_selector && w->request.names != NULL)
        w->has_selector = w->request.names(w->arg, verdict, &w->selector);
    if (!allow(w, verdict))
        return RENEWAL_LIMITED;
    if (tell_peers(w) < 0)
        return RENEWAL_PEER;
    sessions_renew(w->renewals->sessions, selector_of(w), verdict);
    return RENEWAL_ACCEPTED;
}

static void on_verdict(void *arg, const struct verdict *verdict)
{
    struct waiting *w = arg;

    w->done(w->arg, renew(w, verdict), error_of(w, verdict));
    waiting_free(w);
}

void renewals_take(struct renewals *r, const struct renewal_request *request,
                   void (*done)(void *arg, enum renewal_outcome outcome, enum token_error error),
                   void *arg)
{
    struct waiting *w = waiting_new(r, request->token);

    w->request = *request;
    w->has_selector = request->selector.n > 0;
    if (w->has_selector)
        w->selector = token_hash(request->selector);
    w->done = done;
    w->arg = arg;
    guard_check(r->guard, request->token, on_verdict, w);
}

/* -- passed on by a peer -- */

static void tell_refused(struct renewals *r, enum token_error error)
{
    log_limited(r->lines, LOG_WARN, "guard: a peer passed on a token that is not good here: %s",
                token_error_text(error));
}

static void take_off(struct renewals *r, struct early *e)
{
    TAILQ_REMOVE(&r->early, e, link);
    r->early_count--;
}

static void give_up_first(struct renewals *r)
{
    struct early *e = TAILQ_FIRST(&r->early);

    tell_refused(r, TOKEN_KEY);
    take_off(r, e);
    free(e);
}

static void on_early_timer(void *arg)
{
    struct renewals *r = arg;
    int64_t now = loop_now_ms();

    while (!TAILQ_EMPTY(&r->early) && TAILQ_FIRST(&r->early)->until_ms <= now)
        give_up_first(r);
    if (!TAILQ_EMPTY(&r->early))
        timer_start(r->early_timer, TAILQ_FIRST(&r->early)->until_ms - now);
}

static void keep_judged(struct renewals *r)
{
    const struct peer_message *message = r->judged;
    struct early *e = mem_alloc(sizeof *e + message->text.n);

    *e = (struct early){.until_ms = r->judged_until_ms, .size = message->text.n};
    memcpy(e->token, message->text.p, message->text.n);
    e->has_selector = message->hash != NULL;
    if (e->has_selector)
        e->selector = *message->hash;
    TAILQ_INSERT_TAIL(&r->early, e, link);
    if (++r->early_count > EARLY_MAX)
        give_up_first(r);
    if (!timer_running(r->early_timer))
        timer_start(r->early_timer, TAILQ_FIRST(&r->early)->until_ms - loop_now_ms());
}

static void on_passed_verdict(void *arg, const struct verdict *verdict)
{
    struct waiting *w = arg;

    if (verdict->error == TOKEN_KEY && w->renewals->judged != NULL) {
        keep_judged(w->renewals);
    } else if (verdict->error) {
        tell_refused(w->renewals, verdict->error);
    } else {
        allow(w, verdict); /* counts in the whole pool */
        sessions_renew(w->renewals->sessions, selector_of(w), verdict);
    }
    waiting_free(w);
}

/* That its key is not known is found out at once. */
static void judge_passed(struct renewals *r, const struct peer_message *message, int64_t until_ms)
{
    struct waiting *w = waiting_new(r, message->text);

    w->has_selector = message->hash != NULL;
    if (w->has_selector)
        w->selector = *message->hash;
    r->judged = message;
    r->judged_until_ms = until_ms;
    guard_check(r->guard, message->text, on_passed_verdict, w);
    r->judged = NULL;
}

static void on_passed(void *arg, const struct peer_message *message)
{
    judge_passed(arg, message, loop_now_ms() + EARLY_MS);
}

void renewals_keys_changed(struct renewals *r)
{
    struct early *e;

    for (size_t n = r->early_count; n > 0; n--) {
        e = TAILQ_FIRST(&r->early);
        struct peer_message message = {.text = slice_of(e->token, e->size),
                                       .hash = e->has_selector ? &e->selector : NULL};
        take_off(r, e);
        judge_passed(r, &message, e->until_ms);
        free(e);
    }
}

static bool has_room(void *arg)
{
    const struct renewals *r = arg;

    return guard_has_room(r->guard);
}

/* All that have come by now were seen to. */
static bool settled(void *arg)
{
    struct renewals *r = arg;
    bool drained = r->peers == NULL || peers_drain(r->peers);

    return drained && r->waiting == 0;
}

/* -- life -- */

struct renewals *renewals_new(struct loop *loop, const struct renewals_config *config, char *error,
                              size_t size)
{
    struct renewals *r = mem_zero(sizeof *r);
    struct peers_handler handler = {r, on_passed, has_room};

    r->guard = config->guard;
    r->sessions = config->sessions;
    r->rates = rates_new();
    r->lines = log_limit_new(loop, "guard", "renewals of peers were refused");
    TAILQ_INIT(&r->early);
    r->early_timer = timer_new(loop, on_early_timer, r);
    if (config->peer_directory != NULL) {
        r->peers =
            peers_new(loop, config->peer_directory, config->agreement, &handler, error, size);
        if (r->peers == NULL) {
            renewals_free(r);
            return NULL;
        }
    }
    sessions_ask_before_end(r->sessions, settled, r);
    return r;
}

void renewals_free(struct renewals *r)
{
    if (r == NULL)
        return;
    peers_free(r->peers);
    for (struct early *e; (e = TAILQ_FIRST(&r->early)) != NULL; free(e))
        take_off(r, e);
    timer_free(r->early_timer);
    rates_free(r->rates);
    log_limit_free(r->lines);
    free(r);
}

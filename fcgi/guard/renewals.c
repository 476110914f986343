#include "guard/renewals.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "guard/peer.h"
#include "guard/rate.h"
#include "guard/subject.h"

struct renewals {
    struct guard *guard;
    struct sessions *sessions;
    struct peers *peers; /* NULL: a pool of one */
    struct rates *rates;
    struct log_limit *lines;
    size_t waiting; /* for the verdict on their token */
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

static void on_passed_verdict(void *arg, const struct verdict *verdict)
{
    struct waiting *w = arg;

    if (verdict->error) {
        log_limited(w->renewals->lines, LOG_WARN,
                    "guard: a peer passed on a token that is not good here: %s",
                    token_error_text(verdict->error));
    } else {
        allow(w, verdict); /* counts in the whole pool */
        sessions_renew(w->renewals->sessions, selector_of(w), verdict);
    }
    waiting_free(w);
}

static void on_passed(void *arg, const struct peer_message *message)
{
    struct renewals *r = arg;
    struct waiting *w = waiting_new(r, message->text);

    w->has_selector = message->hash != NULL;
    if (w->has_selector)
        w->selector = *message->hash;
    guard_check(r->guard, message->text, on_passed_verdict, w);
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
    rates_free(r->rates);
    log_limit_free(r->lines);
    free(r);
}

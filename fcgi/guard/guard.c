#include "guard/guard.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/log.h"
#include "base/mem.h"
#include "guard/keystore.h"
#include "guard/signature.h"

enum {
    REMEMBERED_MAX = 16384, /* tokens */
    WAITING_MAX = 4096,
    TURN_MS = 4, /* of signatures in one turn of the loop */
};

/* A verified token.  It is found by what was signed, not by its whole text: of an ECDSA signature
 * (r, s) anybody can make a second valid one, (r, n - s), and must not get a second entry by it. */
struct remembered {
    UT_hash_handle hh; /* in the order of their last use */
    struct token_hash signed_part;
    struct token_hash text;
    int64_t exp_ms, nbf_ms;
    uint8_t key[KEY_THUMBPRINT];
    char *subject; /* NULL: none */
};

struct waiting {
    TAILQ_ENTRY(waiting) link;
    void (*done)(void *arg, const struct verdict *verdict);
    void *arg;
    size_t size;
    uint8_t text[];
};

struct guard {
    struct loop *loop;
    struct guard_config config;
    struct keystore *store;
    struct remembered *remembered;
    TAILQ_HEAD(, waiting) waiting;
    size_t waiting_count;
    struct task verify;
};

struct token_hash token_hash(struct slice text)
{
    struct token_hash h;

    SHA256(text.p, text.n, h.bytes);
    return h;
}

/* -- memory -- */

static void forget(struct guard *g, struct remembered *r)
{
    HASH_DEL(g->remembered, r);
    free(r->subject);
    free(r);
}

static struct remembered *find(struct guard *g, struct slice signed_part)
{
    struct token_hash h = token_hash(signed_part);
    struct remembered *r;

    HASH_FIND(hh, g->remembered, &h, sizeof h, r);
    if (r != NULL) { /* behind the others: it was used */
        HASH_DEL(g->remembered, r);
        HASH_ADD(hh, g->remembered, signed_part, sizeof r->signed_part, r);
    }
    return r;
}

static void remember(struct guard *g, const struct token *t, const struct verdict *v)
{
    struct slice signed_part = slice_of(t->text.p, t->signed_size);
    struct remembered *r;

    r = find(g, signed_part);
    if (r != NULL) { /* the other form of its signature: the last one seen is the one to know */
        r->text = token_hash(t->text);
        return;
    }
    if (HASH_COUNT(g->remembered) >= REMEMBERED_MAX)
        forget(g, g->remembered);
    r = mem_zero(sizeof *r);
    r->signed_part = token_hash(signed_part);
    r->text = token_hash(t->text);
    r->exp_ms = t->exp_ms;
    r->nbf_ms = t->nbf_ms;
    memcpy(r->key, v->key, sizeof r->key);
    r->subject = v->subject ? mem_strdup(v->subject) : NULL;
    HASH_ADD(hh, g->remembered, signed_part, sizeof r->signed_part, r);
}

/* True if the verdict needs no signature: the very token was verified before. */
static bool recall(struct guard *g, struct slice text, struct verdict *v)
{
    const uint8_t *dot = text.n ? memrchr(text.p, '.', text.n) : NULL;
    struct remembered *r = dot ? find(g, slice_of(text.p, (size_t)(dot - text.p))) : NULL;
    struct token_hash h;

    if (r == NULL)
        return false;
    h = token_hash(text);
    if (memcmp(&h, &r->text, sizeof h) != 0)
        return false;
    if (!guard_has_key(g, r->key)) {
        forget(g, r);
        return false;
    }
    v->error = token_check_times(r->exp_ms, r->nbf_ms, g->config.policy.leeway_ms, loop_wall_ms());
    v->exp_ms = r->exp_ms;
    v->issuer = g->config.policy.issuer;
    v->subject = r->subject;
    memcpy(v->key, r->key, sizeof v->key);
    return true;
}

/* -- checks -- */

/* Frame and claims; the signature, too, if `with_signature`. */
static enum token_error judge(struct guard *g, struct token *t, struct slice text,
                              bool with_signature, struct verdict *v)
{
    const struct token_policy *policy = &g->config.policy;
    const struct key *key = NULL;
    enum token_error error = token_parse(text, t);

    if (!error)
        error = token_check_claims(t, policy, loop_wall_ms());
    if (!error && t->kid != NULL && !keyset_has_kid(keystore_keys(g->store), t->kid))
        error = TOKEN_KEY;
    if (error || !with_signature)
        return error;
    error = signature_verify(t, keystore_keys(g->store), &key);
    if (!error)
        error = token_check_scope(t, policy);
    if (error)
        return error;
    v->exp_ms = t->exp_ms;
    v->issuer = policy->issuer;
    v->subject = token_subject(t, policy);
    memcpy(v->key, key->thumbprint, sizeof v->key);
    remember(g, t, v);
    return TOKEN_OK;
}

static void verify_waiting(void *arg)
{
    struct guard *g = arg;
    int64_t until = loop_now_ms() + TURN_MS;
    struct waiting *w;

    while ((w = TAILQ_FIRST(&g->waiting)) != NULL && loop_now_ms() < until) {
        struct slice text = slice_of(w->text, w->size);
        struct verdict v = {0};
        struct token t = {0};

        TAILQ_REMOVE(&g->waiting, w, link);
        g->waiting_count--;
        if (!recall(g, text, &v)) /* maybe verified since it came */
            v.error = judge(g, &t, text, true, &v);
        w->done(w->arg, &v);
        token_fini(&t);
        free(w);
    }
    if (!TAILQ_EMPTY(&g->waiting))
        loop_defer(g->loop, &g->verify);
}

static void wait_for_turn(struct guard *g, struct slice text,
                          void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    struct waiting *w = mem_alloc(sizeof *w + text.n);

    w->done = done;
    w->arg = arg;
    w->size = text.n;
    memcpy(w->text, text.p, text.n);
    TAILQ_INSERT_TAIL(&g->waiting, w, link);
    g->waiting_count++;
    loop_defer(g->loop, &g->verify);
}

void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    struct verdict v = {.error = TOKEN_TOO_LONG};
    struct token t = {0};

    if (text.n <= TOKEN_MAX && !recall(g, text, &v)) {
        v.error = judge(g, &t, text, false, &v);
        token_fini(&t);
        if (!v.error && guard_has_room(g)) {
            wait_for_turn(g, text, done, arg);
            return;
        }
        if (!v.error)
            v.error = TOKEN_BUSY;
    }
    done(arg, &v);
}

bool guard_knows(struct guard *g, struct slice text)
{
    struct verdict v;

    return text.n <= TOKEN_MAX && recall(g, text, &v);
}

bool guard_names(const struct guard *g, struct slice text, const char *issuer, const char *subject)
{
    return strcmp(issuer, g->config.policy.issuer) == 0 &&
           token_names(text, &g->config.policy, subject);
}

bool guard_has_room(const struct guard *g)
{
    return g->waiting_count < WAITING_MAX;
}

/* -- keys -- */

void guard_reload(struct guard *g)
{
    keystore_reload(g->store);
}

bool guard_keys_broken(const struct guard *g)
{
    return keystore_broken(g->store);
}

int64_t guard_keys_changed_ms(const struct guard *g)
{
    return keystore_changed_ms(g->store);
}

bool guard_has_key(const struct guard *g, const uint8_t thumbprint[KEY_THUMBPRINT])
{
    return keyset_has(keystore_keys(g->store), thumbprint);
}

/* -- life -- */

struct guard *guard_new(struct loop *loop, const struct guard_config *config,
                        void (*on_keys)(void *arg), void *arg, char *error, size_t size)
{
    struct guard *g = mem_zero(sizeof *g);
    struct keystore_config store = {
        .files = config->files,
        .file_count = config->file_count,
        .allow_demo_key = config->allow_demo_key,
        .on_change = on_keys,
        .arg = arg,
    };

    g->loop = loop;
    g->config = *config;
    TAILQ_INIT(&g->waiting);
    g->verify = (struct task){.run = verify_waiting, .arg = g};
    g->store = keystore_new(loop, &store, error, size);
    if (g->store == NULL) {
        guard_free(g);
        return NULL;
    }
    return g;
}

void guard_free(struct guard *g)
{
    static const struct verdict busy = {.error = TOKEN_BUSY};
    struct waiting *w;

    if (g == NULL)
        return;
    while ((w = TAILQ_FIRST(&g->waiting)) != NULL) {
        TAILQ_REMOVE(&g->waiting, w, link);
        w->done(w->arg, &busy);
        free(w);
    }
    while (g->remembered != NULL)
        forget(g, g->remembered);
    loop_cancel(g->loop, &g->verify);
    keystore_free(g->store);
    free(g);
}

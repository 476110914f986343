#include "guard/guard.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/log.h"
#include "base/mem.h"
#include "guard/keystore.h"
#include "guard/queue.h"
#include "guard/signature.h"
#include "guard/subject.h"

enum {
    REMEMBERED_MAX = 16384, /* tokens */
    TURN_MS = 4,            /* of signatures in one turn of the loop */
};

/* A verified token.  It is found by what was signed, not by its whole text: of an ECDSA signature
 * (r, s) anybody can make a second valid one, (r, n - s), and must not get a second entry by it. */
struct remembered {
    UT_hash_handle hh; /* in the order of their last use */
    struct token_hash signed_part;
    struct token_hash text;
    const struct issuer *issuer;
    int64_t exp_ms, nbf_ms;
    uint64_t scopes;
    uint8_t key[KEY_THUMBPRINT];
    char *subject;         /* NULL: none */
    struct values *claims; /* of the guard's paths */
};

struct issuer {
    struct token_policy policy;
    struct keystore *store;
};

struct guard {
    struct loop *loop;
    struct issuer *issuers;
    size_t issuer_count;
    const char *const *scopes;
    size_t scope_count;
    const char *const *claims;
    size_t claim_count;
    void (*on_unknown_kid)(void *arg); /* NULL: nobody wants to know */
    void *unknown_kid_arg;
    struct remembered *remembered;
    struct queue *queue;
    struct task verify;
};

struct token_hash token_hash(struct slice text)
{
    struct token_hash h;

    SHA256(text.p, text.n, h.bytes);
    return h;
}

/* -- memory -- */

/* False: a token without a subject names nobody. */
static bool hash_subject(const char *issuer, const char *subject, struct subject_hash *out)
{
    struct buf who = {0};

    if (subject == NULL)
        return false;
    subject_add(&who, issuer, subject);
    SHA256(who.p, who.n, out->bytes);
    buf_fini(&who);
    return true;
}

static void forget(struct guard *g, struct remembered *r)
{
    struct subject_hash who;

    if (hash_subject(r->issuer->policy.issuer, r->subject, &who))
        queue_forget(g->queue, &who);
    HASH_DEL(g->remembered, r);
    free(r->subject);
    for (size_t i = 0; i < g->claim_count; i++)
        values_fini(&r->claims[i]);
    free(r->claims);
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

static const struct remembered *remember(struct guard *g, const struct token *t,
                                         const struct issuer *issuer, const struct verdict *v)
{
    struct slice signed_part = slice_of(t->text.p, t->signed_size);
    struct subject_hash who;
    struct remembered *r;

    r = find(g, signed_part);
    if (r != NULL) { /* the other form of its signature: the last one seen is the one to know */
        r->text = token_hash(t->text);
        return r;
    }
    if (HASH_COUNT(g->remembered) >= REMEMBERED_MAX)
        forget(g, g->remembered);
    r = mem_zero(sizeof *r);
    r->signed_part = token_hash(signed_part);
    r->text = token_hash(t->text);
    r->issuer = issuer;
    r->exp_ms = t->exp_ms;
    r->nbf_ms = t->nbf_ms;
    r->scopes = v->scopes;
    memcpy(r->key, v->key, sizeof r->key);
    r->subject = v->subject ? mem_strdup(v->subject) : NULL;
    r->claims = token_claims(t, g->claims, g->claim_count);
    HASH_ADD(hh, g->remembered, signed_part, sizeof r->signed_part, r);
    if (hash_subject(issuer->policy.issuer, r->subject, &who))
        queue_know(g->queue, &who);
    return r;
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
    if (!keyset_has(keystore_keys(r->issuer->store), r->key)) {
        forget(g, r);
        return false;
    }
    v->error = token_check_times(r->exp_ms, r->nbf_ms, r->issuer->policy.leeway_ms, loop_wall_ms());
    v->exp_ms = r->exp_ms;
    v->issuer = r->issuer->policy.issuer;
    v->subject = r->subject;
    v->scopes = r->scopes;
    v->claims = r->claims;
    memcpy(v->key, r->key, sizeof v->key);
    return true;
}

/* -- checks -- */

static const struct issuer *find_issuer(const struct guard *g, const char *name)
{
    for (size_t i = 0; i < g->issuer_count; i++)
        if (name != NULL && strcmp(g->issuers[i].policy.issuer, name) == 0)
            return &g->issuers[i];
    return NULL;
}

/* TOKEN_OK: its signature is to be checked, with the keys of `issuer` alone. */
static enum token_error judge_claims(const struct token *t, const struct issuer *issuer)
{
    enum token_error error;

    if (issuer == NULL)
        return TOKEN_ISSUER;
    error = token_check_claims(t, &issuer->policy, loop_wall_ms());
    if (!error && t->kid != NULL && !keyset_has_kid(keystore_keys(issuer->store), t->kid))
        error = TOKEN_KEY;
    return error;
}

/* Frame and claims; the signature, too, if `with_signature`. */
static enum token_error judge(struct guard *g, struct token *t, struct slice text,
                              bool with_signature, struct verdict *v)
{
    const struct issuer *issuer = NULL;
    const struct key *key = NULL;
    enum token_error error = token_parse(text, t);

    if (!error) {
        issuer = find_issuer(g, token_issuer(t));
        error = judge_claims(t, issuer);
        if (error == TOKEN_KEY && g->on_unknown_kid != NULL)
            g->on_unknown_kid(g->unknown_kid_arg);
    }
    if (error || !with_signature)
        return error;
    error = signature_verify(t, keystore_keys(issuer->store), &key);
    if (!error)
        error = token_check_scope(t, &issuer->policy);
    if (error)
        return error;
    v->exp_ms = t->exp_ms;
    v->issuer = issuer->policy.issuer;
    v->subject = token_subject(t, &issuer->policy);
    v->scopes = token_scopes(t, &issuer->policy, g->scopes, g->scope_count);
    memcpy(v->key, key->thumbprint, sizeof v->key);
    v->claims = remember(g, t, issuer, v)->claims;
    return TOKEN_OK;
}

static void verify_queued(void *arg)
{
    struct guard *g = arg;
    int64_t until = loop_now_ms() + TURN_MS;
    struct queued *q;

    while (loop_now_ms() < until && (q = queue_take(g->queue)) != NULL) {
        struct slice text = slice_of(q->text, q->size);
        struct verdict v = {0};
        struct token t = {0};

        if (!recall(g, text, &v)) /* maybe verified since it came */
            v.error = judge(g, &t, text, true, &v);
        q->done(q->arg, &v);
        token_fini(&t);
        free(q);
    }
    if (!queue_is_empty(g->queue))
        loop_defer(g->loop, &g->verify);
}

/* False: too many wait. */
static bool enqueue(struct guard *g, const struct token *t,
                    void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    const struct issuer *issuer = find_issuer(g, token_issuer(t));
    struct subject_hash who;
    bool named = hash_subject(issuer->policy.issuer, token_subject(t, &issuer->policy), &who);

    if (!queue_add(g->queue, t->text, named ? &who : NULL, done, arg))
        return false;
    loop_defer(g->loop, &g->verify);
    return true;
}

void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg)
{
    struct verdict v = {.error = TOKEN_TOO_LONG};
    struct token t = {0};

    if (text.n <= TOKEN_MAX && !recall(g, text, &v)) {
        v.error = judge(g, &t, text, false, &v);
        bool queued = !v.error && enqueue(g, &t, done, arg);
        token_fini(&t);
        if (queued)
            return;
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
    const struct issuer *of = find_issuer(g, issuer);

    return of != NULL && token_names(text, &of->policy, subject);
}

bool guard_has_room(const struct guard *g)
{
    return queue_has_room(g->queue);
}

/* -- keys -- */

void guard_reload(struct guard *g)
{
    for (size_t i = 0; i < g->issuer_count; i++)
        keystore_reload(g->issuers[i].store);
}

bool guard_is_reading(const struct guard *g)
{
    for (size_t i = 0; i < g->issuer_count; i++)
        if (keystore_is_reading(g->issuers[i].store))
            return true;
    return false;
}

bool guard_has_key(const struct guard *g, const char *issuer,
                   const uint8_t thumbprint[KEY_THUMBPRINT])
{
    const struct issuer *of = find_issuer(g, issuer);

    return of != NULL && keyset_has(keystore_keys(of->store), thumbprint);
}

size_t guard_issuers(const struct guard *g)
{
    return g->issuer_count;
}

struct guard_keys guard_keys(const struct guard *g, size_t i)
{
    const struct issuer *of = &g->issuers[i];

    return (struct guard_keys){of->policy.issuer, keystore_broken(of->store),
                               keystore_changed_ms(of->store)};
}

void guard_on_unknown_kid(struct guard *g, void (*call)(void *arg), void *arg)
{
    g->on_unknown_kid = call;
    g->unknown_kid_arg = arg;
}

/* -- life -- */

struct guard *guard_new(struct loop *loop, const struct guard_config *config,
                        void (*on_keys)(void *arg), void *arg, char *error, size_t size)
{
    struct guard *g = mem_zero(sizeof *g);
    struct keystore_config store = {
        .allow_demo_key = config->allow_demo_key, .on_change = on_keys, .arg = arg};

    g->loop = loop;
    g->scopes = config->scopes;
    g->scope_count = config->scope_count;
    g->claims = config->claims;
    g->claim_count = config->claim_count;
    g->queue = queue_new();
    g->verify = (struct task){.run = verify_queued, .arg = g};
    g->issuers = mem_zero(config->issuer_count * sizeof *g->issuers);
    for (size_t i = 0; i < config->issuer_count; i++) {
        const struct guard_issuer *from = &config->issuers[i];
        struct issuer *to = &g->issuers[g->issuer_count];
        store.issuer = from->policy.issuer;
        store.files = from->files;
        store.file_count = from->file_count;
        to->policy = from->policy;
        to->store = keystore_new(loop, &store, error, size);
        if (to->store == NULL) {
            guard_free(g);
            return NULL;
        }
        g->issuer_count++;
    }
    return g;
}

void guard_free(struct guard *g)
{
    static const struct verdict busy = {.error = TOKEN_BUSY};
    struct queued *q;

    if (g == NULL)
        return;
    while ((q = queue_take(g->queue)) != NULL) {
        q->done(q->arg, &busy);
        free(q);
    }
    while (g->remembered != NULL)
        forget(g, g->remembered);
    queue_free(g->queue);
    loop_cancel(g->loop, &g->verify);
    for (size_t i = 0; i < g->issuer_count; i++)
        keystore_free(g->issuers[i].store);
    free(g->issuers);
    free(g);
}

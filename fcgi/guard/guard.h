/* guard - which tokens are good: finds the issuer of each, remembers those it verified, and spreads
 * over the loop's turns the signatures it has to check.
 *
 * Tokens whose signature must be checked wait in a queue, and only so many: a flood of bad ones
 * delays no event and no token that is known.  New tokens of known subjects go before it, others
 * wait behind it (guard/queue.h). */
#ifndef SKF_GUARD_GUARD_H
#define SKF_GUARD_GUARD_H

#include "base/loop.h"
#include "guard/token.h"

struct guard;

/* Who signs tokens.  The strings are borrowed and must outlive the guard. */
struct guard_issuer {
    struct token_policy policy;
    const char *const *files; /* JWKS: its keys, with which nobody else's tokens are verified */
    size_t file_count;
};

enum { GUARD_ISSUERS_MAX = 16 };

struct guard_config {
    const struct guard_issuer *issuers; /* copied; one at least, each of another name */
    size_t issuer_count;
    bool allow_demo_key;
    /* What some streams demand besides: borrowed, 64 at most. */
    const char *const *scopes;
    size_t scope_count;
    /* Paths to the claims that some are filled in by: borrowed. */
    const char *const *claims;
    size_t claim_count;
};

/* SHA-256 of a token's text: under it the token is known, here and to the sessions. */
struct token_hash {
    uint8_t bytes[32];
};
struct token_hash token_hash(struct slice text);

struct verdict {
    enum token_error error;
    int64_t exp_ms;
    const char *issuer;          /* the guard's */
    const char *subject;         /* borrowed for the call; NULL: none */
    uint64_t scopes;             /* bit 1 << i: it holds scopes[i] of the configuration */
    const struct values *claims; /* likewise; borrowed for the call */
    uint8_t key[KEY_THUMBPRINT];
};

/* NULL, and one line in `error`, if the keys cannot be loaded.  on_keys(arg) is called after each
 * later change of a set. */
struct guard *guard_new(struct loop *loop, const struct guard_config *config,
                        void (*on_keys)(void *arg), void *arg, char *error, size_t size);
/* Calls call(arg) whenever a token, good as far as that goes, names a key that its issuer's files
 * do not have. */
void guard_on_unknown_kid(struct guard *g, void (*call)(void *arg), void *arg);
/* Calls what waits with TOKEN_BUSY. */
void guard_free(struct guard *g);

/* Judges a token (copied) and calls done(arg, verdict) once: at once if no signature has to be
 * checked, else in a later turn. */
void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg);

/* Was the very token verified before, so that guard_check() costs nothing? */
bool guard_knows(struct guard *g, struct slice text);

/* Is that token, which need not be valid any more, of that issuer (of ours) and subject? */
bool guard_names(const struct guard *g, struct slice text, const char *issuer, const char *subject);

/* False: guard_check() would answer TOKEN_BUSY to each token that needs its signature checked.
 * While strangers have filled the queue there is room for tokens of known subjects. */
bool guard_has_room(const struct guard *g);

/* Reads the JWKS files again, in a thread; keeps the old keys if they are broken. */
void guard_reload(struct guard *g);
bool guard_is_reading(const struct guard *g);
/* Does that issuer have a key with that thumbprint? */
bool guard_has_key(const struct guard *g, const char *issuer,
                   const uint8_t thumbprint[KEY_THUMBPRINT]);

/* How the keys of an issuer fare. */
struct guard_keys {
    const char *issuer;
    bool broken;        /* its files were, when they were read last */
    int64_t changed_ms; /* when the oldest of the files in use was changed; by the wall clock */
};
size_t guard_issuers(const struct guard *g);
struct guard_keys guard_keys(const struct guard *g, size_t i);

#endif

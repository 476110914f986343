/* guard - which tokens are good: remembers those it verified, and spreads over the loop's turns the
 * signatures it has to check.
 *
 * Tokens whose signature must be checked wait in one queue, first in, first out, and only so many:
 * a flood of bad ones delays no event and no token that is known, but new tokens wait behind it. */
#ifndef SKF_GUARD_GUARD_H
#define SKF_GUARD_GUARD_H

#include "base/loop.h"
#include "guard/token.h"

struct guard;

struct guard_config {
    struct token_policy policy; /* its strings are borrowed and must outlive the guard */
    const char *const *files;   /* JWKS; borrowed likewise */
    size_t file_count;
    bool allow_demo_key;
};

/* SHA-256 of a token's text: under it the token is known, here and to the sessions. */
struct token_hash {
    uint8_t bytes[32];
};
struct token_hash token_hash(struct slice text);

struct verdict {
    enum token_error error;
    int64_t exp_ms;
    const char *issuer, *subject; /* borrowed for the call; subject NULL: none */
    uint8_t key[KEY_THUMBPRINT];
};

/* NULL, and one line in `error`, if the keys cannot be loaded.  on_keys(arg) is called after each
 * later change of the set. */
struct guard *guard_new(struct loop *loop, const struct guard_config *config,
                        void (*on_keys)(void *arg), void *arg, char *error, size_t size);
/* Calls what waits with TOKEN_BUSY. */
void guard_free(struct guard *g);

/* Judges a token (copied) and calls done(arg, verdict) once: at once if no signature has to be
 * checked, else in a later turn. */
void guard_check(struct guard *g, struct slice text,
                 void (*done)(void *arg, const struct verdict *verdict), void *arg);

/* Was the very token verified before, so that guard_check() costs nothing? */
bool guard_knows(struct guard *g, struct slice text);

/* Is that token, which need not be valid any more, of that issuer and subject? */
bool guard_names(const struct guard *g, struct slice text, const char *issuer, const char *subject);

/* False: guard_check() would answer TOKEN_BUSY to a token that needs its signature checked. */
bool guard_has_room(const struct guard *g);

/* Reads the JWKS files again, in a thread; keeps the old keys if they are broken. */
void guard_reload(struct guard *g);
/* The files were broken when they were read last. */
bool guard_keys_broken(const struct guard *g);
/* When the oldest of the files was changed whose keys are in use; by the wall clock. */
int64_t guard_keys_changed_ms(const struct guard *g);
/* Is a key with that thumbprint in the set? */
bool guard_has_key(const struct guard *g, const uint8_t thumbprint[KEY_THUMBPRINT]);

#endif

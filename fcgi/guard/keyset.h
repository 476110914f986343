/* keyset - the public keys that tokens are verified with: what is usable of some JWKS files
 * (RFC 7517).
 *
 * What cannot be used costs itself alone, and has a note that says why.  A set is never changed: a
 * new one replaces it as a whole. */
#ifndef SKF_GUARD_KEYSET_H
#define SKF_GUARD_KEYSET_H

#include <stdatomic.h>

#include "base/slice.h"
#include "guard/jwk.h"
#include "guard/notes.h"

struct keyset;

struct keyset_source {
    const char *const *files; /* the set is their union */
    size_t file_count;
    bool allow_demo;            /* take the demo's key, whose private half a web page holds */
    const struct keyset *known; /* its keys need no check; NULL: none */
    const atomic_bool *stop;    /* ends the reading, between two keys; NULL: nothing does */
};

/* 0 and the set, which the caller owns.  Else one line in `error`, and -EBADMSG if a file is no
 * JWKS, holds the demo's key, or no file a usable key; -ECANCELED if it was stopped; or why a file
 * could not be read, which may pass.  Adds what else an operator should know to `notes`, in any
 * case. */
int keyset_load(const struct keyset_source *source, struct keyset **out, struct notes *notes,
                char *error, size_t size);
void keyset_free(struct keyset *set);

/* Several keys may have one kid. */
bool keyset_has_kid(const struct keyset *set, const char *kid);
bool keyset_has(const struct keyset *set, const uint8_t thumbprint[KEY_THUMBPRINT]);
size_t keyset_count(const struct keyset *set);
const struct key *keyset_at(const struct keyset *set, size_t i);
/* The same keys in the same order? */
bool keyset_equal(const struct keyset *a, const struct keyset *b);

#endif

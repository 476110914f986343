/* keyset - the public keys that tokens are verified with: JWKS files (RFC 7517).
 *
 * RSA from 2048 bits and EC on P-256, P-384 and P-521.  Each key becomes an EVP_PKEY and its PEM
 * once, here.  A set is never changed: a new one replaces it as a whole. */
#ifndef SKF_GUARD_KEYSET_H
#define SKF_GUARD_KEYSET_H

#include <openssl/types.h>

#include "base/slice.h"

enum algorithm {
    ALG_RS256,
    ALG_RS384,
    ALG_RS512,
    ALG_PS256,
    ALG_PS384,
    ALG_PS512,
    ALG_ES256,
    ALG_ES384,
    ALG_ES512,
    ALGORITHMS,
};

/* The algorithm of that name, compared as it stands (RFC 7515, 4.1.1); false if it is not allowed.
 */
bool algorithm_parse(const char *name, enum algorithm *out);

enum { KEY_THUMBPRINT = 32 };

struct key {
    char *kid;           /* NULL: none */
    uint32_t algorithms; /* those it may be used with: bit 1 << enum algorithm */
    char *pem;
    EVP_PKEY *public_key;
    /* SHA-256 of kid, algorithms and key: changes when any of them does. */
    uint8_t thumbprint[KEY_THUMBPRINT];
};

struct keyset;

/* The union of the files.  NULL, and one line in `error`, if a file cannot be read or is no JWKS,
 * two keys have one kid, or nothing usable is in it.  Keys of other types or uses are passed over.
 * The demo's key, whose private half a web page holds, is refused unless allow_demo. */
struct keyset *keyset_load(const char *const *files, size_t n, bool allow_demo, char *error,
                           size_t size);
void keyset_free(struct keyset *set);

/* The key of that kid, or NULL. */
const struct key *keyset_by_kid(const struct keyset *set, const char *kid);
bool keyset_has(const struct keyset *set, const uint8_t thumbprint[KEY_THUMBPRINT]);
size_t keyset_count(const struct keyset *set);
const struct key *keyset_at(const struct keyset *set, size_t i);

#endif

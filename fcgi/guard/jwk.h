/* jwk - one public key as its issuer writes it (RFC 7517), and as a signature is verified with it.
 *
 * RSA from 2048 bits, EC on P-256, P-384 and P-521, and Ed25519.  A key becomes an EVP_PKEY once,
 * here. */
#ifndef SKF_GUARD_JWK_H
#define SKF_GUARD_JWK_H

#include <jansson.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

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
    ALG_EDDSA,
    ALGORITHMS,
};

/* The algorithm of that name, compared as it stands (RFC 7515, 4.1.1); false if it is not allowed.
 */
bool algorithm_parse(const char *name, enum algorithm *out);

enum { KEY_THUMBPRINT = 32 };

struct key {
    char *kid;           /* NULL: none */
    uint32_t algorithms; /* those it may be used with: bit 1 << enum algorithm */
    EVP_PKEY *public_key;
    /* SHA-256 of kid, algorithms and key: changes when any of them does. */
    uint8_t thumbprint[KEY_THUMBPRINT];
};

/* Reads a JWK into `key`, which key_fini() then frees; its numbers are not checked yet.  Else the
 * reason, as it follows a key's name in a log line; it holds nothing of the JWK.  Members that are
 * null count as absent. */
const char *jwk_read(const json_t *jwk, struct key *key);
/* NULL, or the reason, if the numbers of a key that was read make a key.  Takes 3 ms for RSA with
 * 2048 bits, 0.35 s with 16384. */
const char *jwk_check(const struct key *key);
/* Does it hold a private half, which no verifier should have? */
bool jwk_is_private(const json_t *jwk);

void key_fini(struct key *key);

#endif

/* mint - keys and tokens: what an identity provider makes, and what an attacker would. */
#ifndef SKF_UNIT_MINT_H
#define SKF_UNIT_MINT_H

#include <openssl/types.h>

#include "base/buf.h"

EVP_PKEY *mint_rsa(unsigned bits);
EVP_PKEY *mint_ec(const char *group);
EVP_PKEY *mint_ed25519(void);

/* Appends the key's public half as a JWK that begins with `members`, for instance `"kid":"a",`. */
void mint_jwk(struct buf *out, EVP_PKEY *key, const char *members);
/* A whole JWKS of one such key. */
void mint_jwks(struct buf *out, EVP_PKEY *key, const char *members);

/* Appends its public half as PEM. */
void mint_pem(struct buf *out, EVP_PKEY *key);

/* Appends base64url without padding. */
void mint_segment(struct buf *out, struct slice bytes);
/* Appends the signature of what `token` holds, behind a dot.  The key is used as it is, whether it
 * suits the algorithm or not. */
void mint_sign(struct buf *token, const char *alg, EVP_PKEY *key);
void mint_sign_hmac(struct buf *token, struct slice secret);
/* Appends a whole token; the header says what it likes, `alg` is what is done. */
void mint_token(struct buf *out, const char *header, const char *payload, const char *alg,
                EVP_PKEY *key);

/* Makes (r, n - s) of the ES256 signature (r, s) at the token's end. */
void mint_other_form(struct buf *token);

void mint_write_file(const char *path, struct slice bytes);

#endif

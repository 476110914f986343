#include "guard/signature.h"

#include <jwt.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

enum { KEYS_TRIED = 4 };

/* What libjwt 1.10.2 calls the algorithms that it knows; JWT_ALG_NONE for the others. */
static const jwt_alg_t libjwt_algorithms[ALGORITHMS] = {
    [ALG_RS256] = JWT_ALG_RS256, [ALG_RS384] = JWT_ALG_RS384, [ALG_RS512] = JWT_ALG_RS512,
    [ALG_ES256] = JWT_ALG_ES256, [ALG_ES384] = JWT_ALG_ES384, [ALG_ES512] = JWT_ALG_ES512,
};

/* It refuses at+jwt as well, and numbers that jansson cannot hold. */
static bool is_for_libjwt(const struct token *t)
{
    return libjwt_algorithms[t->algorithm] != JWT_ALG_NONE && !t->at_jwt && !t->tamed;
}

/* Takes libjwt the token apart as we do, and reads the same algorithm in it?  Without a key it
 * checks no signature: it would parse a PEM each time, which takes fifteen times as long as the
 * signature itself. */
static bool libjwt_agrees(const struct token *t)
{
    char *text = mem_alloc(t->text.n + 1);
    jwt_t *jwt = NULL;

    memcpy(text, t->text.p, t->text.n);
    text[t->text.n] = 0;
    bool ok = jwt_decode(&jwt, text, NULL, 0) == 0 &&
              jwt_str_alg(jwt_get_header(jwt, "alg")) == libjwt_algorithms[t->algorithm];
    jwt_free(jwt);
    free(text);
    return ok;
}

/* r and s of the same length, one after the other (RFC 7518, 3.4), as OpenSSL wants them. */
static bool to_der(const struct key *key, struct buf *signature)
{
    size_t half = ((size_t)EVP_PKEY_get_bits(key->public_key) + 7) / 8;
    unsigned char *der = NULL;
    int n = -1;

    if (signature->n != 2 * half)
        return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature->p, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(signature->p + half, (int)half, NULL);
    if (ECDSA_SIG_set0(sig, r, s) == 1)
        n = i2d_ECDSA_SIG(sig, &der);
    ECDSA_SIG_free(sig);
    signature->n = 0;
    if (n > 0)
        buf_add(signature, der, (size_t)n);
    OPENSSL_free(der);
    return n > 0;
}

static const EVP_MD *digest_of(enum algorithm algorithm)
{
    switch (algorithm) {
    case ALG_RS256:
    case ALG_PS256:
    case ALG_ES256:
        return EVP_sha256();
    case ALG_RS384:
    case ALG_PS384:
    case ALG_ES384:
        return EVP_sha384();
    case ALG_EDDSA: /* has its own inside (RFC 8032, 5.1) */
        return NULL;
    default:
        return EVP_sha512();
    }
}

static bool is_pss(enum algorithm a)
{
    return a == ALG_PS256 || a == ALG_PS384 || a == ALG_PS512;
}

static bool is_ec(enum algorithm a)
{
    return a == ALG_ES256 || a == ALG_ES384 || a == ALG_ES512;
}

static bool verify(const struct token *t, const struct key *key)
{
    struct buf signature = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    struct slice encoded = slice_of(t->text.p + t->signed_size + 1, t->text.n - t->signed_size - 1);
    bool ok = base64url_decode(&signature, encoded) &&
              (!is_ec(t->algorithm) || to_der(key, &signature)) &&
              EVP_DigestVerifyInit(md, &ctx, digest_of(t->algorithm), NULL, key->public_key) == 1;

    if (ok && is_pss(t->algorithm)) /* the salt is as long as the digest (RFC 7518, 3.5) */
        ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(md, signature.p, signature.n, t->text.p, t->signed_size) == 1;
    EVP_MD_CTX_free(md);
    buf_fini(&signature);
    return ok;
}

enum token_error signature_verify(const struct token *t, const struct keyset *keys,
                                  const struct key **key)
{
    enum token_error error = TOKEN_KEY;
    int tried = 0;

    if (is_for_libjwt(t) && !libjwt_agrees(t))
        return TOKEN_MALFORMED;
    for (size_t i = 0; i < keyset_count(keys) && tried < KEYS_TRIED; i++) {
        const struct key *one = keyset_at(keys, i);
        bool named = t->kid != NULL && one->kid != NULL && strcmp(one->kid, t->kid) == 0;
        if (t->kid != NULL && !named)
            continue;
        if (one->algorithms & 1u << t->algorithm) {
            tried++;
            *key = one;
            if (verify(t, one))
                return TOKEN_OK;
        } else if (named && !tried) {
            error = TOKEN_ALGORITHM;
        }
    }
    return tried ? TOKEN_SIGNATURE : error;
}

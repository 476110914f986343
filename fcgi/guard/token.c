#include "guard/token.h"

#include <jwt.h>
#include <math.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <strings.h>

#include "base/base64.h"
#include "base/mem.h"
#include "guard/jsontext.h"

enum {
    KEYS_TRIED = 4,
    NBF_LEEWAY_MS = 10000, /* an issuer's clock may be ahead, and a 401 ends an EventSource */
};

const char *token_error_text(enum token_error error)
{
    static const char *const texts[] = {
        [TOKEN_OK] = "the token is good",
        [TOKEN_MALFORMED] = "the token is malformed",
        [TOKEN_TOO_LONG] = "the token is longer than 8192 bytes",
        [TOKEN_ALGORITHM] = "the token's algorithm is not allowed",
        [TOKEN_TYPE] = "the token is of another type",
        [TOKEN_ISSUER] = "the token is of another issuer",
        [TOKEN_AUDIENCE] = "the token is for another audience",
        [TOKEN_SUBJECT] = "the token's subject is malformed",
        [TOKEN_NO_EXPIRY] = "the token has no valid expiry",
        [TOKEN_EXPIRED] = "the token is expired",
        [TOKEN_NOT_YET] = "the token is not valid yet",
        [TOKEN_KEY] = "the token is of an unknown key",
        [TOKEN_SIGNATURE] = "the token's signature is wrong",
        [TOKEN_SCOPE] = "the token lacks a scope",
        [TOKEN_BUSY] = "too many tokens wait to be verified",
    };
    return texts[error];
}

/* -- the frame -- */

/* Strict base64url without padding: what is decoded and encoded again must be the same. */
static bool decode_segment(struct slice segment, struct buf *out)
{
    if (segment.n == 0 || memchr(segment.p, '=', segment.n))
        return false;
    return base64url_decode(out, segment);
}

/* *tamed is set if jansson, and so libjwt, refuses the JSON as it stands. */
static json_t *decode_object(struct slice segment, bool *tamed)
{
    struct buf bytes = {0};
    json_t *json = NULL;
    bool changed = false;

    /* jansson overlooks a NUL behind a number, and to libjwt the text ends there. */
    if (decode_segment(segment, &bytes) && memchr(bytes.p, 0, bytes.n) == NULL)
        json = jsontext_load(&bytes, JSON_REJECT_DUPLICATES, &changed, NULL);
    *tamed = *tamed || changed;
    buf_fini(&bytes);
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static bool split(struct slice text, struct slice part[3])
{
    for (int i = 0; i < 3; i++) {
        const uint8_t *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
        if ((dot != NULL) != (i < 2))
            return false;
        part[i] = slice_of(text.p, dot ? (size_t)(dot - text.p) : text.n);
        text.p += part[i].n + (dot ? 1 : 0);
        text.n -= part[i].n + (dot ? 1 : 0);
    }
    return true;
}

/* Milliseconds of a NumericDate (RFC 7519, 2); false if it is no number in a sane range. */
static bool get_time(const json_t *payload, const char *claim, int64_t *out)
{
    const json_t *t = json_object_get(payload, claim);
    double seconds = json_number_value(t);

    if (!json_is_number(t) || !isfinite(seconds) || seconds < 0 || seconds > 253402300799.0)
        return false;
    *out = (int64_t)(seconds * 1000);
    return true;
}

/* A string without NUL: it is compared as a C string. */
static const char *get_text(const json_t *object, const char *name)
{
    const json_t *s = json_object_get(object, name);

    if (!json_is_string(s) || strlen(json_string_value(s)) != json_string_length(s))
        return NULL;
    return json_string_value(s);
}

static enum token_error read_type(struct token *t)
{
    const char *typ = get_text(t->header, "typ");

    if (json_object_get(t->header, "typ") == NULL)
        return TOKEN_OK;
    if (typ == NULL)
        return TOKEN_TYPE;
    t->at_jwt = strcasecmp(typ, "at+jwt") == 0 || strcasecmp(typ, "application/at+jwt") == 0;
    return t->at_jwt || strcasecmp(typ, "JWT") == 0 ? TOKEN_OK : TOKEN_TYPE;
}

static enum token_error read_times(struct token *t)
{
    if (!get_time(t->payload, "exp", &t->exp_ms))
        return TOKEN_NO_EXPIRY;
    if (json_object_get(t->payload, "nbf") != NULL && !get_time(t->payload, "nbf", &t->nbf_ms))
        return TOKEN_MALFORMED;
    return TOKEN_OK;
}

enum token_error token_parse(struct slice text, struct token *out)
{
    struct token t = {.text = text};
    struct buf signature = {0};
    struct slice part[3];

    *out = t;
    if (text.n > TOKEN_MAX)
        return TOKEN_TOO_LONG;
    if (text.n == 0 || memchr(text.p, 0, text.n) || !split(text, part))
        return TOKEN_MALFORMED;
    bool ok = decode_segment(part[2], &signature);
    buf_fini(&signature);
    if (!ok)
        return TOKEN_MALFORMED;
    t.signed_size = part[0].n + 1 + part[1].n;
    t.header = decode_object(part[0], &t.tamed);
    t.payload = t.header ? decode_object(part[1], &t.tamed) : NULL;
    *out = t;
    if (t.payload == NULL || json_object_get(t.header, "crit") != NULL)
        return TOKEN_MALFORMED;
    const char *alg = get_text(t.header, "alg");
    if (alg == NULL)
        return TOKEN_MALFORMED;
    out->kid = get_text(t.header, "kid");
    if (out->kid == NULL && json_object_get(t.header, "kid") != NULL)
        return TOKEN_MALFORMED;
    out->sub = get_text(t.payload, "sub");
    if (!algorithm_parse(alg, &out->algorithm))
        return TOKEN_ALGORITHM;
    enum token_error error = read_type(out);
    return error ? error : read_times(out);
}

void token_fini(struct token *t)
{
    json_decref(t->header);
    json_decref(t->payload);
    *t = (struct token){0};
}

/* -- the claims -- */

/* The string, or one of the array. */
static bool has_audience(const json_t *aud, const char *wanted)
{
    size_t i;
    json_t *one;

    if (json_is_string(aud))
        return slice_equal(slice_of(json_string_value(aud), json_string_length(aud)),
                           slice_str(wanted));
    json_array_foreach (aud, i, one) {
        if (json_is_string(one) &&
            slice_equal(slice_of(json_string_value(one), json_string_length(one)),
                        slice_str(wanted)))
            return true;
    }
    return false;
}

enum token_error token_check_times(int64_t exp_ms, int64_t nbf_ms, int64_t leeway_ms,
                                   int64_t now_ms)
{
    if (now_ms >= exp_ms + leeway_ms)
        return TOKEN_EXPIRED;
    int64_t early_ms = leeway_ms > NBF_LEEWAY_MS ? leeway_ms : NBF_LEEWAY_MS;
    return now_ms + early_ms < nbf_ms ? TOKEN_NOT_YET : TOKEN_OK;
}

static enum token_error check_identity(const struct token *t, const struct token_policy *policy)
{
    const char *iss = get_text(t->payload, "iss");

    if (iss == NULL || strcmp(iss, policy->issuer) != 0)
        return TOKEN_ISSUER;
    if (!has_audience(json_object_get(t->payload, "aud"), policy->audience))
        return TOKEN_AUDIENCE;
    if (json_object_get(t->payload, "sub") != NULL && (t->sub == NULL || *t->sub == 0))
        return TOKEN_SUBJECT;
    return TOKEN_OK;
}

enum token_error token_check_claims(const struct token *t, const struct token_policy *policy,
                                    int64_t now_ms)
{
    enum token_error error = check_identity(t, policy);

    return error ? error : token_check_times(t->exp_ms, t->nbf_ms, policy->leeway_ms, now_ms);
}

/* A blank-separated string or an array (RFC 8693, 4.2). */
static bool holds_scope(const json_t *claim, struct slice scope)
{
    size_t i;
    json_t *one;

    if (json_is_string(claim)) {
        const char *at = json_string_value(claim);
        if (strlen(at) != json_string_length(claim))
            return false;
        while (*(at += strspn(at, " ")) != 0) {
            size_t n = strcspn(at, " ");
            if (slice_equal(slice_of(at, n), scope))
                return true;
            at += n;
        }
        return false;
    }
    json_array_foreach (claim, i, one) {
        if (json_is_string(one) &&
            slice_equal(slice_of(json_string_value(one), json_string_length(one)), scope))
            return true;
    }
    return false;
}

/* The member at a dotted path; a name that holds dots itself wins over the path. */
static const json_t *at_path(const json_t *object, const char *path)
{
    const json_t *whole = json_object_get(object, path);

    while (whole == NULL && object != NULL) {
        char name[256];
        size_t n = strcspn(path, ".");
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        object = json_object_get(object, name);
        if (path[n] == 0)
            return object;
        path += n + 1;
    }
    return whole;
}

enum token_error token_check_scope(const struct token *t, const struct token_policy *policy)
{
    const json_t *claim = at_path(t->payload, policy->scope_claim);

    for (size_t i = 0; i < policy->scope_count; i++)
        if (!holds_scope(claim, slice_str(policy->scopes[i])))
            return TOKEN_SCOPE;
    return TOKEN_OK;
}

bool token_names(struct slice text, const char *issuer, const char *sub)
{
    struct slice part[3];
    json_t *payload = NULL;
    bool tamed = false;

    if (text.n <= TOKEN_MAX && split(text, part))
        payload = decode_object(part[1], &tamed);
    const char *iss = get_text(payload, "iss"), *of = get_text(payload, "sub");
    bool same = iss != NULL && strcmp(iss, issuer) == 0 &&
                (sub && of ? strcmp(sub, of) == 0 : sub == of && !json_object_get(payload, "sub"));
    json_decref(payload);
    return same;
}

/* -- the signature -- */

/* libjwt takes C strings, parses the PEM each time, and knows neither RSASSA-PSS nor EdDSA nor
 * at+jwt nor numbers that jansson cannot hold. */
static bool verify_by_libjwt(const struct token *t, const struct key *key)
{
    char *text = mem_alloc(t->text.n + 1);
    jwt_t *jwt = NULL;

    memcpy(text, t->text.p, t->text.n);
    text[t->text.n] = 0;
    int err = jwt_decode(&jwt, text, (const unsigned char *)key->pem, (int)strlen(key->pem));
    bool ok = err == 0 && jwt != NULL && jwt_get_alg(jwt) != JWT_ALG_NONE;
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

static bool verify_by_openssl(const struct token *t, const struct key *key)
{
    struct buf signature = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    struct slice encoded = slice_of(t->text.p + t->signed_size + 1, t->text.n - t->signed_size - 1);
    bool ok = decode_segment(encoded, &signature) &&
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

static bool verify(const struct token *t, const struct key *key)
{
    if (is_pss(t->algorithm) || t->algorithm == ALG_EDDSA || t->at_jwt || t->tamed)
        return verify_by_openssl(t, key);
    return verify_by_libjwt(t, key);
}

enum token_error token_verify(const struct token *t, const struct keyset *keys,
                              const struct key **key)
{
    enum token_error error = TOKEN_KEY;
    int tried = 0;

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

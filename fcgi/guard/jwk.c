#include "guard/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384, ED25519_BYTES = 32 };

static const char *const names[ALGORITHMS] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                              "PS512", "ES256", "ES384", "ES512", "EdDSA"};

enum {
    RSA_ALGORITHMS = 1 << ALG_RS256 | 1 << ALG_RS384 | 1 << ALG_RS512 | 1 << ALG_PS256 |
                     1 << ALG_PS384 | 1 << ALG_PS512,
};

static const struct curve {
    const char *name, *group;
    size_t size;
    uint32_t algorithm;
} curves[] = {
    {"P-256", "prime256v1", 32, 1 << ALG_ES256},
    {"P-384", "secp384r1", 48, 1 << ALG_ES384},
    {"P-521", "secp521r1", 66, 1 << ALG_ES512},
};

bool algorithm_parse(const char *name, enum algorithm *out)
{
    for (int i = 0; i < ALGORITHMS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum algorithm)i;
            return true;
        }
    }
    return false;
}

/* -- members -- */

/* NULL if it is not there, or null: many serialisers write absent members so. */
static const json_t *member(const json_t *jwk, const char *name)
{
    const json_t *value = json_object_get(jwk, name);

    return json_is_null(value) ? NULL : value;
}

static bool get_bytes(const json_t *jwk, const char *name, struct buf *out)
{
    const json_t *s = member(jwk, name);

    out->n = 0;
    return json_is_string(s) && json_string_length(s) > 0 &&
           base64url_decode(out, slice_of(json_string_value(s), json_string_length(s)));
}

/* A string of one of these, which hold no NUL. */
static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) &&
           slice_equal(slice_of(json_string_value(value), json_string_length(value)),
                       slice_str(text));
}

/* -- from JWK to EVP_PKEY -- */

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params == NULL || make == NULL || EVP_PKEY_fromdata_init(make) != 1 ||
        EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(make);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *make_rsa(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = make_key("RSA", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static const char *read_rsa(const json_t *jwk, struct key *key)
{
    struct buf n = {0}, e = {0};
    BIGNUM *bn = NULL, *be = NULL;
    const char *reason = NULL;

    if (!get_bytes(jwk, "n", &n) || !get_bytes(jwk, "e", &e)) {
        reason = "its n or e is not base64url";
        goto out;
    }
    bn = BN_bin2bn(n.p, (int)n.n, NULL);
    be = BN_bin2bn(e.p, (int)e.n, NULL);
    if (BN_num_bits(bn) < RSA_BITS_MIN)
        reason = "it is an RSA key of less than 2048 bits";
    else if (BN_num_bits(bn) > RSA_BITS_MAX)
        reason = "it is an RSA key of more than 16384 bits";
    else if (BN_num_bits(be) > 64 || (key->public_key = make_rsa(bn, be)) == NULL)
        reason = "its n and e are not those of an RSA key";
out:
    BN_free(bn);
    BN_free(be);
    buf_fini(&n);
    buf_fini(&e);
    return reason;
}

/* A coordinate has the full length of the field (RFC 7518, 6.2.1.2), but some writers trim the
 * zeros that one in 256 begins with. */
static void add_padded(struct buf *point, const struct buf *coordinate, size_t size)
{
    for (size_t i = coordinate->n; i < size; i++)
        buf_add_byte(point, 0);
    buf_add_slice(point, buf_slice(coordinate));
}

static EVP_PKEY *make_ec(const struct curve *curve, const struct buf *x, const struct buf *y)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    struct buf point = {0};
    EVP_PKEY *key = NULL;

    buf_add_byte(&point, 0x04); /* uncompressed */
    add_padded(&point, x, curve->size);
    add_padded(&point, y, curve->size);
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
        key = make_key("EC", build);
    OSSL_PARAM_BLD_free(build);
    buf_fini(&point);
    return key;
}

static const char *read_ec(const json_t *jwk, const struct curve *curve, struct key *key)
{
    struct buf x = {0}, y = {0};
    const char *reason = NULL;

    if (!get_bytes(jwk, "x", &x) || !get_bytes(jwk, "y", &y))
        reason = "its x or y is not base64url";
    else if (x.n > curve->size || y.n > curve->size)
        reason = "its x or y is too long for its curve";
    else if ((key->public_key = make_ec(curve, &x, &y)) == NULL)
        reason = "its point is not on its curve";
    buf_fini(&x);
    buf_fini(&y);
    return reason;
}

static const char *read_ed25519(const json_t *jwk, struct key *key)
{
    struct buf x = {0};
    const char *reason = NULL;

    if (!get_bytes(jwk, "x", &x) || x.n != ED25519_BYTES)
        reason = "its x is not the base64url of 32 bytes";
    else if ((key->public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.p, x.n)) ==
             NULL)
        reason = "its x is not an Ed25519 key";
    buf_fini(&x);
    return reason;
}

static char *make_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *pem = NULL;

    if (PEM_write_bio_PUBKEY(bio, key) == 1) {
        size_t n = (size_t)BIO_get_mem_data(bio, &data);
        pem = mem_alloc(n + 1);
        memcpy(pem, data, n);
        pem[n] = 0;
    }
    BIO_free(bio);
    return pem;
}

static bool make_thumbprint(struct key *key)
{
    char *pem = make_pem(key->public_key);
    struct buf all = {0};

    if (pem == NULL)
        return false;
    /* No kid is not an empty one. */
    buf_printf(&all, "%s%s\n%x\n%s", key->kid ? "=" : "", key->kid ? key->kid : "", key->algorithms,
               pem);
    SHA256(all.p, all.n, key->thumbprint);
    buf_fini(&all);
    free(pem);
    return true;
}

/* -- what a JWK says of itself -- */

/* NULL if `use` and `key_ops`, where they are there, allow verifying (RFC 7517, 4.2 and 4.3). */
static const char *read_use(const json_t *jwk)
{
    const json_t *use = member(jwk, "use"), *ops = member(jwk, "key_ops");
    size_t i;
    json_t *op;

    if (use != NULL && !is_text(use, "sig"))
        return "its use is not sig";
    if (ops == NULL || (json_is_array(ops) && json_array_size(ops) == 0))
        return NULL;
    json_array_foreach (ops, i, op) {
        if (is_text(op, "verify"))
            return NULL;
    }
    return "its key_ops do not hold verify";
}

/* Which of the algorithms of its type it is for. */
static const char *read_algorithm(const json_t *jwk, uint32_t of_type, struct key *key)
{
    const json_t *alg = member(jwk, "alg");

    key->algorithms = of_type;
    for (int i = 0; alg != NULL && i < ALGORITHMS; i++)
        if (!is_text(alg, names[i]))
            key->algorithms &= ~(1u << i);
    return key->algorithms != 0 ? NULL : "its alg is none that we verify with a key of its type";
}

static const struct curve *find_curve(const json_t *crv)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (is_text(crv, curves[i].name))
            return &curves[i];
    return NULL;
}

static const char *read_by_type(const json_t *jwk, struct key *key)
{
    const json_t *kty = member(jwk, "kty"), *crv = member(jwk, "crv");
    const struct curve *curve = find_curve(crv);
    const char *reason;

    if (is_text(kty, "RSA")) {
        reason = read_algorithm(jwk, RSA_ALGORITHMS, key);
        return reason ? reason : read_rsa(jwk, key);
    }
    if (is_text(kty, "EC") && curve == NULL)
        return "its curve is not P-256, P-384 or P-521";
    if (is_text(kty, "EC")) {
        reason = read_algorithm(jwk, curve->algorithm, key);
        return reason ? reason : read_ec(jwk, curve, key);
    }
    if (is_text(kty, "OKP") && !is_text(crv, "Ed25519"))
        return "its curve is not Ed25519";
    if (is_text(kty, "OKP")) {
        reason = read_algorithm(jwk, 1 << ALG_EDDSA, key);
        return reason ? reason : read_ed25519(jwk, key);
    }
    return "its type is not RSA, EC or OKP";
}

/* Compared as a C string, so without NUL. */
static const char *read_kid(const json_t *jwk, struct key *key)
{
    const json_t *kid = member(jwk, "kid");

    if (kid == NULL)
        return NULL;
    if (!json_is_string(kid) || strlen(json_string_value(kid)) != json_string_length(kid))
        return "its kid is not a string";
    key->kid = mem_strdup(json_string_value(kid));
    return NULL;
}

const char *jwk_read(const json_t *jwk, struct key *key)
{
    const char *reason = json_is_object(jwk) ? NULL : "it is no object";

    *key = (struct key){0};
    if (reason == NULL)
        reason = read_kid(jwk, key);
    if (reason == NULL)
        reason = read_use(jwk);
    if (reason == NULL)
        reason = read_by_type(jwk, key);
    if (reason == NULL && !make_thumbprint(key))
        reason = "OpenSSL cannot write it";
    if (reason != NULL)
        key_fini(key);
    return reason;
}

const char *jwk_check(const struct key *key)
{
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, key->public_key, NULL);
    bool good = check != NULL && EVP_PKEY_public_check(check) == 1;

    EVP_PKEY_CTX_free(check);
    return good ? NULL : "its numbers make no key";
}

bool jwk_is_private(const json_t *jwk)
{
    static const char *const privates[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};

    for (size_t i = 0; i < sizeof privates / sizeof privates[0]; i++)
        if (member(jwk, privates[i]) != NULL)
            return true;
    return false;
}

void key_fini(struct key *key)
{
    free(key->kid);
    EVP_PKEY_free(key->public_key);
    *key = (struct key){0};
}

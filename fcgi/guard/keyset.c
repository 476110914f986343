#include "guard/keyset.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"

enum { FILE_MAX = 1024 * 1024, KEYS_MAX = 256, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384 };

static const char demo_kid[] = "demo-insecure";

struct keyset {
    struct key *keys;
    size_t n;
};

static const char *const names[ALGORITHMS] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                              "PS512", "ES256", "ES384", "ES512"};

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

/* -- from JWK to EVP_PKEY -- */

static bool get_bytes(const json_t *jwk, const char *member, struct buf *out)
{
    const json_t *s = json_object_get(jwk, member);

    out->n = 0;
    return json_is_string(s) && json_string_length(s) > 0 &&
           base64url_decode(out, slice_of(json_string_value(s), json_string_length(s)));
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
    EVP_PKEY *key = NULL;

    if (params == NULL || make == NULL || EVP_PKEY_fromdata_init(make) != 1 ||
        EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    if (key != NULL)
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (key != NULL && (check == NULL || EVP_PKEY_public_check(check) != 1)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(make);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *make_rsa(const json_t *jwk)
{
    struct buf n = {0}, e = {0};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *bn = NULL, *be = NULL;
    EVP_PKEY *key = NULL;

    if (get_bytes(jwk, "n", &n) && get_bytes(jwk, "e", &e) && n.n <= RSA_BITS_MAX / 8 && e.n <= 8) {
        bn = BN_bin2bn(n.p, (int)n.n, NULL);
        be = BN_bin2bn(e.p, (int)e.n, NULL);
        if (BN_num_bits(bn) >= RSA_BITS_MIN &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
            key = make_key("RSA", build);
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    buf_fini(&n);
    buf_fini(&e);
    return key;
}

static EVP_PKEY *make_ec(const json_t *jwk, const struct curve *curve)
{
    struct buf x = {0}, y = {0}, point = {0};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    /* Coordinates have the full length of the field (RFC 7518, 6.2.1.2). */
    if (get_bytes(jwk, "x", &x) && get_bytes(jwk, "y", &y) && x.n == curve->size &&
        y.n == curve->size) {
        buf_add_byte(&point, 0x04); /* uncompressed */
        buf_add_slice(&point, buf_slice(&x));
        buf_add_slice(&point, buf_slice(&y));
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) ==
                1 &&
            OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
            key = make_key("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    buf_fini(&x);
    buf_fini(&y);
    buf_fini(&point);
    return key;
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

static void make_thumbprint(struct key *key)
{
    struct buf all = {0};

    buf_printf(&all, "%s\n%x\n%s", key->kid ? key->kid : "", key->algorithms, key->pem);
    SHA256(all.p, all.n, key->thumbprint);
    buf_fini(&all);
}

static void key_fini(struct key *key)
{
    free(key->kid);
    free(key->pem);
    EVP_PKEY_free(key->public_key);
}

/* -- what a JWK says of itself -- */

/* `use` and `key_ops`, where they are there, must allow verifying (RFC 7517, 4.2 and 4.3). */
static bool is_for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");
    size_t i;
    json_t *op;

    if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (ops == NULL)
        return true;
    json_array_foreach (ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

/* The algorithms of its type, or the one that it names; 0: none of ours. */
static uint32_t narrow(uint32_t algorithms, const json_t *jwk)
{
    const json_t *alg = json_object_get(jwk, "alg");
    enum algorithm one;

    if (alg == NULL)
        return algorithms;
    if (!json_is_string(alg) || !algorithm_parse(json_string_value(alg), &one))
        return 0;
    return algorithms & 1u << one;
}

static bool read_key(const json_t *jwk, struct key *key)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *crv = json_string_value(json_object_get(jwk, "crv"));

    if (kty == NULL || !is_for_verifying(jwk))
        return false;
    if (strcmp(kty, "RSA") == 0) {
        key->algorithms = narrow(RSA_ALGORITHMS, jwk);
        key->public_key = key->algorithms ? make_rsa(jwk) : NULL;
    }
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(kty, "EC") != 0 || crv == NULL || strcmp(crv, curves[i].name) != 0)
            continue;
        key->algorithms = narrow(curves[i].algorithm, jwk);
        key->public_key = key->algorithms ? make_ec(jwk, &curves[i]) : NULL;
    }
    if (key->public_key == NULL)
        return false;
    key->pem = make_pem(key->public_key);
    return key->pem != NULL;
}

/* -- files -- */

static bool add_key(struct keyset *set, const json_t *jwk, const char *file, bool allow_demo,
                    char *error, size_t size)
{
    struct key key = {0};
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    struct log_quoted quoted;

    if (kid == NULL && json_object_get(jwk, "kid") != NULL) {
        snprintf(error, size, "%s: a kid is not a string", file);
        return false;
    }
    if (kid != NULL && strcmp(kid, demo_kid) == 0 && !allow_demo) {
        snprintf(error, size, "%s: holds the demo's key %s, whose private half is public", file,
                 demo_kid);
        return false;
    }
    if (kid != NULL && keyset_by_kid(set, kid) != NULL) {
        snprintf(error, size, "%s: there are two keys with the kid %s", file,
                 log_quote(slice_str(kid), &quoted));
        return false;
    }
    if (set->n == KEYS_MAX) {
        snprintf(error, size, "%s: more than %d keys", file, KEYS_MAX);
        return false;
    }
    key.kid = kid ? mem_strdup(kid) : NULL;
    if (!read_key(jwk, &key)) {
        log_warn("guard: %s: key %s is passed over: not an RSA (from %d bits) or EC key for "
                 "signatures",
                 file, kid ? log_quote(slice_str(kid), &quoted) : "without kid", RSA_BITS_MIN);
        key_fini(&key);
        return true;
    }
    make_thumbprint(&key);
    set->keys = mem_resize_array(set->keys, set->n + 1, sizeof *set->keys);
    set->keys[set->n++] = key;
    return true;
}

static json_t *read_json(const char *file, char *error, size_t size)
{
    FILE *f = fopen(file, "re");
    char *text = mem_alloc(FILE_MAX + 1);
    json_error_t why;
    json_t *json = NULL;

    if (f == NULL) {
        snprintf(error, size, "%s: %s", file, strerror(errno));
    } else {
        size_t n = fread(text, 1, FILE_MAX + 1, f);
        if (n > FILE_MAX)
            snprintf(error, size, "%s: larger than %d bytes", file, FILE_MAX);
        else if ((json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why)) == NULL)
            snprintf(error, size, "%s: line %d: not JSON", file, why.line);
        fclose(f);
    }
    free(text);
    return json;
}

static bool add_file(struct keyset *set, const char *file, bool allow_demo, char *error,
                     size_t size)
{
    json_t *jwks = read_json(file, error, size), *jwk;
    const json_t *keys = json_object_get(jwks, "keys");
    bool ok = json_is_array(keys);
    size_t i;

    if (jwks != NULL && !ok)
        snprintf(error, size, "%s: no JWKS: an object with an array \"keys\"", file);
    json_array_foreach (keys, i, jwk) {
        ok = ok && add_key(set, jwk, file, allow_demo, error, size);
    }
    json_decref(jwks);
    return ok;
}

struct keyset *keyset_load(const char *const *files, size_t n, bool allow_demo, char *error,
                           size_t size)
{
    struct keyset *set = mem_zero(sizeof *set);
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++)
        ok = add_file(set, files[i], allow_demo, error, size);
    if (ok && set->n == 0) {
        snprintf(error, size, "%s: no usable key", files[0]);
        ok = false;
    }
    if (ok)
        return set;
    keyset_free(set);
    return NULL;
}

void keyset_free(struct keyset *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->n; i++)
        key_fini(&set->keys[i]);
    free(set->keys);
    free(set);
}

const struct key *keyset_by_kid(const struct keyset *set, const char *kid)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->keys[i].kid != NULL && strcmp(set->keys[i].kid, kid) == 0)
            return &set->keys[i];
    return NULL;
}

bool keyset_has(const struct keyset *set, const uint8_t thumbprint[KEY_THUMBPRINT])
{
    for (size_t i = 0; i < set->n; i++)
        if (memcmp(set->keys[i].thumbprint, thumbprint, KEY_THUMBPRINT) == 0)
            return true;
    return false;
}

size_t keyset_count(const struct keyset *set)
{
    return set->n;
}

const struct key *keyset_at(const struct keyset *set, size_t i)
{
    return &set->keys[i];
}

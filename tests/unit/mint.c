#include "mint.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "base/base64.h"
#include "support.h"

EVP_PKEY *mint_rsa(unsigned bits)
{
    return EVP_RSA_gen(bits);
}

EVP_PKEY *mint_ec(const char *group)
{
    return EVP_EC_gen(group);
}

EVP_PKEY *mint_ed25519(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

void mint_segment(struct buf *out, struct slice bytes)
{
    base64url_add(out, bytes);
    while (out->n > 0 && out->p[out->n - 1] == '=')
        out->n--;
}

/* `"name":"..."`, the number in `size` bytes, or in as many as it needs (0). */
static void add_number(struct buf *out, EVP_PKEY *key, const char *param, const char *name,
                       size_t size)
{
    BIGNUM *n = NULL;
    uint8_t bytes[2048];

    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &n), 1);
    if (size == 0)
        size = (size_t)BN_num_bytes(n);
    assert_int_equal(BN_bn2binpad(n, bytes, (int)size), size);
    buf_printf(out, "\"%s\":\"", name);
    mint_segment(out, slice_of(bytes, size));
    buf_add_byte(out, '"');
    BN_free(n);
}

static void add_ed25519(struct buf *out, EVP_PKEY *key)
{
    uint8_t bytes[32];
    size_t n = sizeof bytes;

    assert_int_equal(EVP_PKEY_get_raw_public_key(key, bytes, &n), 1);
    buf_add_str(out, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
    mint_segment(out, slice_of(bytes, n));
    buf_add_byte(out, '"');
}

void mint_jwk(struct buf *out, EVP_PKEY *key, const char *members)
{
    size_t size = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

    buf_printf(out, "{%s", members);
    if (EVP_PKEY_is_a(key, "RSA")) {
        buf_add_str(out, "\"kty\":\"RSA\",");
        add_number(out, key, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        buf_add_byte(out, ',');
        add_number(out, key, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    } else if (EVP_PKEY_is_a(key, "ED25519")) {
        add_ed25519(out, key);
    } else {
        buf_printf(out, "\"kty\":\"EC\",\"crv\":\"P-%d\",", EVP_PKEY_get_bits(key));
        add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, "x", size);
        buf_add_byte(out, ',');
        add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", size);
    }
    buf_add_byte(out, '}');
}

void mint_jwks(struct buf *out, EVP_PKEY *key, const char *members)
{
    buf_add_str(out, "{\"keys\":[");
    mint_jwk(out, key, members);
    buf_add_str(out, "]}");
}

void mint_pem(struct buf *out, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    size_t n = (size_t)BIO_get_mem_data(bio, &data);
    buf_add(out, data, n);
    BIO_free(bio);
}

/* r and s one after the other (RFC 7518, 3.4), from OpenSSL's DER. */
static size_t to_raw(uint8_t *signature, size_t n, EVP_PKEY *key)
{
    const uint8_t *der = signature;
    int half = (EVP_PKEY_get_bits(key) + 7) / 8;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);

    assert_non_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + half, half);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)half;
}

void mint_sign(struct buf *token, const char *alg, EVP_PKEY *key)
{
    static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};
    const char *digest = EVP_PKEY_is_a(key, "ED25519")
                             ? NULL
                             : digests[alg[2] == '2'   ? 0
                                       : alg[2] == '3' ? 1
                                                       : 2]; /* of ..256 and so on */
    uint8_t signature[2048];
    size_t n = sizeof signature;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;

    assert_int_equal(EVP_DigestSignInit_ex(md, &ctx, digest, NULL, NULL, key, NULL), 1);
    if (alg[0] == 'P') {
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(md, signature, &n, token->p, token->n), 1);
    EVP_MD_CTX_free(md);
    if (EVP_PKEY_is_a(key, "EC"))
        n = to_raw(signature, n, key);
    buf_add_byte(token, '.');
    mint_segment(token, slice_of(signature, n));
}

void mint_sign_hmac(struct buf *token, struct slice secret)
{
    uint8_t signature[32];

    HMAC(EVP_sha256(), secret.p, (int)secret.n, token->p, token->n, signature, NULL);
    buf_add_byte(token, '.');
    mint_segment(token, slice_of(signature, sizeof signature));
}

void mint_token(struct buf *out, const char *header, const char *payload, const char *alg,
                EVP_PKEY *key)
{
    mint_segment(out, slice_str(header));
    buf_add_byte(out, '.');
    mint_segment(out, slice_str(payload));
    mint_sign(out, alg, key);
}

void mint_other_form(struct buf *token)
{
    static const char order[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
    const uint8_t *dot = memrchr(token->p, '.', token->n);
    size_t at = (size_t)(dot + 1 - token->p);
    struct buf raw = {0};
    BIGNUM *n = NULL, *s;

    assert_true(base64url_decode(&raw, slice_of(dot + 1, token->n - at)));
    assert_int_equal(raw.n, 64);
    BN_hex2bn(&n, order);
    s = BN_bin2bn(raw.p + 32, 32, NULL);
    BN_sub(s, n, s);
    BN_bn2binpad(s, raw.p + 32, 32);
    token->n = at;
    mint_segment(token, buf_slice(&raw));
    BN_free(n);
    BN_free(s);
    buf_fini(&raw);
}

void mint_write_file(const char *path, struct slice bytes)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    fclose(f);
}

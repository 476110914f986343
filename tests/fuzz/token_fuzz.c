/* A token: as it stands; or, if the input begins with `{`, one to be made: header and payload in a
 * line each, signed by us, then a place in the signature and what to change there. */
#include "guard/token.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "fuzz.h"
#include "guard/signature.h"
#include "mint.h"

static const int64_t now_ms = INT64_C(1800000000000);
static const char *const scopes[] = {"read:events"};
static const struct token_policy policy = {
    .issuer = "https://issuer.example",
    .audience = "events",
    .scopes = scopes,
    .scope_count = 1,
    .audience_claim = "aud",
    .scope_claim = "realm.scope",
    .identity = "sub",
};

static EVP_PKEY *p256;
static struct keyset *keys;

/* An EC and an RSA key, new in each run: what is asserted holds for all. */
static void make_keys(void)
{
    struct buf jwks = {0};
    char file[64], error[256];
    const char *const files[] = {file};
    int fd = memfd_create("jwks", MFD_CLOEXEC);
    EVP_PKEY *rsa = mint_rsa(2048);

    p256 = mint_ec("P-256");
    buf_add_str(&jwks, "{\"keys\":[");
    mint_jwk(&jwks, p256, "\"kid\":\"p256\",");
    buf_add_byte(&jwks, ',');
    mint_jwk(&jwks, rsa, "\"kid\":\"rsa\",");
    buf_add_str(&jwks, "]}");
    assert(write(fd, jwks.p, jwks.n) == (ssize_t)jwks.n);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    const struct keyset_source source = {.files = files, .file_count = 1};
    struct notes notes = {0};
    assert(keyset_load(&source, &keys, &notes, error, sizeof error) == 0 && notes.n == 0);
    close(fd);
    buf_fini(&jwks);
    EVP_PKEY_free(rsa);
}

static bool holds(const json_t *json, const char *text)
{
    char *dumped = json_dumps(json, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    bool found = strstr(dumped, text) != NULL;

    free(dumped);
    return found;
}

static void check_claims(const struct token *t)
{
    const char *iss = json_string_value(json_object_get(t->payload, "iss"));
    const char *subject = token_subject(t, &policy);

    assert(t->exp_ms >= 0 && t->nbf_ms >= 0 && t->header != NULL && t->payload != NULL);
    if (token_check_claims(t, &policy, now_ms) == TOKEN_OK) {
        assert(iss != NULL && strcmp(iss, policy.issuer) == 0);
        assert(holds(json_object_get(t->payload, "aud"), "\"events\""));
        assert(t->exp_ms > now_ms && t->nbf_ms <= now_ms);
        assert((subject == NULL) == (json_object_get(t->payload, "sub") == NULL));
        assert(token_check_claims(t, &policy, t->exp_ms) == TOKEN_EXPIRED);
        assert(token_names(t->text, &policy, subject));
        assert(!token_names(t->text, &policy, "somebody else"));
    }
    if (token_check_scope(t, &policy) == TOKEN_OK)
        assert(holds(t->payload, "read:events"));
}

static bool is_verified(const struct token *t)
{
    const struct key *key;

    return signature_verify(t, keys, &key) == TOKEN_OK;
}

/* Nobody but us has the keys. */
static void check_foreign(struct slice text)
{
    struct token t;

    if (token_parse(text, &t) == TOKEN_OK) {
        check_claims(&t);
        assert(!is_verified(&t));
    }
    token_fini(&t);
}

/* Changes a byte of the signature; false if nothing came of it. */
static bool spoil(struct buf *token, size_t signed_size, struct slice how)
{
    struct slice text = slice_of(token->p + signed_size + 1, token->n - signed_size - 1);
    struct buf signature = {0};
    uint8_t at = take_byte(&how), change = take_byte(&how);

    assert(base64url_decode(&signature, text));
    signature.p[at % signature.n] ^= change;
    token->n = signed_size + 1;
    mint_segment(token, buf_slice(&signature));
    buf_fini(&signature);
    return change != 0;
}

static void check_ours(struct slice header, struct slice payload, struct slice how)
{
    struct buf token = {0};
    struct token t;

    mint_segment(&token, header);
    buf_add_byte(&token, '.');
    mint_segment(&token, payload);
    size_t signed_size = token.n;
    mint_sign(&token, "ES256", p256);
    bool spoilt = spoil(&token, signed_size, how);
    if (token_parse(buf_slice(&token), &t) == TOKEN_OK) {
        bool by_p256 = t.kid == NULL || strcmp(t.kid, "p256") == 0;
        check_claims(&t);
        assert(is_verified(&t) == (t.algorithm == ALG_ES256 && by_p256 && !spoilt));
    }
    token_fini(&t);
    buf_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);

    if (keys == NULL)
        make_keys();
    if (n == 0 || data[0] != '{') {
        check_foreign(in);
    } else {
        struct slice header = take_until(&in, '\n'), payload = take_until(&in, '\n');
        check_ours(header, payload, in);
    }
    return 0;
}

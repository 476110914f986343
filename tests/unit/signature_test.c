/* The signature check against libjwt's own: jwt_decode() with a PEM, one to one, on thousands of
 * tokens.  What both refuse or accept otherwise is tried in token_test.c. */
#include "guard/signature.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "mint.h"
#include "support.h"

#define PAYLOAD "{\"iss\":\"https://issuer.example\",\"sub\":\"alice\",\"exp\":1900000000}"

/* The keys of the set, and what they sign. */
enum { RSA_2048, P256, P384, P521, OF_SET };
static const char *const kids[OF_SET] = {"rsa", "p256", "p384", "p521"};
static const struct {
    const char *name;
    int key;
} algorithms[] = {{"RS256", RSA_2048}, {"RS384", RSA_2048}, {"RS512", RSA_2048},
                  {"ES256", P256},     {"ES384", P384},     {"ES512", P521}};
enum { N = sizeof algorithms / sizeof algorithms[0] };

static EVP_PKEY *keys[OF_SET], *strangers[OF_SET];
static struct buf pems[OF_SET];
static struct keyset *set;

static EVP_PKEY *make_key(int of)
{
    static const char *const groups[OF_SET] = {NULL, "P-256", "P-384", "P-521"};

    return of == RSA_2048 ? mint_rsa(2048) : mint_ec(groups[of]);
}

static void load(const struct buf *jwks)
{
    char path[] = "/tmp/signature_test.XXXXXX", error[256];
    const char *const files[] = {path};
    const struct keyset_source source = {.files = files, .file_count = 1};
    struct notes notes = {0};

    close(mkstemp(path));
    mint_write_file(path, buf_slice(jwks));
    assert_int_equal(keyset_load(&source, &set, &notes, error, sizeof error), 0);
    unlink(path);
    notes_fini(&notes);
}

static int group_setup(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    for (int i = 0; i < OF_SET; i++) {
        char members[32];
        keys[i] = make_key(i);
        strangers[i] = make_key(i);
        snprintf(members, sizeof members, "\"kid\":\"%s\",", kids[i]);
        buf_add_str(&jwks, i ? "," : "");
        mint_jwk(&jwks, keys[i], members);
        mint_pem(&pems[i], keys[i]);
    }
    buf_add_str(&jwks, "]}");
    load(&jwks);
    buf_fini(&jwks);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    keyset_free(set);
    for (int i = 0; i < OF_SET; i++) {
        EVP_PKEY_free(keys[i]);
        EVP_PKEY_free(strangers[i]);
        buf_fini(&pems[i]);
    }
    return 0;
}

/* -- two opinions -- */

static bool good_to_libjwt(const struct buf *token, int key)
{
    struct buf text = {0};
    jwt_t *jwt = NULL;

    buf_add_slice(&text, buf_slice(token));
    buf_add_byte(&text, 0);
    int err = jwt_decode(&jwt, (const char *)text.p, pems[key].p, (int)pems[key].n);
    bool good = err == 0 && jwt_get_alg(jwt) != JWT_ALG_NONE;
    jwt_free(jwt);
    buf_fini(&text);
    return good;
}

static int key_of(const struct token *t)
{
    for (int i = 0; t->kid != NULL && i < OF_SET; i++)
        if (strcmp(t->kid, kids[i]) == 0)
            return i;
    return -1;
}

/* Does one know the algorithm at all, with that key?  libjwt takes ES256 on any curve. */
static bool fits(const struct token *t, int key)
{
    for (int i = 0; i < N; i++) {
        enum algorithm a;
        algorithm_parse(algorithms[i].name, &a);
        if (a == t->algorithm)
            return algorithms[i].key == key;
    }
    return false;
}

/* Whether it is good, on which both must agree; -1: not asked, for the frame or the key refuse it
 * before. */
static int judge(const struct buf *token)
{
    const struct key *by = NULL;
    struct token t;
    int verdict = -1;

    if (token_parse(buf_slice(token), &t) == TOKEN_OK && !t.at_jwt && !t.tamed) {
        int key = key_of(&t);
        bool good = signature_verify(&t, set, &by) == TOKEN_OK;
        if (key >= 0 && fits(&t, key)) {
            verdict = good;
            if (good != good_to_libjwt(token, key))
                fail_msg("%s here, not by libjwt: %.*s", good ? "good" : "bad", (int)token->n,
                         (const char *)token->p);
        } else {
            assert_false(good);
        }
    }
    token_fini(&t);
    return verdict;
}

static struct buf make(const char *header_alg, int kid, const char *alg, EVP_PKEY *by)
{
    struct buf token = {0};
    char header[64];

    snprintf(header, sizeof header, "{\"typ\":\"JWT\",\"alg\":\"%s\",\"kid\":\"%s\"}", header_alg,
             kids[kid]);
    mint_token(&token, header, PAYLOAD, alg, by);
    return token;
}

static void check(struct buf token, int expected)
{
    assert_int_equal(judge(&token), expected);
    buf_fini(&token);
}

static struct buf make_good(int i)
{
    return make(algorithms[i].name, algorithms[i].key, algorithms[i].name, keys[algorithms[i].key]);
}

/* -- the tokens -- */

static void good_ones(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        check(make_good(i), true);
}

static void another_key_of_the_same_type(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        check(make(algorithms[i].name, algorithms[i].key, algorithms[i].name,
                   strangers[algorithms[i].key]),
              false);
}

/* Each header over each signature. */
static void another_algorithm_than_the_header_says(void **state)
{
    (void)state;
    for (int says = 0; says < N; says++) {
        for (int is = 0; is < N; is++) {
            for (int kid = 0; kid < OF_SET; kid++) {
                bool known = algorithms[says].key == kid;
                check(
                    make(algorithms[says].name, kid, algorithms[is].name, keys[algorithms[is].key]),
                    known ? says == is : -1);
            }
        }
    }
}

/* The signature of a good token, and a token with another one. */
static struct buf signature_of(const struct buf *token, size_t signed_size)
{
    struct buf raw = {0};

    assert_true(base64url_decode(&raw, slice_of(token->p + signed_size, token->n - signed_size)));
    return raw;
}

static void check_with(const struct buf *token, size_t signed_size, struct slice signature,
                       bool expected)
{
    struct buf other = {0};

    buf_add(&other, token->p, signed_size);
    mint_segment(&other, signature);
    check(other, expected);
}

static size_t signed_size_of(const struct buf *token)
{
    return (size_t)((uint8_t *)memrchr(token->p, '.', token->n) - token->p) + 1;
}

static void a_signature_of_another_length(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        struct buf token = make_good(i);
        size_t at = signed_size_of(&token);
        struct buf raw = signature_of(&token, at);
        size_t whole = raw.n;
        for (int more = 0; more < 3; more++)
            buf_add_byte(&raw, 0);
        for (size_t n = 1; n <= raw.n; n++)
            check_with(&token, at, slice_of(raw.p, n), n == whole);
        for (size_t cut = 1; cut < whole; cut++)
            check_with(&token, at, slice_of(raw.p + cut, whole - cut), false);
        buf_fini(&raw);
        buf_fini(&token);
    }
}

static void a_signature_whose_halves_are_exchanged_or_zero(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        struct buf token = make_good(i), form = {0};
        size_t at = signed_size_of(&token);
        struct buf raw = signature_of(&token, at);
        buf_add(&form, raw.p + raw.n / 2, raw.n / 2);
        buf_add(&form, raw.p, raw.n / 2);
        check_with(&token, at, buf_slice(&form), false);
        memset(form.p, 0, form.n);
        check_with(&token, at, buf_slice(&form), false);
        buf_fini(&form);
        buf_fini(&raw);
        buf_fini(&token);
    }
}

static void the_second_form_of_an_ecdsa_signature(void **state)
{
    struct buf token = make("ES256", P256, "ES256", keys[P256]);

    (void)state;
    mint_other_form(&token);
    check(token, true);
}

/* A few characters changed, anywhere or in the signature. */
/* True if both were asked. */
static bool check_changed(const struct buf *token, size_t from, uint64_t *seed)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    struct buf other = {0};

    buf_add_slice(&other, buf_slice(token));
    for (uint32_t n = 1 + random_below(seed, 3); n > 0; n--)
        other.p[from + random_below(seed, (uint32_t)(other.n - from))] =
            (uint8_t)alphabet[random_below(seed, sizeof alphabet - 1)];
    int verdict = judge(&other);
    assert_true(verdict <= 0 || slice_equal(buf_slice(&other), buf_slice(token)));
    buf_fini(&other);
    return verdict >= 0;
}

static void random_changes(void **state)
{
    uint64_t seed = 7;
    int asked = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        struct buf token = make_good(i);
        for (int round = 0; round < 400; round++)
            asked += check_changed(&token, round % 4 ? signed_size_of(&token) : 0, &seed);
        buf_fini(&token);
    }
    assert_true(asked > N * 100); /* most were no malformed tokens */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(another_key_of_the_same_type),
        cmocka_unit_test(another_algorithm_than_the_header_says),
        cmocka_unit_test(a_signature_of_another_length),
        cmocka_unit_test(a_signature_whose_halves_are_exchanged_or_zero),
        cmocka_unit_test(the_second_form_of_an_ecdsa_signature),
        cmocka_unit_test(random_changes),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

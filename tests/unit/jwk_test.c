#include "guard/jwk.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "mint.h"
#include "support.h"

static EVP_PKEY *rsa, *p256, *ed25519;
static struct key key;

static int group_setup(void **state)
{
    (void)state;
    rsa = mint_rsa(2048);
    p256 = mint_ec("P-256");
    ed25519 = mint_ed25519();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed25519);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    key_fini(&key);
    return 0;
}

/* NULL: it is read into `key`. */
static const char *read_text(const char *text)
{
    json_t *jwk = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    assert_non_null(jwk);
    key_fini(&key);
    const char *reason = jwk_read(jwk, &key);
    json_decref(jwk);
    return reason;
}

static const char *read_key(EVP_PKEY *from, const char *members)
{
    struct buf jwk = {0};

    mint_jwk(&jwk, from, members);
    buf_add_byte(&jwk, 0);
    const char *reason = read_text((const char *)jwk.p);
    buf_fini(&jwk);
    return reason;
}

/* -- names of algorithms -- */

static void the_names_of_the_algorithms_are_known(void **state)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512", "EdDSA"};

    (void)state;
    for (int i = 0; i < ALGORITHMS; i++) {
        enum algorithm a;
        assert_true(algorithm_parse(names[i], &a));
        assert_int_equal(a, i);
    }
}

static void no_other_name_is_an_algorithm(void **state)
{
    static const char *const names[] = {"",       "none",  "None",    "HS256", "HS384",  "HS512",
                                        "rs256",  "Rs256", "RS2567",  "RS25",  " RS256", "RS256 ",
                                        "ES256K", "eddsa", "Ed25519", "RS1",   "PS"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum algorithm a = ALGORITHMS;
        assert_false(algorithm_parse(names[i], &a));
        assert_int_equal(a, ALGORITHMS);
    }
}

/* -- reading -- */

static void a_key_of_each_type_is_read(void **state)
{
    EVP_PKEY *const keys[] = {rsa, p256, ed25519};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(read_key(keys[i], "\"kid\":\"a\","));
        assert_string_equal(key.kid, "a");
        assert_int_equal(EVP_PKEY_eq(key.public_key, keys[i]), 1);
        assert_null(jwk_check(&key));
    }
}

static void a_reason_follows_the_name_of_the_key(void **state)
{
    static const struct {
        const char *jwk, *reason;
    } table[] = {
        {"[]", "it is no object"},
        {"{}", "its type is not RSA, EC or OKP"},
        {"{\"kty\":\"oct\"}", "its type is not RSA, EC or OKP"},
        {"{\"kid\":1}", "its kid is not a string"},
        {"{\"kid\":\"a\\u0000b\"}", "its kid is not a string"},
        {"{\"kty\":\"RSA\",\"use\":\"enc\"}", "its use is not sig"},
        {"{\"kty\":\"RSA\",\"key_ops\":[\"sign\"]}", "its key_ops do not hold verify"},
        {"{\"kty\":\"RSA\",\"alg\":\"ES256\"}",
         "its alg is none that we verify with a key of its type"},
        {"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"!\"}", "its n or e is not base64url"},
        {"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}",
         "it is an RSA key of less than 2048 bits"},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "its curve is not P-256, P-384 or P-521"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\"}", "its x or y is not base64url"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}",
         "its point is not on its curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\"}", "its curve is not Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}",
         "its x is not the base64url of 32 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *reason = read_text(table[i].jwk);
        assert_non_null(reason);
        assert_string_equal(reason, table[i].reason);
        assert_true(key.kid == NULL && key.public_key == NULL);
    }
}

/* -- thumbprints -- */

static void read_thumbprint(EVP_PKEY *from, const char *members, uint8_t out[KEY_THUMBPRINT])
{
    assert_null(read_key(from, members));
    memcpy(out, key.thumbprint, KEY_THUMBPRINT);
}

static void what_changes_a_key_changes_its_thumbprint(void **state)
{
    static const char *const members[] = {"", "\"kid\":\"\",", "\"kid\":\"a\",",
                                          "\"kid\":\"a\",\"alg\":\"RS256\",",
                                          "\"kid\":\"a\",\"alg\":\"PS256\","};
    uint8_t prints[6][KEY_THUMBPRINT], again[KEY_THUMBPRINT];

    (void)state;
    for (int i = 0; i < 5; i++)
        read_thumbprint(rsa, members[i], prints[i]);
    read_thumbprint(p256, "\"kid\":\"a\",", prints[5]);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(prints[i], prints[k], KEY_THUMBPRINT);
    read_thumbprint(rsa, "\"use\":\"sig\",\"kid\":\"a\",\"x\":1,", again);
    assert_memory_equal(again, prints[2], KEY_THUMBPRINT);
}

/* -- checking -- */

/* Even, so it is no product of two odd primes. */
static void numbers_that_make_no_key_are_found_by_the_check(void **state)
{
    struct buf jwk = {0};
    uint8_t n[256];

    (void)state;
    memset(n, 0xfe, sizeof n);
    buf_add_str(&jwk, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
    mint_segment(&jwk, slice_of(n, sizeof n));
    buf_add_str(&jwk, "\"}");
    buf_add_byte(&jwk, 0);
    assert_null(read_text((const char *)jwk.p));
    assert_string_equal(jwk_check(&key), "its numbers make no key");
    buf_fini(&jwk);
}

/* -- private halves -- */

static bool is_private(const char *text)
{
    json_t *jwk = json_loads(text, 0, NULL);
    bool is = jwk_is_private(jwk);

    json_decref(jwk);
    return is;
}

static void any_member_of_a_private_half_makes_it_private(void **state)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"%s\":\"AQ\"}", names[i]);
        assert_true(is_private(text));
        snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"%s\":null}", names[i]);
        assert_false(is_private(text));
    }
    assert_false(is_private("{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\",\"D\":\"AQ\"}"));
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(the_names_of_the_algorithms_are_known),
        T(no_other_name_is_an_algorithm),
        T(a_key_of_each_type_is_read),
        T(a_reason_follows_the_name_of_the_key),
        T(what_changes_a_key_changes_its_thumbprint),
        T(numbers_that_make_no_key_are_found_by_the_check),
        T(any_member_of_a_private_half_makes_it_private),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

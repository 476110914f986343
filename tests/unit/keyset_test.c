#include "guard/keyset.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "mint.h"
#include "support.h"

static EVP_PKEY *rsa, *p256, *p384, *p521;
static char directory[] = "/tmp/keyset_test.XXXXXX";
static char paths[2][64];
static struct keyset *set;
static char error[256];

static int group_setup(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR); /* keys that are passed over are expected here */
    rsa = mint_rsa(2048);
    p256 = mint_ec("P-256");
    p384 = mint_ec("P-384");
    p521 = mint_ec("P-521");
    if (mkdtemp(directory) == NULL)
        return -1;
    for (int i = 0; i < 2; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%d.json", directory, i);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    return rmdir(directory);
}

static int teardown(void **state)
{
    (void)state;
    keyset_free(set);
    set = NULL;
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
    return 0;
}

static bool load_files(size_t n, bool allow_demo)
{
    const char *const files[] = {paths[0], paths[1]};

    keyset_free(set);
    strcpy(error, "untouched");
    set = keyset_load(files, n, allow_demo, error, sizeof error);
    assert_int_equal(strcmp(error, "untouched") == 0, set != NULL);
    assert_null(strchr(error, '\n'));
    return set != NULL;
}

static bool load_bytes(struct slice bytes)
{
    mint_write_file(paths[0], bytes);
    return load_files(1, false);
}

static bool load_text(const char *text)
{
    return load_bytes(slice_str(text));
}

/* A set of that JWK and of a good one, "other". */
static void load_with_other(const char *jwk)
{
    struct buf jwks = {0};

    buf_printf(&jwks, "{\"keys\":[%s,", jwk);
    mint_jwk(&jwks, p256, "\"kid\":\"other\",");
    buf_add_str(&jwks, "]}");
    if (!load_bytes(buf_slice(&jwks)))
        fail_msg("%s: %s", jwk, error);
    buf_fini(&jwks);
}

static const struct key *load_key(EVP_PKEY *key, const char *members)
{
    struct buf jwk = {0};
    const struct key *found;

    mint_jwk(&jwk, key, members);
    buf_add_byte(&jwk, 0);
    load_with_other((const char *)jwk.p);
    buf_fini(&jwk);
    found = keyset_at(set, 0);
    return keyset_count(set) == 2 ? found : NULL;
}

static void check_passed_over(const char *jwk)
{
    load_with_other(jwk);
    if (keyset_count(set) != 1)
        fail_msg("taken: %.200s", jwk);
    assert_string_equal(keyset_at(set, 0)->kid, "other");
}

/* -- names -- */

static void the_names_of_the_algorithms_are_known(void **state)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "ES256", "ES384", "ES512"};

    (void)state;
    for (int i = 0; i < ALGORITHMS; i++) {
        enum algorithm a;
        assert_true(algorithm_parse(names[i], &a));
        assert_int_equal(a, i);
    }
}

static void no_other_name_is_an_algorithm(void **state)
{
    static const char *const names[] = {"",       "none",  "None",   "HS256", "HS384",  "HS512",
                                        "rs256",  "Rs256", "RS2567", "RS25",  " RS256", "RS256 ",
                                        "ES256K", "EdDSA", "RS1",    "PS"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum algorithm a = ALGORITHMS;
        assert_false(algorithm_parse(names[i], &a));
        assert_int_equal(a, ALGORITHMS);
    }
}

/* -- types and algorithms -- */

static void a_key_without_alg_is_for_the_algorithms_of_its_type(void **state)
{
    const uint32_t of_rsa = 1 << ALG_RS256 | 1 << ALG_RS384 | 1 << ALG_RS512 | 1 << ALG_PS256 |
                            1 << ALG_PS384 | 1 << ALG_PS512;

    (void)state;
    assert_int_equal(load_key(rsa, "\"kid\":\"a\",")->algorithms, of_rsa);
    assert_int_equal(load_key(p256, "\"kid\":\"a\",")->algorithms, 1 << ALG_ES256);
    assert_int_equal(load_key(p384, "\"kid\":\"a\",")->algorithms, 1 << ALG_ES384);
    assert_int_equal(load_key(p521, "\"kid\":\"a\",")->algorithms, 1 << ALG_ES512);
}

static void a_key_with_alg_is_for_that_one(void **state)
{
    static const char *const names[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};
    char members[32];

    (void)state;
    for (int i = 0; i < 6; i++) {
        snprintf(members, sizeof members, "\"alg\":\"%s\",", names[i]);
        assert_int_equal(load_key(rsa, members)->algorithms, 1 << i);
    }
    assert_int_equal(load_key(p384, "\"alg\":\"ES384\",")->algorithms, 1 << ALG_ES384);
}

static void an_alg_of_another_type_makes_a_key_useless(void **state)
{
    static const char *const for_rsa[] = {"\"ES256\"", "\"HS256\"", "\"none\"",
                                          "\"rs256\"", "\"\"",      "\"RSA-OAEP\"",
                                          "1",         "null",      "[\"RS256\"]"};
    static const char *const for_p256[] = {"\"RS256\"",  "\"PS256\"",   "\"ES384\"", "\"ES512\"",
                                           "\"ES256K\"", "\"ECDH-ES\"", "\"HS256\""};
    char members[64];

    (void)state;
    for (size_t i = 0; i < sizeof for_rsa / sizeof for_rsa[0]; i++) {
        snprintf(members, sizeof members, "\"alg\":%s,", for_rsa[i]);
        assert_null(load_key(rsa, members));
    }
    for (size_t i = 0; i < sizeof for_p256 / sizeof for_p256[0]; i++) {
        snprintf(members, sizeof members, "\"alg\":%s,", for_p256[i]);
        assert_null(load_key(p256, members));
    }
}

static void the_pem_is_what_openssl_makes_of_the_key(void **state)
{
    EVP_PKEY *const keys[] = {rsa, p256, p384, p521};

    (void)state;
    for (int i = 0; i < 4; i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data;
        PEM_write_bio_PUBKEY(bio, keys[i]);
        size_t n = (size_t)BIO_get_mem_data(bio, &data);
        const struct key *k = load_key(keys[i], "\"kid\":\"a\",");
        assert_bytes(slice_str(k->pem), slice_of(data, n));
        assert_int_equal(EVP_PKEY_eq(k->public_key, keys[i]), 1);
        BIO_free(bio);
    }
}

static void keys_of_other_types_are_passed_over(void **state)
{
    static const char *const jwks[] = {
        "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\",\"kid\":\"a\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\",\"kid\":\"a\"}",
        "{\"kty\":1}",
        "{\"kid\":\"a\"}",
        "{}",
        "[]",
        "1",
        "null",
        "\"RSA\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof jwks / sizeof jwks[0]; i++)
        check_passed_over(jwks[i]);
}

/* -- RSA -- */

static void an_rsa_key_has_2048_bits_at_least(void **state)
{
    static const unsigned weak[] = {1024, 1536, 2047};

    (void)state;
    for (int i = 0; i < 3; i++) {
        EVP_PKEY *key = mint_rsa(weak[i]);
        assert_null(load_key(key, "\"kid\":\"a\","));
        EVP_PKEY_free(key);
    }
    assert_non_null(load_key(rsa, "\"kid\":\"a\","));
}

/* The modulus in base64url, between these two texts. */
static void check_rsa_passed_over(const char *before, const char *after)
{
    struct buf jwk = {0}, all = {0};

    mint_jwk(&jwk, rsa, "");
    buf_add_byte(&jwk, 0);
    const char *n = strstr((const char *)jwk.p, "\"n\":\"") + 5;
    buf_printf(&all, "{\"kty\":\"RSA\",\"kid\":\"a\",%s%.*s%s}", before, (int)strcspn(n, "\""), n,
               after);
    buf_add_byte(&all, 0);
    check_passed_over((const char *)all.p);
    buf_fini(&jwk);
    buf_fini(&all);
}

static void an_rsa_exponent_that_cannot_be_is_refused(void **state)
{
    static const char *const exponents[] = {"AA", "AQ", "Ag", "BA", "AQAA", ""};
    char after[32];

    (void)state;
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        snprintf(after, sizeof after, "\",\"e\":\"%s\"", exponents[i]);
        check_rsa_passed_over("\"n\":\"", after);
    }
    check_rsa_passed_over("\"n\":\"", "\",\"e\":65537");
    check_rsa_passed_over("\"n\":\"", "\",\"e\":\"AQABAQABAQABAQAB\"");
}

static void the_type_is_compared_as_it_stands(void **state)
{
    struct buf jwk = {0};

    (void)state;
    mint_jwk(&jwk, rsa, "");
    buf_add_byte(&jwk, 0);
    memcpy(strstr((char *)jwk.p, "RSA"), "rsa", 3);
    check_passed_over((const char *)jwk.p);
    buf_fini(&jwk);
}

static void an_rsa_key_without_one_of_its_numbers_is_passed_over(void **state)
{
    (void)state;
    check_rsa_passed_over("\"n\":\"", "\"");
    check_rsa_passed_over("\"x\":\"", "\",\"e\":\"AQAB\"");
    check_rsa_passed_over("\"n\":[\"", "\"],\"e\":\"AQAB\"");
    check_rsa_passed_over("\"n\":\"!", "\",\"e\":\"AQAB\"");
    check_rsa_passed_over("\"n\":\"+/", "\",\"e\":\"AQAB\"");
}

/* Even, or a prime. */
static void an_rsa_modulus_that_cannot_be_is_refused(void **state)
{
    uint8_t even[256], of_prime[256];
    BIGNUM *prime = BN_new();
    struct slice moduli[2];

    (void)state;
    memset(even, 0xfe, sizeof even);
    assert_int_equal(BN_generate_prime_ex(prime, 2048, 0, NULL, NULL, NULL), 1);
    BN_bn2binpad(prime, of_prime, sizeof of_prime);
    moduli[0] = slice_of(even, sizeof even);
    moduli[1] = slice_of(of_prime, sizeof of_prime);
    for (int i = 0; i < 2; i++) {
        struct buf jwk = {0};
        buf_add_str(&jwk, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
        mint_segment(&jwk, moduli[i]);
        buf_add_str(&jwk, "\"}");
        buf_add_byte(&jwk, 0);
        check_passed_over((const char *)jwk.p);
        buf_fini(&jwk);
    }
    BN_free(prime);
}

/* -- EC -- */

static void check_ec_passed_over(const char *crv, struct slice x, struct slice y)
{
    struct buf jwk = {0};

    buf_printf(&jwk, "{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"%s\",\"x\":\"", crv);
    mint_segment(&jwk, x);
    buf_add_str(&jwk, "\",\"y\":\"");
    mint_segment(&jwk, y);
    buf_add_str(&jwk, "\"}");
    buf_add_byte(&jwk, 0);
    check_passed_over((const char *)jwk.p);
    buf_fini(&jwk);
}

/* The two coordinates of p256, each with a zero before it. */
static void coordinates(uint8_t x[33], uint8_t y[33])
{
    uint8_t point[65];
    size_t n;

    assert_int_equal(EVP_PKEY_get_octet_string_param(p256, "pub", point, sizeof point, &n), 1);
    assert_true(n == 65 && point[0] == 4);
    x[0] = y[0] = 0;
    memcpy(x + 1, point + 1, 32);
    memcpy(y + 1, point + 33, 32);
}

static void ec_coordinates_have_the_length_of_the_field(void **state)
{
    uint8_t x[33], y[33];

    (void)state;
    coordinates(x, y);
    check_ec_passed_over("P-256", slice_of(x, 33), slice_of(y, 33));
    check_ec_passed_over("P-256", slice_of(x, 33), slice_of(y + 1, 32));
    check_ec_passed_over("P-256", slice_of(x + 1, 32), slice_of(y + 1, 31));
    check_ec_passed_over("P-256", slice_of(x + 1, 31), slice_of(y + 1, 32));
    check_ec_passed_over("P-256", slice_of(x + 1, 32), slice_of(y, 0));
    check_ec_passed_over("P-256", slice_of(x, 0), slice_of(y + 1, 32));
}

/* One byte moved from one to the other: the bytes of the point stay the same. */
static void ec_coordinates_are_not_cut_elsewhere(void **state)
{
    uint8_t x[33], y[33], both[64];

    (void)state;
    coordinates(x, y);
    memcpy(both, x + 1, 32);
    memcpy(both + 32, y + 1, 32);
    for (size_t n = 30; n <= 34; n++)
        if (n != 32)
            check_ec_passed_over("P-256", slice_of(both, n), slice_of(both + n, 64 - n));
}

static void ec_coordinates_lie_on_the_curve(void **state)
{
    static const uint8_t zeros[32];
    uint8_t x[33], y[33], ones[32];

    (void)state;
    coordinates(x, y);
    check_ec_passed_over("P-256", slice_of(y + 1, 32), slice_of(x + 1, 32));
    check_ec_passed_over("P-256", slice_of(zeros, 32), slice_of(zeros, 32));
    memset(ones, 0xff, sizeof ones);
    check_ec_passed_over("P-256", slice_of(ones, 32), slice_of(ones, 32));
    y[32] ^= 1;
    check_ec_passed_over("P-256", slice_of(x + 1, 32), slice_of(y + 1, 32));
}

static void another_curve_is_passed_over(void **state)
{
    static const char *const curves[] = {"P-384", "P-521", "secp256k1", "p-256", "", "Ed25519"};
    uint8_t x[33], y[33];

    (void)state;
    coordinates(x, y);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        check_ec_passed_over(curves[i], slice_of(x + 1, 32), slice_of(y + 1, 32));
    check_passed_over("{\"kty\":\"EC\",\"x\":\"AAAA\",\"y\":\"AAAA\"}");
    check_passed_over("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\"}");
    check_passed_over("{\"kty\":\"EC\",\"crv\":256,\"x\":\"AAAA\",\"y\":\"AAAA\"}");
}

/* -- use and key_ops -- */

static void a_key_for_verifying_may_say_so(void **state)
{
    static const char *const members[] = {
        "\"use\":\"sig\",",
        "\"key_ops\":[\"verify\"],",
        "\"key_ops\":[\"sign\",\"verify\"],",
        "\"use\":\"sig\",\"key_ops\":[\"verify\"],",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        assert_non_null(load_key(p384, members[i]));
}

static void a_key_for_something_else_is_passed_over(void **state)
{
    static const char *const members[] = {
        "\"use\":\"enc\",",
        "\"use\":\"\",",
        "\"use\":null,",
        "\"use\":1,",
        "\"use\":[\"sig\"],",
        "\"use\":\"SIG\",",
        "\"key_ops\":[],",
        "\"key_ops\":[\"sign\"],",
        "\"key_ops\":[\"encrypt\",\"wrapKey\"],",
        "\"key_ops\":\"verify\",",
        "\"key_ops\":null,",
        "\"key_ops\":[1],",
        "\"use\":\"sig\",\"key_ops\":[\"encrypt\"],",
        "\"use\":\"enc\",\"key_ops\":[\"verify\"],",
    };

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        assert_null(load_key(p384, members[i]));
}

/* -- files -- */

static void the_set_is_the_union_of_the_files(void **state)
{
    struct buf a = {0}, b = {0};

    (void)state;
    mint_jwks(&a, rsa, "\"kid\":\"a\",");
    mint_jwks(&b, p256, "\"kid\":\"b\",");
    mint_write_file(paths[0], buf_slice(&a));
    mint_write_file(paths[1], buf_slice(&b));
    assert_true(load_files(2, false));
    assert_int_equal(keyset_count(set), 2);
    assert_int_equal(EVP_PKEY_eq(keyset_by_kid(set, "a")->public_key, rsa), 1);
    assert_int_equal(EVP_PKEY_eq(keyset_by_kid(set, "b")->public_key, p256), 1);
    buf_fini(&a);
    buf_fini(&b);
}

static void a_kid_is_compared_as_it_stands(void **state)
{
    static const char *const others[] = {"", "A", "aa", " a", "a "};

    (void)state;
    assert_non_null(load_key(rsa, "\"kid\":\"a\","));
    assert_non_null(keyset_by_kid(set, "a"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(keyset_by_kid(set, others[i]));
    assert_non_null(load_key(rsa, ""));
    assert_null(keyset_by_kid(set, ""));
}

static void two_keys_of_one_kid_are_an_error_in_one_file(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    mint_jwk(&jwks, rsa, "\"kid\":\"twice\",");
    buf_add_byte(&jwks, ',');
    mint_jwk(&jwks, p256, "\"kid\":\"twice\",");
    buf_add_str(&jwks, "]}");
    assert_false(load_bytes(buf_slice(&jwks)));
    assert_non_null(strstr(error, "twice"));
    assert_non_null(strstr(error, paths[0]));
    buf_fini(&jwks);
}

static void two_keys_of_one_kid_are_an_error_in_two_files(void **state)
{
    struct buf a = {0};

    (void)state;
    mint_jwks(&a, rsa, "\"kid\":\"twice\",");
    mint_write_file(paths[0], buf_slice(&a));
    mint_write_file(paths[1], buf_slice(&a)); /* the very same key, too */
    assert_false(load_files(2, false));
    assert_non_null(strstr(error, "twice"));
    assert_non_null(strstr(error, paths[1]));
    buf_fini(&a);
}

static void a_kid_in_an_error_is_quoted(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    mint_jwk(&jwks, p256, "\"kid\":\"a\\n\\u001b[31m\",");
    buf_add_byte(&jwks, ',');
    mint_jwk(&jwks, p256, "\"kid\":\"a\\n\\u001b[31m\",");
    buf_add_str(&jwks, "]}");
    assert_false(load_bytes(buf_slice(&jwks))); /* checks that it is one line */
    assert_null(strchr(error, 0x1b));
    buf_fini(&jwks);
}

static void several_keys_may_have_no_kid(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    mint_jwk(&jwks, rsa, "");
    buf_add_byte(&jwks, ',');
    mint_jwk(&jwks, p256, "");
    buf_add_str(&jwks, "]}");
    assert_true(load_bytes(buf_slice(&jwks)));
    assert_int_equal(keyset_count(set), 2);
    assert_null(keyset_at(set, 0)->kid);
    buf_fini(&jwks);
}

static void the_demo_key_is_refused_unless_it_is_allowed(void **state)
{
    struct buf good = {0}, demo = {0};

    (void)state;
    mint_jwks(&good, rsa, "\"kid\":\"a\",");
    mint_jwks(&demo, p256, "\"kid\":\"demo-insecure\",");
    for (int i = 0; i < 2; i++) {
        mint_write_file(paths[i], buf_slice(&demo));
        mint_write_file(paths[1 - i], buf_slice(&good));
        assert_false(load_files(2, false));
        assert_non_null(strstr(error, "demo"));
        assert_non_null(strstr(error, paths[i]));
        assert_true(load_files(2, true));
        assert_non_null(keyset_by_kid(set, "demo-insecure"));
    }
    buf_fini(&good);
    buf_fini(&demo);
}

static void a_kid_that_is_no_string_is_an_error(void **state)
{
    static const char *const kids[] = {"\"kid\":7,", "\"kid\":null,", "\"kid\":[\"a\"],"};

    (void)state;
    for (size_t i = 0; i < sizeof kids / sizeof kids[0]; i++) {
        struct buf text = {0};
        mint_jwks(&text, rsa, kids[i]);
        mint_write_file(paths[0], buf_slice(&text));
        assert_false(load_files(1, false));
        assert_non_null(strstr(error, "kid"));
        buf_fini(&text);
    }
}

static void a_set_without_a_usable_key_is_an_error(void **state)
{
    static const char *const texts[] = {
        "{\"keys\":[]}",
        "{\"keys\":[{}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(load_text(texts[i]));
        assert_non_null(strstr(error, paths[0]));
    }
}

static void what_is_no_jwks_is_an_error(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"Keys\":[]}",
        "{\"keys\":[]} x",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"a\",\"kty\":\"a\"}]}",
        "\xef\xbb\xbf{\"keys\":[]}",
        "-----BEGIN PUBLIC KEY-----\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(load_text(texts[i]));
        assert_non_null(strstr(error, paths[0]));
    }
}

static void a_good_file_does_not_make_up_for_one_that_is_none(void **state)
{
    static const char *const texts[] = {"{}", "{\"keys\":{}}", "", "{\"keys\":1}"};
    struct buf good = {0};

    (void)state;
    mint_jwks(&good, p256, "\"kid\":\"a\",");
    for (int i = 0; i < 8; i++) { /* before it and behind it */
        mint_write_file(paths[i % 2], buf_slice(&good));
        mint_write_file(paths[1 - i % 2], slice_str(texts[i / 2]));
        assert_false(load_files(2, false));
        assert_non_null(strstr(error, paths[1 - i % 2]));
    }
    buf_fini(&good);
}

static void a_good_key_does_not_make_up_for_one_that_is_an_error(void **state)
{
    static const char *const kids[] = {"demo-insecure", "a", "a", "b"};

    (void)state;
    for (int first = 0; first < 2; first++) { /* the demo's key, or two of a kid; then a good one */
        struct buf jwks = {0};
        char members[32];
        buf_add_str(&jwks, "{\"keys\":[");
        for (int i = first; i < 4; i++) {
            if (first == 0 && i == 2)
                continue;
            snprintf(members, sizeof members, "\"kid\":\"%s\",", kids[i]);
            buf_add_str(&jwks, i > first ? "," : "");
            mint_jwk(&jwks, p256, members);
        }
        buf_add_str(&jwks, "]}");
        assert_false(load_bytes(buf_slice(&jwks)));
        buf_fini(&jwks);
    }
}

static void a_name_that_comes_twice_is_an_error(void **state)
{
    static const char *const doubled[] = {"\"kid\":\"a\",\"kid\":\"a\",",
                                          "\"x5t\":{\"a\":1,\"a\":1},"};
    struct buf jwks = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        mint_jwks(&jwks, p256, doubled[i]);
        assert_false(load_bytes(buf_slice(&jwks)));
        buf_fini(&jwks);
    }
    mint_jwks(&jwks, p256, "");
    jwks.p[jwks.n - 1] = ',';
    buf_add_str(&jwks, "\"keys\":[]}");
    assert_false(load_bytes(buf_slice(&jwks)));
    buf_fini(&jwks);
}

static void half_a_file_is_an_error(void **state)
{
    struct buf jwks = {0};

    (void)state;
    mint_jwks(&jwks, p256, "\"kid\":\"a\",");
    for (size_t n = 0; n < jwks.n; n++)
        assert_false(load_bytes(slice_of(jwks.p, n)));
    assert_true(load_bytes(buf_slice(&jwks)));
    buf_fini(&jwks);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    struct buf jwks = {0};

    (void)state;
    assert_false(load_files(1, false));
    assert_non_null(strstr(error, paths[0]));
    mint_jwks(&jwks, p256, "");
    mint_write_file(paths[0], buf_slice(&jwks));
    assert_false(load_files(2, false));
    assert_non_null(strstr(error, paths[1]));
    buf_fini(&jwks);
}

static void a_directory_is_no_file(void **state)
{
    const char *const files[] = {directory};

    (void)state;
    assert_null(keyset_load(files, 1, false, error, sizeof error));
    assert_non_null(strstr(error, directory));
}

static void a_file_has_a_megabyte_at_most(void **state)
{
    struct buf jwks = {0};

    (void)state;
    mint_jwks(&jwks, p256, "");
    while (jwks.n < 1 << 20)
        buf_add_byte(&jwks, '\n');
    assert_true(load_bytes(buf_slice(&jwks)));
    buf_add_byte(&jwks, '\n');
    assert_false(load_bytes(buf_slice(&jwks)));
    buf_fini(&jwks);
}

static void a_set_has_256_keys_at_most(void **state)
{
    (void)state;
    for (int n = 256; n <= 257; n++) {
        struct buf jwks = {0};
        for (int i = 0; i < n; i++) {
            char members[32];
            snprintf(members, sizeof members, "\"kid\":\"%d\",", i);
            buf_add_str(&jwks, i ? "," : "{\"keys\":[");
            mint_jwk(&jwks, p256, members);
        }
        buf_add_str(&jwks, "]}");
        assert_int_equal(load_bytes(buf_slice(&jwks)), n == 256);
        buf_fini(&jwks);
    }
}

/* -- thumbprints -- */

static void print(EVP_PKEY *key, const char *members, uint8_t out[KEY_THUMBPRINT])
{
    const struct key *k = load_key(key, members);

    assert_non_null(k);
    memcpy(out, k->thumbprint, KEY_THUMBPRINT);
    assert_true(keyset_has(set, out));
}

static void a_thumbprint_stays_while_the_key_does(void **state)
{
    uint8_t first[KEY_THUMBPRINT], again[KEY_THUMBPRINT];

    (void)state;
    print(rsa, "\"kid\":\"a\",", first);
    print(rsa, "\"use\":\"sig\",\"kid\":\"a\",\"x\":1,", again);
    assert_memory_equal(first, again, KEY_THUMBPRINT);
}

static void a_thumbprint_changes_with_key_kid_or_algorithm(void **state)
{
    EVP_PKEY *another = mint_ec("P-256");
    uint8_t first[KEY_THUMBPRINT], other[KEY_THUMBPRINT];

    (void)state;
    print(p256, "\"kid\":\"a\",", first);
    print(another, "\"kid\":\"a\",", other);
    assert_memory_not_equal(first, other, KEY_THUMBPRINT);
    assert_false(keyset_has(set, first));
    print(p256, "\"kid\":\"b\",", other);
    assert_memory_not_equal(first, other, KEY_THUMBPRINT);
    print(p256, "", other);
    assert_memory_not_equal(first, other, KEY_THUMBPRINT);
    print(rsa, "\"kid\":\"a\",", first);
    print(rsa, "\"kid\":\"a\",\"alg\":\"RS256\",", other);
    assert_memory_not_equal(first, other, KEY_THUMBPRINT);
    EVP_PKEY_free(another);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(the_names_of_the_algorithms_are_known),
        T(no_other_name_is_an_algorithm),
        T(a_key_without_alg_is_for_the_algorithms_of_its_type),
        T(a_key_with_alg_is_for_that_one),
        T(an_alg_of_another_type_makes_a_key_useless),
        T(the_pem_is_what_openssl_makes_of_the_key),
        T(keys_of_other_types_are_passed_over),
        T(an_rsa_key_has_2048_bits_at_least),
        T(an_rsa_exponent_that_cannot_be_is_refused),
        T(the_type_is_compared_as_it_stands),
        T(an_rsa_key_without_one_of_its_numbers_is_passed_over),
        T(an_rsa_modulus_that_cannot_be_is_refused),
        T(ec_coordinates_have_the_length_of_the_field),
        T(ec_coordinates_are_not_cut_elsewhere),
        T(ec_coordinates_lie_on_the_curve),
        T(another_curve_is_passed_over),
        T(a_key_for_verifying_may_say_so),
        T(a_key_for_something_else_is_passed_over),
        T(the_set_is_the_union_of_the_files),
        T(a_kid_is_compared_as_it_stands),
        T(two_keys_of_one_kid_are_an_error_in_one_file),
        T(two_keys_of_one_kid_are_an_error_in_two_files),
        T(a_kid_in_an_error_is_quoted),
        T(several_keys_may_have_no_kid),
        T(the_demo_key_is_refused_unless_it_is_allowed),
        T(a_kid_that_is_no_string_is_an_error),
        T(a_set_without_a_usable_key_is_an_error),
        T(what_is_no_jwks_is_an_error),
        T(a_good_file_does_not_make_up_for_one_that_is_none),
        T(a_good_key_does_not_make_up_for_one_that_is_an_error),
        T(a_name_that_comes_twice_is_an_error),
        T(half_a_file_is_an_error),
        T(a_file_that_cannot_be_read_is_an_error),
        T(a_directory_is_no_file),
        T(a_file_has_a_megabyte_at_most),
        T(a_set_has_256_keys_at_most),
        T(a_thumbprint_stays_while_the_key_does),
        T(a_thumbprint_changes_with_key_kid_or_algorithm),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

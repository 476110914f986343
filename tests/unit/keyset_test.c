#include "guard/keyset.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mint.h"
#include "support.h"

static EVP_PKEY *rsa, *p256, *p384, *p521, *ed25519;
static char directory[] = "/tmp/keyset_test.XXXXXX";
static char paths[2][64];
static struct keyset *set;
static struct notes notes;
static char error[256];

static int group_setup(void **state)
{
    (void)state;
    rsa = mint_rsa(2048);
    p256 = mint_ec("P-256");
    p384 = mint_ec("P-384");
    p521 = mint_ec("P-521");
    ed25519 = mint_ed25519();
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
    EVP_PKEY_free(ed25519);
    return rmdir(directory);
}

static int teardown(void **state)
{
    (void)state;
    keyset_free(set);
    set = NULL;
    notes_fini(&notes);
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
    return 0;
}

static bool load_files(size_t n, bool allow_demo)
{
    const char *const files[] = {paths[0], paths[1]};
    const struct keyset_source source = {.files = files, .file_count = n, .allow_demo = allow_demo};

    keyset_free(set);
    set = NULL;
    notes_fini(&notes);
    strcpy(error, "untouched");
    int err = keyset_load(&source, &set, &notes, error, sizeof error);
    assert_int_equal(err == 0, set != NULL);
    assert_int_equal(strcmp(error, "untouched") == 0, set != NULL);
    assert_null(strchr(error, '\n'));
    for (size_t i = 0; i < notes.n; i++)
        for (const char *c = notes.lines[i]; *c; c++)
            assert_in_range(*c, ' ', '~'); /* it goes into one line of the log */
    return set != NULL;
}

/* The key of that kid; NULL: there is none. */
static const struct key *by_kid(const char *kid)
{
    for (size_t i = 0; i < keyset_count(set); i++)
        if (keyset_at(set, i)->kid != NULL && strcmp(keyset_at(set, i)->kid, kid) == 0)
            return keyset_at(set, i);
    return NULL;
}

/* There is one note, which ends so. */
static void check_note(const char *reason)
{
    assert_int_equal(notes.n, 1);
    size_t n = strlen(notes.lines[0]), end = strlen(reason);
    if (n < end || strcmp(notes.lines[0] + n - end, reason) != 0)
        fail_msg("%s, not: %s", notes.lines[0], reason);
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
    assert_true(notes.n == 1 && strstr(notes.lines[0], "is passed over: "));
}

static void check_passed_over_for(const char *jwk, const char *reason)
{
    check_passed_over(jwk);
    check_note(reason);
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
    assert_int_equal(load_key(ed25519, "\"kid\":\"a\",")->algorithms, 1 << ALG_EDDSA);
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
    assert_int_equal(load_key(ed25519, "\"alg\":\"EdDSA\",")->algorithms, 1 << ALG_EDDSA);
}

static void an_alg_of_another_type_makes_a_key_useless(void **state)
{
    static const char *const for_rsa[] = {
        "\"ES256\"",    "\"HS256\"", "\"none\"",         "\"rs256\"",  "\"\"",
        "\"RSA-OAEP\"", "1",         "\"RS256\\u0000\"", "[\"RS256\"]"};
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
    assert_null(load_key(ed25519, "\"alg\":\"ES256\","));
    check_note("its alg is none that we verify with a key of its type");
}

static void a_member_that_is_null_counts_as_absent(void **state)
{
    static const char *const members[] = {
        "\"alg\":null,", "\"use\":null,", "\"key_ops\":null,",         "\"key_ops\":[],",
        "\"kid\":null,", "\"d\":null,",   "\"x5c\":null,\"crv\":null,"};

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_non_null(load_key(rsa, members[i]));
        assert_int_equal(notes.n, 0);
    }
}

static void a_key_is_read_as_it_was_written(void **state)
{
    EVP_PKEY *const keys[] = {rsa, p256, p384, p521, ed25519};

    (void)state;
    for (int i = 0; i < 5; i++) {
        const struct key *k = load_key(keys[i], "\"kid\":\"a\",");
        assert_int_equal(EVP_PKEY_eq(k->public_key, keys[i]), 1);
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

static void ec_coordinates_have_the_length_of_the_field_at_most(void **state)
{
    uint8_t x[33], y[33];

    (void)state;
    coordinates(x, y);
    check_ec_passed_over("P-256", slice_of(x, 33), slice_of(y, 33));
    check_note("its x or y is too long for its curve");
    check_ec_passed_over("P-256", slice_of(x, 33), slice_of(y + 1, 32));
    check_note("its x or y is too long for its curve");
    check_ec_passed_over("P-256", slice_of(x + 1, 32), slice_of(y + 1, 31));
    check_note("its point is not on its curve");
    check_ec_passed_over("P-256", slice_of(x + 1, 31), slice_of(y + 1, 32));
    check_ec_passed_over("P-256", slice_of(x + 1, 32), slice_of(y, 0));
    check_note("its x or y is not base64url");
    check_ec_passed_over("P-256", slice_of(x, 0), slice_of(y + 1, 32));
}

static void check_trimmed(const char *crv, size_t size, bool trim_y)
{
    struct buf jwk = {0};
    uint8_t point[133], *y = point + 1 + size;
    EVP_PKEY *key = NULL;
    size_t n;

    do {
        EVP_PKEY_free(key);
        key = mint_ec(crv);
        assert_int_equal(EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof point, &n), 1);
    } while ((trim_y ? y[0] : point[1]) != 0);
    buf_printf(&jwk, "{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"%s\",\"x\":\"", crv);
    mint_segment(&jwk, slice_of(point + (trim_y ? 1 : 2), size - (trim_y ? 0 : 1)));
    buf_add_str(&jwk, "\",\"y\":\"");
    mint_segment(&jwk, slice_of(y + (trim_y ? 1 : 0), size - (trim_y ? 1 : 0)));
    buf_add_str(&jwk, "\"}");
    buf_add_byte(&jwk, 0);
    load_with_other((const char *)jwk.p);
    assert_int_equal(EVP_PKEY_eq(by_kid("a")->public_key, key), 1);
    assert_int_equal(notes.n, 0);
    buf_fini(&jwk);
    EVP_PKEY_free(key);
}

/* Some writers leave out the zeros that one coordinate in 256 begins with. */
static void a_trimmed_coordinate_is_padded(void **state)
{
    (void)state;
    for (int trim_y = 0; trim_y < 2; trim_y++) {
        check_trimmed("P-256", 32, trim_y);
        check_trimmed("P-384", 48, trim_y);
        check_trimmed("P-521", 66, trim_y);
    }
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

/* -- OKP -- */

static void an_ed25519_key_has_32_bytes(void **state)
{
    static const char *const xs[] = {"", "AAAA", "!",
                                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=AAAA"};
    char jwk[256];

    (void)state;
    for (size_t i = 0; i < sizeof xs / sizeof xs[0]; i++) {
        snprintf(jwk, sizeof jwk, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", xs[i]);
        check_passed_over_for(jwk, "its x is not the base64url of 32 bytes");
    }
    check_passed_over_for("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
                          "its x is not the base64url of 32 bytes");
    check_passed_over_for("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}",
                          "its curve is not Ed25519");
    check_passed_over_for("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}",
                          "its curve is not Ed25519");
    check_passed_over_for("{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
                          "its curve is not P-256, P-384 or P-521");
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
        "\"use\":1,",
        "\"use\":[\"sig\"],",
        "\"use\":\"SIG\",",
        "\"key_ops\":[\"sign\"],",
        "\"key_ops\":[\"encrypt\",\"wrapKey\"],",
        "\"key_ops\":\"verify\",",
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
    assert_int_equal(EVP_PKEY_eq(by_kid("a")->public_key, rsa), 1);
    assert_int_equal(EVP_PKEY_eq(by_kid("b")->public_key, p256), 1);
    buf_fini(&a);
    buf_fini(&b);
}

static void a_kid_is_compared_as_it_stands(void **state)
{
    static const char *const others[] = {"", "A", "aa", " a", "a "};

    (void)state;
    assert_non_null(load_key(rsa, "\"kid\":\"a\","));
    assert_true(keyset_has_kid(set, "a"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(keyset_has_kid(set, others[i]));
    assert_non_null(load_key(rsa, ""));
    assert_false(keyset_has_kid(set, ""));
}

/* A set of these, each with its members; true if it was taken. */
static bool load_keys(size_t n, EVP_PKEY *const *keys, const char *const *members)
{
    struct buf jwks = {0};

    buf_add_str(&jwks, "{\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&jwks, i ? "," : "");
        mint_jwk(&jwks, keys[i], members[i]);
    }
    buf_add_str(&jwks, "]}");
    bool loaded = load_bytes(buf_slice(&jwks));
    buf_fini(&jwks);
    return loaded;
}

static void an_unusable_twin_costs_itself_alone_in_either_order(void **state)
{
    static const char *const twins[] = {
        "\"kid\":\"a\",\"use\":\"enc\",",
        "\"kid\":\"a\",\"alg\":\"RSA-OAEP\",",
        "\"kid\":\"a\",\"key_ops\":[\"encrypt\"],",
    };
    static const char good[] = "\"kid\":\"a\",\"use\":\"sig\",";
    EVP_PKEY *const keys[] = {rsa, p256, ed25519};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t of = 0; of < 3; of++) {
            assert_true(
                load_keys(2, (EVP_PKEY *[]){rsa, keys[of]}, (const char *[]){good, twins[i]}));
            assert_true(keyset_count(set) == 1 && notes.n == 1);
            assert_int_equal(EVP_PKEY_eq(by_kid("a")->public_key, rsa), 1);
            assert_true(
                load_keys(2, (EVP_PKEY *[]){keys[of], rsa}, (const char *[]){twins[i], good}));
            assert_true(keyset_count(set) == 1 && notes.n == 1);
            assert_int_equal(EVP_PKEY_eq(by_kid("a")->public_key, rsa), 1);
        }
    }
}

static void usable_keys_of_one_kid_are_all_kept(void **state)
{
    static const char *const kids[] = {"\"kid\":\"1\",", "\"kid\":\"\","};

    (void)state;
    for (int i = 0; i < 2; i++) {
        EVP_PKEY *another = mint_ec("P-256");
        assert_true(load_keys(3, (EVP_PKEY *[]){rsa, p256, another},
                              (const char *[]){kids[i], kids[i], kids[i]}));
        assert_int_equal(keyset_count(set), 3);
        assert_int_equal(notes.n, 0);
        assert_int_equal(EVP_PKEY_eq(keyset_at(set, 0)->public_key, rsa), 1);
        assert_int_equal(EVP_PKEY_eq(keyset_at(set, 2)->public_key, another), 1);
        EVP_PKEY_free(another);
    }
}

static void a_key_may_be_listed_for_each_of_its_algorithms(void **state)
{
    static const char *const members[] = {"\"kid\":\"a\",\"alg\":\"RS256\",",
                                          "\"kid\":\"a\",\"alg\":\"RS384\",",
                                          "\"kid\":\"a\",\"alg\":\"RS512\","};

    (void)state;
    assert_true(load_keys(3, (EVP_PKEY *[]){rsa, rsa, rsa}, members));
    assert_int_equal(keyset_count(set), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(keyset_at(set, i)->algorithms, 1 << i);
}

static void the_very_same_key_counts_once(void **state)
{
    static const char a[] = "\"kid\":\"a\",", none[] = "", empty[] = "\"kid\":\"\",";
    struct buf jwks = {0};

    (void)state;
    assert_true(load_keys(3, (EVP_PKEY *[]){rsa, p256, rsa}, (const char *[]){a, a, a}));
    assert_true(keyset_count(set) == 2 && notes.n == 0);
    assert_true(load_keys(2, (EVP_PKEY *[]){rsa, rsa}, (const char *[]){none, empty}));
    assert_int_equal(keyset_count(set), 2); /* no kid is not an empty one */
    mint_jwks(&jwks, rsa, a);
    mint_write_file(paths[0], buf_slice(&jwks));
    mint_write_file(paths[1], buf_slice(&jwks));
    assert_true(load_files(2, false));
    assert_int_equal(keyset_count(set), 1);
    buf_fini(&jwks);
}

static void a_kid_in_a_note_is_quoted(void **state)
{
    (void)state;
    check_passed_over(
        "{\"kty\":\"oct\",\"kid\":\"a\\n\\u001b[31m\"}"); /* checks that it is one line */
    assert_non_null(strstr(notes.lines[0], "key a\\x0a\\x1b[31m is passed over"));
}

/* -- notes -- */

static void a_private_half_is_warned_of(void **state)
{
    static const char *const members[] = {"\"d\":\"AAAA\",", "\"p\":\"AAAA\",", "\"qi\":1,"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(load_key(rsa, members[i]));
        check_note("should not be here: it holds a private half");
        assert_null(strstr(notes.lines[0], "AAAA"));
    }
}

static void the_notes_are_bounded(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    for (int i = 0; i < 1000; i++)
        buf_add_str(&jwks, "{},");
    mint_jwk(&jwks, rsa, "");
    buf_add_str(&jwks, "]}");
    assert_true(load_bytes(buf_slice(&jwks)));
    assert_int_equal(keyset_count(set), 1);
    assert_int_equal(notes.n, NOTES_MAX);
    assert_int_equal(notes.more, 1000 - NOTES_MAX);
    assert_non_null(
        strstr(notes.lines[1], "key number 2 is passed over: its type is not RSA, EC or OKP"));
    buf_fini(&jwks);
}

/* -- kids -- */

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
        assert_non_null(by_kid("demo-insecure"));
    }
    buf_fini(&good);
    buf_fini(&demo);
}

static void a_kid_that_is_no_string_costs_its_key_alone(void **state)
{
    static const char *const kids[] = {"\"kid\":7,", "\"kid\":[\"a\"],", "\"kid\":{},",
                                       "\"kid\":true,", "\"kid\":\"other\\u0000\","};

    (void)state;
    for (size_t i = 0; i < sizeof kids / sizeof kids[0]; i++) {
        assert_null(load_key(rsa, kids[i]));
        assert_true(keyset_has_kid(set, "other"));
        check_note("its kid is not a string");
    }
    assert_non_null(load_key(rsa, "\"kid\":null,"));
    assert_null(keyset_at(set, 0)->kid);
}

/* None of ours reads them. */
static void odd_values_beside_a_key_do_not_matter(void **state)
{
    (void)state;
    assert_non_null(
        load_key(rsa, "\"kid\":\"a\",\"created\":18446744073709551615,\"x\":\"\\ud800\","));
    assert_int_equal(notes.n, 0);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    struct buf jwks = {0};

    (void)state;
    buf_add_str(&jwks, "\xef\xbb\xbf");
    mint_jwks(&jwks, rsa, "");
    assert_true(load_bytes(buf_slice(&jwks)));
    assert_int_equal(keyset_count(set), 1);
    for (size_t n = 0; n < 4; n++)
        assert_false(load_bytes(slice_of(jwks.p, n)));
    buf_fini(&jwks);
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

/* RFC 7517, 4 and 5, allow this. */
static void of_a_member_that_comes_twice_the_last_one_counts(void **state)
{
    struct buf jwks = {0};

    (void)state;
    assert_non_null(load_key(p384, "\"kid\":\"b\",\"kid\":\"a\","));
    assert_string_equal(keyset_at(set, 0)->kid, "a");
    check_note("a member comes twice, the last one counts");
    assert_non_null(load_key(p384, "\"x5t\":{\"a\":1,\"a\":1},"));
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
    const struct keyset_source source = {.files = files, .file_count = 1};

    (void)state;
    assert_int_equal(keyset_load(&source, &set, &notes, error, sizeof error), -EBADMSG);
    assert_non_null(strstr(error, directory));
}

/* It could be waited for without end. */
static void a_pipe_is_no_file(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(paths[0], 0600), 0);
    assert_false(load_files(1, false));
    assert_non_null(strstr(error, "is no regular file"));
}

static void why_a_file_cannot_be_read_is_told(void **state)
{
    const char *const files[] = {paths[0]};
    const struct keyset_source source = {.files = files, .file_count = 1};

    (void)state;
    assert_int_equal(keyset_load(&source, &set, &notes, error, sizeof error), -ENOENT);
    assert_non_null(strstr(error, "No such file"));
    mint_write_file(paths[0], slice_str("{"));
    assert_int_equal(keyset_load(&source, &set, &notes, error, sizeof error), -EBADMSG);
}

static void a_reading_can_be_stopped(void **state)
{
    const char *const files[] = {paths[0]};
    atomic_bool stop = true;
    const struct keyset_source source = {.files = files, .file_count = 1, .stop = &stop};
    struct buf jwks = {0};

    (void)state;
    mint_jwks(&jwks, rsa, "");
    mint_write_file(paths[0], buf_slice(&jwks));
    assert_int_equal(keyset_load(&source, &set, &notes, error, sizeof error), -ECANCELED);
    buf_fini(&jwks);
}

/* -- keys that were checked before -- */

static int checks;

const char *__real_jwk_check(const struct key *key);
const char *__wrap_jwk_check(const struct key *key);
const char *__wrap_jwk_check(const struct key *key)
{
    checks++;
    return __real_jwk_check(key);
}

static void only_new_keys_are_checked(void **state)
{
    const char *const files[] = {paths[0]};
    struct keyset *next;

    (void)state;
    checks = 0;
    assert_true(load_keys(2, (EVP_PKEY *[]){rsa, p256},
                          (const char *[]){"\"kid\":\"a\",", "\"kid\":\"b\","}));
    assert_int_equal(checks, 2);
    const struct keyset_source source = {.files = files, .file_count = 1, .known = set};
    assert_int_equal(keyset_load(&source, &next, &notes, error, sizeof error), 0);
    assert_int_equal(checks, 2);
    assert_true(keyset_equal(set, next));
    keyset_free(next);
    struct keyset *before = set;
    set = NULL;
    assert_true(load_keys(3, (EVP_PKEY *[]){p384, rsa, rsa},
                          (const char *[]){"", "\"kid\":\"other\",", "\"kid\":\"a\","}));
    assert_int_equal(checks, 4); /* a key's second name is no new key */
    assert_false(keyset_equal(set, before));
    keyset_free(before);
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
        T(a_key_without_alg_is_for_the_algorithms_of_its_type),
        T(a_key_with_alg_is_for_that_one),
        T(an_alg_of_another_type_makes_a_key_useless),
        T(a_member_that_is_null_counts_as_absent),
        T(a_key_is_read_as_it_was_written),
        T(keys_of_other_types_are_passed_over),
        T(an_rsa_key_has_2048_bits_at_least),
        T(an_rsa_exponent_that_cannot_be_is_refused),
        T(the_type_is_compared_as_it_stands),
        T(an_rsa_key_without_one_of_its_numbers_is_passed_over),
        T(an_rsa_modulus_that_cannot_be_is_refused),
        T(ec_coordinates_have_the_length_of_the_field_at_most),
        T(a_trimmed_coordinate_is_padded),
        T(ec_coordinates_are_not_cut_elsewhere),
        T(ec_coordinates_lie_on_the_curve),
        T(another_curve_is_passed_over),
        T(an_ed25519_key_has_32_bytes),
        T(a_key_for_verifying_may_say_so),
        T(a_key_for_something_else_is_passed_over),
        T(the_set_is_the_union_of_the_files),
        T(a_kid_is_compared_as_it_stands),
        T(an_unusable_twin_costs_itself_alone_in_either_order),
        T(usable_keys_of_one_kid_are_all_kept),
        T(a_key_may_be_listed_for_each_of_its_algorithms),
        T(the_very_same_key_counts_once),
        T(a_kid_in_a_note_is_quoted),
        T(a_private_half_is_warned_of),
        T(the_notes_are_bounded),
        T(several_keys_may_have_no_kid),
        T(the_demo_key_is_refused_unless_it_is_allowed),
        T(a_kid_that_is_no_string_costs_its_key_alone),
        T(odd_values_beside_a_key_do_not_matter),
        T(a_byte_order_mark_is_passed_over),
        T(a_set_without_a_usable_key_is_an_error),
        T(what_is_no_jwks_is_an_error),
        T(a_good_file_does_not_make_up_for_one_that_is_none),
        T(of_a_member_that_comes_twice_the_last_one_counts),
        T(half_a_file_is_an_error),
        T(a_file_that_cannot_be_read_is_an_error),
        T(a_directory_is_no_file),
        T(a_pipe_is_no_file),
        T(why_a_file_cannot_be_read_is_told),
        T(a_reading_can_be_stopped),
        T(only_new_keys_are_checked),
        T(a_file_has_a_megabyte_at_most),
        T(a_set_has_256_keys_at_most),
        T(a_thumbprint_stays_while_the_key_does),
        T(a_thumbprint_changes_with_key_kid_or_algorithm),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

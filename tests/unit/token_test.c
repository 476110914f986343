#include "guard/token.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "guard/signature.h"
#include "mint.h"
#include "support.h"

#define NOW_S 1800001000
#define NOW_MS INT64_C(1800001000000)

/* What every good token says. */
#define WHO "\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":\"alice\""
#define MAY "\"scope\":\"read:events\""
#define UNTIL "\"exp\":1800001060"
#define GOOD "{" WHO "," MAY "," UNTIL "}"

/* The keys of the set, and two that it does not hold. */
enum {
    KEY_RSA,
    P256,
    P384,
    P521,
    KEY_RSA_256_ONLY,
    ED25519,
    IN_SET,
    STRANGER = IN_SET,
    STRANGER_RSA,
    STRANGER_ED25519,
    KEYS
};
static const char *const kids[IN_SET] = {"rsa", "p256", "p384", "p521", "rsa256", "ed"};
static EVP_PKEY *key[KEYS];
static struct keyset *keys;

static const char *const scopes[] = {"read:events", "write:events"};
static struct token_policy policy;

static int setup(void **state)
{
    (void)state;
    policy = (struct token_policy){.issuer = "https://issuer.example",
                                   .audience = "events",
                                   .scopes = scopes,
                                   .scope_count = 1,
                                   .audience_claim = "aud",
                                   .scope_claim = "scope",
                                   .identity = "sub"};
    return 0;
}

static struct keyset *load(struct buf *jwks)
{
    char path[] = "/tmp/token_test.XXXXXX", error[256] = "";
    const char *const files[] = {path};

    close(mkstemp(path));
    mint_write_file(path, buf_slice(jwks));
    struct keyset_source source = {.files = files, .file_count = 1};
    struct notes notes = {0};
    struct keyset *set;
    if (keyset_load(&source, &set, &notes, error, sizeof error) < 0)
        fail_msg("%s", error);
    unlink(path);
    notes_fini(&notes);
    buf_fini(jwks);
    return set;
}

/* An HMAC whose secret is our public key: libjwt would take it for good. */
static void sign_by_public_key(struct buf *token, int which)
{
    struct buf pem = {0};

    mint_pem(&pem, key[which]);
    mint_sign_hmac(token, buf_slice(&pem));
    buf_fini(&pem);
}

static int group_setup(void **state)
{
    struct buf jwks = {0};

    (void)state;
    log_set_level(LOG_ERROR);
    key[KEY_RSA] = mint_rsa(2048);
    key[P256] = mint_ec("P-256");
    key[P384] = mint_ec("P-384");
    key[P521] = mint_ec("P-521");
    key[KEY_RSA_256_ONLY] = mint_rsa(2048);
    key[ED25519] = mint_ed25519();
    key[STRANGER_ED25519] = mint_ed25519();
    key[STRANGER] = mint_ec("P-256");
    key[STRANGER_RSA] = mint_rsa(2048);
    buf_add_str(&jwks, "{\"keys\":[");
    for (int i = 0; i < IN_SET; i++) {
        char members[64];
        snprintf(members, sizeof members, "\"kid\":\"%s\",%s", kids[i],
                 i == KEY_RSA_256_ONLY ? "\"alg\":\"RS256\"," : "");
        buf_add_str(&jwks, i ? "," : "");
        mint_jwk(&jwks, key[i], members);
    }
    buf_add_str(&jwks, "]}");
    keys = load(&jwks);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    keyset_free(keys);
    for (int i = 0; i < KEYS; i++)
        EVP_PKEY_free(key[i]);
    return 0;
}

/* -- the verdict on a token -- */

static enum token_error judge_with(struct slice text, const struct keyset *set,
                                   const struct key **by)
{
    struct token t;
    enum token_error error = token_parse(text, &t);

    if (!error)
        error = token_check_claims(&t, &policy, NOW_MS);
    if (!error)
        error = signature_verify(&t, set, by);
    if (!error)
        error = token_check_scope(&t, &policy);
    token_fini(&t);
    return error;
}

/* In memory of its own, so that the address sanitizer sees a read behind it. */
static enum token_error judge(struct slice text)
{
    const struct key *by = NULL;
    uint8_t *copy = malloc(text.n ? text.n : 1);

    if (text.n)
        memcpy(copy, text.p, text.n);
    enum token_error error = judge_with(slice_of(copy, text.n), keys, &by);
    free(copy);
    return error;
}

static void check(struct slice text, enum token_error expected, const char *what)
{
    enum token_error error = judge(text);

    if (error != expected)
        fail_msg("%.200s: %s, not: %s", what, token_error_text(error), token_error_text(expected));
}

static void check_token(struct buf *token, enum token_error expected, const char *what)
{
    check(buf_slice(token), expected, what);
    buf_fini(token);
}

/* Signed as `alg` says, with that key. */
static void check_signed(const char *header, const char *payload, const char *alg, EVP_PKEY *by,
                         enum token_error expected)
{
    struct buf token = {0};

    mint_token(&token, header, payload, alg, by);
    check_token(&token, expected, *payload == '{' && expected ? payload : header);
}

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"p256\"}"

static void check_header(const char *header, enum token_error expected)
{
    struct buf token = {0};

    mint_token(&token, header, GOOD, "ES256", key[P256]);
    check_token(&token, expected, header);
}

static void check_payload(const char *payload, enum token_error expected)
{
    struct buf token = {0};

    mint_token(&token, HEADER, payload, "ES256", key[P256]);
    check_token(&token, expected, payload);
}

/* Header and payload may hold any bytes. */
static void check_bytes_of(struct slice header, struct slice payload, enum token_error expected,
                           const char *what)
{
    struct buf token = {0};

    mint_segment(&token, header);
    buf_add_byte(&token, '.');
    mint_segment(&token, payload);
    mint_sign(&token, "ES256", key[P256]);
    check_token(&token, expected, what);
}

static struct buf good_token(void)
{
    struct buf token = {0};

    mint_token(&token, HEADER, GOOD, "ES256", key[P256]);
    return token;
}

/* -- good ones -- */

static void each_algorithm_verifies_with_its_key(void **state)
{
    static const struct {
        const char *alg;
        int key;
    } rows[] = {
        {"RS256", KEY_RSA}, {"RS384", KEY_RSA},          {"RS512", KEY_RSA}, {"PS256", KEY_RSA},
        {"PS384", KEY_RSA}, {"PS512", KEY_RSA},          {"ES256", P256},    {"ES384", P384},
        {"ES512", P521},    {"RS256", KEY_RSA_256_ONLY}, {"EdDSA", ED25519},
    };
    static const char *const types[] = {"", "\"typ\":\"JWT\",", "\"typ\":\"at+jwt\",",
                                        "\"typ\":\"application/at+jwt\","};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < 4; j++) {
            char header[128];
            snprintf(header, sizeof header, "{%s\"alg\":\"%s\",\"kid\":\"%s\"}", types[j],
                     rows[i].alg, kids[rows[i].key]);
            check_signed(header, GOOD, rows[i].alg, key[rows[i].key], TOKEN_OK);
        }
    }
}

static void another_key_s_signature_is_wrong_in_each_algorithm(void **state)
{
    static const char *const algs[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};
    static const char *const types[] = {"JWT", "at+jwt"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char header[128];
        for (size_t j = 0; j < 6; j++) {
            snprintf(header, sizeof header, "{\"typ\":\"%s\",\"alg\":\"%s\",\"kid\":\"rsa\"}",
                     types[i], algs[j]);
            check_signed(header, GOOD, algs[j], key[STRANGER_RSA], TOKEN_SIGNATURE);
        }
        snprintf(header, sizeof header, "{\"typ\":\"%s\",\"alg\":\"ES256\",\"kid\":\"p256\"}",
                 types[i]);
        check_signed(header, GOOD, "ES256", key[STRANGER], TOKEN_SIGNATURE);
        snprintf(header, sizeof header, "{\"typ\":\"%s\",\"alg\":\"EdDSA\",\"kid\":\"ed\"}",
                 types[i]);
        check_signed(header, GOOD, "EdDSA", key[STRANGER_ED25519], TOKEN_SIGNATURE);
    }
}

static void a_pss_signature_is_no_pkcs1_signature_nor_the_other_way_round(void **state)
{
    (void)state;
    check_signed("{\"alg\":\"RS256\",\"kid\":\"rsa\"}", GOOD, "PS256", key[KEY_RSA],
                 TOKEN_SIGNATURE);
    check_signed("{\"alg\":\"PS256\",\"kid\":\"rsa\"}", GOOD, "RS256", key[KEY_RSA],
                 TOKEN_SIGNATURE);
    check_signed("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", GOOD, "PS256",
                 key[KEY_RSA], TOKEN_SIGNATURE);
}

static void another_digest_than_the_header_says_is_a_wrong_signature(void **state)
{
    (void)state;
    check_signed("{\"alg\":\"RS256\",\"kid\":\"rsa\"}", GOOD, "RS512", key[KEY_RSA],
                 TOKEN_SIGNATURE);
    check_signed("{\"alg\":\"PS512\",\"kid\":\"rsa\"}", GOOD, "PS256", key[KEY_RSA],
                 TOKEN_SIGNATURE);
    check_signed(HEADER, GOOD, "ES384", key[P256], TOKEN_SIGNATURE);
}

static void what_a_token_says_can_be_read_from_it(void **state)
{
    struct buf text = {0};
    struct token t;

    (void)state;
    mint_token(&text, "{\"alg\":\"ES384\",\"kid\":\"p384\",\"typ\":\"at+jwt\"}",
               "{" WHO "," UNTIL ",\"nbf\":1.5}", "ES384", key[P384]);
    assert_int_equal(token_parse(buf_slice(&text), &t), TOKEN_OK);
    assert_int_equal(t.algorithm, ALG_ES384);
    assert_true(t.at_jwt);
    assert_string_equal(t.kid, "p384");
    assert_string_equal(token_subject(&t, &policy), "alice");
    assert_int_equal(t.exp_ms, INT64_C(1800001060000));
    assert_int_equal(t.nbf_ms, 1500);
    assert_ptr_equal(memrchr(text.p, '.', text.n), text.p + t.signed_size);
    token_fini(&t);
    buf_fini(&text);
}

static void the_key_that_verified_is_told(void **state)
{
    struct buf token = good_token();
    const struct key *by = NULL;

    (void)state;
    assert_int_equal(judge_with(buf_slice(&token), keys, &by), TOKEN_OK);
    assert_string_equal(by->kid, "p256");
    buf_fini(&token);
}

/* -- the algorithm -- */

static void an_hmac_made_with_our_public_key_is_refused(void **state)
{
    static const int of[] = {KEY_RSA, P256};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf token = {0};
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kids[of[i]]);
        mint_segment(&token, slice_str(header));
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_str(GOOD));
        sign_by_public_key(&token, of[i]);
        check_token(&token, TOKEN_ALGORITHM, header);
    }
}

/* The key says what it is for, whatever the header says. */
static void an_hmac_made_with_our_public_key_is_no_signature_of_another_name(void **state)
{
    static const char *const names[] = {"RS256", "ES256", "PS256"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf token = {0};
        char header[64];
        int which = names[i][0] == 'E' ? P256 : KEY_RSA;
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", names[i], kids[which]);
        mint_segment(&token, slice_str(header));
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_str(GOOD));
        sign_by_public_key(&token, which);
        check_token(&token, TOKEN_SIGNATURE, header);
    }
}

static void an_algorithm_that_is_not_on_the_list_is_refused(void **state)
{
    static const char *const names[] = {
        "none",  "None",     "NONE",   "nOnE",        "",       "HS256",  "HS384", "HS512",
        "rs256", "Es256",    "RS256 ", " RS256",      "RS2567", "RS25",   "RS1",   "ES256K",
        "eddsa", "RSA-OAEP", "dir",    "RS256,ES256", "A128KW", "PS2566", "es256",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"p256\"}", names[i]);
        check_header(header, TOKEN_ALGORITHM);
    }
}

static void an_alg_that_is_no_string_is_malformed(void **state)
{
    static const char *const values[] = {"256", "null", "true", "[\"ES256\"]", "{}"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":%s,\"kid\":\"p256\"}", values[i]);
        check_header(header, TOKEN_MALFORMED);
    }
    check_header("{\"kid\":\"p256\"}", TOKEN_MALFORMED);
    check_header("{\"Alg\":\"ES256\",\"kid\":\"p256\"}", TOKEN_MALFORMED);
}

static void an_unsigned_token_is_refused(void **state)
{
    struct buf token = {0};

    (void)state;
    mint_segment(&token, slice_str("{\"alg\":\"none\"}"));
    buf_add_byte(&token, '.');
    mint_segment(&token, slice_str(GOOD));
    buf_add_byte(&token, '.');
    check(buf_slice(&token), TOKEN_MALFORMED, "none with an empty signature");
    buf_add_str(&token, "AAAA");
    check_token(&token, TOKEN_ALGORITHM, "none with a signature");
}

static void the_algorithm_must_be_one_of_the_key(void **state)
{
    static const struct {
        const char *alg;
        int key;
    } rows[] = {
        {"ES256", P384},
        {"ES256", P521},
        {"ES384", P256},
        {"ES384", P521},
        {"ES512", P256},
        {"ES512", P384},
        {"ES256", KEY_RSA},
        {"ES512", KEY_RSA},
        {"RS256", P256},
        {"RS512", P521},
        {"PS256", P256},
        {"PS384", P384},
        {"RS512", KEY_RSA_256_ONLY},
        {"PS256", KEY_RSA_256_ONLY},
        {"RS384", KEY_RSA_256_ONLY},
        {"EdDSA", P256},
        {"EdDSA", KEY_RSA},
        {"ES256", ED25519},
        {"RS256", ED25519},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[64];
        struct buf token = {0};
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", rows[i].alg,
                 kids[rows[i].key]);
        /* Signed as the key can. */
        mint_token(&token, header, GOOD, rows[i].alg[0] == 'E' ? "ES256" : "RS256",
                   key[rows[i].key]);
        check_token(&token, TOKEN_ALGORITHM, header);
    }
}

/* -- typ, kid, crit -- */

static void other_types_are_refused(void **state)
{
    static const char *const types[] = {
        "\"\"",
        "\"application/jwt\"",
        "\"logout+jwt\"",
        "\"JWT \"",
        "\"JOSE\"",
        "\"dpop+jwt\"",
        "1",
        "null",
        "[\"JWT\"]",
        "true",
        "\"at+jwt \"",
        "\"JW\"",
        "\"id+jwt\"",
        "\"application/application/at+jwt\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":%s}",
                 types[i]);
        check_header(header, TOKEN_TYPE);
    }
}

static void a_type_is_a_media_type_in_any_case(void **state)
{
    static const char *const types[] = {"jwt", "Jwt", "AT+JWT", "at+JWT", "Application/AT+jwt"};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"%s\"}",
                 types[i]);
        check_header(header, TOKEN_OK);
    }
}

static void any_crit_is_refused(void **state)
{
    static const char *const members[] = {
        "\"crit\":[\"foo\"],\"foo\":1",
        "\"crit\":[\"b64\"],\"b64\":false",
        "\"crit\":[]",
        "\"crit\":null",
        "\"crit\":\"exp\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char header[128];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"p256\",%s}", members[i]);
        check_header(header, TOKEN_MALFORMED);
    }
}

static void a_kid_that_is_no_string_is_malformed(void **state)
{
    static const char *const values[] = {"256", "null", "true", "[\"p256\"]", "{}", "1.5"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":%s}", values[i]);
        check_header(header, TOKEN_MALFORMED);
    }
}

static void an_unknown_kid_is_refused(void **state)
{
    static const char *const values[] = {"",      "p25",   "p2566",   "P256", "../../etc/passwd",
                                         "p256 ", " p256", "p256\\n", "%s%n"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", values[i]);
        check_header(header, TOKEN_KEY);
    }
}

static void a_key_that_the_token_brings_along_is_not_used(void **state)
{
    struct buf header = {0};

    (void)state;
    buf_add_str(&header, "{\"alg\":\"ES256\",\"jku\":\"https://evil.example\",\"jwk\":");
    mint_jwk(&header, key[STRANGER], "");
    buf_add_str(&header, "}");
    buf_add_byte(&header, 0);
    check_signed((const char *)header.p, GOOD, "ES256", key[STRANGER], TOKEN_SIGNATURE);
    buf_fini(&header);
}

static void other_members_of_the_header_do_not_matter(void **state)
{
    (void)state;
    check_header("{\"alg\":\"ES256\",\"kid\":\"p256\",\"x5t\":\"a\",\"b64\":false,\"cty\":1}",
                 TOKEN_OK);
}

/* -- without kid -- */

static void without_a_kid_the_keys_that_fit_are_tried(void **state)
{
    (void)state;
    check_signed("{\"alg\":\"ES256\"}", GOOD, "ES256", key[P256], TOKEN_OK);
    check_signed("{\"alg\":\"ES512\"}", GOOD, "ES512", key[P521], TOKEN_OK);
    check_signed("{\"alg\":\"PS384\"}", GOOD, "PS384", key[KEY_RSA], TOKEN_OK);
    check_signed("{\"alg\":\"RS256\"}", GOOD, "RS256", key[KEY_RSA_256_ONLY], TOKEN_OK);
}

static void without_a_kid_a_key_that_does_not_fit_is_not_tried(void **state)
{
    (void)state;
    check_signed("{\"alg\":\"RS384\"}", GOOD, "RS384", key[KEY_RSA_256_ONLY], TOKEN_SIGNATURE);
    check_signed("{\"alg\":\"ES384\"}", GOOD, "ES384", key[P256], TOKEN_SIGNATURE);
    check_signed("{\"alg\":\"ES256\"}", GOOD, "ES256", key[STRANGER], TOKEN_SIGNATURE);
}

static void without_a_kid_and_a_key_that_fits_the_key_is_unknown(void **state)
{
    struct buf jwks = {0}, token = {0};
    const struct key *by;

    (void)state;
    mint_jwks(&jwks, key[P256], "");
    struct keyset *set = load(&jwks);
    mint_token(&token, "{\"alg\":\"RS256\"}", GOOD, "RS256", key[KEY_RSA]);
    assert_int_equal(judge_with(buf_slice(&token), set, &by), TOKEN_KEY);
    keyset_free(set);
    buf_fini(&token);
}

static void without_a_kid_at_most_four_keys_are_tried(void **state)
{
    enum { N = 6 };
    EVP_PKEY *many[N];
    struct buf jwks = {0};
    const struct key *by;

    (void)state;
    buf_add_str(&jwks, "{\"keys\":[");
    for (int i = 0; i < N; i++) {
        mint_jwk(&jwks, key[P384], ""); /* these do not fit, and do not count */
        buf_add_byte(&jwks, ',');
        many[i] = mint_ec("P-256");
        mint_jwk(&jwks, many[i], "");
        buf_add_str(&jwks, i < N - 1 ? "," : "]}");
    }
    struct keyset *set = load(&jwks);
    for (int i = 0; i < N; i++) {
        struct buf token = {0};
        mint_token(&token, "{\"alg\":\"ES256\"}", GOOD, "ES256", many[i]);
        assert_int_equal(judge_with(buf_slice(&token), set, &by),
                         i < 4 ? TOKEN_OK : TOKEN_SIGNATURE);
        buf_fini(&token);
        EVP_PKEY_free(many[i]);
    }
    keyset_free(set);
}

/* -- keys of one kid -- */

static struct keyset *load_twins(EVP_PKEY *const *twins, size_t n, const char *const *members)
{
    struct buf jwks = {0};

    buf_add_str(&jwks, "{\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        char all[64];
        snprintf(all, sizeof all, "\"kid\":\"twin\",%s", members ? members[i] : "");
        buf_add_str(&jwks, i ? "," : "");
        mint_jwk(&jwks, twins[i], all);
    }
    buf_add_str(&jwks, "]}");
    return load(&jwks);
}

static void check_twin(const struct keyset *set, const char *alg, EVP_PKEY *by,
                       enum token_error expected)
{
    struct buf token = {0};
    const struct key *found;
    char header[64];

    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"twin\"}", alg);
    mint_token(&token, header, GOOD, alg, by);
    assert_int_equal(judge_with(buf_slice(&token), set, &found), expected);
    buf_fini(&token);
}

static void keys_of_one_kid_are_told_apart_by_their_type(void **state)
{
    EVP_PKEY *twins[] = {key[KEY_RSA], key[P256], key[P384], key[ED25519]};
    struct keyset *set = load_twins(twins, 4, NULL);

    (void)state;
    check_twin(set, "RS256", key[KEY_RSA], TOKEN_OK);
    check_twin(set, "PS512", key[KEY_RSA], TOKEN_OK);
    check_twin(set, "ES256", key[P256], TOKEN_OK);
    check_twin(set, "ES384", key[P384], TOKEN_OK);
    check_twin(set, "EdDSA", key[ED25519], TOKEN_OK);
    check_twin(set, "ES256", key[STRANGER], TOKEN_SIGNATURE);
    check_twin(set, "ES512", key[P521], TOKEN_ALGORITHM);
    keyset_free(set);
}

static void a_key_that_is_listed_for_each_of_its_algorithms_is_good_for_these(void **state)
{
    static const char *const members[] = {"\"alg\":\"RS256\",", "\"alg\":\"RS384\",",
                                          "\"alg\":\"RS512\","};
    EVP_PKEY *twins[] = {key[KEY_RSA], key[KEY_RSA], key[KEY_RSA]};
    struct keyset *set = load_twins(twins, 3, members);

    (void)state;
    check_twin(set, "RS256", key[KEY_RSA], TOKEN_OK);
    check_twin(set, "RS384", key[KEY_RSA], TOKEN_OK);
    check_twin(set, "RS512", key[KEY_RSA], TOKEN_OK);
    check_twin(set, "PS256", key[KEY_RSA], TOKEN_ALGORITHM);
    check_twin(set, "RS256", key[STRANGER_RSA], TOKEN_SIGNATURE);
    keyset_free(set);
}

static void of_keys_of_one_kid_and_type_four_are_tried_at_most(void **state)
{
    EVP_PKEY *twins[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        twins[i] = mint_ec("P-256");
    struct keyset *set = load_twins(twins, 6, NULL);
    for (int i = 0; i < 6; i++) {
        check_twin(set, "ES256", twins[i], i < 4 ? TOKEN_OK : TOKEN_SIGNATURE);
        EVP_PKEY_free(twins[i]);
    }
    keyset_free(set);
}

/* -- the frame -- */

static void every_prefix_of_a_good_token_is_refused(void **state)
{
    struct buf token = good_token();

    (void)state;
    for (size_t n = 0; n < token.n; n++)
        assert_true(judge(slice_of(token.p, n)));
    check_token(&token, TOKEN_OK, "the whole");
}

static void every_change_of_a_character_is_refused(void **state)
{
    static const char others[] = "A_zQ";
    struct buf token = good_token();

    (void)state;
    for (size_t i = 0; i < token.n; i++) {
        uint8_t was = token.p[i];
        for (const char *c = others; *c; c++) {
            token.p[i] = (uint8_t)*c;
            if (was != token.p[i] && !judge(buf_slice(&token)))
                fail_msg("%c for %c at %zu of %zu", *c, was, i, token.n);
        }
        token.p[i] = was;
    }
    buf_fini(&token);
}

static void random_bytes_in_a_token_do_no_harm(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct buf token = good_token();
        for (uint32_t n = 1 + random_below(&seed, 8); n > 0; n--)
            token.p[random_below(&seed, (uint32_t)token.n)] = (uint8_t)random_below(&seed, 256);
        token.n -= random_below(&seed, 4);
        judge(buf_slice(&token));
        buf_fini(&token);
    }
}

static void a_token_has_three_segments_that_are_not_empty(void **state)
{
    static const char *const texts[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a",
                                        "a.b",
                                        "e30",
                                        "e30.",
                                        "e30..",
                                        ".e30.",
                                        "..AAAA",
                                        "e30.e30",
                                        "e30.e30.",
                                        "e30..AAAA",
                                        ".e30.AAAA",
                                        "e30.e30.AAAA.",
                                        ".e30.e30.AAAA",
                                        "e30.e30.AAAA.AAAA",
                                        "e30.e30.AAAA.AAAA.AA"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check(slice_str(texts[i]), TOKEN_MALFORMED, texts[i]);
}

/* A good token, with one of its segments gone. */
static void an_empty_segment_is_refused(void **state)
{
    (void)state;
    for (int gone = 0; gone < 3; gone++) {
        struct buf token = good_token(), less = {0};
        int segment = 0;
        for (size_t i = 0; i < token.n; i++) {
            segment += token.p[i] == '.';
            if (token.p[i] == '.' || segment != gone)
                buf_add_byte(&less, token.p[i]);
        }
        check_token(&less, TOKEN_MALFORMED, "an empty segment");
        buf_fini(&token);
    }
}

/* libjwt takes all of these. */
static void what_is_appended_to_a_good_token_is_refused(void **state)
{
    static const char *const ends[] = {"=", "==", "===", " ",    "\n",  "\r\n",  "\t",   ".", "!",
                                       ",", "A",  "AA",  "AAAA", "%3D", ".AAAA", "\xff", "+"};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct buf token = good_token();
        buf_add_str(&token, ends[i]);
        assert_true(judge(buf_slice(&token)));
        buf_fini(&token);
    }
}

static void what_stands_before_a_good_token_is_refused(void **state)
{
    static const char *const starts[] = {" ", "\n", ".", "=", "\xef\xbb\xbf", "\"", "Bearer "};

    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct buf token = good_token(), text = {0};
        buf_add_str(&text, starts[i]);
        buf_add_slice(&text, buf_slice(&token));
        check_token(&text, TOKEN_MALFORMED, starts[i]);
        buf_fini(&token);
    }
}

/* With blanks behind it, of a length that base64 pads with two `=`. */
static void add_odd(struct buf *out, const char *json)
{
    buf_add_str(out, json);
    while (out->n % 3 != 1)
        buf_add_byte(out, ' ');
}

static void padding_is_refused_in_each_segment(void **state)
{
    static const char *const part[] = {HEADER, GOOD};

    (void)state;
    for (int padded = 0; padded < 4; padded++) { /* the last: in none */
        struct buf token = {0};
        for (int i = 0; i < 2; i++) {
            struct buf json = {0};
            add_odd(&json, part[i]);
            mint_segment(&token, buf_slice(&json));
            buf_add_str(&token, i == padded ? "==" : "");
            buf_add_str(&token, i == 0 ? "." : "");
            buf_fini(&json);
        }
        mint_sign(&token, "ES256", key[P256]);
        buf_add_str(&token, padded == 2 ? "==" : "");
        check_token(&token, padded < 3 ? TOKEN_MALFORMED : TOKEN_OK, "padding");
    }
}

/* `+` and `/` stand for what `-` and `_` are in base64url. */
static void the_standard_alphabet_is_refused(void **state)
{
    static const char from[] = "-_", to[] = "+/";

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf token = {0};
        uint8_t *at = NULL;
        while (at == NULL) { /* each signature is another one */
            buf_fini(&token);
            token = good_token();
            uint8_t *dot = memrchr(token.p, '.', token.n);
            at = memchr(dot, from[i], (size_t)(token.p + token.n - dot));
        }
        *at = (uint8_t)to[i];
        check_token(&token, TOKEN_MALFORMED, "the standard alphabet");
    }
}

/* The last character of 64 bytes carries two bits; libjwt ignores the four others. */
static void unused_bits_that_are_not_zero_are_refused(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct buf token = good_token();
    uint8_t *last = token.p + token.n - 1;
    size_t value = (size_t)(strchr(alphabet, *last) - alphabet);

    (void)state;
    assert_int_equal(value % 16, 0);
    for (size_t unused = 1; unused < 16; unused++) {
        *last = (uint8_t)alphabet[value + unused];
        check(buf_slice(&token), TOKEN_MALFORMED, "unused bits");
    }
    buf_fini(&token);
}

static void unused_bits_are_zero_in_header_and_payload_too(void **state)
{
    static const char *const part[] = {HEADER, GOOD};

    (void)state;
    for (int which = 0; which < 2; which++) {
        struct buf token = {0};
        for (int i = 0; i < 2; i++) {
            struct buf json = {0};
            add_odd(&json, part[i]);
            mint_segment(&token, buf_slice(&json));
            if (i == which)
                token.p[token.n - 1]++; /* bits that no byte of the JSON has */
            buf_add_str(&token, i == 0 ? "." : "");
            buf_fini(&json);
        }
        mint_sign(&token, "ES256", key[P256]);
        check_token(&token, TOKEN_MALFORMED, "unused bits");
    }
}

/* A token of that many bytes, good but for it. */
static struct buf token_of_size(size_t size)
{
    for (size_t spaces = 0; spaces < 3; spaces++) {
        for (size_t n = size * 3 / 4 - 400; n < size; n++) {
            struct buf payload = {0}, token = {0};
            char header[64];
            snprintf(header, sizeof header, "%s%.*s", HEADER, (int)spaces, "   ");
            buf_add_str(&payload, "{" WHO "," MAY "," UNTIL ",\"x\":\"");
            while (payload.n < n)
                buf_add_byte(&payload, 'x');
            buf_add_str(&payload, "\"}");
            mint_segment(&token, slice_str(header));
            buf_add_byte(&token, '.');
            mint_segment(&token, buf_slice(&payload));
            buf_fini(&payload);
            if (token.n + 1 + 86 == size) {
                mint_sign(&token, "ES256", key[P256]);
                assert_int_equal(token.n, size);
                return token;
            }
            bool past = token.n + 1 + 86 > size;
            buf_fini(&token);
            if (past)
                break;
        }
    }
    fail();
    return (struct buf){0};
}

static void a_token_has_8192_bytes_at_most(void **state)
{
    (void)state;
    for (size_t size = TOKEN_MAX - 2; size <= TOKEN_MAX + 2; size++) {
        struct buf token = token_of_size(size);
        check_token(&token, size <= TOKEN_MAX ? TOKEN_OK : TOKEN_TOO_LONG, "size");
    }
}

/* libjwt puts whole segments on the stack. */
static void a_token_of_7_mb_is_refused(void **state)
{
    const size_t n = 7 << 20;
    struct buf token = {0};

    (void)state;
    memset(buf_reserve(&token, n), 'A', n);
    token.n = n;
    check(buf_slice(&token), TOKEN_TOO_LONG, "7 MB without a dot");
    token.p[100] = token.p[n - 100] = '.';
    check(buf_slice(&token), TOKEN_TOO_LONG, "7 MB of payload");
    token.p[n / 2] = '.';
    check_token(&token, TOKEN_TOO_LONG, "7 MB of three dots");
}

static void nul_bytes_are_refused(void **state)
{
    struct buf token = good_token();

    (void)state;
    buf_add_byte(&token, 0);
    check(buf_slice(&token), TOKEN_MALFORMED, "NUL at the end");
    buf_add_str(&token, "garbage");
    check_token(&token, TOKEN_MALFORMED, "NUL and garbage");
    check(BYTES("\0"), TOKEN_MALFORMED, "NUL");
    token = good_token();
    token.p[token.n / 2] = 0;
    check_token(&token, TOKEN_MALFORMED, "NUL inside");
}

/* -- the JSON -- */

static void a_nul_is_no_json(void **state)
{
    (void)state;
    check_bytes_of(BYTES(HEADER), BYTES("{" WHO "," UNTIL "\0," MAY "}"), TOKEN_MALFORMED,
                   "behind a number");
    check_bytes_of(BYTES("{\"typ\":\"at+jwt\",\"n\":1\0,\"alg\":\"ES256\"}"), BYTES(GOOD),
                   TOKEN_MALFORMED, "in the header");
    check_bytes_of(BYTES(HEADER), BYTES(GOOD "\0"), TOKEN_MALFORMED, "behind all");
}

static void header_and_payload_are_json_objects(void **state)
{
    static const char *const texts[] = {"[]", "[" GOOD "]", "\"a\"", "1",   "null", "true",    "{",
                                        "}",  "",           " ",     "{,}", "a",    "{\"a\":}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_payload(texts[i], TOKEN_MALFORMED);
        check_header(texts[i], TOKEN_MALFORMED);
    }
    check_header("[" HEADER "]", TOKEN_MALFORMED);
}

static void duplicate_names_are_refused(void **state)
{
    (void)state;
    check_header("{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"p256\"}", TOKEN_MALFORMED);
    check_header("{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"p256\"}", TOKEN_MALFORMED);
    check_header("{\"alg\":\"ES256\",\"kid\":\"p256\",\"kid\":\"p256\"}", TOKEN_MALFORMED);
    check_header("{\"alg\":\"ES256\",\"kid\":\"p256\",\"\\u0061lg\":\"ES256\"}", TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY ",\"exp\":1," UNTIL "}", TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",\"iss\":\"https://issuer.example\"}",
                  TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",\"x\":{\"a\":1,\"a\":1}}", TOKEN_MALFORMED);
}

static void what_follows_the_json_is_refused(void **state)
{
    static const char *const ends[] = {"x", "{}", ",", "\\0", "//", GOOD};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", GOOD, ends[i]);
        check_payload(text, TOKEN_MALFORMED);
        snprintf(text, sizeof text, "%s%s", HEADER, ends[i]);
        check_header(text, TOKEN_MALFORMED);
    }
    check_bytes_of(slice_str(HEADER), BYTES(GOOD "\0"), TOKEN_MALFORMED, "payload, NUL");
    check_bytes_of(slice_str(HEADER), BYTES(GOOD "\0garbage"), TOKEN_MALFORMED,
                   "payload, NUL, garbage");
    check_bytes_of(BYTES(HEADER "\0garbage"), slice_str(GOOD), TOKEN_MALFORMED,
                   "header, NUL, garbage");
}

static void what_is_no_json_text_is_refused(void **state)
{
    (void)state;
    check_payload("\xef\xbb\xbf" GOOD, TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",\"x\":\"\xff\"}", TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",\"x\":\"\xc0\xaf\"}", TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",\"x\":NaN}", TOKEN_MALFORMED);
    check_payload("{" WHO "," MAY "," UNTIL ",}", TOKEN_MALFORMED);
    check_payload("{'iss':'https://issuer.example'}", TOKEN_MALFORMED);
}

/* -- what jansson and libjwt cannot hold -- */

static const char *const odd_values[] = {
    "18446744073709551615",
    "-9223372036854775809",
    "1e400",
    "-1e400",
    "\"\\u0000\"",
    "\"a\\ud800\"",
    "\"\\udc00x\"",
    "[\"\\u0000\",1e999]",
    "{\"a\\u0000\":1}",
    "{\"\\ud800\":\"b\"}",
    "\"\\ud800\\ud800\"",
};

static void an_odd_value_in_a_claim_that_is_not_read_does_not_matter(void **state)
{
    static const struct {
        const char *alg;
        int key;
    } rows[] = {{"ES256", P256}, {"RS256", KEY_RSA}, {"PS256", KEY_RSA}};
    char header[128], payload[512];

    (void)state;
    for (size_t i = 0; i < sizeof odd_values / sizeof odd_values[0]; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"x\":%s}", rows[j].alg,
                     kids[rows[j].key], odd_values[i]);
            check_signed(header, GOOD, rows[j].alg, key[rows[j].key], TOKEN_OK);
            check_signed(header, GOOD, rows[j].alg,
                         key[rows[j].key == P256 ? STRANGER : STRANGER_RSA], TOKEN_SIGNATURE);
        }
        snprintf(payload, sizeof payload, "{\"uid\":%s," WHO "," MAY "," UNTIL "}", odd_values[i]);
        check_payload(payload, TOKEN_OK);
    }
}

static void an_odd_value_in_a_claim_that_is_read_is_refused(void **state)
{
    char payload[512];

    (void)state;
    for (size_t i = 0; i < sizeof odd_values / sizeof odd_values[0]; i++) {
        const char *odd = odd_values[i];
        snprintf(payload, sizeof payload, "{\"iss\":%s,\"aud\":\"events\"," MAY "," UNTIL "}", odd);
        check_payload(payload, TOKEN_ISSUER);
        snprintf(payload, sizeof payload,
                 "{\"iss\":\"https://issuer.example\",\"aud\":%s," MAY "," UNTIL "}", odd);
        check_payload(payload, TOKEN_AUDIENCE);
        snprintf(payload, sizeof payload,
                 "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":%s," MAY "," UNTIL
                 "}",
                 odd);
        check_payload(payload, TOKEN_SUBJECT);
        snprintf(payload, sizeof payload, "{" WHO "," MAY ",\"exp\":%s}", odd);
        check_payload(payload, TOKEN_NO_EXPIRY);
        snprintf(payload, sizeof payload, "{" WHO "," MAY "," UNTIL ",\"nbf\":%s}", odd);
        check_payload(payload, TOKEN_NBF);
        snprintf(payload, sizeof payload, "{" WHO "," UNTIL ",\"scope\":%s}", odd);
        check_payload(payload, TOKEN_SCOPE);
    }
}

/* What is put in its place, or what stands before it, must not make it another text. */
static void a_text_with_an_odd_escape_is_no_other_text(void **state)
{
    static const char *const odd[] = {"\\u0000", "\\ud800", "\\u0000x"};
    char text[512];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text,
                 "{\"iss\":\"https://issuer.example%s\",\"aud\":\"events\"," MAY "," UNTIL "}",
                 odd[i]);
        check_payload(text, TOKEN_ISSUER);
        for (int array = 0; array < 2; array++) {
            const char *open = array ? "[" : "", *close = array ? "]" : "";
            snprintf(text, sizeof text,
                     "{\"iss\":\"https://issuer.example\",\"aud\":%s\"events%s\"%s," MAY "," UNTIL
                     "}",
                     open, odd[i], close);
            check_payload(text, TOKEN_AUDIENCE);
            snprintf(text, sizeof text, "{" WHO "," UNTIL ",\"scope\":%s\"read:events%s\"%s}", open,
                     odd[i], close);
            check_payload(text, TOKEN_SCOPE);
        }
        snprintf(text, sizeof text,
                 "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":\"alice%s\"," MAY
                 "," UNTIL "}",
                 odd[i]);
        check_payload(text, TOKEN_SUBJECT);
        snprintf(text, sizeof text, "{" WHO "," MAY ",\"exp%s\":1800001060}", odd[i]);
        check_payload(text, TOKEN_NO_EXPIRY);
        snprintf(text, sizeof text, "{\"alg\":\"ES256\",\"kid\":\"p256%s\"}", odd[i]);
        check_header(text, TOKEN_MALFORMED);
        snprintf(text, sizeof text, "{\"alg\":\"ES256%s\",\"kid\":\"p256\"}", odd[i]);
        check_header(text, TOKEN_MALFORMED);
        snprintf(text, sizeof text, "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"JWT%s\"}",
                 odd[i]);
        check_header(text, TOKEN_TYPE);
    }
}

static void deep_nesting_is_refused(void **state)
{
    struct buf payload = {0};

    (void)state;
    buf_add_str(&payload, "{" WHO "," MAY "," UNTIL ",\"x\":");
    for (int i = 0; i < 2800; i++)
        buf_add_byte(&payload, '[');
    for (int i = 0; i < 2800; i++)
        buf_add_byte(&payload, ']');
    buf_add_str(&payload, "}");
    check_bytes_of(slice_str(HEADER), buf_slice(&payload), TOKEN_MALFORMED, "depth 2800");
    buf_fini(&payload);
}

static void blanks_in_the_json_do_not_matter(void **state)
{
    (void)state;
    check_payload(" \r\n\t{ " WHO " , " MAY " ,\n " UNTIL " } \n", TOKEN_OK);
}

/* -- times -- */

static void check_exp(const char *exp, enum token_error expected)
{
    char payload[512];

    snprintf(payload, sizeof payload, "{" WHO "," MAY ",\"exp\":%s}", exp);
    check_payload(payload, expected);
}

static void an_expiry_is_demanded(void **state)
{
    (void)state;
    check_payload("{" WHO "," MAY "}", TOKEN_NO_EXPIRY);
    check_payload("{" WHO "," MAY ",\"Exp\":1800001060}", TOKEN_NO_EXPIRY);
    check_payload("{" WHO "," MAY ",\"x\":{" UNTIL "}}", TOKEN_NO_EXPIRY);
}

/* libjwt reads most of these as 0. */
static void an_expiry_that_is_no_number_is_none(void **state)
{
    static const char *const values[] = {"\"1800001060\"", "\"123\"",
                                         "null",           "true",
                                         "false",          "[1]",
                                         "[1800001060]",   "{}",
                                         "\"\"",           "{\"exp\":1800001060}"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_exp(values[i], TOKEN_NO_EXPIRY);
}

static void an_expiry_out_of_range_is_none(void **state)
{
    static const char *const values[] = {
        "-1",    "-0.1", "-1800001060",         "253402300800",         "9007199254740993",
        "1e300", "1e18", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "1e400",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_exp(values[i], TOKEN_NO_EXPIRY);
}

static void an_expiry_that_json_cannot_say_is_malformed(void **state)
{
    static const char *const values[] = {
        "NaN",         "Infinity",    "0x6b49d200",    "01800001060",
        "1800001060.", "+1800001060", "1_800_001_060", ""};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_exp(values[i], TOKEN_MALFORMED);
}

static void any_number_in_the_future_is_an_expiry(void **state)
{
    static const char *const values[] = {"1800001001", "1800001000.5", "1.80000106e9",  "1e10",
                                         "4294967296", "253402300799", "18000010600e-1"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_exp(values[i], TOKEN_OK);
}

static void a_token_is_good_before_its_expiry_and_not_at_it(void **state)
{
    static const char *const over[] = {"1800001000", "1800000999.999", "1800000999", "0",
                                       "0.5",        "12.9",           "2147483648"};

    (void)state;
    for (int i = 0; i < 6; i++)
        check_exp(over[i], TOKEN_EXPIRED);
    check_exp(over[6], TOKEN_OK); /* 2^31 is later than now, and no overflow */
    assert_int_equal(token_check_times(1000, 0, 0, 999), TOKEN_OK);
    assert_int_equal(token_check_times(1000, 0, 0, 1000), TOKEN_EXPIRED);
}

static void the_leeway_moves_the_expiry(void **state)
{
    (void)state;
    policy.leeway_ms = 5000;
    check_exp("1800000995.001", TOKEN_OK);
    check_exp("1800000995", TOKEN_EXPIRED);
    assert_int_equal(token_check_times(1000, 0, 500, 1499), TOKEN_OK);
    assert_int_equal(token_check_times(1000, 0, 500, 1500), TOKEN_EXPIRED);
}

static void check_nbf(const char *nbf, enum token_error expected)
{
    char payload[512];

    snprintf(payload, sizeof payload, "{" WHO "," MAY "," UNTIL ",\"nbf\":%s}", nbf);
    check_payload(payload, expected);
}

static void a_token_is_not_good_before_its_time(void **state)
{
    (void)state;
    check_nbf("0", TOKEN_OK);
    check_nbf("1800001010.001", TOKEN_NOT_YET);
    check_nbf("253402300799", TOKEN_NOT_YET);
}

/* The clock of its issuer may be ahead.  PROTOCOL 4.5. */
static void for_nbf_the_leeway_is_ten_seconds_at_least(void **state)
{
    static const int64_t leeways_ms[] = {0, 5000, 10000, 15000};

    (void)state;
    for (int i = 0; i < 4; i++) {
        policy.leeway_ms = leeways_ms[i];
        check_nbf("1800001000", TOKEN_OK);
        check_nbf("1800001001", TOKEN_OK);
        check_nbf("1800001010", TOKEN_OK);
        check_nbf("1800001010.001", i == 3 ? TOKEN_OK : TOKEN_NOT_YET);
        check_nbf("1800001015.001", TOKEN_NOT_YET);
    }
}

static void a_strange_nbf_is_none(void **state)
{
    static const char *const values[] = {"\"1\"", "null", "true",  "[0]",
                                         "{}",    "-1",   "1e300", "9223372036854775808"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_nbf(values[i], TOKEN_NBF);
}

static void when_it_was_issued_is_not_read(void **state)
{
    static const char *const values[] = {
        "1800009999", "-1", "9223372036854775808", "1e400", "\"1\"", "null", "true", "[]"};
    char payload[512];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(payload, sizeof payload, "{" WHO "," MAY "," UNTIL ",\"iat\":%s}", values[i]);
        check_payload(payload, TOKEN_OK);
    }
}

/* -- issuer, audience, subject -- */

static void the_issuer_is_compared_as_it_stands(void **state)
{
    static const char *const values[] = {
        "\"https://issuer.example/\"",
        "\"https://Issuer.example\"",
        "\"https://issuer.exampl\"",
        "\"\"",
        "null",
        "1",
        "[\"https://issuer.example\"]",
        "\"issuer.example\"",
        "{}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char payload[256];
        snprintf(payload, sizeof payload, "{\"iss\":%s,\"aud\":\"events\"," MAY "," UNTIL "}",
                 values[i]);
        check_payload(payload, TOKEN_ISSUER);
    }
    check_payload("{\"aud\":\"events\"," MAY "," UNTIL "}", TOKEN_ISSUER);
}

static void check_aud(const char *aud, enum token_error expected)
{
    char payload[512];

    snprintf(payload, sizeof payload,
             "{\"iss\":\"https://issuer.example\",\"aud\":%s," MAY "," UNTIL "}", aud);
    check_payload(payload, expected);
}

static void the_audience_is_a_string_or_one_of_an_array(void **state)
{
    (void)state;
    check_aud("\"events\"", TOKEN_OK);
    check_aud("[\"events\"]", TOKEN_OK);
    check_aud("[\"other\",\"events\"]", TOKEN_OK);
    check_aud("[1,null,[],\"events\"]", TOKEN_OK);
}

static void another_audience_is_refused(void **state)
{
    static const char *const values[] = {
        "\"other\"",
        "\"\"",
        "\"Events\"",
        "\"events \"",
        "\"event\"",
        "\"events,other\"",
        "\"other events\"",
        "[]",
        "[\"other\"]",
        "[\"event\",\"s\"]",
        "[[\"events\"]]",
        "{\"events\":1}",
        "{\"0\":\"events\"}",
        "null",
        "1",
        "true",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_aud(values[i], TOKEN_AUDIENCE);
    check_payload("{\"iss\":\"https://issuer.example\"," MAY "," UNTIL "}", TOKEN_AUDIENCE);
}

static void the_audience_may_be_in_another_claim(void **state)
{
    static const char *const bad[] = {"",
                                      "\"client_id\":\"other\",",
                                      "\"client_id\":[\"event\",\"s\"],",
                                      "\"client_id\":{\"events\":1},",
                                      "\"client\":{\"id\":\"events\"},",
                                      "\"aud\":\"events\","};
    char payload[256];

    (void)state;
    policy.audience_claim = "client_id"; /* as Cognito's access tokens have it */
    check_payload("{\"iss\":\"https://issuer.example\",\"client_id\":\"events\"," MAY "," UNTIL "}",
                  TOKEN_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(payload, sizeof payload,
                 "{\"iss\":\"https://issuer.example\",%s" MAY "," UNTIL "}", bad[i]);
        check_payload(payload, TOKEN_AUDIENCE);
    }
    policy.audience_claim = "client.id";
    check_payload("{\"iss\":\"https://issuer.example\",\"client\":{\"id\":\"events\"}," MAY
                  "," UNTIL "}",
                  TOKEN_OK);
}

static void check_subject(const char *claims, const char *expected)
{
    struct buf payload = {0}, text = {0};
    struct token t;

    buf_printf(&payload, "{%s," UNTIL "}%c", claims, 0);
    mint_token(&text, HEADER, (const char *)payload.p, "ES256", key[P256]);
    assert_int_equal(token_parse(buf_slice(&text), &t), TOKEN_OK);
    const char *subject = token_subject(&t, &policy);
    if ((subject != NULL) != (expected != NULL) ||
        (subject != NULL && strcmp(subject, expected) != 0))
        fail_msg("%s: %s", claims, subject ? subject : "none");
    token_fini(&t);
    buf_fini(&payload);
    buf_fini(&text);
}

static void the_subject_is_the_identity_claim(void **state)
{
    (void)state;
    check_subject(WHO ",\"uid\":\"u7\"", "alice");
    policy.identity = "uid";
    check_subject(WHO ",\"uid\":\"u7\"", "u7");
    policy.identity = "https://shop.example/user.id";
    check_subject("\"https://shop.example/user.id\":\"u8\"", "u8");
    policy.identity = "user.id";
    check_subject("\"user\":{\"id\":\"u9\"}", "u9");
}

static void an_identity_that_is_no_text_is_none(void **state)
{
    static const char *const others[] = {"\"\"",
                                         "null",
                                         "7",
                                         "true",
                                         "[\"alice\"]",
                                         "{\"sub\":\"alice\"}",
                                         "\"al\\u0000ice\"",
                                         "\"al\\ud800ice\""};
    char claims[128];

    (void)state;
    policy.identity = "uid";
    check_subject(WHO, NULL);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(claims, sizeof claims, "\"uid\":%s", others[i]);
        check_subject(claims, NULL);
    }
}

static void a_subject_is_a_string_that_is_not_empty_or_not_there(void **state)
{
    static const char *const bad[] = {"\"\"", "null", "1", "true", "[\"alice\"]", "{}"};
    char payload[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(payload, sizeof payload,
                 "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":%s," MAY "," UNTIL
                 "}",
                 bad[i]);
        check_payload(payload, TOKEN_SUBJECT);
    }
    check_payload("{\"iss\":\"https://issuer.example\",\"aud\":\"events\"," MAY "," UNTIL "}",
                  TOKEN_OK);
}

/* -- scope -- */

static void check_scope(const char *claims, enum token_error expected)
{
    char payload[512];

    snprintf(payload, sizeof payload, "{" WHO "," UNTIL "%s}", claims);
    check_payload(payload, expected);
}

static void a_scope_is_in_a_string_or_an_array(void **state)
{
    static const char *const held[] = {
        "\"read:events\"",          "\"a read:events\"", "\"read:events a\"",
        "\"  a   read:events  \"",  "[\"read:events\"]", "[\"a\",\"read:events\"]",
        "[1,null,\"read:events\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        char claims[128];
        snprintf(claims, sizeof claims, ",\"scope\":%s", held[i]);
        check_scope(claims, TOKEN_OK);
    }
}

static void a_scope_that_lacks_is_told(void **state)
{
    static const char *const lacking[] = {
        "\"\"",
        "\" \"",
        "\"read:event\"",
        "\"read:eventss\"",
        "\"xread:events\"",
        "\"read: events\"",
        "\"READ:EVENTS\"",
        "\"read:events,a\"",
        "[]",
        "[\"a read:events\"]",
        "[[\"read:events\"]]",
        "{\"read:events\":true}",
        "null",
        "1",
        "true",
        "\"read:events.x\"",
        "[\"\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
        char claims[128];
        snprintf(claims, sizeof claims, ",\"scope\":%s", lacking[i]);
        check_scope(claims, TOKEN_SCOPE);
    }
    check_scope("", TOKEN_SCOPE);
}

static void each_required_scope_must_be_held(void **state)
{
    (void)state;
    policy.scope_count = 2;
    check_scope(",\"scope\":\"write:events read:events\"", TOKEN_OK);
    check_scope(",\"scope\":[\"read:events\",\"x\",\"write:events\"]", TOKEN_OK);
    check_scope(",\"scope\":\"read:events\"", TOKEN_SCOPE);
    check_scope(",\"scope\":\"write:events\"", TOKEN_SCOPE);
    policy.scope_count = 0;
    check_scope("", TOKEN_OK);
}

static void the_scope_may_lie_at_a_dotted_path(void **state)
{
    (void)state;
    policy.scope_claim = "realm_access.roles";
    check_scope(",\"realm_access\":{\"roles\":[\"read:events\"]}", TOKEN_OK);
    check_scope(",\"realm_access\":{\"roles\":\"a read:events\"}", TOKEN_OK);
    check_scope(",\"realm_access.roles\":\"read:events\"", TOKEN_OK);
    check_scope(",\"scope\":\"read:events\"", TOKEN_SCOPE);
    check_scope(",\"roles\":[\"read:events\"]", TOKEN_SCOPE);
    check_scope(",\"realm_access\":[\"roles\",\"read:events\"]", TOKEN_SCOPE);
    check_scope(",\"realm_access\":\"read:events\"", TOKEN_SCOPE);
    check_scope(",\"realm_access\":{\"roles\":{\"read:events\":1}}", TOKEN_SCOPE);
    check_scope(",\"realm_access\":null", TOKEN_SCOPE);
    policy.scope_claim = "a.b.c";
    check_scope(",\"a\":{\"b\":{\"c\":\"read:events\"}}", TOKEN_OK);
    check_scope(",\"a\":{\"b\":\"read:events\"}", TOKEN_SCOPE);
}

static void a_name_with_dots_is_one_name(void **state)
{
    (void)state;
    policy.scope_claim = "https://example.com/roles";
    check_scope(",\"https://example.com/roles\":[\"read:events\"]", TOKEN_OK);
    check_scope(",\"https://example\":{\"com/roles\":[\"read:events\"]}", TOKEN_OK);
    check_scope("", TOKEN_SCOPE);
}

/* -- signatures -- */

/* The good token's header and payload with these bytes as signature; at+jwt: OpenSSL verifies. */
static void check_signature(struct slice signature, enum token_error expected)
{
    static const char *const headers[] = {
        HEADER, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"p256\"}"};

    for (int i = 0; i < 2; i++) {
        struct buf token = {0};
        mint_segment(&token, slice_str(headers[i]));
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_str(GOOD));
        buf_add_byte(&token, '.');
        mint_segment(&token, signature);
        check_token(&token, expected, headers[i]);
    }
}

static void an_ecdsa_signature_of_zeros_is_refused(void **state)
{
    static const uint8_t zeros[200];

    (void)state;
    for (size_t n = 1; n <= sizeof zeros; n++)
        check_signature(slice_of(zeros, n), TOKEN_SIGNATURE);
}

/* Ed25519: the point at infinity as R, and 0 as S, would hold for a key of small order alone. */
static void an_eddsa_signature_has_64_bytes_and_is_not_zero(void **state)
{
    uint8_t bytes[130] = {0};

    (void)state;
    for (int infinity = 0; infinity < 2; infinity++) {
        bytes[0] = (uint8_t)infinity;
        for (size_t n = 1; n <= sizeof bytes; n++) {
            struct buf token = {0};
            mint_segment(&token, slice_str("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"));
            buf_add_byte(&token, '.');
            mint_segment(&token, slice_str(GOOD));
            buf_add_byte(&token, '.');
            mint_segment(&token, slice_of(bytes, n));
            check_token(&token, TOKEN_SIGNATURE, "EdDSA");
        }
    }
}

static void an_ecdsa_signature_of_the_order_or_of_ones_is_refused(void **state)
{
    static const uint8_t order[] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                    0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t bytes[64];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    check_signature(slice_of(bytes, sizeof bytes), TOKEN_SIGNATURE);
    memcpy(bytes, order, 32);
    memcpy(bytes + 32, order, 32);
    check_signature(slice_of(bytes, sizeof bytes), TOKEN_SIGNATURE);
}

/* Signs the token's two segments and leaves the signature as OpenSSL makes it. */
static void add_der(struct buf *token)
{
    uint8_t der[128];
    size_t n = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, key[P256], NULL);
    assert_int_equal(EVP_DigestSign(md, der, &n, token->p, token->n), 1);
    EVP_MD_CTX_free(md);
    buf_add_byte(token, '.');
    mint_segment(token, slice_of(der, n));
}

static void an_ecdsa_signature_in_der_is_refused(void **state)
{
    static const char *const headers[] = {
        HEADER, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"p256\"}"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf token = {0};
        mint_segment(&token, slice_str(headers[i]));
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_str(GOOD));
        add_der(&token);
        check_token(&token, TOKEN_SIGNATURE, headers[i]);
    }
}

/* A good token's signature, with `before` zeros before each of its numbers and `after` behind. */
static void check_longer(const char *type, size_t before, size_t after, enum token_error expected)
{
    static const uint8_t zeros[8];
    struct buf token = {0}, raw = {0}, longer = {0};
    char header[64];

    snprintf(header, sizeof header, "{\"typ\":\"%s\",\"alg\":\"ES256\",\"kid\":\"p256\"}", type);
    mint_token(&token, header, GOOD, "ES256", key[P256]);
    const uint8_t *dot = memrchr(token.p, '.', token.n);
    size_t at = (size_t)(dot + 1 - token.p);
    assert_true(base64url_decode(&raw, slice_of(dot + 1, token.n - at)));
    for (size_t i = 0; i < 64; i += 32) {
        buf_add(&longer, zeros, before);
        buf_add(&longer, raw.p + i, 32);
    }
    buf_add(&longer, zeros, after);
    token.n = at;
    mint_segment(&token, buf_slice(&longer));
    check_token(&token, expected, header);
    buf_fini(&raw);
    buf_fini(&longer);
}

static void an_ecdsa_signature_of_another_length_is_refused(void **state)
{
    static const char *const types[] = {"JWT", "at+jwt"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        check_longer(types[i], 0, 0, TOKEN_OK);
        check_longer(types[i], 1, 0, TOKEN_SIGNATURE);
        for (size_t after = 1; after <= 8; after++)
            check_longer(types[i], 0, after, TOKEN_SIGNATURE);
    }
}

static void an_rsa_signature_of_another_length_is_refused(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
                                          "{\"alg\":\"PS256\",\"kid\":\"rsa\"}"};
    static const uint8_t bytes[300] = {1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t n = 1; n <= sizeof bytes; n += n < 250 ? 50 : 1) {
            struct buf token = {0};
            mint_segment(&token, slice_str(headers[i]));
            buf_add_byte(&token, '.');
            mint_segment(&token, slice_str(GOOD));
            buf_add_byte(&token, '.');
            mint_segment(&token, slice_of(bytes, n));
            check_token(&token, TOKEN_SIGNATURE, headers[i]);
        }
    }
}

static void a_pss_salt_is_as_long_as_the_digest(void **state)
{
    static const int salts[] = {0, 20, 31, 33, 64, 222};

    (void)state;
    for (size_t i = 0; i < sizeof salts / sizeof salts[0]; i++) {
        struct buf token = {0};
        uint8_t signature[256];
        size_t n = sizeof signature;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        EVP_PKEY_CTX *ctx;
        mint_segment(&token, slice_str("{\"alg\":\"PS256\",\"kid\":\"rsa\"}"));
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_str(GOOD));
        EVP_DigestSignInit_ex(md, &ctx, "SHA256", NULL, NULL, key[KEY_RSA], NULL);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salts[i]);
        assert_int_equal(EVP_DigestSign(md, signature, &n, token.p, token.n), 1);
        EVP_MD_CTX_free(md);
        buf_add_byte(&token, '.');
        mint_segment(&token, slice_of(signature, n));
        check_token(&token, TOKEN_SIGNATURE, "salt");
    }
}

static void another_payload_under_a_good_signature_is_refused(void **state)
{
    struct buf token = good_token(), forged = {0};

    (void)state;
    mint_segment(&forged, slice_str(HEADER));
    buf_add_byte(&forged, '.');
    mint_segment(&forged, slice_str("{" WHO "," MAY ",\"exp\":1900000000}"));
    buf_add(&forged, token.p + token.n - 87, 87);
    check_token(&forged, TOKEN_SIGNATURE, "another payload");
    buf_fini(&token);
}

/* -- the order of the checks -- */

static void claims_are_checked_before_the_signature_and_scope_after_it(void **state)
{
    (void)state;
    check_signed(HEADER, "{" WHO "," MAY ",\"exp\":1}", "ES256", key[STRANGER], TOKEN_EXPIRED);
    check_signed("{\"alg\":\"ES256\",\"kid\":\"x\"}", "{" WHO "," MAY ",\"exp\":1}", "ES256",
                 key[P256], TOKEN_EXPIRED);
    check_signed(HEADER, "{" WHO "," UNTIL "}", "ES256", key[STRANGER], TOKEN_SIGNATURE);
}

static void each_verdict_has_its_text(void **state)
{
    (void)state;
    for (int e = TOKEN_OK; e <= TOKEN_BUSY; e++) {
        const char *text = token_error_text((enum token_error)e);
        assert_non_null(text);
        assert_null(strpbrk(text, "\"\\\r\n")); /* it stands in a quoted string of a header */
    }
}

/* -- selectors -- */

static void check_names(const char *payload, const char *sub, bool expected)
{
    struct buf text = {0};

    mint_segment(&text, slice_str("{\"alg\":\"x\"}"));
    buf_add_byte(&text, '.');
    mint_segment(&text, slice_str(payload));
    buf_add_str(&text, ".AAAA");
    if (token_names(buf_slice(&text), &policy, sub) != expected)
        fail_msg("%s with %s", payload, sub ? sub : "no subject");
    buf_fini(&text);
}

static void a_selector_is_of_its_issuer_and_subject_whatever_else_it_is(void **state)
{
    (void)state;
    check_names("{" WHO ",\"exp\":1}", "alice", true);
    check_names("{\"iss\":\"https://issuer.example\",\"sub\":\"alice\"}", "alice", true);
    check_names("{\"iss\":\"https://issuer.example\"}", NULL, true);
}

static void a_selector_of_another_issuer_or_subject_is_told_apart(void **state)
{
    (void)state;
    check_names("{" WHO "}", "bob", false);
    check_names("{" WHO "}", "alic", false);
    check_names("{" WHO "}", NULL, false);
    check_names("{\"iss\":\"https://issuer.example\"}", "alice", false);
    check_names("{\"iss\":\"https://issuer.example\",\"sub\":\"\"}", NULL, false);
    check_names("{\"iss\":\"https://issuer.example\",\"sub\":1}", NULL, false);
    check_names("{\"iss\":\"https://issuer.example\",\"sub\":null}", NULL, false);
    check_names("{\"iss\":\"https://other.example\",\"sub\":\"alice\"}", "alice", false);
    check_names("{\"sub\":\"alice\"}", "alice", false);
    check_names("{\"iss\":[\"https://issuer.example\"],\"sub\":\"alice\"}", "alice", false);
    check_names("{" WHO ",\"sub\":\"bob\"}", "alice", false);
}

static void a_selector_is_of_its_identity_claim(void **state)
{
    (void)state;
    policy.identity = "uid";
    check_names("{" WHO ",\"uid\":\"u7\"}", "u7", true);
    check_names("{" WHO ",\"uid\":\"u7\"}", "alice", false);
    check_names("{" WHO "}", "alice", false);
    check_names("{" WHO "}", NULL, true);
    check_names("{" WHO ",\"uid\":7}", "7", false);
}

static void a_selector_that_is_no_token_names_nobody(void **state)
{
    static const char *const texts[] = {
        "", "a", "..", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30.W10.AAAA", "e30.bnVsbA.AAAA"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(token_names(slice_str(texts[i]), &policy, NULL));
        assert_false(token_names(slice_str(texts[i]), &policy, "alice"));
    }
}

static void a_selector_that_is_too_long_names_nobody(void **state)
{
    struct buf token = token_of_size(TOKEN_MAX), longer = token_of_size(TOKEN_MAX + 1);

    (void)state;
    assert_true(token_names(buf_slice(&token), &policy, "alice"));
    assert_false(token_names(buf_slice(&longer), &policy, "alice"));
    buf_fini(&token);
    buf_fini(&longer);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(each_algorithm_verifies_with_its_key),
        T(another_key_s_signature_is_wrong_in_each_algorithm),
        T(a_pss_signature_is_no_pkcs1_signature_nor_the_other_way_round),
        T(another_digest_than_the_header_says_is_a_wrong_signature),
        T(what_a_token_says_can_be_read_from_it),
        T(the_key_that_verified_is_told),
        T(an_hmac_made_with_our_public_key_is_refused),
        T(an_hmac_made_with_our_public_key_is_no_signature_of_another_name),
        T(an_algorithm_that_is_not_on_the_list_is_refused),
        T(an_alg_that_is_no_string_is_malformed),
        T(an_unsigned_token_is_refused),
        T(the_algorithm_must_be_one_of_the_key),
        T(other_types_are_refused),
        T(a_type_is_a_media_type_in_any_case),
        T(any_crit_is_refused),
        T(a_kid_that_is_no_string_is_malformed),
        T(an_unknown_kid_is_refused),
        T(a_key_that_the_token_brings_along_is_not_used),
        T(other_members_of_the_header_do_not_matter),
        T(without_a_kid_the_keys_that_fit_are_tried),
        T(without_a_kid_a_key_that_does_not_fit_is_not_tried),
        T(without_a_kid_and_a_key_that_fits_the_key_is_unknown),
        T(without_a_kid_at_most_four_keys_are_tried),
        T(keys_of_one_kid_are_told_apart_by_their_type),
        T(a_key_that_is_listed_for_each_of_its_algorithms_is_good_for_these),
        T(of_keys_of_one_kid_and_type_four_are_tried_at_most),
        T(every_prefix_of_a_good_token_is_refused),
        T(every_change_of_a_character_is_refused),
        T(random_bytes_in_a_token_do_no_harm),
        T(a_token_has_three_segments_that_are_not_empty),
        T(an_empty_segment_is_refused),
        T(what_is_appended_to_a_good_token_is_refused),
        T(what_stands_before_a_good_token_is_refused),
        T(padding_is_refused_in_each_segment),
        T(the_standard_alphabet_is_refused),
        T(unused_bits_that_are_not_zero_are_refused),
        T(unused_bits_are_zero_in_header_and_payload_too),
        T(a_token_has_8192_bytes_at_most),
        T(a_token_of_7_mb_is_refused),
        T(nul_bytes_are_refused),
        T(a_nul_is_no_json),
        T(header_and_payload_are_json_objects),
        T(duplicate_names_are_refused),
        T(what_follows_the_json_is_refused),
        T(what_is_no_json_text_is_refused),
        T(an_odd_value_in_a_claim_that_is_not_read_does_not_matter),
        T(an_odd_value_in_a_claim_that_is_read_is_refused),
        T(a_text_with_an_odd_escape_is_no_other_text),
        T(deep_nesting_is_refused),
        T(blanks_in_the_json_do_not_matter),
        T(an_expiry_is_demanded),
        T(an_expiry_that_is_no_number_is_none),
        T(an_expiry_out_of_range_is_none),
        T(an_expiry_that_json_cannot_say_is_malformed),
        T(any_number_in_the_future_is_an_expiry),
        T(a_token_is_good_before_its_expiry_and_not_at_it),
        T(the_leeway_moves_the_expiry),
        T(a_token_is_not_good_before_its_time),
        T(for_nbf_the_leeway_is_ten_seconds_at_least),
        T(a_strange_nbf_is_none),
        T(when_it_was_issued_is_not_read),
        T(the_issuer_is_compared_as_it_stands),
        T(the_audience_is_a_string_or_one_of_an_array),
        T(another_audience_is_refused),
        T(the_audience_may_be_in_another_claim),
        T(the_subject_is_the_identity_claim),
        T(an_identity_that_is_no_text_is_none),
        T(a_subject_is_a_string_that_is_not_empty_or_not_there),
        T(a_scope_is_in_a_string_or_an_array),
        T(a_scope_that_lacks_is_told),
        T(each_required_scope_must_be_held),
        T(the_scope_may_lie_at_a_dotted_path),
        T(a_name_with_dots_is_one_name),
        T(an_ecdsa_signature_of_zeros_is_refused),
        T(an_eddsa_signature_has_64_bytes_and_is_not_zero),
        T(an_ecdsa_signature_of_the_order_or_of_ones_is_refused),
        T(an_ecdsa_signature_in_der_is_refused),
        T(an_ecdsa_signature_of_another_length_is_refused),
        T(an_rsa_signature_of_another_length_is_refused),
        T(a_pss_salt_is_as_long_as_the_digest),
        T(another_payload_under_a_good_signature_is_refused),
        T(claims_are_checked_before_the_signature_and_scope_after_it),
        T(each_verdict_has_its_text),
        T(a_selector_is_of_its_issuer_and_subject_whatever_else_it_is),
        T(a_selector_of_another_issuer_or_subject_is_told_apart),
        T(a_selector_is_of_its_identity_claim),
        T(a_selector_that_is_no_token_names_nobody),
        T(a_selector_that_is_too_long_names_nobody),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

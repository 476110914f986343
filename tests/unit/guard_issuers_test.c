#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "guard/guard.h"
#include "guard/signature.h"
#include "key_dir.h"
#include "mint.h"
#include "support.h"

enum { LIFE_MS = 3600000, WATCH_MS = 2000 };

/* -- how many signatures were checked -- */

static int signatures;

enum token_error __real_signature_verify(const struct token *t, const struct keyset *keys,
                                         const struct key **key);
enum token_error __wrap_signature_verify(const struct token *t, const struct keyset *keys,
                                         const struct key **key);
enum token_error __wrap_signature_verify(const struct token *t, const struct keyset *keys,
                                         const struct key **key)
{
    signatures++;
    return __real_signature_verify(t, keys, key);
}

/* -- a guard of two issuers, each with a file of its own -- */

static char path[KEY_DIR_PATH], second[KEY_DIR_PATH];
static const char *const files[] = {path, second};
static struct guard_issuer issuers[2];
static struct loop *loop;
static struct guard *guard;
static char error[256];

static void on_keys(void *arg)
{
    (void)arg;
}

static bool start(void)
{
    const struct guard_config config = {.issuers = issuers, .issuer_count = 2};

    guard = guard_new(loop, &config, on_keys, NULL, error, sizeof error);
    return guard != NULL;
}

static int group_setup(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    if (key_dir_make() < 0)
        return -1;
    key_dir_path(path, "jwks.json");
    key_dir_path(second, "second.json");
    return 0;
}

#define ONE "https://issuer.example"
#define OTHER "https://other.example"

static int setup(void **state)
{
    static const char *const names[] = {ONE, OTHER};

    (void)state;
    signatures = 0;
    for (size_t i = 0; i < 2; i++)
        issuers[i] = (struct guard_issuer){.policy = {.issuer = names[i],
                                                      .audience = "events",
                                                      .audience_claim = "aud",
                                                      .scope_claim = "scope",
                                                      .identity = "sub"},
                                           .files = &files[i],
                                           .file_count = 1};
    loop = loop_new();
    key_dir_write(path, key_a, "a");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_free(guard);
    guard = NULL;
    loop_free(loop);
    unlink(path);
    unlink(second);
    return 0;
}

/* -- tokens and verdicts -- */

static struct {
    int count;
    enum token_error error;
    const char *issuer;
    uint8_t key[KEY_THUMBPRINT];
} last;

static void done(void *arg, const struct verdict *v)
{
    (void)arg;
    last.count++;
    last.error = v->error;
    last.issuer = v->issuer;
    memcpy(last.key, v->key, sizeof last.key);
}

static void check(const struct buf *token, enum token_error expected)
{
    memset(&last, 0, sizeof last);
    guard_check(guard, buf_slice(token), done, NULL);
    fake_loop_settle();
    assert_int_equal(last.count, 1);
    assert_int_equal(last.error, expected);
}

static struct buf make_of(const char *issuer, const char *kid, EVP_PKEY *key)
{
    struct buf token = {0}, header = {0}, payload = {0};

    buf_printf(&header, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"%s%s%s}%c", kid ? ",\"kid\":\"" : "",
               kid ? kid : "", kid ? "\"" : "", 0);
    buf_printf(&payload,
               "{\"iss\":\"%s\",\"aud\":\"events\",\"sub\":\"7\",\"scope\":\"read:events\","
               "\"exp\":%.3f}%c",
               issuer, (double)(loop_wall_ms() + LIFE_MS) / 1000, 0);
    mint_token(&token, (const char *)header.p, (const char *)payload.p, "ES256", key);
    buf_fini(&header);
    buf_fini(&payload);
    return token;
}

/* A token of that issuer, signed with that key. */
static void check_of(const char *issuer, const char *kid, EVP_PKEY *key, enum token_error expected)
{
    struct buf token = make_of(issuer, kid, key);

    check(&token, expected);
    buf_fini(&token);
}

/* Key a is the one issuer's, key b the other's. */
static void start_with_two(const char *kid_of_other)
{
    key_dir_write(second, key_b, kid_of_other);
    assert_true(start());
}

static void the_keys_of_an_issuer_verify_its_tokens_alone(void **state)
{
    static const char *const kids[] = {"a", NULL};

    (void)state;
    start_with_two("a"); /* a kid says nothing of whose it is */
    for (size_t i = 0; i < 2; i++) {
        check_of(ONE, kids[i], key_a, TOKEN_OK);
        assert_string_equal(last.issuer, ONE);
        check_of(OTHER, kids[i], key_b, TOKEN_OK);
        assert_string_equal(last.issuer, OTHER);
        check_of(ONE, kids[i], key_b, TOKEN_SIGNATURE);
        check_of(OTHER, kids[i], key_a, TOKEN_SIGNATURE);
    }
}

static void a_kid_of_another_issuer_is_unknown(void **state)
{
    (void)state;
    start_with_two("b");
    check_of(ONE, "b", key_b, TOKEN_KEY);
    check_of(OTHER, "a", key_a, TOKEN_KEY);
    assert_int_equal(signatures, 0);
}

static void a_token_of_no_issuer_of_ours_is_tried_with_no_key(void **state)
{
    static const char *const names[] = {"", "https://issuer.example/", "https://issuer.exampl",
                                        "https://issuer.example\\u0000x", "HTTPS://issuer.example"};

    (void)state;
    start_with_two("a");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_of(names[i], "a", key_a, TOKEN_ISSUER);
    assert_int_equal(signatures, 0);
}

static void each_issuer_has_its_own_demands(void **state)
{
    (void)state;
    issuers[1].policy.audience = "others";
    start_with_two("b");
    check_of(ONE, "a", key_a, TOKEN_OK);
    check_of(OTHER, "b", key_b, TOKEN_AUDIENCE);
}

/* Though the other issuer goes on using the very same key. */
static void a_key_that_one_issuer_withdraws_is_gone_for_its_tokens(void **state)
{
    struct buf token, others;
    uint8_t key[KEY_THUMBPRINT];

    (void)state;
    start_with_two("b");
    key_dir_write(second, key_a, "a");
    fake_loop_pass(WATCH_MS);
    token = make_of(ONE, "a", key_a);
    others = make_of(OTHER, "a", key_a);
    check(&token, TOKEN_OK);
    check(&others, TOKEN_OK);
    memcpy(key, last.key, sizeof key);
    key_dir_write(path, key_b, "b");
    fake_loop_pass(WATCH_MS);
    check(&token, TOKEN_KEY);
    check(&others, TOKEN_OK);
    assert_false(guard_has_key(guard, ONE, key));
    assert_true(guard_has_key(guard, OTHER, key));
    buf_fini(&token);
    buf_fini(&others);
}

static void broken_files_are_told_by_issuer(void **state)
{
    (void)state;
    start_with_two("b");
    mint_write_file(second, slice_str("{"));
    fake_loop_pass(WATCH_MS);
    assert_int_equal(guard_issuers(guard), 2);
    assert_string_equal(guard_keys(guard, 1).issuer, OTHER);
    assert_true(!guard_keys(guard, 0).broken && guard_keys(guard, 1).broken);
    check_of(ONE, "a", key_a, TOKEN_OK);
    check_of(OTHER, "b", key_b, TOKEN_OK);
}

static void a_selector_is_of_one_issuer(void **state)
{
    struct buf token;

    (void)state;
    start_with_two("b");
    token = make_of(OTHER, "x", key_a); /* it need not be good */
    assert_true(guard_names(guard, buf_slice(&token), OTHER, "7"));
    assert_false(guard_names(guard, buf_slice(&token), OTHER, "8"));
    assert_false(guard_names(guard, buf_slice(&token), ONE, "7"));
    assert_false(guard_names(guard, buf_slice(&token), "https://third.example", "7"));
    buf_fini(&token);
}

static void without_keys_of_one_issuer_there_is_no_guard(void **state)
{
    (void)state;
    assert_false(start());
    assert_non_null(strstr(error, second));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_keys_of_an_issuer_verify_its_tokens_alone),
        T(a_kid_of_another_issuer_is_unknown),
        T(a_token_of_no_issuer_of_ours_is_tried_with_no_key),
        T(each_issuer_has_its_own_demands),
        T(a_key_that_one_issuer_withdraws_is_gone_for_its_tokens),
        T(broken_files_are_told_by_issuer),
        T(a_selector_is_of_one_issuer),
        T(without_keys_of_one_issuer_there_is_no_guard),
    };

    return cmocka_run_group_tests(tests, group_setup, key_dir_remove);
}

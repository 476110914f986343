#include "guard/guard.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_loop.h"
#include "guard/signature.h"
#include "key_dir.h"
#include "mint.h"
#include "support.h"

enum { REMEMBERED_MAX = 16384, WAITING_MAX = 4096, TURN_MS = 4, WATCH_MS = 2000 };

/* The tokens of the tests are good for this long; OpenSSL verifies them, which is quicker. */
enum { LIFE_MS = 3600000 };
#define HEADER_OF(kid) "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"" kid "\"}"

/* -- a clock on which each look takes some time, as the work between two looks does -- */

static int64_t ticks_ms, tick_ms;

int64_t __real_loop_now_ms(void);
int64_t __wrap_loop_now_ms(void);
int64_t __wrap_loop_now_ms(void)
{
    ticks_ms += tick_ms;
    return __real_loop_now_ms() + ticks_ms;
}

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

/* -- what is logged -- */

static int errors;

void __wrap_log_error(const char *format, ...);
void __wrap_log_error(const char *format, ...)
{
    (void)format;
    errors++;
}

/* -- the guard -- */

static char path[KEY_DIR_PATH], second[KEY_DIR_PATH];
static const char *const files[] = {path, second};
static const char *const scopes[] = {"read:events"};
static struct guard_issuer issuers[1]; /* as setup() leaves it */
static struct guard_config config = {.issuers = issuers, .issuer_count = 1};
static struct loop *loop;
static struct guard *guard;
static int key_changes;
static char error[256];

static void on_keys(void *arg)
{
    assert_ptr_equal(arg, &key_changes);
    key_changes++;
}

static bool start(void)
{
    guard = guard_new(loop, &config, on_keys, &key_changes, error, sizeof error);
    return guard != NULL;
}

static int group_setup(void **state)
{
    (void)state;
    if (key_dir_make() < 0)
        return -1;
    key_dir_path(path, "jwks.json");
    key_dir_path(second, "second.json");
    return 0;
}

static int setup(void **state)
{
    (void)state;
    ticks_ms = tick_ms = key_changes = errors = signatures = 0;
    issuers[0] = (struct guard_issuer){.policy = {.issuer = "https://issuer.example",
                                                  .audience = "events",
                                                  .audience_claim = "aud",
                                                  .scope_claim = "scope",
                                                  .identity = "sub",
                                                  .scopes = scopes,
                                                  .scope_count = 1},
                                       .files = files,
                                       .file_count = 1};
    config.allow_demo_key = false;
    loop = loop_new();
    key_dir_write(path, key_a, "a");
    return start() ? 0 : -1;
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

static void reload(void)
{
    guard_reload(guard);
    fake_loop_settle();
}

/* -- tokens and verdicts -- */

static struct {
    int count;
    enum token_error error;
    int64_t exp_ms;
    const char *issuer;
    char subject[32];
    uint8_t key[KEY_THUMBPRINT];
} last;

static void done(void *arg, const struct verdict *v)
{
    last.count++;
    last.error = v->error;
    last.exp_ms = v->exp_ms;
    last.issuer = v->issuer;
    strcpy(last.subject, v->subject ? v->subject : "");
    memcpy(last.key, v->key, sizeof last.key);
    if (arg != NULL)
        ++*(int *)arg;
}

static struct buf make_of(const char *subject, int number, int64_t life_ms, const char *header,
                          EVP_PKEY *key)
{
    struct buf token = {0}, payload = {0};

    buf_printf(&payload,
               "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"sub\":\"%s\","
               "\"scope\":\"read:events\",\"jti\":%d,\"exp\":%.3f}",
               subject, number, (double)(loop_wall_ms() + life_ms) / 1000);
    buf_add_byte(&payload, 0);
    mint_token(&token, header, (const char *)payload.p, "ES256", key);
    buf_fini(&payload);
    return token;
}

/* A good one, or one that is over in `life_ms`; the number makes it another one. */
static struct buf make_for(int number, int64_t life_ms, const char *header, EVP_PKEY *key)
{
    return make_of("alice", number, life_ms, header, key);
}

static struct buf make(int number)
{
    return make_for(number, LIFE_MS, HEADER_OF("a"), key_a);
}

/* True if the verdict came at once. */
static bool ask(const struct buf *token)
{
    memset(&last, 0, sizeof last);
    guard_check(guard, buf_slice(token), done, NULL);
    assert_in_range(last.count, 0, 1);
    return last.count == 1;
}

static void check_at_once(const struct buf *token, enum token_error expected)
{
    assert_true(ask(token));
    assert_int_equal(last.error, expected);
}

static void check_later(const struct buf *token, enum token_error expected)
{
    assert_false(ask(token));
    fake_loop_settle();
    assert_int_equal(last.count, 1);
    assert_int_equal(last.error, expected);
}

/* -- verdicts -- */

static void a_signature_is_verified_in_a_later_turn(void **state)
{
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    buf_fini(&token);
}

static void a_known_token_is_answered_at_once(void **state)
{
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    for (int i = 0; i < 3; i++)
        check_at_once(&token, TOKEN_OK);
    assert_int_equal(signatures, 1);
    buf_fini(&token);
}

static void a_token_that_was_verified_while_it_waited_is_known(void **state)
{
    struct buf token = make(1);
    int told = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        guard_check(guard, buf_slice(&token), done, &told);
    fake_loop_settle();
    assert_true(told == 100 && last.error == TOKEN_OK);
    assert_int_equal(signatures, 1);
    buf_fini(&token);
}

static void a_verdict_says_the_same_of_a_known_token(void **state)
{
    struct buf token = make(1);
    uint8_t key[KEY_THUMBPRINT];

    (void)state;
    for (int known = 0; known < 2; known++) {
        ask(&token);
        fake_loop_settle();
        assert_string_equal(last.subject, "alice");
        assert_int_equal(last.exp_ms, loop_wall_ms() + LIFE_MS);
        assert_true(guard_has_key(guard, last.issuer, last.key));
        assert_true(!known || memcmp(key, last.key, sizeof key) == 0);
        memcpy(key, last.key, sizeof key);
    }
    buf_fini(&token);
}

static void the_bytes_of_a_token_need_not_stay(void **state)
{
    struct buf token = make(1);

    (void)state;
    assert_false(ask(&token));
    memset(token.p, 'x', token.n);
    buf_fini(&token);
    fake_loop_settle();
    assert_int_equal(last.error, TOKEN_OK);
}

static void what_is_wrong_but_for_the_signature_is_told_at_once(void **state)
{
    struct buf over = make_for(1, -1, HEADER_OF("a"), key_a);
    struct buf unknown = make_for(1, LIFE_MS, HEADER_OF("b"), key_a);
    struct buf large = {0}, empty = {0};

    (void)state;
    while (large.n <= TOKEN_MAX)
        buf_add_byte(&large, 'a');
    check_at_once(&over, TOKEN_EXPIRED);
    check_at_once(&unknown, TOKEN_KEY);
    check_at_once(&large, TOKEN_TOO_LONG);
    check_at_once(&empty, TOKEN_MALFORMED);
    assert_int_equal(signatures, 0);
    buf_fini(&over);
    buf_fini(&unknown);
    buf_fini(&large);
}

static void a_token_with_a_wrong_signature_is_not_remembered(void **state)
{
    struct buf token = make_for(1, LIFE_MS, HEADER_OF("a"), key_b);

    (void)state;
    for (int i = 0; i < 3; i++)
        check_later(&token, TOKEN_SIGNATURE);
    buf_fini(&token);
}

static void a_known_token_with_another_signature_is_not_known(void **state)
{
    struct buf token = make(1), forged = {0};

    (void)state;
    check_later(&token, TOKEN_OK);
    buf_add_slice(&forged, buf_slice(&token));
    forged.p[forged.n - 10] = forged.p[forged.n - 10] == 'A' ? 'B' : 'A';
    check_later(&forged, TOKEN_SIGNATURE);
    forged.n = (size_t)((uint8_t *)memrchr(forged.p, '.', forged.n) - forged.p) + 1;
    check_at_once(&forged, TOKEN_MALFORMED);
    check_at_once(&token, TOKEN_OK);
    buf_fini(&token);
    buf_fini(&forged);
}

static void a_token_that_lacks_a_scope_is_not_remembered(void **state)
{
    struct buf token = {0}, payload = {0};

    (void)state;
    buf_printf(&payload, "{\"iss\":\"https://issuer.example\",\"aud\":\"events\",\"exp\":%lld}",
               (long long)(loop_wall_ms() / 1000 + 60));
    buf_add_byte(&payload, 0);
    mint_token(&token, HEADER_OF("a"), (const char *)payload.p, "ES256", key_a);
    check_later(&token, TOKEN_SCOPE);
    check_later(&token, TOKEN_SCOPE);
    buf_fini(&token);
    buf_fini(&payload);
}

static void a_known_token_is_over_at_its_expiry(void **state)
{
    struct buf token = make_for(1, 5000, HEADER_OF("a"), key_a);

    (void)state;
    check_later(&token, TOKEN_OK);
    fake_loop_pass(4999);
    check_at_once(&token, TOKEN_OK);
    fake_loop_pass(1);
    check_at_once(&token, TOKEN_EXPIRED);
    buf_fini(&token);
}

static void a_known_token_has_the_leeway(void **state)
{
    struct buf token = make_for(1, 5000, HEADER_OF("a"), key_a);

    (void)state;
    guard_free(guard);
    issuers[0].policy.leeway_ms = 1000;
    assert_true(start());
    check_later(&token, TOKEN_OK);
    fake_loop_pass(5999);
    check_at_once(&token, TOKEN_OK);
    fake_loop_pass(1);
    check_at_once(&token, TOKEN_EXPIRED);
    buf_fini(&token);
}

static void a_token_may_expire_while_it_waits(void **state)
{
    struct buf token = make_for(1, 1000, HEADER_OF("a"), key_a);

    (void)state;
    assert_false(ask(&token));
    fake_loop_pass(1000); /* no timer is due, so no turn is taken */
    assert_int_equal(last.count, 0);
    fake_loop_settle();
    assert_int_equal(last.error, TOKEN_EXPIRED);
    buf_fini(&token);
}

/* -- ECDSA's second form -- */

static void the_two_forms_of_a_signature_share_an_entry(void **state)
{
    struct buf token = make(1), other = {0};

    (void)state;
    buf_add_slice(&other, buf_slice(&token));
    mint_other_form(&other);
    check_later(&token, TOKEN_OK);
    check_later(&other, TOKEN_OK); /* a good signature, now the one that is known */
    check_at_once(&other, TOKEN_OK);
    check_later(&token, TOKEN_OK);
    check_at_once(&token, TOKEN_OK);
    buf_fini(&token);
    buf_fini(&other);
}

/* -- the budget -- */

static void signatures_are_spread_over_the_turns(void **state)
{
    enum { N = 40 };
    struct buf tokens[N];
    int verified = 0, turns = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        tokens[i] = make(i);
        guard_check(guard, buf_slice(&tokens[i]), done, &verified);
    }
    tick_ms = 1; /* each takes a millisecond */
    for (; verified < N; turns++) {
        int before = verified;
        fake_loop_turn();
        assert_in_range(verified - before, 1, TURN_MS - 1); /* the first look takes one, too */
    }
    assert_int_equal(turns, N / (TURN_MS - 1) + 1);
    for (int i = 0; i < N; i++)
        buf_fini(&tokens[i]);
}

static void a_signature_that_takes_longer_than_the_budget_is_verified(void **state)
{
    struct buf token = make(1);

    (void)state;
    tick_ms = TURN_MS - 1;
    check_later(&token, TOKEN_OK);
    buf_fini(&token);
}

static int order[3];

static void note(void *arg, const struct verdict *v)
{
    (void)v;
    static int n;
    order[n++ % 3] = *(int *)arg;
}

static void those_that_wait_come_in_their_order(void **state)
{
    int numbers[] = {7, 8, 9};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf token = make(i);
        guard_check(guard, buf_slice(&token), note, &numbers[i]);
        buf_fini(&token);
    }
    fake_loop_settle();
    assert_memory_equal(order, numbers, sizeof order);
}

static void only_so_many_wait(void **state)
{
    struct buf known = make(1), token = make_of("bob", 2, LIFE_MS, HEADER_OF("a"), key_a);
    int waiting = 0;

    (void)state;
    check_later(&known, TOKEN_OK);
    for (int i = 0; i < WAITING_MAX; i++)
        guard_check(guard, buf_slice(&token), done, &waiting);
    assert_int_equal(waiting, 0);
    assert_true(guard_has_room(guard)); /* for whom it knows */
    check_at_once(&token, TOKEN_BUSY);
    check_at_once(&known, TOKEN_OK); /* costs no signature */
    fake_loop_settle();
    assert_int_equal(waiting, WAITING_MAX);
    check_at_once(&token, TOKEN_OK);
    buf_fini(&known);
    buf_fini(&token);
}

static void a_flood_of_bad_tokens_does_not_delay_a_known_subject(void **state)
{
    enum { FLOOD = 500 };
    struct buf known = make(1), next = make(2);
    struct buf bad = make_of("mallory", 3, LIFE_MS, HEADER_OF("a"), key_b);
    int refused = 0, verified = 0;

    (void)state;
    check_later(&known, TOKEN_OK);
    for (int i = 0; i < FLOOD; i++)
        guard_check(guard, buf_slice(&bad), done, &refused);
    guard_check(guard, buf_slice(&next), done, &verified);
    tick_ms = 1; /* each signature takes a millisecond */
    fake_loop_turn();
    assert_int_equal(verified, 1);
    assert_in_range(refused, 1, TURN_MS); /* they are seen to, too */
    tick_ms = 0;
    fake_loop_settle();
    assert_int_equal(refused, FLOOD);
    buf_fini(&known);
    buf_fini(&next);
    buf_fini(&bad);
}

static void a_subject_is_known_as_long_as_a_token_of_it_is(void **state)
{
    struct buf known = make(1), next = make(2);
    struct buf other = make_of("mallory", 3, LIFE_MS, HEADER_OF("a"), key_b);
    int first = 0, second_one = 0;

    (void)state;
    check_later(&known, TOKEN_OK);
    key_dir_write(path, key_b, "b");
    reload();
    check_at_once(&known, TOKEN_KEY); /* forgotten with its key */
    key_dir_write(path, key_a, "a");
    reload();
    guard_check(guard, buf_slice(&other), done, &first);
    guard_check(guard, buf_slice(&next), done, &second_one);
    tick_ms = TURN_MS - 1; /* one in a turn */
    fake_loop_turn();
    assert_true(first == 1 && second_one == 0);
    buf_fini(&known);
    buf_fini(&next);
    buf_fini(&other);
}

static void those_that_wait_at_the_end_are_told(void **state)
{
    struct buf token = make(1);
    int told = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        guard_check(guard, buf_slice(&token), done, &told);
    guard_free(guard);
    guard = NULL;
    assert_int_equal(told, 3);
    assert_int_equal(last.error, TOKEN_BUSY);
    buf_fini(&token);
}

static void ask_again(void *arg, const struct verdict *v)
{
    const struct buf *token = arg;

    assert_int_equal(v->error, TOKEN_OK);
    guard_check(guard, buf_slice(token), done, NULL);
}

static void a_verdict_may_lead_to_the_next_question(void **state)
{
    struct buf token = make(1), next = make(2);

    (void)state;
    memset(&last, 0, sizeof last);
    guard_check(guard, buf_slice(&token), ask_again, &next);
    fake_loop_settle();
    assert_true(last.count == 1 && last.error == TOKEN_OK);
    buf_fini(&token);
    buf_fini(&next);
}

static void the_memory_is_bounded_and_the_least_used_goes(void **state)
{
    struct buf first = make(-1), second_token = make(-2);

    (void)state;
    check_later(&first, TOKEN_OK);
    check_later(&second_token, TOKEN_OK);
    for (int i = 0; i < REMEMBERED_MAX - 2; i++) {
        struct buf token = make(i);
        check_later(&token, TOKEN_OK);
        buf_fini(&token);
    }
    check_at_once(&first, TOKEN_OK); /* used: the second is the oldest now */
    struct buf token = make(REMEMBERED_MAX);
    check_later(&token, TOKEN_OK);
    check_at_once(&first, TOKEN_OK);
    check_later(&second_token, TOKEN_OK);
    buf_fini(&token);
    buf_fini(&first);
    buf_fini(&second_token);
}

/* -- keys -- */

static void a_known_token_of_a_withdrawn_key_is_refused(void **state)
{
    struct buf token = make(1), other = make_for(1, LIFE_MS, HEADER_OF("b"), key_b);
    uint8_t key[KEY_THUMBPRINT];

    (void)state;
    check_later(&token, TOKEN_OK);
    memcpy(key, last.key, sizeof key);
    key_dir_write(path, key_b, "b");
    check_at_once(&token, TOKEN_OK);
    reload();
    assert_int_equal(key_changes, 1);
    assert_false(guard_has_key(guard, "https://issuer.example", key));
    check_at_once(&token, TOKEN_KEY);
    check_later(&other, TOKEN_OK);
    buf_fini(&token);
    buf_fini(&other);
}

static void a_known_token_of_a_changed_key_is_refused(void **state)
{
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    key_dir_write(path, key_b, "a");
    reload();
    check_later(&token, TOKEN_SIGNATURE);
    buf_fini(&token);
}

static void a_known_token_is_forgotten_with_its_key_for_good(void **state)
{
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    key_dir_write(path, key_b, "b");
    reload();
    check_at_once(&token, TOKEN_KEY);
    key_dir_write(path, key_a, "a");
    reload();
    check_later(&token, TOKEN_OK);
    buf_fini(&token);
}

static void a_known_token_stays_known_while_its_key_stays(void **state)
{
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    key_dir_write(path, key_a, "a");
    reload();
    assert_int_equal(key_changes, 0);
    check_at_once(&token, TOKEN_OK);
    buf_fini(&token);
}

static void a_token_may_wait_while_its_key_is_withdrawn(void **state)
{
    struct buf token = make(1);

    (void)state;
    assert_false(ask(&token));
    key_dir_write(path, key_b, "b");
    reload();
    fake_loop_settle();
    assert_int_equal(last.error, TOKEN_KEY);
    buf_fini(&token);
}

static void without_a_kid_a_withdrawn_key_is_refused_too(void **state)
{
    struct buf token = make_for(1, LIFE_MS, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}", key_a);

    (void)state;
    check_later(&token, TOKEN_OK);
    check_at_once(&token, TOKEN_OK);
    key_dir_write(path, key_b, "b");
    reload();
    check_later(&token, TOKEN_SIGNATURE);
    buf_fini(&token);
}

static void check_serves(EVP_PKEY *key, const char *header, bool expected)
{
    static int number = 1000000; /* none is known */
    struct buf token = make_for(number++, LIFE_MS, header, key);

    ask(&token);
    fake_loop_settle();
    assert_int_equal(last.error == TOKEN_OK, expected);
    buf_fini(&token);
}

static void check_serves_a(void)
{
    check_serves(key_a, HEADER_OF("a"), true);
    check_serves(key_b, HEADER_OF("b"), false);
}

static void check_serves_b(void)
{
    check_serves(key_b, HEADER_OF("b"), true);
    check_serves(key_a, HEADER_OF("a"), false);
}

static void set_time(const char *file)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    utimensat(AT_FDCWD, file, times, 0);
}

static void a_broken_file_leaves_the_old_keys(void **state)
{
    static const char *const broken[] = {"", "{", "{\"keys\":[]}",
                                         "{\"keys\":[{\"kty\":\"oct\"}]}"};
    struct buf token = make(1);

    (void)state;
    check_later(&token, TOKEN_OK);
    int64_t changed = guard_keys(guard, 0).changed_ms;
    for (int i = 0; i < 4; i++) {
        mint_write_file(path, slice_str(broken[i]));
        set_time(path);
        reload();
        assert_int_equal(guard_keys(guard, 0).changed_ms, changed);
        assert_int_equal(errors, i + 1);
        check_serves_a();
        check_at_once(&token, TOKEN_OK);
    }
    unlink(path);
    reload();
    assert_int_equal(errors, 5);
    check_serves_a();
    assert_int_equal(key_changes, 0);
    buf_fini(&token);
}

static void a_file_that_brings_the_demo_key_leaves_the_old_keys(void **state)
{
    (void)state;
    key_dir_write(path, key_b, "demo-insecure");
    reload();
    check_serves_a();
    check_serves(key_b, HEADER_OF("demo-insecure"), false);
}

/* -- looking at the files -- */

static void a_file_that_is_replaced_is_read_within_two_seconds(void **state)
{
    char next[80];

    (void)state;
    snprintf(next, sizeof next, "%s.new", path);
    key_dir_write(next, key_b, "b");
    rename(next, path);
    fake_loop_pass(WATCH_MS - 1);
    check_serves_a();
    fake_loop_pass(1);
    check_serves_b();
    assert_int_equal(key_changes, 1);
}

static void a_file_that_is_written_again_is_read(void **state)
{
    (void)state;
    key_dir_write(path, key_b, "b");
    fake_loop_pass(WATCH_MS);
    check_serves_b();
}

/* Same device, inode and size. */
static void a_file_whose_time_alone_differs_is_read(void **state)
{
    const struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 1},
                                      {.tv_sec = 1000, .tv_nsec = 1}};

    (void)state;
    key_dir_write(path, key_b, "b");
    utimensat(AT_FDCWD, path, times, 0);
    fake_loop_pass(WATCH_MS);
    check_serves_b();
    key_dir_write(path, key_a, "a");
    struct timespec later[2] = {times[0], times[1]};
    later[1].tv_nsec++;
    utimensat(AT_FDCWD, path, later, 0);
    fake_loop_pass(WATCH_MS);
    check_serves_a();
}

/* Same size and time. */
static void it_is_known_when_the_oldest_file_was_changed(void **state)
{
    (void)state;
    key_dir_write(path, key_a, "a");
    set_time(path);
    reload();
    assert_int_equal(guard_keys(guard, 0).changed_ms, 1000000);
}

static void a_file_whose_inode_alone_differs_is_read(void **state)
{
    char next[80];

    (void)state;
    set_time(path);
    fake_loop_pass(WATCH_MS);
    snprintf(next, sizeof next, "%s.new", path);
    key_dir_write(next, key_b, "b");
    set_time(next);
    rename(next, path);
    fake_loop_pass(WATCH_MS);
    check_serves_b();
}

/* Same inode and time. */
static void a_file_whose_size_alone_differs_is_read(void **state)
{
    (void)state;
    set_time(path);
    fake_loop_pass(WATCH_MS);
    key_dir_write(path, key_b, "longer");
    set_time(path);
    fake_loop_pass(WATCH_MS);
    check_serves(key_b, HEADER_OF("longer"), true);
}

static void a_link_that_leads_elsewhere_is_followed(void **state)
{
    char one[80], two[80], link_name[80];

    (void)state;
    snprintf(one, sizeof one, "%s.1", path);
    snprintf(two, sizeof two, "%s.2", path);
    snprintf(link_name, sizeof link_name, "%s.link", path);
    key_dir_write(one, key_a, "a");
    key_dir_write(two, key_b, "b");
    unlink(path);
    assert_int_equal(symlink(one, path), 0);
    fake_loop_pass(WATCH_MS);
    check_serves_a();
    assert_int_equal(symlink(two, link_name), 0); /* as a mounted secret is replaced */
    rename(link_name, path);
    fake_loop_pass(WATCH_MS);
    check_serves_b();
    key_dir_write(two, key_a, "a"); /* what it leads to now */
    key_dir_write(one, key_b, "b");
    fake_loop_pass(WATCH_MS);
    check_serves_a();
    unlink(one);
    unlink(two);
}

static void a_file_that_stays_is_not_read_again(void **state)
{
    (void)state;
    fake_loop_pass(20 * WATCH_MS);
    assert_int_equal(key_changes, 0);
}

static void half_a_file_is_waited_for(void **state)
{
    struct buf jwks = {0};

    (void)state;
    mint_jwks(&jwks, key_b, "\"kid\":\"b\",");
    for (size_t n = 0; n < jwks.n; n += 20) {
        mint_write_file(path, slice_of(jwks.p, n));
        fake_loop_pass(WATCH_MS);
        check_serves_a();
    }
    mint_write_file(path, buf_slice(&jwks));
    fake_loop_pass(WATCH_MS);
    check_serves_b();
    assert_int_equal(key_changes, 1);
    buf_fini(&jwks);
}

static void a_file_that_was_away_is_read_when_it_is_back(void **state)
{
    (void)state;
    unlink(path);
    fake_loop_pass(3 * WATCH_MS);
    assert_int_equal(errors, 1); /* once, not each time */
    check_serves_a();
    key_dir_write(path, key_b, "b");
    fake_loop_pass(WATCH_MS);
    check_serves_b();
}

static void any_of_the_files_may_change(void **state)
{
    (void)state;
    guard_free(guard);
    issuers[0].file_count = 2;
    key_dir_write(second, key_b, "b");
    assert_true(start());
    check_serves(key_a, HEADER_OF("a"), true);
    check_serves(key_b, HEADER_OF("b"), true);
    key_dir_write(second, key_b, "c");
    fake_loop_pass(WATCH_MS);
    check_serves(key_a, HEADER_OF("a"), true);
    check_serves(key_b, HEADER_OF("b"), false);
    check_serves(key_b, HEADER_OF("c"), true);
    key_dir_write(second, key_b, "a"); /* a kid in both: two keys */
    fake_loop_pass(WATCH_MS);
    check_serves(key_a, HEADER_OF("a"), true);
    check_serves(key_b, HEADER_OF("a"), true);
}

/* -- the start -- */

static void without_keys_there_is_no_guard(void **state)
{
    (void)state;
    guard_free(guard);
    unlink(path);
    assert_false(start());
    assert_non_null(strstr(error, path));
    mint_write_file(path, slice_str("{\"keys\":[]}"));
    assert_false(start());
    assert_non_null(strstr(error, path));
}

static void the_demo_key_must_be_allowed(void **state)
{
    (void)state;
    guard_free(guard);
    key_dir_write(path, key_a, "demo-insecure");
    assert_false(start());
    assert_non_null(strstr(error, "demo"));
    config.allow_demo_key = true;
    assert_true(start());
    check_serves(key_a, HEADER_OF("demo-insecure"), true);
}

static int unknown_kids;

static void on_unknown_kid(void *arg)
{
    assert_ptr_equal(arg, &unknown_kids);
    unknown_kids++;
}

static void a_kid_that_is_unknown_is_told_if_all_else_is_good(void **state)
{
    struct buf unknown = make_for(1, LIFE_MS, HEADER_OF("b"), key_a),
               expired = make_for(1, -1000, HEADER_OF("b"), key_a);

    (void)state;
    unknown_kids = 0;
    check_at_once(&unknown, TOKEN_KEY); /* nobody wants to know */
    guard_on_unknown_kid(guard, on_unknown_kid, &unknown_kids);
    check_at_once(&expired, TOKEN_EXPIRED);
    assert_int_equal(unknown_kids, 0);
    check_at_once(&unknown, TOKEN_KEY);
    assert_int_equal(unknown_kids, 1);
    buf_fini(&unknown);
    buf_fini(&expired);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_signature_is_verified_in_a_later_turn),
        T(a_known_token_is_answered_at_once),
        T(a_token_that_was_verified_while_it_waited_is_known),
        T(a_verdict_says_the_same_of_a_known_token),
        T(the_bytes_of_a_token_need_not_stay),
        T(what_is_wrong_but_for_the_signature_is_told_at_once),
        T(a_kid_that_is_unknown_is_told_if_all_else_is_good),
        T(a_token_with_a_wrong_signature_is_not_remembered),
        T(a_known_token_with_another_signature_is_not_known),
        T(a_token_that_lacks_a_scope_is_not_remembered),
        T(a_known_token_is_over_at_its_expiry),
        T(a_known_token_has_the_leeway),
        T(a_token_may_expire_while_it_waits),
        T(the_two_forms_of_a_signature_share_an_entry),
        T(signatures_are_spread_over_the_turns),
        T(a_signature_that_takes_longer_than_the_budget_is_verified),
        T(those_that_wait_come_in_their_order),
        T(only_so_many_wait),
        T(a_flood_of_bad_tokens_does_not_delay_a_known_subject),
        T(a_subject_is_known_as_long_as_a_token_of_it_is),
        T(those_that_wait_at_the_end_are_told),
        T(a_verdict_may_lead_to_the_next_question),
        T(the_memory_is_bounded_and_the_least_used_goes),
        T(a_known_token_of_a_withdrawn_key_is_refused),
        T(a_known_token_of_a_changed_key_is_refused),
        T(a_known_token_is_forgotten_with_its_key_for_good),
        T(a_known_token_stays_known_while_its_key_stays),
        T(a_token_may_wait_while_its_key_is_withdrawn),
        T(without_a_kid_a_withdrawn_key_is_refused_too),
        T(a_broken_file_leaves_the_old_keys),
        T(a_file_that_brings_the_demo_key_leaves_the_old_keys),
        T(a_file_that_is_replaced_is_read_within_two_seconds),
        T(a_file_that_is_written_again_is_read),
        T(a_file_whose_time_alone_differs_is_read),
        T(it_is_known_when_the_oldest_file_was_changed),
        T(a_file_whose_inode_alone_differs_is_read),
        T(a_file_whose_size_alone_differs_is_read),
        T(a_link_that_leads_elsewhere_is_followed),
        T(a_file_that_stays_is_not_read_again),
        T(half_a_file_is_waited_for),
        T(a_file_that_was_away_is_read_when_it_is_back),
        T(any_of_the_files_may_change),
        T(without_keys_there_is_no_guard),
        T(the_demo_key_must_be_allowed),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, key_dir_remove);
}

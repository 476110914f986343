#include "guard/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_loop.h"
#include "fake_thread.h"
#include "key_dir.h"
#include "logged.h"
#include "mint.h"
#include "support.h"

enum { WATCH_MS = 2000 };

/* -- descriptors run out -- */

static bool no_descriptors;

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
    errno = EMFILE;
    return no_descriptors ? -1 : __real_eventfd(count, flags);
}

/* -- the store -- */

static char path[KEY_DIR_PATH], next_path[KEY_DIR_PATH];
static const char *const files[] = {path};
static struct loop *loop;
static struct keystore *store;
static int changes;
static char error[256];

static void on_change(void *arg)
{
    assert_ptr_equal(arg, &changes);
    changes++;
}

static bool start(void)
{
    const struct keystore_config config = {.issuer = "https://issuer.example",
                                           .files = files,
                                           .file_count = 1,
                                           .on_change = on_change,
                                           .arg = &changes};

    store = keystore_new(loop, &config, error, sizeof error);
    return store != NULL;
}

/* Replaces the file by one of that key, with `others` before it. */
static void write_with(const char *others, EVP_PKEY *key, const char *kid)
{
    struct buf jwks = {0};
    char members[64];

    snprintf(members, sizeof members, "\"kid\":\"%s\",", kid);
    buf_printf(&jwks, "{\"keys\":[%s", others);
    mint_jwk(&jwks, key, members);
    buf_add_str(&jwks, "]}");
    mint_write_file(next_path, buf_slice(&jwks));
    rename(next_path, path);
    buf_fini(&jwks);
}

static void write_text(const char *text)
{
    mint_write_file(next_path, slice_str(text));
    rename(next_path, path);
}

static bool serves(const char *kid)
{
    return keyset_count(keystore_keys(store)) == 1 && keyset_has_kid(keystore_keys(store), kid);
}

static int group_setup(void **state)
{
    (void)state;
    if (key_dir_make() < 0)
        return -1;
    key_dir_path(path, "jwks.json");
    key_dir_path(next_path, "next.json");
    return 0;
}

static int setup(void **state)
{
    (void)state;
    changes = 0;
    no_descriptors = false;
    fake_thread_hold(false);
    fake_thread_count();
    loop = loop_new();
    write_with("", key_a, "a");
    log_capture();
    return start() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    keystore_free(store);
    store = NULL;
    log_release();
    loop_free(loop);
    unlink(path);
    return 0;
}

/* -- the loop and the thread -- */

static void the_loop_goes_on_while_keys_are_read(void **state)
{
    (void)state;
    fake_thread_hold(true);
    write_with("", key_b, "b");
    fake_loop_pass(10 * WATCH_MS);
    assert_int_equal(fake_thread_count(), 1);
    assert_true(serves("a") && changes == 0); /* the old set is in use for so long */
    assert_true(fake_thread_run());
    assert_true(serves("a"));
    fake_loop_settle();
    assert_true(serves("b") && changes == 1);
}

static void a_hundred_keys_cost_the_loop_no_turn(void **state)
{
    struct buf many = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        EVP_PKEY *key = mint_ec("P-256");
        char members[32];
        snprintf(members, sizeof members, "\"kid\":\"%d\",", i);
        mint_jwk(&many, key, members);
        buf_add_byte(&many, ',');
        EVP_PKEY_free(key);
    }
    buf_add_byte(&many, 0);
    fake_thread_hold(true);
    write_with((const char *)many.p, key_b, "b");
    fake_loop_pass(WATCH_MS);
    assert_int_equal(keyset_count(keystore_keys(store)), 1);
    fake_thread_run();
    fake_loop_turn(); /* one is enough to take the set over */
    assert_int_equal(keyset_count(keystore_keys(store)), 101);
    buf_fini(&many);
}

static void a_change_while_keys_are_read_is_read_too(void **state)
{
    (void)state;
    fake_thread_hold(true);
    write_with("", key_b, "b");
    fake_loop_pass(WATCH_MS);
    fake_thread_run(); /* has read b, and nobody has taken it over */
    write_with("", key_a, "c");
    keystore_reload(store);
    fake_loop_settle();
    assert_true(serves("b"));
    assert_true(fake_thread_run());
    fake_loop_settle();
    assert_true(serves("c") && changes == 2);
    fake_loop_pass(2 * WATCH_MS);
    assert_false(fake_thread_run());
}

static void many_reloads_while_keys_are_read_are_one(void **state)
{
    (void)state;
    fake_thread_hold(true);
    for (int i = 0; i < 50; i++)
        keystore_reload(store);
    assert_int_equal(fake_thread_count(), 1);
    fake_thread_run();
    fake_loop_settle();
    assert_int_equal(fake_thread_count(), 1);
    fake_thread_run();
    fake_loop_settle();
    assert_int_equal(fake_thread_count(), 0);
    assert_int_equal(logged("1 key(s)"), 2);
}

static void the_end_may_come_while_keys_are_read(void **state)
{
    (void)state;
    fake_thread_hold(true);
    write_with("", key_b, "b");
    fake_loop_pass(WATCH_MS);
    keystore_free(store); /* waits for the thread, which stops before its next key */
    store = NULL;
    assert_int_equal(changes, 0);
    assert_int_equal(logged("guard: "), 0);
}

static void without_a_thread_or_a_descriptor_it_is_tried_again(void **state)
{
    (void)state;
    write_with("", key_b, "b");
    fake_thread_fail();
    fake_loop_pass(WATCH_MS);
    assert_true(serves("a") && keystore_broken(store));
    assert_int_equal(logged(" error: guard: the keys cannot be read now: "), 1);
    no_descriptors = true;
    fake_loop_pass(WATCH_MS);
    no_descriptors = false;
    fake_loop_pass(WATCH_MS);
    assert_true(serves("b") && !keystore_broken(store));
}

static void it_reads_until_the_thread_is_done(void **state)
{
    (void)state;
    assert_false(keystore_is_reading(store));
    fake_thread_hold(true);
    keystore_reload(store);
    fake_loop_settle();
    assert_true(keystore_is_reading(store));
    fake_thread_run();
    fake_loop_settle();
    assert_false(keystore_is_reading(store));
}

/* -- what is logged -- */

static void an_identical_file_is_silence(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        write_with("", key_a, "a");
        fake_loop_pass(WATCH_MS);
    }
    assert_int_equal(fake_thread_count(), 5);
    assert_int_equal(changes, 0);
    assert_int_equal(logged("guard: "), 0);
}

static void when_asked_for_the_outcome_is_told_in_any_case(void **state)
{
    (void)state;
    keystore_reload(store);
    fake_loop_settle();
    assert_int_equal(logged(" info: guard: 1 key(s) of https://issuer.example"), 1);
    write_text("{");
    for (int i = 0; i < 2; i++) {
        keystore_reload(store);
        fake_loop_settle();
    }
    assert_int_equal(logged(" error: guard: "), 2);
    assert_int_equal(changes, 0);
}

static void a_broken_file_is_told_once_and_when_it_is_good_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        write_text("{");
        fake_loop_pass(WATCH_MS);
        assert_true(keystore_broken(store) && serves("a"));
    }
    assert_int_equal(logged(" error: guard: "), 1);
    assert_int_equal(
        logged("not JSON; the keys read before stay in use for https://issuer.example"), 1);
    write_text("");
    fake_loop_pass(WATCH_MS);
    assert_int_equal(logged("is empty"), 1); /* another reason */
    write_with("", key_a, "a");
    fake_loop_pass(WATCH_MS);
    assert_false(keystore_broken(store));
    assert_int_equal(logged(" info: guard: 1 key(s)"), 1);
    assert_int_equal(changes, 0);
}

static void a_file_that_is_away_is_looked_for_silently(void **state)
{
    (void)state;
    unlink(path);
    fake_loop_pass(10 * WATCH_MS);
    assert_int_equal(logged(" error: guard: "), 1);
    write_with("", key_b, "b");
    fake_loop_pass(WATCH_MS);
    assert_true(serves("b"));
}

/* Its time and size stay the same. */
static void a_file_that_may_be_read_again_is_read(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* root may read it all the time */
    write_with("", key_b, "b");
    chmod(path, 0);
    fake_loop_pass(2 * WATCH_MS);
    assert_true(serves("a"));
    assert_int_equal(logged("Permission denied"), 1);
    chmod(path, 0600);
    fake_loop_pass(WATCH_MS);
    assert_true(serves("b"));
}

static void an_unusable_key_has_one_line_and_not_one_at_each_reading(void **state)
{
    static const char enc[] = "{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"e\"},";
    char two[256];

    (void)state;
    for (int i = 0; i < 3; i++) {
        write_with(enc, key_a, "a");
        fake_loop_pass(WATCH_MS);
    }
    assert_int_equal(logged(" warn: guard: "), 1);
    assert_int_equal(logged("key e is passed over: its use is not sig"), 1);
    snprintf(two, sizeof two, "{\"kty\":\"oct\",\"kid\":\"o\"},%s", enc);
    write_with(two, key_a, "a");
    fake_loop_pass(WATCH_MS);
    assert_int_equal(logged(" warn: guard: "), 2);
    assert_int_equal(logged("key o is passed over: its type is not RSA, EC or OKP"), 1);
    write_with("", key_a, "a");
    fake_loop_pass(WATCH_MS);
    write_with(enc, key_a, "a"); /* it is back */
    fake_loop_pass(WATCH_MS);
    assert_int_equal(logged("key e is passed over"), 2);
    assert_int_equal(changes, 0);
}

static void two_hundred_unusable_keys_have_some_lines_and_their_number(void **state)
{
    struct buf many = {0};

    (void)state;
    for (int i = 0; i < 200; i++)
        buf_printf(&many, "{\"kty\":\"oct\",\"kid\":\"o%d\"},", i);
    buf_add_byte(&many, 0);
    for (int i = 0; i < 3; i++) {
        write_with((const char *)many.p, key_a, "a");
        fake_loop_pass(WATCH_MS);
    }
    assert_int_equal(logged(" warn: guard: "), NOTES_MAX + 1);
    assert_int_equal(logged("180 more remarks on the keys"), 1);
    buf_fini(&many);
}

static void at_the_start_too_what_is_unusable_has_a_line(void **state)
{
    (void)state;
    keystore_free(store);
    write_text("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256K\"}]}");
    assert_false(start());
    assert_int_equal(logged(" warn: guard: "), 1);
    assert_int_equal(logged("key number 1 is passed over: its curve is not P-256"), 1);
    assert_non_null(strstr(error, "no usable key"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_loop_goes_on_while_keys_are_read),
        T(a_hundred_keys_cost_the_loop_no_turn),
        T(a_change_while_keys_are_read_is_read_too),
        T(many_reloads_while_keys_are_read_are_one),
        T(the_end_may_come_while_keys_are_read),
        T(without_a_thread_or_a_descriptor_it_is_tried_again),
        T(it_reads_until_the_thread_is_done),
        T(an_identical_file_is_silence),
        T(when_asked_for_the_outcome_is_told_in_any_case),
        T(a_broken_file_is_told_once_and_when_it_is_good_again),
        T(a_file_that_is_away_is_looked_for_silently),
        T(a_file_that_may_be_read_again_is_read),
        T(an_unusable_key_has_one_line_and_not_one_at_each_reading),
        T(two_hundred_unusable_keys_have_some_lines_and_their_number),
        T(at_the_start_too_what_is_unusable_has_a_line),
    };

    return cmocka_run_group_tests(tests, group_setup, key_dir_remove);
}

#include "guard/notes.h"

#include "logged.h"
#include "support.h"

static struct notes before, now;

static int setup(void **state)
{
    (void)state;
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    notes_fini(&before);
    notes_fini(&now);
    log_release();
    return 0;
}

static void a_note_is_a_line(void **state)
{
    (void)state;
    notes_add(&now, "%s: key %d is passed over", "jwks.json", 3);
    assert_int_equal(now.n, 1);
    assert_string_equal(now.lines[0], "jwks.json: key 3 is passed over");
    notes_log_new(&now, &before);
    assert_int_equal(logged(" warn: guard: jwks.json: key 3 is passed over\n"), 1);
}

static void what_was_told_before_is_not_told_again(void **state)
{
    (void)state;
    notes_add(&before, "a");
    notes_add(&before, "b");
    notes_add(&now, "b");
    notes_add(&now, "c");
    notes_log_new(&now, &before);
    assert_int_equal(logged("guard: "), 1);
    assert_int_equal(logged("guard: c\n"), 1);
}

/* It has been mended meanwhile. */
static void what_comes_back_is_told_again(void **state)
{
    struct notes none = {.n = 0};

    (void)state;
    notes_add(&now, "a");
    notes_log_new(&now, &none);
    notes_log_new(&none, &now);
    notes_log_new(&now, &none);
    assert_int_equal(logged("guard: a\n"), 2);
}

static void beyond_twenty_their_number_is_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < NOTES_MAX + 3; i++) {
        notes_add(&before, "%d", i);
        notes_add(&now, "%d", i);
    }
    assert_int_equal(now.n, NOTES_MAX);
    assert_int_equal(now.more, 3);
    notes_log_new(&now, &(struct notes){.n = 0});
    assert_int_equal(logged("guard: 3 more remarks on the keys\n"), 1);
    notes_log_new(&now, &before);
    assert_int_equal(logged("guard: "), NOTES_MAX + 1);
    notes_add(&now, "one more");
    notes_log_new(&now, &before);
    assert_int_equal(logged("guard: 4 more remarks on the keys\n"), 1);
}

static void a_long_note_is_cut(void **state)
{
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    notes_add(&now, "%s", text);
    assert_int_equal(strlen(now.lines[0]), 767);
}

static void notes_can_be_used_again(void **state)
{
    (void)state;
    notes_add(&now, "a");
    notes_fini(&now);
    assert_true(now.n == 0 && now.more == 0);
    notes_add(&now, "b");
    assert_string_equal(now.lines[0], "b");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_note_is_a_line),
        T(what_was_told_before_is_not_told_again),
        T(what_comes_back_is_told_again),
        T(beyond_twenty_their_number_is_told_once),
        T(a_long_note_is_cut),
        T(notes_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

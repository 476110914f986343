#include "select/selection.h"

#include "support.h"
#include "topic/progress.h"

static void its_keys_pass_and_no_others(void **state)
{
    (void)state;
    struct selection *s = select_keys("b a c b");
    assert_int_equal(selection_count(s), 3);
    assert_text(selection_key(s, 0), "a");
    assert_true(selection_passes(s, BYTES("a")));
    assert_true(selection_passes(s, BYTES("c")));
    assert_false(selection_passes(s, BYTES("d")));
    assert_false(selection_passes(s, BYTES("aa")));
    assert_false(selection_passes(s, BYTES("")));
    assert_false(selection_passes(s, slice_of(NULL, 0)));
    selection_unref(s);
}

static void the_empty_key_is_not_no_key(void **state)
{
    struct values keys = {0};

    (void)state;
    values_add(&keys, BYTES(""));
    struct selection *s = selection_new(&keys);
    assert_true(selection_passes(s, BYTES("")));
    assert_false(selection_passes(s, slice_of(NULL, 0)));
    selection_unref(s);
    values_fini(&keys);
}

static void a_key_may_be_4096_bytes(void **state)
{
    static uint8_t key[4096];
    struct values keys = {0};

    (void)state;
    values_add(&keys, slice_of(key, sizeof key));
    struct selection *s = selection_new(&keys);
    assert_true(selection_passes(s, slice_of(key, sizeof key)));
    assert_false(selection_passes(s, slice_of(key, sizeof key - 1)));
    selection_unref(s);
    values_fini(&keys);
}

static bool same_tag(const char *a, const char *b)
{
    struct selection *x = select_keys(a), *y = select_keys(b);
    bool same = slice_equal(selection_tag(x), selection_tag(y));

    assert_int_equal(same, selection_equal(x, y));
    selection_unref(x);
    selection_unref(y);
    return same;
}

static void neither_order_nor_repetition_matters_to_the_tag(void **state)
{
    (void)state;
    assert_true(same_tag("a b c", "c a b b a"));
    assert_false(same_tag("a b c", "a b"));
    assert_false(same_tag("a b", "ab"));
    assert_false(same_tag("", "a"));
}

/* It stands in ids that clients keep: another build must find the same. */
static void the_tag_is_the_same_for_ever(void **state)
{
    (void)state;
    struct selection *s = select_keys("a b");
    assert_int_equal(selection_tag(s).n, PROGRESS_TAG);
    assert_text(selection_tag(s), "VXYN4MJJ");
    selection_unref(s);
}

static void who_selects_nothing_has_no_tag(void **state)
{
    (void)state;
    assert_int_equal(selection_tag(NULL).n, 0);
    struct selection *none = select_keys("");
    assert_int_equal(selection_tag(none).n, PROGRESS_TAG);
    assert_false(selection_equal(NULL, none));
    assert_true(selection_equal(NULL, NULL));
    selection_unref(none);
}

static void it_lives_as_long_as_somebody_refers_to_it(void **state)
{
    (void)state;
    struct selection *s = select_keys("a");
    assert_ptr_equal(selection_ref(s), s);
    selection_unref(s);
    assert_true(selection_passes(s, BYTES("a")));
    selection_unref(s);
    selection_unref(selection_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_keys_pass_and_no_others),
        cmocka_unit_test(the_empty_key_is_not_no_key),
        cmocka_unit_test(a_key_may_be_4096_bytes),
        cmocka_unit_test(neither_order_nor_repetition_matters_to_the_tag),
        cmocka_unit_test(the_tag_is_the_same_for_ever),
        cmocka_unit_test(who_selects_nothing_has_no_tag),
        cmocka_unit_test(it_lives_as_long_as_somebody_refers_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "select/values.h"

#include "support.h"

static struct values set_of(const char *texts)
{
    struct values v = {0};

    for (size_t n; *texts != 0; texts += n + (texts[n] != 0)) {
        n = strcspn(texts, " ");
        values_add(&v, slice_of(texts, n));
    }
    values_sort(&v);
    return v;
}

static void check(struct values *v, const char *expected)
{
    struct buf text = {0};

    for (size_t i = 0; i < v->n; i++) {
        buf_add_str(&text, i ? " " : "");
        buf_add_slice(&text, values_at(v, i));
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    values_fini(v);
}

static void each_is_there_once_in_order(void **state)
{
    (void)state;
    struct values v = set_of("b a b ab a aa");
    check(&v, "a aa ab b");
}

static void what_is_empty_or_any_bytes_is_a_value(void **state)
{
    struct values v = {0};

    (void)state;
    values_sort(&v);
    assert_int_equal(v.n, 0);
    assert_false(values_has(&v, BYTES("")));
    values_add(&v, slice_of(NULL, 0));
    values_add(&v, BYTES("\0\xff"));
    values_add(&v, BYTES("\0"));
    values_add(&v, BYTES(""));
    values_sort(&v);
    assert_int_equal(v.n, 3);
    assert_true(values_has(&v, BYTES("")));
    assert_true(values_has(&v, BYTES("\0")));
    assert_true(values_has(&v, BYTES("\0\xff")));
    assert_false(values_has(&v, BYTES("\xff")));
    assert_non_null(values_at(&v, 0).p);
    values_fini(&v);
}

static void what_is_in_both_is_kept(void **state)
{
    (void)state;
    struct values v = set_of("a b c d"), other = set_of("d b x");
    values_keep(&v, &other);
    check(&v, "b d");
    struct values none = {0};
    values_keep(&other, &none);
    check(&other, "");
}

static void all_of_another_are_added(void **state)
{
    (void)state;
    struct values v = set_of("a b"), other = set_of("b c");
    values_add_all(&v, &other);
    values_sort(&v);
    check(&v, "a b c");
    values_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_there_once_in_order),
        cmocka_unit_test(what_is_empty_or_any_bytes_is_a_value),
        cmocka_unit_test(what_is_in_both_is_kept),
        cmocka_unit_test(all_of_another_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "topic/keyindex.h"

#include <stdlib.h>

#include "support.h"
#include "topic/entry.h"

static struct entry *entry(int32_t partition, struct slice key)
{
    struct entry *e = calloc(1, sizeof *e + key.n);

    e->partition = partition;
    e->key_len = (uint32_t)key.n;
    if (key.n)
        memcpy(e->bytes, key.p, key.n);
    return e;
}

static void the_newer_entry_of_a_key_supersedes_the_older(void **state)
{
    struct keyindex *index = keyindex_new();
    struct entry *old = entry(0, BYTES("k")), *new = entry(0, BYTES("k"));

    (void)state;
    assert_null(keyindex_put(index, old));
    assert_ptr_equal(keyindex_put(index, new), old);
    assert_int_equal(keyindex_count(index), 1);
    keyindex_free(index);
    free(old);
    free(new);
}

static void the_same_key_in_another_partition_is_another_key(void **state)
{
    struct keyindex *index = keyindex_new();
    struct entry *a = entry(0, BYTES("k")), *b = entry(1, BYTES("k"));

    (void)state;
    assert_null(keyindex_put(index, a));
    assert_null(keyindex_put(index, b));
    assert_int_equal(keyindex_count(index), 2);
    keyindex_free(index);
    free(a);
    free(b);
}

static void the_entry_of_a_key_is_found(void **state)
{
    struct keyindex *index = keyindex_new();
    struct entry *a = entry(0, BYTES("k")), *b = entry(1, BYTES("k"));

    (void)state;
    assert_null(keyindex_get(index, 0, BYTES("k")));
    keyindex_put(index, a);
    keyindex_put(index, b);
    assert_ptr_equal(keyindex_get(index, 0, BYTES("k")), a);
    assert_ptr_equal(keyindex_get(index, 1, BYTES("k")), b);
    assert_null(keyindex_get(index, 2, BYTES("k")));
    assert_null(keyindex_get(index, 0, BYTES("")));
    keyindex_free(index);
    free(a);
    free(b);
}

static void keys_are_compared_whole(void **state)
{
    static const struct slice keys[] = {{(const uint8_t *)"", 0},     {(const uint8_t *)"\0", 1},
                                        {(const uint8_t *)"\0\0", 2}, {(const uint8_t *)"a", 1},
                                        {(const uint8_t *)"a\0", 2},  {(const uint8_t *)"a\0b", 3}};
    enum { N = sizeof keys / sizeof keys[0] };
    struct keyindex *index = keyindex_new();
    struct entry *entries[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        assert_null(keyindex_put(index, entries[i] = entry(0, keys[i])));
    for (size_t i = 0; i < N; i++) {
        assert_ptr_equal(keyindex_put(index, entries[i]), entries[i]);
        free(entries[i]);
    }
    keyindex_free(index);
}

static void a_removed_key_is_new_again(void **state)
{
    struct keyindex *index = keyindex_new();
    struct entry *e = entry(0, BYTES("k"));

    (void)state;
    keyindex_put(index, e);
    keyindex_remove(index, e);
    assert_int_equal(keyindex_count(index), 0);
    assert_null(keyindex_put(index, e));
    keyindex_free(index);
    free(e);
}

/* Against an array that holds the entry of each key. */
static void random_puts_and_removes_are_as_in_an_array(void **state)
{
    enum { KEYS = 5000, STEPS = 300000 };
    static struct entry *model[KEYS];
    struct keyindex *index = keyindex_new();
    uint64_t seed = 7;
    size_t count = 0;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t k = random_below(&seed, KEYS);
        /* It grows, shrinks and grows again. */
        if (random_below(&seed, 100) < (step / (STEPS / 3) == 1 ? 30u : 70u)) {
            struct entry *e = entry((int32_t)(k % 3), slice_of(&k, sizeof k));
            assert_ptr_equal(keyindex_put(index, e), model[k]);
            count += model[k] == NULL;
            free(model[k]);
            model[k] = e;
        } else if (model[k] != NULL) {
            keyindex_remove(index, model[k]);
            free(model[k]);
            model[k] = NULL;
            count--;
        }
        assert_int_equal(keyindex_count(index), count);
    }
    for (size_t k = 0; k < KEYS; k++) {
        if (model[k] != NULL)
            assert_ptr_equal(keyindex_put(index, model[k]), model[k]);
        free(model[k]);
    }
    keyindex_free(index);
}

static void the_table_takes_at_most_32_bytes_for_each_of_many_keys(void **state)
{
    enum { KEYS = 200000 };
    struct keyindex *index = keyindex_new();
    struct entry **entries = malloc(KEYS * sizeof *entries);

    (void)state;
    for (uint32_t k = 0; k < KEYS; k++) {
        keyindex_put(index, entries[k] = entry(0, slice_of(&k, sizeof k)));
        if (k >= 10000)
            assert_true(keyindex_bytes(index) <= ((size_t)k + 1) * 32);
    }
    keyindex_free(index);
    for (size_t k = 0; k < KEYS; k++)
        free(entries[k]);
    free(entries);
}

static void an_empty_one_can_be_freed(void **state)
{
    (void)state;
    keyindex_free(keyindex_new());
    keyindex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newer_entry_of_a_key_supersedes_the_older),
        cmocka_unit_test(the_same_key_in_another_partition_is_another_key),
        cmocka_unit_test(the_entry_of_a_key_is_found),
        cmocka_unit_test(keys_are_compared_whole),
        cmocka_unit_test(a_removed_key_is_new_again),
        cmocka_unit_test(random_puts_and_removes_are_as_in_an_array),
        cmocka_unit_test(the_table_takes_at_most_32_bytes_for_each_of_many_keys),
        cmocka_unit_test(an_empty_one_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

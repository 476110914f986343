#include "select/index.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static size_t wishes_of(const struct index *index, struct slice key)
{
    const struct want *want = index_find(index, key);
    const struct wish *wish;
    size_t n = 0;

    if (want == NULL)
        return 0;
    LIST_FOREACH(wish, &want->among, link)
    {
        n++;
    }
    return n + want->soles;
}

static void a_key_is_found_while_somebody_wants_it(void **state)
{
    struct index *index = index_new();
    struct wish first, second, other;

    (void)state;
    assert_null(index_find(index, BYTES("a")));
    index_add(index, &first, BYTES("a"), false);
    index_add(index, &second, BYTES("a"), false);
    index_add(index, &other, BYTES("b"), false);
    assert_int_equal(index_count(index), 2);
    assert_int_equal(wishes_of(index, BYTES("a")), 2);
    index_remove(index, &first, false);
    assert_int_equal(wishes_of(index, BYTES("a")), 1);
    index_remove(index, &second, false);
    assert_null(index_find(index, BYTES("a")));
    assert_int_equal(wishes_of(index, BYTES("b")), 1);
    index_remove(index, &other, false);
    assert_int_equal(index_count(index), 0);
    index_free(index);
}

static void no_key_is_wanted_by_nobody(void **state)
{
    struct index *index = index_new();
    struct wish wish;

    (void)state;
    index_add(index, &wish, BYTES(""), false);
    assert_null(index_find(index, slice_of(NULL, 0)));
    assert_int_equal(wishes_of(index, BYTES("")), 1);
    index_remove(index, &wish, false);
    index_free(index);
}

enum { KEYS = 300, WISHES = 2000 };

static struct slice key_of(uint32_t i, char text[16])
{
    return slice_of(text, (size_t)snprintf(text, 16, "key-%u", (unsigned)i));
}

static void random_wishes_are_found(void **state)
{
    static struct wish wishes[WISHES];
    static int key[WISHES]; /* -1: not added */
    size_t expected[KEYS] = {0};
    struct index *index = index_new();
    uint64_t seed = 7;
    char text[16];

    (void)state;
    memset(key, -1, sizeof key);
    for (int step = 0; step < 20000; step++) {
        uint32_t i = random_below(&seed, WISHES);
        if (key[i] >= 0) {
            index_remove(index, &wishes[i], false);
            expected[key[i]]--;
            key[i] = -1;
        } else {
            key[i] = (int)random_below(&seed, KEYS);
            expected[key[i]]++;
            index_add(index, &wishes[i], key_of((uint32_t)key[i], text), false);
        }
        uint32_t k = random_below(&seed, KEYS);
        assert_int_equal(wishes_of(index, key_of(k, text)), expected[k]);
    }
    for (int i = 0; i < WISHES; i++)
        if (key[i] >= 0)
            index_remove(index, &wishes[i], false);
    assert_int_equal(index_count(index), 0);
    index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_while_somebody_wants_it),
        cmocka_unit_test(no_key_is_wanted_by_nobody),
        cmocka_unit_test(random_wishes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

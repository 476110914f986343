#include "stream/keyed.h"

#include <stdlib.h>

#include "base/mem.h"

void keyed_fini(struct keyed *k)
{
    free(k->numbers);
    *k = (struct keyed){0};
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

uint64_t keyed_count(const struct cache *c, const struct selection *s)
{
    return (uint64_t)selection_count(s) * (uint64_t)cache_progress(c)->n;
}

size_t keyed_find(struct keyed *k, const struct cache *c, const struct selection *s, uint64_t from)
{
    size_t n = 0;

    if (keyed_count(c, s) > k->cap) {
        k->cap = keyed_count(c, s);
        k->numbers = mem_resize_array(k->numbers, k->cap, sizeof *k->numbers);
    }
    for (size_t i = 0; i < selection_count(s); i++) {
        struct slice key = selection_key(s, i);
        for (int32_t p = 0; p < cache_progress(c)->n; p++) {
            uint64_t number = cache_newest(c, p, key);
            if (number >= from && number > 0)
                k->numbers[n++] = number;
        }
    }
    if (n > 0)
        qsort(k->numbers, n, sizeof *k->numbers, by_number);
    return n;
}

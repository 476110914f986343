#include "select/values.h"

#include <stdlib.h>

#include "base/mem.h"

void values_fini(struct values *v)
{
    buf_fini(&v->bytes);
    free(v->ends);
    *v = (struct values){0};
}

void values_add(struct values *v, struct slice value)
{
    buf_add_slice(&v->bytes, value);
    if ((v->n & (v->n - 1)) == 0) /* full: 0, or a power of two */
        v->ends = mem_resize_array(v->ends, v->n ? v->n * 2 : 1, sizeof *v->ends);
    v->ends[v->n++] = (uint32_t)v->bytes.n;
}

void values_add_all(struct values *v, const struct values *from)
{
    for (size_t i = 0; i < from->n; i++)
        values_add(v, values_at(from, i));
}

/* One that is empty is there, too. */
static const uint8_t *values_bytes(const struct values *v)
{
    static const uint8_t empty[1];

    return v->bytes.p ? v->bytes.p : empty;
}

struct slice values_at(const struct values *v, size_t i)
{
    size_t start = i ? v->ends[i - 1] : 0;

    return slice_of(values_bytes(v) + start, v->ends[i] - start);
}

static int by_bytes(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;

    return slice_order(*x, *y);
}

void values_sort(struct values *v)
{
    struct values sorted = {0};
    struct slice *all = mem_alloc((v->n + 1) * sizeof *all);

    for (size_t i = 0; i < v->n; i++)
        all[i] = values_at(v, i);
    qsort(all, v->n, sizeof *all, by_bytes);
    for (size_t i = 0; i < v->n; i++)
        if (i == 0 || !slice_equal(all[i], all[i - 1]))
            values_add(&sorted, all[i]);
    free(all);
    values_fini(v);
    *v = sorted;
}

bool values_has(const struct values *v, struct slice value)
{
    return values_find(values_bytes(v), v->ends, v->n, value);
}

bool values_find(const uint8_t *bytes, const uint32_t *ends, size_t n, struct slice value)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        size_t start = mid ? ends[mid - 1] : 0;
        int order = slice_order(slice_of(bytes + start, ends[mid] - start), value);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

void values_keep(struct values *v, const struct values *other)
{
    struct values kept = {0};

    for (size_t i = 0; i < v->n; i++)
        if (values_has(other, values_at(v, i)))
            values_add(&kept, values_at(v, i));
    values_fini(v);
    *v = kept;
}

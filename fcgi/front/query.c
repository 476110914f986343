#include "front/query.h"

bool query_next(struct slice *query, struct slice *name, struct slice *value)
{
    if (query->n == 0)
        return false;
    const uint8_t *amp = memchr(query->p, '&', query->n);
    struct slice pair = slice_of(query->p, amp ? (size_t)(amp - query->p) : query->n);
    const uint8_t *eq = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    size_t step = pair.n + (amp ? 1 : 0);

    *name = slice_of(pair.p, eq ? (size_t)(eq - pair.p) : pair.n);
    *value = slice_of(pair.p + name->n + (eq ? 1 : 0), pair.n - name->n - (eq ? 1 : 0));
    *query = slice_of(query->p + step, query->n - step);
    return true;
}

struct slice query_find(struct slice query, const char *wanted, size_t *count)
{
    struct slice found = {0}, name, value;

    *count = 0;
    while (query_next(&query, &name, &value))
        if (slice_equal(name, slice_str(wanted)) && ++*count == 1)
            found = value;
    return found;
}

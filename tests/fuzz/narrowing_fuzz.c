/* A query: which keys it names, and where a stream starts. */
#include "front/narrowing.h"

#include "fuzz.h"

static void check_bounds(const struct narrowing *n)
{
    assert(n->keys.n <= NARROWING_VALUES);
    assert(n->keys.bytes.n <= NARROWING_BYTES);
    assert(n->any || n->keys.n == 0);
    assert(!n->has_from || n->from.kind != FROM_LAST ||
           (n->from.value >= 1 && n->from.value <= FROM_LAST_MAX));
}

/* As it is written, it is read again. */
static void check_from(const struct from *from)
{
    struct buf text = {0};
    struct from again;

    from_add(&text, from);
    assert(from_parse(buf_slice(&text), &again) && again.kind == from->kind);
    assert(again.value == from->value || again.value == -INT64_C(62167219200000)); /* the year 0 */
    buf_fini(&text);
}

/* In order, each once; so the selection that is made of them has as many. */
static void check_selection(const struct narrowing *n)
{
    struct selection *s = selection_new(&n->keys), *again = selection_new(&n->keys);

    assert(selection_count(s) == n->keys.n);
    for (size_t i = 0; i < n->keys.n; i++) {
        assert(i == 0 || slice_order(values_at(&n->keys, i - 1), values_at(&n->keys, i)) < 0);
        assert(selection_passes(s, values_at(&n->keys, i)));
    }
    assert(!selection_passes(s, slice_of(NULL, 0)));
    assert(selection_equal(s, again));
    assert(slice_equal(selection_tag(s), selection_tag(again)));
    selection_unref(s);
    selection_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct narrowing fresh = {0}, resumed = {0};

    narrowing_read(&fresh, slice_of(data, n), false);
    narrowing_read(&resumed, slice_of(data, n), true);
    assert(resumed.why != REFUSAL_FROM_INVALID);
    if (fresh.why == REFUSALS) {
        assert(resumed.why == REFUSALS && resumed.keys.n == fresh.keys.n);
        assert(resumed.has_from == fresh.has_from);
        check_bounds(&fresh);
        check_selection(&fresh);
        check_from(&fresh.from);
    }
    narrowing_fini(&fresh);
    narrowing_fini(&resumed);
    return 0;
}

#include "select/selection.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/base64.h"
#include "base/mem.h"

enum { TAG_BYTES = 6, TAG = 8 };

/* One piece of memory, for there may be one of these for each stream. */
struct selection {
    uint32_t refs, n;
    uint8_t tag[TAG];
    uint32_t ends[]; /* of the keys, in the order of values_sort(); their bytes follow */
};

static const uint8_t *selection_bytes(const struct selection *s)
{
    return (const uint8_t *)(s->ends + s->n);
}

/* What it selects by, how many keys, and each behind its length: so that no two selections give the
 * same bytes. */
static void set_tag(struct selection *s)
{
    struct buf text = {0}, tag = {0};

    buf_printf(&text, "key %u\n", (unsigned)s->n);
    for (size_t i = 0; i < s->n; i++) {
        struct slice key = selection_key(s, i);
        buf_printf(&text, "%zu\n", key.n);
        buf_add_slice(&text, key);
    }
    XXH64_canonical_t hash;
    XXH64_canonicalFromHash(&hash, XXH3_64bits(text.p, text.n));
    base64url_add(&tag, slice_of(hash.digest, TAG_BYTES));
    memcpy(s->tag, tag.p, TAG);
    buf_fini(&text);
    buf_fini(&tag);
}

struct selection *selection_new(const struct values *keys)
{
    struct values sorted = {0};

    values_add_all(&sorted, keys);
    values_sort(&sorted);
    struct selection *s = mem_alloc(sizeof *s + sorted.n * sizeof s->ends[0] + sorted.bytes.n);
    *s = (struct selection){.refs = 1, .n = (uint32_t)sorted.n};
    if (sorted.n > 0)
        memcpy(s->ends, sorted.ends, sorted.n * sizeof s->ends[0]);
    if (sorted.bytes.n > 0)
        memcpy(s->ends + s->n, sorted.bytes.p, sorted.bytes.n);
    values_fini(&sorted);
    set_tag(s);
    return s;
}

struct selection *selection_ref(struct selection *s)
{
    if (s != NULL)
        s->refs++;
    return s;
}

void selection_unref(struct selection *s)
{
    if (s != NULL && --s->refs == 0)
        free(s);
}

size_t selection_count(const struct selection *s)
{
    return s->n;
}

struct slice selection_key(const struct selection *s, size_t i)
{
    size_t start = i ? s->ends[i - 1] : 0;

    return slice_of(selection_bytes(s) + start, s->ends[i] - start);
}

bool selection_passes(const struct selection *s, struct slice key)
{
    return key.p != NULL && values_find(selection_bytes(s), s->ends, s->n, key);
}

bool selection_equal(const struct selection *a, const struct selection *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    size_t bytes = a->n ? a->ends[a->n - 1] : 0;

    return a->n == b->n && memcmp(a->ends, b->ends, a->n * sizeof a->ends[0]) == 0 &&
           memcmp(selection_bytes(a), selection_bytes(b), bytes) == 0;
}

struct slice selection_tag(const struct selection *s)
{
    return s != NULL ? slice_of(s->tag, TAG) : slice_of(NULL, 0);
}

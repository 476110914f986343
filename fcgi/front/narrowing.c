#include "front/narrowing.h"

#include "base/base64.h"
#include "base/percent.h"
#include "front/query.h"

void narrowing_fini(struct narrowing *n)
{
    values_fini(&n->keys);
}

/* -- the query -- */

/* As forms are encoded: a `+` is a blank, and what is percent-encoded is decoded once. */
static bool decode(struct buf *out, struct slice encoded)
{
    struct buf text = {0};

    out->n = 0;
    buf_add_slice(&text, encoded);
    for (size_t i = 0; i < text.n; i++)
        text.p[i] = text.p[i] == '+' ? ' ' : text.p[i];
    bool good = percent_decode(out, buf_slice(&text));
    buf_fini(&text);
    return good;
}

static enum refusal add_key(struct narrowing *n, struct slice encoded, bool base64)
{
    struct buf text = {0}, key = {0};
    bool good = decode(&text, encoded);

    if (good && base64)
        good = base64url_decode(&key, buf_slice(&text));
    n->any = true;
    if (good)
        values_add(&n->keys, buf_slice(base64 ? &key : &text));
    buf_fini(&text);
    buf_fini(&key);
    if (!good)
        return REFUSAL_FILTER_INVALID;
    return n->keys.n <= NARROWING_VALUES && n->keys.bytes.n <= NARROWING_BYTES
               ? REFUSALS
               : REFUSAL_FILTER_TOO_LARGE;
}

static enum refusal set_from(struct narrowing *n, struct slice encoded, bool resumes)
{
    struct buf text = {0};
    bool good = !n->has_from && decode(&text, encoded) && from_parse(buf_slice(&text), &n->from);

    n->has_from = n->has_from || good;
    buf_fini(&text);
    return good || resumes ? REFUSALS : REFUSAL_FROM_INVALID;
}

static enum refusal set_format(struct narrowing *n, struct slice encoded)
{
    struct buf text = {0};
    bool good =
        !n->has_format && decode(&text, encoded) && format_parse(buf_slice(&text), &n->format);

    n->has_format = true;
    buf_fini(&text);
    return good ? REFUSALS : REFUSAL_FORMAT_INVALID;
}

static enum refusal set_data(struct narrowing *n, struct slice encoded)
{
    struct buf text = {0};
    bool good = !n->has_data && decode(&text, encoded);

    n->has_data = true;
    n->enveloped = good && slice_equal(buf_slice(&text), slice_str("envelope"));
    good = n->enveloped || (good && slice_equal(buf_slice(&text), slice_str("value")));
    buf_fini(&text);
    return good ? REFUSALS : REFUSAL_DATA_INVALID;
}

/* Names that are not known are not ours. */
static enum refusal take(struct narrowing *n, struct slice name, struct slice value, bool resumes)
{
    if (slice_equal(name, slice_str("from")))
        return set_from(n, value, resumes);
    if (slice_equal(name, slice_str("format")))
        return set_format(n, value);
    if (slice_equal(name, slice_str("data")))
        return set_data(n, value);
    if (slice_equal(name, slice_str("keepalive")))
        n->keepalive_events |= slice_equal(value, slice_str("event"));
    if (slice_equal(name, slice_str("key")))
        return add_key(n, value, false);
    if (slice_equal(name, slice_str("keyBase64")))
        return add_key(n, value, true);
    return slice_starts(name, "header:") || slice_starts(name, "field:") ? REFUSAL_FILTER_UNKNOWN
                                                                         : REFUSALS;
}

void narrowing_read(struct narrowing *n, struct slice query, bool resumes)
{
    struct slice name, value;
    struct buf text = {0};

    n->why = REFUSALS;
    while (n->why == REFUSALS && query_next(&query, &name, &value))
        if (decode(&text, name))
            n->why = take(n, buf_slice(&text), value, resumes);
    values_sort(&n->keys);
    buf_fini(&text);
}

/* -- with what the route selects -- */

static enum refusal fill(const struct destination *to, const struct values *claims,
                         struct values *keys, int *lacks)
{
    switch (template_fill(to->route->select, &to->params, claims, keys, lacks)) {
    case TEMPLATE_LACKS:
        return REFUSAL_CLAIM_MISSING;
    case TEMPLATE_NOT_BASE64:
        return REFUSAL_PATH_NOT_BASE64;
    default:
        return REFUSALS;
    }
}

enum refusal narrowing_select(const struct narrowing *n, const struct destination *destination,
                              const struct values *claims, struct selection **out, int *lacks)
{
    bool selects = destination->route->select != NULL;
    enum refusal why = n->why;
    struct values keys = {0};

    *out = NULL;
    if (why != REFUSALS)
        return why;
    if (selects)
        why = fill(destination, claims, &keys, lacks);
    if (selects && n->any)
        values_keep(&keys, &n->keys);
    if (why == REFUSALS && (selects || n->any))
        *out = selection_new(selects ? &keys : &n->keys);
    values_fini(&keys);
    return why;
}

void narrowing_replace(struct narrowing *n, struct slice form)
{
    struct narrowing told = {0};

    narrowing_read(&told, form, true);
    values_fini(&n->keys);
    n->keys = told.keys;
    n->any = told.any;
}

struct selection *narrowing_apply(const struct narrowing *n, struct selection *route)
{
    struct values keys = {0};

    if (!n->any)
        return selection_ref(route);
    for (size_t i = 0; i < n->keys.n; i++)
        if (route == NULL || selection_passes(route, values_at(&n->keys, i)))
            values_add(&keys, values_at(&n->keys, i));
    struct selection *s = selection_new(&keys);
    values_fini(&keys);
    return s;
}

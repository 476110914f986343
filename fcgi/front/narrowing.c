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

static bool parse_format(struct narrowing *n, struct slice text)
{
    return format_parse(text, &n->format);
}

static bool parse_data(struct narrowing *n, struct slice text)
{
    n->enveloped = slice_equal(text, slice_str("envelope"));
    return n->enveloped || slice_equal(text, slice_str("value"));
}

static bool parse_keepalive(struct narrowing *n, struct slice text)
{
    (void)n;
    return slice_equal(text, slice_str("event"));
}

/* It may be there once. */
static enum refusal set(struct narrowing *n, bool *has, struct slice encoded,
                        bool (*parse)(struct narrowing *n, struct slice text), enum refusal wrong)
{
    struct buf text = {0};
    bool good = !*has && decode(&text, encoded) && parse(n, buf_slice(&text));

    *has = true;
    buf_fini(&text);
    return good ? REFUSALS : wrong;
}

/* Names that are not known are not ours. */
static enum refusal take(struct narrowing *n, struct slice name, struct slice value, bool resumes)
{
    if (slice_equal(name, slice_str("from")))
        return set_from(n, value, resumes);
    if (slice_equal(name, slice_str("format")))
        return set(n, &n->has_format, value, parse_format, REFUSAL_FORMAT_INVALID);
    if (slice_equal(name, slice_str("data")))
        return set(n, &n->has_data, value, parse_data, REFUSAL_DATA_INVALID);
    if (slice_equal(name, slice_str("keepalive")))
        return set(n, &n->keepalive_events, value, parse_keepalive, REFUSAL_KEEPALIVE_INVALID);
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

enum refusal narrowing_route(const struct destination *destination, const struct values *claims,
                             struct selection **route, int *lacks)
{
    enum template_result result = TEMPLATE_FILLED;
    struct values keys = {0};

    *route = NULL;
    if (destination->route->select != NULL) {
        result =
            template_fill(destination->route->select, &destination->params, claims, &keys, lacks);
        if (result == TEMPLATE_FILLED)
            *route = selection_new(&keys);
        values_fini(&keys);
    }
    return result == TEMPLATE_LACKS        ? REFUSAL_CLAIM_MISSING
           : result == TEMPLATE_NOT_BASE64 ? REFUSAL_PATH_NOT_BASE64
                                           : REFUSALS;
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

enum refusal narrowing_select(const struct narrowing *n, const struct destination *destination,
                              const struct values *claims, struct selection **route,
                              struct selection **out, int *lacks)
{
    enum refusal why = n->why;

    *route = *out = NULL;
    if (why == REFUSALS)
        why = narrowing_route(destination, claims, route, lacks);
    if (why == REFUSALS)
        *out = narrowing_apply(n, *route);
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

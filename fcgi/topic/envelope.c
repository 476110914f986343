#include "topic/envelope.h"

#include "base/base64.h"
#include "base/headers.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "topic/minify.h"

static void add_base64(struct buf *out, struct slice bytes)
{
    buf_add_byte(out, '"');
    base64_add(out, bytes);
    buf_add_byte(out, '"');
}

/* One that was not written as a record (the broker has dropped the key's newest one) has no offset:
 * it stands before that. */
static void add_place(struct buf *out, const struct record *r)
{
    buf_printf(out, ",\"partition\":%d", r->partition);
    if (!r->aged)
        buf_printf(out, ",\"offset\":%lld", (long long)r->offset);
    if (r->timestamp_ms >= 0)
        buf_printf(out, ",\"timestamp\":%lld", (long long)r->timestamp_ms);
}

static void add_key(struct buf *out, struct slice key)
{
    if (key.p == NULL)
        return;
    if (utf8_valid(key)) {
        buf_add_str(out, ",\"key\":");
        quote_add(out, key);
    } else {
        buf_add_str(out, ",\"keyBase64\":");
        add_base64(out, key);
    }
}

static void add_header_value(struct buf *out, struct slice value)
{
    if (value.p == NULL) {
        buf_add_str(out, "null");
    } else if (utf8_valid(value)) {
        quote_add(out, value);
    } else {
        buf_add_str(out, "{\"base64\":");
        add_base64(out, value);
        buf_add_byte(out, '}');
    }
}

/* All values of one name, in their order; false: the record has none. */
static bool add_header(struct buf *out, const char *name, unsigned number, struct slice headers,
                       bool first)
{
    const char *before = first ? "" : ",";
    struct slice value;
    unsigned one;
    bool any = false;

    while (headers_next(&headers, &one, &value)) {
        if (one != number)
            continue;
        if (!any) {
            buf_add_str(out, before);
            quote_add(out, slice_str(name));
        }
        buf_add_str(out, any ? "," : ":[");
        add_header_value(out, value);
        any = true;
    }
    if (any)
        buf_add_byte(out, ']');
    return any;
}

static void add_headers(struct buf *out, const struct envelope *e, struct slice headers)
{
    bool any = false;

    buf_add_str(out, ",\"headers\":{");
    for (unsigned i = 0; headers.n > 0 && i < e->header_count; i++)
        any |= add_header(out, e->headers[i], i, headers, !any);
    buf_add_byte(out, '}');
}

static void add_value(struct buf *out, struct slice value)
{
    size_t before = out->n;

    buf_add_str(out, ",\"value\":");
    if (minify_add(out, value))
        return;
    out->n = before;
    if (utf8_valid(value)) {
        buf_add_str(out, ",\"text\":");
        quote_add(out, value);
    } else {
        buf_add_str(out, ",\"base64\":");
        add_base64(out, value);
    }
}

void envelope_add_members(struct buf *out, const struct envelope *e, const struct record *r)
{
    buf_add_str(out, "\"topic\":");
    quote_add(out, slice_str(e->topic));
    add_place(out, r);
    add_key(out, r->key);
    add_headers(out, e, r->headers);
    if (r->value.p != NULL)
        add_value(out, r->value);
    else
        buf_add_str(out, ",\"deleted\":true");
}

void envelope_add(struct buf *out, const struct envelope *e, const struct record *r)
{
    buf_add_byte(out, '{');
    envelope_add_members(out, e, r);
    buf_add_byte(out, '}');
}

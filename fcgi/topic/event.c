#include "topic/event.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/fcgi_record.h"
#include "base/quote.h"
#include "topic/document.h"
#include "topic/sse.h"

enum { SHARED_REQUEST_ID = 1 };

/* An id comes back as a header field, which clients and fronts take as printable ASCII only. */
static bool etag_usable(struct slice etag)
{
    for (size_t i = 0; i < etag.n; i++)
        if (etag.p[i] < 0x21 || etag.p[i] > 0x7e)
            return false;
    return etag.n > 0;
}

/* PROGRESS[~TAG][/ETAG]; the etag only within EVENT_ID_MAX bytes. */
static size_t add_plain_id(struct buf *out, const struct progress *at, struct slice tag,
                           struct slice etag)
{
    size_t start = out->n, tag_at = progress_add_tagged(out, at, tag);

    if (etag_usable(etag) && out->n - start + 1 + etag.n <= EVENT_ID_MAX) {
        buf_add_byte(out, '/');
        buf_add_slice(out, etag);
    }
    return tag_at;
}

/* ["KEY","PROGRESS[~TAG][/ETAG]"]: the key goes first where there is not room for all. */
static size_t add_keyed_id(struct buf *out, const struct progress *at, struct slice tag,
                           struct slice key, struct slice etag)
{
    struct buf place = {0};
    size_t start = out->n, tag_at = progress_add_tagged(&place, at, tag);

    size_t plain = place.n;
    buf_add_byte(out, '[');
    if (key.p != NULL &&
        sizeof "[\"\",\"\"]" - 1 + base64url_length(key.n) + plain <= EVENT_ID_MAX) {
        buf_add_byte(out, '"');
        base64url_add(out, key);
        buf_add_byte(out, '"');
    } else {
        buf_add_str(out, "null");
    }
    buf_add_byte(out, ',');
    size_t before = out->n;
    if (etag_usable(etag)) {
        buf_add_byte(&place, '/');
        buf_add_slice(&place, etag);
    }
    quote_add(out, buf_slice(&place));
    if (place.n > plain && out->n - start + sizeof "]" - 1 > EVENT_ID_MAX) {
        out->n = before;
        quote_add(out, slice_of(place.p, plain));
    }
    buf_add_byte(out, ']');
    buf_fini(&place);
    return before + 1 + tag_at;
}

/* -- an event stream -- */

static size_t add_id(struct buf *out, const struct shape *shape, const struct progress *at,
                     struct slice tag, struct slice key, struct slice etag)
{
    size_t tag_at;

    buf_add_str(out, "id:");
    if (shape->id == EVENT_ID_KEY)
        tag_at = add_keyed_id(out, at, tag, key, etag);
    else
        tag_at = add_plain_id(out, at, tag, etag);
    buf_add_byte(out, '\n');
    return tag_at;
}

static void add_name(struct buf *out, const struct shape *shape, const struct record *r)
{
    size_t before = out->n;

    buf_add_str(out, "event:");
    if (naming_add(out, &shape->naming, shape->envelope, r))
        buf_add_byte(out, '\n');
    else
        out->n = before;
}

static void add_data(struct buf *out, const struct shape *shape, const struct record *r)
{
    if (r->value.p == NULL)
        buf_add_str(out, "event:delete\n");
    else if (shape->naming.by != NAMING_NONE)
        add_name(out, shape, r);
    if (shape->enveloped) {
        buf_add_str(out, "data:");
        envelope_add(out, shape->envelope, r);
        buf_add_byte(out, '\n');
    } else if (r->value.p != NULL) {
        sse_add_data(out, r->value);
    } else {
        buf_add_str(out, "data:");
        base64url_add(out, r->key);
        buf_add_byte(out, '\n');
    }
    buf_add_byte(out, '\n');
}

/* -- lines of JSON -- */

/* The line up to its id.  `type`: NULL, it has none. */
static size_t add_line_start(struct buf *out, const char *type, const struct progress *at,
                             struct slice tag, struct slice etag)
{
    struct buf id = {0};
    size_t start = out->n;

    buf_add_byte(out, '{');
    if (type != NULL)
        buf_printf(out, "\"event\":\"%s\",", type);
    buf_add_str(out, "\"id\":");
    size_t tag_at = out->n - start + 1 + add_plain_id(&id, at, tag, etag);
    quote_add(out, buf_slice(&id));
    buf_fini(&id);
    return start + tag_at;
}

static size_t add_line(struct buf *out, const struct shape *shape, const struct progress *at,
                       struct slice tag, const struct record *r)
{
    size_t tag_at = add_line_start(out, r->value.p ? NULL : "delete", at, tag, r->etag);

    buf_add_byte(out, ',');
    envelope_add_members(out, shape->envelope, r);
    buf_add_str(out, "}\n");
    return tag_at;
}

size_t event_encode(struct buf *out, const struct shape *shape, const struct progress *at,
                    struct slice tag, const struct record *r)
{
    size_t tag_at;

    if (shape->framing == FRAMING_DOCUMENT) {
        document_add_record(out, shape->envelope, shape->first, r);
        return 0;
    }
    size_t mark = fcgi_stdout_begin(out);

    if (shape->framing == FRAMING_SSE) {
        tag_at = add_id(out, shape, at, tag, r->key, r->etag);
        add_data(out, shape, r);
    } else {
        tag_at = add_line(out, shape, at, tag, r);
    }
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
    return tag_at - mark;
}

/* -- an event that was encoded without the tag -- */

/* Where the id ends, and how long it is: from `start` on, with the place of a tag at `tag_at`. */
static size_t id_end(const struct shape *shape, struct slice event, size_t start, size_t tag_at,
                     size_t *length)
{
    size_t end = tag_at, escapes = 0;

    if (shape->framing == FRAMING_SSE) {
        const uint8_t *lf = memchr(event.p + tag_at, '\n', event.n - tag_at);
        end = (size_t)(lf - event.p);
    } else {
        for (; event.p[end] != '"'; end++)
            if (event.p[end] == '\\') {
                escapes++;
                end++;
            }
    }
    *length = end - start - escapes;
    return end;
}

/* Of an event with its header. */
static size_t id_start(const struct shape *shape, struct slice event)
{
    static const char line[] = "{\"id\":\"", with_type[] = "{\"event\":\"delete\",\"id\":\"";

    if (shape->framing == FRAMING_SSE)
        return FCGI_RECORD_HEADER + sizeof "id:" - 1;
    return FCGI_RECORD_HEADER +
           (event.p[FCGI_RECORD_HEADER + 2] == 'i' ? sizeof line : sizeof with_type) - 1;
}

/* With the tag a keyed id would be longer than EVENT_ID_MAX: it goes without key and etag. */
static size_t add_short_keyed_id(struct buf *out, struct slice before, struct slice tag)
{
    const uint8_t *at = (const uint8_t *)memrchr(before.p, '"', before.n) + 1;

    buf_add_str(out, "id:[null,\"");
    buf_add(out, at, before.n - (size_t)(at - before.p));
    buf_add_byte(out, '~');
    size_t put = out->n;
    buf_add_slice(out, tag);
    buf_add_str(out, "\"]");
    return put;
}

/* An id stands in the event's first STDOUT record: what follows it there gets a header of its
 * own. */
size_t event_add_head(struct buf *out, const struct shape *shape, struct slice event, size_t tag_at,
                      struct slice tag, size_t *put)
{
    const struct slice before = slice_of(event.p + FCGI_RECORD_HEADER, tag_at - FCGI_RECORD_HEADER);
    const size_t start = id_start(shape, event);
    size_t length, end = id_end(shape, event, start, tag_at, &length);
    bool fits = length + 1 + tag.n <= EVENT_ID_MAX || length == tag_at - start;
    size_t mark = fcgi_stdout_begin(out);

    if (!fits && shape->framing == FRAMING_SSE && shape->id == EVENT_ID_KEY) {
        *put = add_short_keyed_id(out, before, tag);
    } else { /* the etag goes */
        buf_add_slice(out, before);
        buf_add_byte(out, '~');
        *put = out->n;
        buf_add_slice(out, tag);
    }
    size_t replaced = fits ? tag_at : end;
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
    fcgi_continue_add(out, event.p, replaced - FCGI_RECORD_HEADER);
    return replaced;
}

/* -- without a record -- */

/* Members of an object, with the topic before them. */
static void add_notice(struct buf *out, const struct envelope *envelope, const char *json)
{
    buf_add_str(out, "\"topic\":");
    quote_add(out, slice_str(envelope->topic));
    buf_add_byte(out, ',');
    buf_add_str(out, json + 1);
}

void event_encode_notice(struct buf *out, const struct shape *shape, const struct progress *at,
                         struct slice tag, const char *type, const char *json)
{
    if (shape->framing == FRAMING_DOCUMENT) {
        document_add_gap(out, shape->envelope, shape->first, json);
        return;
    }
    size_t mark = fcgi_stdout_begin(out);

    if (shape->framing == FRAMING_SSE) {
        add_id(out, shape, at, tag, slice_of(NULL, 0), slice_of(NULL, 0));
        buf_printf(out, "event:%s\ndata:%s", type, shape->enveloped ? "{" : json);
    } else {
        add_line_start(out, type, at, tag, slice_of(NULL, 0));
        buf_add_byte(out, ',');
    }
    if (shape->framing == FRAMING_NDJSON || shape->enveloped)
        add_notice(out, shape->envelope, json);
    buf_add_str(out, shape->framing == FRAMING_SSE ? "\n\n" : "\n");
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void event_encode_place(struct buf *out, const struct shape *shape, const struct progress *at,
                        struct slice tag)
{
    size_t mark = fcgi_stdout_begin(out);

    if (shape->framing == FRAMING_SSE) {
        add_id(out, shape, at, tag, slice_of(NULL, 0), slice_of(NULL, 0));
        buf_add_byte(out, '\n');
    } else {
        add_line_start(out, "keepalive", at, tag, slice_of(NULL, 0));
        buf_add_str(out, "}\n");
    }
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void event_encode_comment(struct buf *out, const struct shape *shape)
{
    size_t mark = fcgi_stdout_begin(out);

    /* No blank line behind the comment: half of the client libraries make an event of one. */
    buf_add_str(out, shape->framing == FRAMING_SSE ? ":\n" : "\n");
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void event_encode_keepalive(struct buf *out, const struct shape *shape, const struct progress *at,
                            struct slice tag)
{
    size_t mark;

    if (shape->framing == FRAMING_NDJSON) {
        event_encode_place(out, shape, at, tag);
        return;
    }
    mark = fcgi_stdout_begin(out);
    add_id(out, shape, at, tag, slice_of(NULL, 0), slice_of(NULL, 0));
    buf_add_str(out, "event:keepalive\ndata:{}\n\n");
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

#include "topic/event.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/fcgi_record.h"
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

/* TEXT of printable ASCII as a JSON string. */
static void add_json_string(struct buf *out, struct slice text)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, text.p[i]);
    }
    buf_add_byte(out, '"');
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
    add_json_string(out, buf_slice(&place));
    if (place.n > plain && out->n - start + sizeof "]" - 1 > EVENT_ID_MAX) {
        out->n = before;
        add_json_string(out, slice_of(place.p, plain));
    }
    buf_add_byte(out, ']');
    buf_fini(&place);
    return before + 1 + tag_at;
}

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

size_t event_encode(struct buf *out, const struct shape *shape, const struct progress *at,
                    struct slice tag, const struct record *r)
{
    if (shape->document) {
        document_add_record(out, shape->envelope, shape->first, r);
        return 0;
    }
    size_t mark = fcgi_stdout_begin(out);
    size_t tag_at = add_id(out, shape, at, tag, r->key, r->etag);
    if (r->value.p != NULL) {
        sse_add_data(out, r->value);
    } else {
        buf_add_str(out, "event:delete\ndata:");
        base64url_add(out, r->key);
        buf_add_byte(out, '\n');
    }
    buf_add_byte(out, '\n');
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
    return tag_at - mark;
}

/* -- an event that was encoded without the tag -- */

/* With the tag the id would be longer than EVENT_ID_MAX: it goes without key and etag. */
static size_t add_short_id(struct buf *out, const struct shape *shape, struct slice before,
                           struct slice tag)
{
    const uint8_t *at = shape->id == EVENT_ID_KEY ? memrchr(before.p, '"', before.n) : NULL;
    size_t skipped = at ? (size_t)(at + 1 - before.p) : sizeof "id:" - 1;

    buf_add_str(out, shape->id == EVENT_ID_KEY ? "id:[null,\"" : "id:");
    buf_add(out, before.p + skipped, before.n - skipped);
    buf_add_byte(out, '~');
    size_t put = out->n;
    buf_add_slice(out, tag);
    buf_add_str(out, shape->id == EVENT_ID_KEY ? "\"]" : "");
    return put;
}

/* An id stands in the event's first STDOUT record: what follows it there gets a header of its
 * own. */
size_t event_add_head(struct buf *out, const struct shape *shape, struct slice event, size_t tag_at,
                      struct slice tag, size_t *put)
{
    enum { ID = FCGI_RECORD_HEADER + sizeof "id:" - 1 };
    const struct slice before = slice_of(event.p + FCGI_RECORD_HEADER, tag_at - FCGI_RECORD_HEADER);
    const uint8_t *end = memchr(event.p + tag_at, '\n', event.n - tag_at);
    size_t length = (size_t)(end - event.p) - ID, replaced = tag_at;
    size_t mark = fcgi_stdout_begin(out);

    if (length + 1 + tag.n <= EVENT_ID_MAX || length == tag_at - ID) {
        buf_add_slice(out, before);
        buf_add_byte(out, '~');
        *put = out->n;
        buf_add_slice(out, tag);
    } else {
        *put = add_short_id(out, shape, before, tag);
        replaced = (size_t)(end - event.p);
    }
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
    fcgi_continue_add(out, event.p, replaced - FCGI_RECORD_HEADER);
    return replaced;
}

/* -- without a record -- */

void event_encode_notice(struct buf *out, const struct shape *shape, const struct progress *at,
                         struct slice tag, const char *type, const char *json)
{
    if (shape->document) {
        document_add_gap(out, shape->envelope, shape->first, json);
        return;
    }
    size_t mark = fcgi_stdout_begin(out);
    add_id(out, shape, at, tag, slice_of(NULL, 0), slice_of(NULL, 0));
    buf_printf(out, "event:%s\ndata:%s\n\n", type, json);
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void event_encode_place(struct buf *out, const struct shape *shape, const struct progress *at,
                        struct slice tag)
{
    size_t mark = fcgi_stdout_begin(out);

    add_id(out, shape, at, tag, slice_of(NULL, 0), slice_of(NULL, 0));
    buf_add_byte(out, '\n');
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

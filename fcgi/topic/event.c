#include "topic/event.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/fcgi_record.h"
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

/* PROGRESS[/ETAG]; the etag only within EVENT_ID_MAX bytes. */
static void add_plain_id(struct buf *out, const struct progress *at, struct slice etag)
{
    size_t start = out->n;

    progress_add(out, at);
    if (etag_usable(etag) && out->n - start + 1 + etag.n <= EVENT_ID_MAX) {
        buf_add_byte(out, '/');
        buf_add_slice(out, etag);
    }
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

/* ["KEY","PROGRESS[/ETAG]"]: the key goes first where there is not room for all. */
static void add_keyed_id(struct buf *out, const struct progress *at, struct slice key,
                         struct slice etag)
{
    struct buf place = {0};
    size_t start = out->n;

    progress_add(&place, at);
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
}

static void add_id(struct buf *out, enum event_id form, const struct progress *at, struct slice key,
                   struct slice etag)
{
    buf_add_str(out, "id:");
    if (form == EVENT_ID_KEY)
        add_keyed_id(out, at, key, etag);
    else
        add_plain_id(out, at, etag);
    buf_add_byte(out, '\n');
}

void event_encode(struct buf *out, enum event_id form, const struct progress *at,
                  const struct record *r)
{
    size_t mark = fcgi_stdout_begin(out);

    add_id(out, form, at, r->key, r->etag);
    if (r->value.p != NULL) {
        sse_add_data(out, r->value);
    } else {
        buf_add_str(out, "event:delete\ndata:");
        base64url_add(out, r->key);
        buf_add_byte(out, '\n');
    }
    buf_add_byte(out, '\n');
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void event_encode_notice(struct buf *out, enum event_id form, const struct progress *at,
                         const char *type, const char *json)
{
    size_t mark = fcgi_stdout_begin(out);

    add_id(out, form, at, slice_of(NULL, 0), slice_of(NULL, 0));
    buf_printf(out, "event:%s\ndata:%s\n\n", type, json);
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

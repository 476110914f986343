#include "topic/event.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/fcgi_record.h"
#include "topic/sse.h"

enum { SHARED_REQUEST_ID = 1 };

static bool etag_usable(struct slice etag)
{
    for (size_t i = 0; i < etag.n; i++)
        if (etag.p[i] == 0 || etag.p[i] == '\r' || etag.p[i] == '\n')
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

/* "TEXT" in JSON, if that is UTF-8 and takes at most `room` bytes; false, and out as it was, if
 * not. */
static bool add_json_string(struct buf *out, struct slice text, size_t room)
{
    json_t *s = json_stringn((const char *)text.p, text.n);
    char *dumped = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;
    bool fits = dumped != NULL && strlen(dumped) <= room;

    if (fits)
        buf_add_str(out, dumped);
    free(dumped);
    json_decref(s);
    return fits;
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
    size_t used = out->n - start + sizeof "]" - 1;
    bool with_etag = false;
    if (etag_usable(etag) && used < EVENT_ID_MAX) {
        buf_add_byte(&place, '/');
        buf_add_slice(&place, etag);
        with_etag = add_json_string(out, buf_slice(&place), EVENT_ID_MAX - used);
    }
    if (!with_etag) { /* base64url needs no escape */
        buf_add_byte(out, '"');
        buf_add(out, place.p, plain);
        buf_add_byte(out, '"');
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

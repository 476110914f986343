#include "response.h"

#include <stdlib.h>

#include "unwrap.h"
#include "world.h"

enum { STDOUT = 6, END_REQUEST = 3, HEADER = 8 };

void response_init(struct response *r, uint16_t request_id, const struct response_handler *handler)
{
    *r = (struct response){.handler = *handler, .request_id = request_id};
}

void response_fini(struct response *r)
{
    buf_fini(&r->records);
    buf_fini(&r->text);
    buf_fini(&r->id);
    buf_fini(&r->type);
    buf_fini(&r->data);
    buf_fini(&r->etag);
}

size_t response_heap_bytes(const struct response *r)
{
    return r->records.cap + r->text.cap + r->id.cap + r->type.cap + r->data.cap + r->etag.cap;
}

bool response_is_document(const struct response *r)
{
    return r->ended && r->is_stream && form_ends((enum form)r->form) && r->text.n > 2 &&
           memcmp(r->text.p + r->text.n - 2, "}\n", 2) == 0;
}

bool response_is_amid(const struct response *r)
{
    return r->records.n > 0 || r->text.n > 0 || r->has_id || r->has_type || r->has_data;
}

static bool begins(struct slice text, const char *with)
{
    size_t n = strlen(with);

    return text.n >= n && memcmp(text.p, with, n) == 0;
}

/* -- the event stream -- */

static void set(struct buf *to, bool *has, struct slice from)
{
    if (*has)
        world_breach("format", "a field comes twice in one event");
    *has = true;
    to->n = 0;
    buf_add_slice(to, from);
}

static struct slice field(const struct buf *b, bool has)
{
    return has ? slice_of(b->p ? b->p : (const uint8_t *)"", b->n) : slice_of(NULL, 0);
}

static void end_event(struct response *r)
{
    struct sse_event e = {field(&r->id, r->has_id), field(&r->type, r->has_type),
                          field(&r->data, r->has_data)};

    bool some = r->has_id || r->has_type || r->has_data;
    if (r->has_type && !r->has_data)
        world_breach("format", "an event without data");
    if (!some && !r->has_retry && !r->has_comment)
        world_breach("format", "a blank line that ends nothing");
    r->has_id = r->has_type = r->has_data = r->has_retry = r->has_comment = false;
    if (some && r->form == FORM_ENVELOPE)
        unwrap_event(&e, &r->handler);
    else if (some)
        r->handler.on_event(r->handler.arg, &e);
}

static struct slice after(struct slice line, size_t n)
{
    line = slice_of(line.p + n, line.n - n);
    if (line.n > 0 && line.p[0] == ' ')
        line = slice_of(line.p + 1, line.n - 1);
    return line;
}

static void take_data(struct response *r, struct slice line)
{
    if (r->has_data)
        buf_add_byte(&r->data, '\n');
    else
        r->data.n = 0;
    r->has_data = true;
    buf_add_slice(&r->data, line);
}

/* After an empty one, for those who wait for the first byte; other empty ones are keep-alives. */
static void take_json(struct response *r, struct slice line)
{
    if (!r->has_begun && line.n > 0)
        world_breach("format", "lines of JSON begin without an empty one");
    r->has_begun = true;
    if (line.n > 0)
        unwrap_line(line, &r->handler);
}

/* In this order: id, event, data; a comment only between events. */
static void take_line(struct response *r, struct slice line)
{
    bool amid = r->has_id || r->has_type || r->has_data;

    if (memchr(line.p, '\r', line.n) != NULL)
        world_breach("format", "a line with CR");
    if (line.n == 0) {
        end_event(r);
    } else if (begins(line, "id:") && !r->has_type && !r->has_data) {
        set(&r->id, &r->has_id, after(line, 3));
    } else if (begins(line, "event:") && !r->has_data) {
        set(&r->type, &r->has_type, after(line, 6));
    } else if (begins(line, "data:")) {
        take_data(r, after(line, 5));
    } else if (begins(line, "retry:") && !amid) {
        r->has_retry = true;
        r->handler.on_retry(r->handler.arg, atoll((const char *)line.p + 6));
    } else if (line.n == 1 && line.p[0] == ':' && !amid) {
        r->has_comment = true;
    } else {
        world_breach("format", "a line that has no place: %.*s%s", (int)(line.n < 60 ? line.n : 60),
                     (const char *)line.p, amid ? " (inside an event)" : "");
    }
}

/* -- the head -- */

static void take_head_line(struct response *r, struct slice line)
{
    static const char *const types[FORMS] = {[FORM_PLAIN] = "text/event-stream",
                                             [FORM_ENVELOPE] = "text/event-stream",
                                             [FORM_LINES] = "application/x-ndjson",
                                             [FORM_DOCUMENT] = "application/json",
                                             [FORM_CHANGES] = "application/json"};
    static const char type[] = "Content-Type: ", etag[] = "ETag: ";

    if (begins(line, "Status: "))
        r->status = atoi((const char *)line.p + 8);
    if (begins(line, type) && begins(after(line, strlen(type)), types[r->form]))
        r->is_stream = true;
    if (begins(line, etag))
        buf_add_slice(&r->etag, after(line, strlen(etag)));
}

/* True when it is whole. */
static bool take_head(struct response *r, size_t *at)
{
    const uint8_t *end = memmem(r->text.p, r->text.n, "\r\n\r\n", 4);

    if (end == NULL)
        return false;
    size_t n = (size_t)(end - r->text.p) + 2;
    for (size_t line = 0; line < n;) {
        const uint8_t *next = memchr(r->text.p + line, '\n', n - line);
        size_t length = (size_t)(next - r->text.p) - line;
        take_head_line(r, slice_of(r->text.p + line, length - 1));
        line += length + 1;
    }
    if (r->status == 0)
        r->status = 200; /* CGI's default */
    *at = n + 2;
    return true;
}

static void take_text(struct response *r)
{
    size_t at = 0, from = r->searched;
    const uint8_t *end;

    if (r->text.n == 0 || (r->status == 0 && !take_head(r, &at)))
        return;
    if (!r->is_stream)
        at = r->text.n; /* nothing in a refusal's body concerns us */
    else if (form_ends((enum form)r->form))
        from = r->text.n; /* it is read when it is whole */
    from = from > at ? from : at;
    while (from < r->text.n && (end = memchr(r->text.p + from, '\n', r->text.n - from)) != NULL) {
        size_t n = (size_t)(end - r->text.p) - at;
        if (r->form == FORM_LINES)
            take_json(r, slice_of(r->text.p + at, n));
        else
            take_line(r, slice_of(r->text.p + at, n));
        from = at += n + 1;
    }
    r->text.n -= at;
    r->searched = r->text.n;
    if (at > 0)
        memmove(r->text.p, r->text.p + at, r->text.n);
}

/* -- the records -- */

/* How many bytes the first record has; 0: it is not whole. */
static size_t take_record(struct response *r, struct slice bytes)
{
    if (bytes.n < HEADER)
        return 0;
    const uint8_t *h = bytes.p;
    size_t content = (size_t)h[4] << 8 | h[5], whole = HEADER + content + h[6];
    if (h[0] != 1 || (h[2] << 8 | h[3]) != r->request_id || (h[1] != STDOUT && h[1] != END_REQUEST))
        world_breach("format", "a record of type %d for request %d, which is %d", h[1],
                     h[2] << 8 | h[3], r->request_id);
    if (r->ended)
        world_breach("format", "a record behind the end of the request");
    if (bytes.n < whole)
        return 0;
    if (h[1] == STDOUT)
        buf_add(&r->text, h + HEADER, content);
    else
        r->ended = true;
    return whole;
}

void response_take(struct response *r, struct slice bytes)
{
    size_t at = 0, n;

    buf_add_slice(&r->records, bytes);
    while ((n = take_record(r, slice_of(r->records.p + at, r->records.n - at))) > 0) {
        at += n;
        take_text(r);
    }
    r->records.n -= at;
    if (at > 0)
        memmove(r->records.p, r->records.p + at, r->records.n);
    if (r->ended && r->is_stream && !form_ends((enum form)r->form) && response_is_amid(r))
        world_breach("format", "the response ends inside an event");
}

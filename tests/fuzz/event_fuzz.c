/* A record as an event, or as a line of JSON, and back.  First a byte of flags, one for the number
 * of partitions and one for the record's partition and offset; then key, etag and value, divided by
 * 0xff bytes.  A flag repeats the value, beyond what one record of FastCGI holds. */
#include "topic/event.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/base64.h"
#include "fuzz.h"
#include "support.h"

enum { NO_KEY = 1, NO_VALUE = 2, NO_ETAG = 4, KEY_FORM = 8, LONG = 16, LINE = 32, REPEATS = 100 };

/* CRLF and CR are line ends, as LF is. */
static void add_lines(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        bool crlf = value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n';
        buf_add_byte(out, value.p[i] == '\r' ? '\n' : value.p[i]);
        i += crlf ? 1 : 0;
    }
}

static void check_data(const struct sse_event *e, const struct record *r)
{
    struct buf expected = {0};

    if (r->value.p != NULL)
        add_lines(&expected, r->value);
    else
        base64url_add(&expected, r->key);
    assert(slice_equal(buf_slice(&e->data), buf_slice(&expected)));
    assert(slice_equal(buf_slice(&e->type), slice_str(r->value.p ? "" : "delete")));
    buf_fini(&expected);
}

/* The second form is JSON, and its key the record's unless that is too long. */
static void check_key(struct slice id, const struct record *r)
{
    struct buf key = {0};
    json_t *pair = json_loadb((const char *)id.p, id.n, 0, NULL);
    const json_t *text = json_array_get(pair, 0);

    assert(json_array_size(pair) == 2);
    if (json_is_null(text)) {
        assert(r->key.p == NULL || r->key.n > 2000);
    } else {
        struct slice s = slice_of(json_string_value(text), json_string_length(text));
        assert(base64url_decode(&key, s) && slice_equal(buf_slice(&key), r->key));
    }
    json_decref(pair);
    buf_fini(&key);
}

static void check_id(struct slice id, const struct progress *at)
{
    struct progress_id back;

    assert(id.n <= EVENT_ID_MAX);
    for (size_t i = 0; i < id.n; i++)
        assert(id.p[i] >= 0x21 && id.p[i] <= 0x7e); /* it can come back as a header */
    assert(progress_id_parse(id, &back) == 0);
    assert(back.n == at->n);
    for (int32_t i = 0; i < back.n; i++)
        assert(back.at[i].partition == i && back.at[i].next == at->next[i]);
    progress_id_fini(&back);
}

static void check(const struct record *r, const struct progress *at, enum event_id form)
{
    struct buf records = {0};
    struct output out = {0};
    struct sse_event e;

    const struct shape shape = {.id = form};
    event_encode(&records, &shape, at, slice_of(NULL, 0), r);
    output_read(&out, buf_slice(&records));
    assert(out.id == 1 && !out.ended && out.rest == 0);
    struct slice stream = buf_slice(&out.text);
    assert(sse_read(&stream, &e));
    assert(stream.n == 0); /* one event, and nothing behind it */
    assert(e.ids == 1 && e.types == (r->value.p ? 0 : 1) && e.datas > 0);
    assert(e.retries == 0 && e.comments == 0 && e.others == 0);
    check_data(&e, r);
    check_id(buf_slice(&e.id), at);
    if (form == EVENT_ID_KEY)
        check_key(buf_slice(&e.id), r);
    sse_event_fini(&e);
    output_fini(&out);
    buf_fini(&records);
}

/* Valid JSON if the value is left out, of which jansson does not take all. */
static void check_line(const struct record *r, const struct progress *at)
{
    static const struct envelope topic = {"t", NULL, 0};
    static const struct shape shape = {.framing = FRAMING_NDJSON, .envelope = &topic};
    struct buf whole = {0}, shared = {0}, pieces = {0};
    struct output expected = {0}, got = {0};

    event_encode(&whole, &shape, at, slice_str("TAGtag-_"), r);
    size_t put, tag_at = event_encode(&shared, &shape, at, slice_of(NULL, 0), r);
    size_t skipped =
        event_add_head(&pieces, &shape, buf_slice(&shared), tag_at, slice_str("TAGtag-_"), &put);
    buf_add(&pieces, shared.p + skipped, shared.n - skipped);
    output_read(&expected, buf_slice(&whole));
    output_read(&got, buf_slice(&pieces));
    assert(slice_equal(buf_slice(&got.text), buf_slice(&expected.text)));
    assert(memchr(got.text.p, '\n', got.text.n) == got.text.p + got.text.n - 1);
    json_t *line = json_loadb((const char *)got.text.p, got.text.n, JSON_ALLOW_NUL, NULL);
    if (line != NULL) {
        const json_t *id = json_object_get(line, "id");
        check_id(slice_of(json_string_value(id), json_string_length(id)), at);
    } else {
        assert(r->value.p != NULL);
    }
    json_decref(line);
    output_fini(&expected);
    output_fini(&got);
    buf_fini(&whole);
    buf_fini(&shared);
    buf_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), none = {0};
    uint8_t flags = take_byte(&in), partitions = take_byte(&in), place = take_byte(&in);
    struct slice key = take_until(&in, 0xff), etag = take_until(&in, 0xff);
    static const uint8_t nothing[1];
    struct progress at = {0};
    struct buf value = {0};

    for (int i = 0; i < (flags & LONG ? REPEATS : 1); i++)
        buf_add_slice(&value, in);
    struct record r = {
        .partition = place % (partitions + 1),
        .offset = INT64_C(1) << place % 62,
        .key = flags & NO_KEY ? none : slice_of(key.n ? key.p : nothing, key.n),
        .value = flags & NO_VALUE ? none : slice_of(in.n ? value.p : nothing, value.n),
        .etag = flags & NO_ETAG ? none : etag,
    };
    progress_resize(&at, partitions + 1);
    at.next[r.partition] = r.offset + 1;
    if (!event_none(&r) && flags & LINE)
        check_line(&r, &at);
    else if (!event_none(&r))
        check(&r, &at, flags & KEY_FORM ? EVENT_ID_KEY : EVENT_ID_PROGRESS);
    progress_fini(&at);
    buf_fini(&value);
    return 0;
}

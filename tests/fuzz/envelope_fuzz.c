/* A record as JSON.  First a byte of flags; then key and two headers, divided by 0xff bytes; then
 * the value. */
#include "topic/envelope.h"

#include <jansson.h>

#include "base/base64.h"
#include "base/headers.h"
#include "fuzz.h"
#include "topic/minify.h"

enum { NO_KEY = 1, NO_VALUE = 2, NULL_HEADER = 4 };

static const char *const names[] = {"a", "b\"\n"};
static const struct envelope topic = {"t", names, 2};

static const struct slice none;

/* Base64 as base64url, which can be read. */
static bool is_base64_of(const char *text, struct slice bytes)
{
    struct buf expected = {0};

    base64_add(&expected, bytes);
    bool same = slice_equal(slice_str(text), buf_slice(&expected));
    buf_fini(&expected);
    return same;
}

static bool is_text(const json_t *json, struct slice bytes)
{
    return json_is_string(json) &&
           slice_equal(slice_of(json_string_value(json), json_string_length(json)), bytes);
}

static bool is_base64(const json_t *json, struct slice bytes)
{
    return json_is_string(json) && is_base64_of(json_string_value(json), bytes);
}

static void check_header(const json_t *list, struct slice value)
{
    const json_t *one = json_array_get(list, 0);

    assert(json_array_size(list) == 1);
    assert(value.p == NULL
               ? json_is_null(one)
               : is_text(one, value) || is_base64(json_object_get(one, "base64"), value));
}

/* The value is what jansson has read; it takes a NUL as the end. */
static void check_value(const json_t *object, struct slice value)
{
    const json_t *got = json_object_get(object, "value");

    if (value.p == NULL) {
        assert(json_is_true(json_object_get(object, "deleted")));
    } else if (got == NULL) {
        assert(is_text(json_object_get(object, "text"), value) ||
               is_base64(json_object_get(object, "base64"), value));
        assert(value.n > MINIFY_DEPTH_MAX || memchr(value.p, 0, value.n) != NULL ||
               json_loadb((const char *)value.p, value.n, JSON_DECODE_ANY, NULL) == NULL);
    } else {
        json_t *back =
            json_loadb((const char *)value.p, value.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert(back != NULL && json_equal(got, back));
        json_decref(back);
    }
}

static void check(const struct record *r, struct slice a, struct slice b)
{
    struct buf out = {0}, again = {0};

    envelope_add(&out, &topic, r);
    for (size_t i = 0; i < out.n; i++)
        assert(out.p[i] >= 0x20);
    json_t *object = json_loadb((const char *)out.p, out.n, JSON_ALLOW_NUL, NULL);
    if (minify_add(&again, buf_slice(&out)))
        assert(slice_equal(buf_slice(&again), buf_slice(&out)));
    else
        assert(out.n > MINIFY_BYTES_MAX || r->value.n > MINIFY_DEPTH_MAX);
    if (object != NULL) { /* it refuses large numbers, and lone surrogates */
        const json_t *key = json_object_get(object, "key");
        assert(r->key.p != NULL
                   ? is_text(key, r->key) || is_base64(json_object_get(object, "keyBase64"), r->key)
                   : key == NULL);
        check_header(json_object_get(json_object_get(object, "headers"), "a"), a);
        check_header(json_object_get(json_object_get(object, "headers"), "b\"\n"), b);
        check_value(object, r->value);
    }
    json_decref(object);
    buf_fini(&out);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    uint8_t flags = take_byte(&in);
    struct slice key = take_until(&in, 0xff), a = take_until(&in, 0xff), b = take_until(&in, 0xff);
    static const uint8_t nothing[1];
    struct buf packed = {0};

    a = flags & NULL_HEADER ? none : slice_of(a.n ? a.p : nothing, a.n);
    b = slice_of(b.n ? b.p : nothing, b.n);
    headers_add(&packed, 0, a);
    headers_add(&packed, 1, b);
    struct record r = {
        .offset = 41,
        .timestamp_ms = -1,
        .key = flags & NO_KEY ? none : slice_of(key.n ? key.p : nothing, key.n),
        .value = flags & NO_VALUE ? none : slice_of(in.n ? in.p : nothing, in.n),
        .headers = buf_slice(&packed),
    };
    check(&r, a, b);
    buf_fini(&packed);
    return 0;
}

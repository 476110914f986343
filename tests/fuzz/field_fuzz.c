/* A path, a NUL, and a value: whatever it is, what is found is what jansson finds, if it takes the
 * value. */
#include "topic/field.h"

#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"

static const json_t *find(const json_t *object, const char *path)
{
    const json_t *whole = json_object_get(object, path);
    char *name = strdup(path), *rest = name, *step;

    for (; whole == NULL && object != NULL && (step = strsep(&rest, ".")) != NULL;) {
        object = json_object_get(object, step);
        if (rest == NULL)
            whole = object;
    }
    free(name);
    return whole;
}

static bool is_text(const json_t *json)
{
    return json_is_string(json) || json_is_number(json) || json_is_boolean(json);
}

static const json_t *first(const json_t *json)
{
    size_t i;
    json_t *one;

    if (is_text(json))
        return json;
    json_array_foreach (json, i, one) {
        if (i < FIELD_ELEMENTS && is_text(one))
            return one;
    }
    return NULL;
}

static void check(const json_t *expected, struct slice got)
{
    if (json_is_string(expected))
        assert(
            slice_equal(got, slice_of(json_string_value(expected), json_string_length(expected))));
    else if (json_is_boolean(expected))
        assert(slice_equal(got, slice_str(json_is_true(expected) ? "true" : "false")));
    else
        assert(got.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    char *path = take_string(&in, 0);
    struct buf out = {0};

    bool found = field_first(&out, in, path);
    json_t *json = json_loadb((const char *)in.p, in.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (json != NULL && memchr(in.p, 0, in.n) == NULL && in.n <= 64) {
        const json_t *expected = first(find(json, path));
        assert(found == (expected != NULL));
        if (found)
            check(expected, buf_slice(&out));
    }
    json_decref(json);
    buf_fini(&out);
    free(path);
    return 0;
}

#include "guard/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

enum { NAME_MAX_BYTES = 255 }; /* of a step of a path */

const json_t *claim_at(const json_t *object, const char *path)
{
    const json_t *whole = json_object_get(object, path);

    while (whole == NULL && object != NULL) {
        char name[NAME_MAX_BYTES + 1];
        size_t n = strcspn(path, ".");
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        object = json_object_get(object, name);
        if (path[n] == 0)
            return object;
        path += n + 1;
    }
    return whole;
}

static struct slice string_slice(const json_t *string)
{
    return slice_of(json_string_value(string), json_string_length(string));
}

const char *claim_text(const json_t *object, const char *name)
{
    const json_t *s = json_object_get(object, name);

    if (!json_is_string(s) || strlen(json_string_value(s)) != json_string_length(s))
        return NULL;
    return json_string_value(s);
}

/* As short as it can be without being another number. */
static void add_real(double number, struct values *out)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    values_add(out, slice_str(text));
}

static void add_one(const json_t *claim, struct values *out)
{
    struct slice text = string_slice(claim);
    char number[32];

    if (json_is_string(claim) && text.n > 0 && memchr(text.p, 0, text.n) == NULL) {
        values_add(out, text);
    } else if (json_is_integer(claim)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(claim));
        values_add(out, slice_str(number));
    } else if (json_is_real(claim)) {
        add_real(json_real_value(claim), out);
    }
}

void claim_add_values(const json_t *claim, struct values *out)
{
    if (!json_is_array(claim))
        add_one(claim, out);
    for (size_t i = 0; i < json_array_size(claim) && i < CLAIM_VALUES; i++)
        add_one(json_array_get(claim, i), out);
}

static bool array_has(const json_t *array, struct slice wanted)
{
    size_t i;
    json_t *one;

    json_array_foreach (array, i, one) {
        if (json_is_string(one) && slice_equal(string_slice(one), wanted))
            return true;
    }
    return false;
}

bool claim_is_or_has(const json_t *claim, const char *wanted)
{
    if (json_is_string(claim))
        return slice_equal(string_slice(claim), slice_str(wanted));
    return array_has(claim, slice_str(wanted));
}

bool claim_has_word(const json_t *claim, const char *word)
{
    if (!json_is_string(claim))
        return array_has(claim, slice_str(word));
    const char *at = json_string_value(claim);
    if (strlen(at) != json_string_length(claim))
        return false;
    while (*(at += strspn(at, " ")) != 0) {
        size_t n = strcspn(at, " ");
        if (slice_equal(slice_of(at, n), slice_str(word)))
            return true;
        at += n;
    }
    return false;
}

#include "topic/field.h"

#include "topic/minify.h"

/* All of this goes through JSON that is known to be whole, without blanks. */

static const uint8_t *skip_string(const uint8_t *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

/* A number, true, false or null. */
static const uint8_t *skip_word(const uint8_t *at, const uint8_t *end)
{
    while (at < end && strchr(",]}", *at) == NULL)
        at++;
    return at;
}

static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;

    do {
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at == ',' || *at == ':') {
            at++;
        } else {
            at = skip_word(at, end);
        }
    } while (depth > 0);
    return at;
}

/* -- strings -- */

static unsigned hex4(const uint8_t *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return (unsigned)v;
}

static void add_utf8(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_add_byte(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        buf_add_byte(out, (uint8_t)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_add_byte(out, (uint8_t)(0xe0 | c >> 12));
        } else {
            buf_add_byte(out, (uint8_t)(0xf0 | c >> 18));
            buf_add_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        buf_add_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* What follows `\u`; a pair of surrogates is one character, a lone one stays what it is. */
static const uint8_t *add_code(struct buf *out, const uint8_t *at)
{
    unsigned c = hex4(at);

    at += 4;
    if (c >= 0xd800 && c < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
        unsigned low = hex4(at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            at += 6;
        }
    }
    add_utf8(out, c);
    return at;
}

static const uint8_t *add_escaped(struct buf *out, const uint8_t *at)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

    if (*at == 'u')
        return add_code(out, at + 1);
    const char *named = strchr(from, *at);
    buf_add_byte(out, named ? (uint8_t)to[named - from] : *at);
    return at + 1;
}

static void add_string(struct buf *out, const uint8_t *at)
{
    for (at++; *at != '"';)
        if (*at == '\\')
            at = add_escaped(out, at + 1);
        else
            buf_add_byte(out, *at++);
}

static bool string_is(const uint8_t *at, struct slice text)
{
    struct buf name = {0};

    add_string(&name, at);
    bool same = slice_equal(buf_slice(&name), text);
    buf_fini(&name);
    return same;
}

/* -- the path -- */

/* The member of that name; NULL: there is none, or it is no object. */
static const uint8_t *find_member(const uint8_t *at, const uint8_t *end, struct slice name)
{
    const uint8_t *found = NULL;

    if (*at != '{' || at[1] == '}')
        return NULL;
    do {
        const uint8_t *key = at + 1;
        at = skip_string(key) + 1;
        if (string_is(key, name))
            found = at;
        at = skip_value(at, end);
    } while (*at == ',');
    return found;
}

static const uint8_t *find(const uint8_t *at, const uint8_t *end, const char *path)
{
    const uint8_t *whole = find_member(at, end, slice_str(path));

    if (whole != NULL)
        return whole;
    for (;;) {
        size_t n = strcspn(path, ".");
        at = find_member(at, end, slice_of(path, n));
        if (at == NULL || path[n] == 0)
            return at;
        path += n + 1;
    }
}

static bool add_text(struct buf *out, const uint8_t *at, const uint8_t *end)
{
    if (*at == '"')
        add_string(out, at);
    else if (*at != '{' && *at != '[' && *at != 'n')
        buf_add(out, at, (size_t)(skip_word(at, end) - at));
    else
        return false;
    return true;
}

static bool add_first(struct buf *out, const uint8_t *at, const uint8_t *end)
{
    if (*at != '[')
        return add_text(out, at, end);
    for (int i = 0; i < FIELD_ELEMENTS && *at != ']' && at[1] != ']'; i++) {
        if (add_text(out, at + 1, end))
            return true;
        at = skip_value(at + 1, end);
    }
    return false;
}

bool field_first(struct buf *out, struct slice json, const char *path)
{
    struct buf compact = {0};
    bool found = false;

    if (minify_add(&compact, json)) {
        const uint8_t *end = compact.p + compact.n, *at = find(compact.p, end, path);
        found = at != NULL && add_first(out, at, end);
    }
    buf_fini(&compact);
    return found;
}

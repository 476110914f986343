#include "topic/minify.h"

#include "base/utf8.h"

/* What was taken is copied: `to` never overtakes `at`, so the length of the text is room enough. */
struct scan {
    const uint8_t *at, *end;
    uint8_t *to;
    int depth;
};

static bool value(struct scan *s);

/* The next byte; 0: there is none, and 0 is never right. */
static uint8_t next(const struct scan *s)
{
    return s->at < s->end ? *s->at : 0;
}

static void blanks(struct scan *s)
{
    while (next(s) == ' ' || next(s) == '\n' || next(s) == '\r' || next(s) == '\t')
        s->at++;
}

static void copy_from(struct scan *s, const uint8_t *from)
{
    size_t n = (size_t)(s->at - from);

    memcpy(s->to, from, n);
    s->to += n;
}

static bool byte(struct scan *s, uint8_t c)
{
    if (next(s) != c)
        return false;
    s->at++;
    *s->to++ = c;
    return true;
}

static bool word(struct scan *s, const char *text)
{
    const uint8_t *from = s->at;

    if (!slice_starts(slice_of(s->at, (size_t)(s->end - s->at)), text))
        return false;
    s->at += strlen(text);
    copy_from(s, from);
    return true;
}

/* -- numbers -- */

static bool digits(struct scan *s)
{
    const uint8_t *from = s->at;

    while (next(s) >= '0' && next(s) <= '9')
        s->at++;
    return s->at > from;
}

static bool number(struct scan *s)
{
    const uint8_t *from = s->at;

    if (next(s) == '-')
        s->at++;
    const uint8_t *first = s->at;
    if (!digits(s) || (*first == '0' && s->at > first + 1))
        return false;
    if (next(s) == '.') {
        s->at++;
        if (!digits(s))
            return false;
    }
    if (next(s) == 'e' || next(s) == 'E') {
        s->at++;
        if (next(s) == '+' || next(s) == '-')
            s->at++;
        if (!digits(s))
            return false;
    }
    copy_from(s, from);
    return true;
}

/* -- strings -- */

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Behind the backslash. */
static bool escape(struct scan *s)
{
    const uint8_t c = next(s);

    if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return false;
    s->at++;
    for (int i = 0; c == 'u' && i < 4; i++, s->at++)
        if (!is_hex(next(s)))
            return false;
    return true;
}

/* Of a string; false: it is nothing that may stand there. */
static bool character(struct scan *s)
{
    if (*s->at == '\\') {
        s->at++;
        return escape(s);
    }
    size_t n = *s->at < 0x20 ? 0 : utf8_first(s->at, (size_t)(s->end - s->at));
    s->at += n;
    return n > 0;
}

static bool string(struct scan *s)
{
    const uint8_t *from = s->at;

    if (next(s) != '"')
        return false;
    s->at++;
    while (s->at < s->end && *s->at != '"')
        if (!character(s))
            return false;
    if (s->at == s->end)
        return false;
    s->at++;
    copy_from(s, from);
    return true;
}

/* -- what holds others -- */

static bool member(struct scan *s)
{
    blanks(s);
    if (!string(s))
        return false;
    blanks(s);
    return byte(s, ':') && value(s);
}

/* Between the brackets, behind the first one. */
static bool list(struct scan *s, bool (*one)(struct scan *s), uint8_t last)
{
    blanks(s);
    if (byte(s, last))
        return true;
    do {
        if (!one(s))
            return false;
        blanks(s);
    } while (byte(s, ','));
    return byte(s, last);
}

static bool nested(struct scan *s, bool (*one)(struct scan *s), uint8_t last)
{
    if (s->depth == MINIFY_DEPTH_MAX)
        return false;
    s->depth++;
    bool good = list(s, one, last);
    s->depth--;
    return good;
}

static bool value(struct scan *s)
{
    blanks(s);
    switch (next(s)) {
    case '{':
        return byte(s, '{') && nested(s, member, '}');
    case '[':
        return byte(s, '[') && nested(s, value, ']');
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return number(s);
    }
}

bool minify_add(struct buf *out, struct slice text)
{
    if (text.n == 0 || text.n > MINIFY_BYTES_MAX)
        return false;
    struct scan s = {.at = text.p, .end = text.p + text.n, .to = buf_reserve(out, text.n)};
    bool good = value(&s);
    blanks(&s);
    if (!good || s.at < s.end)
        return false;
    out->n = (size_t)(s.to - out->p);
    return true;
}

#include "guard/jsontext.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* `\u` and four digits; what takes its place has the same length. */
enum { ESCAPE = 6 };

static size_t digits(const char *at)
{
    return strspn(at, "0123456789");
}

/* Length of the number there (RFC 8259, 6); 0: it is none. */
static size_t number_length(const char *text)
{
    const char *at = text + (*text == '-');

    if (digits(at) == 0 || (*at == '0' && digits(at) > 1))
        return 0;
    at += digits(at);
    if (*at == '.' && digits(at + 1) == 0)
        return 0;
    if (*at == '.')
        at += 1 + digits(at + 1);
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        if (digits(at) == 0)
            return 0;
        at += digits(at);
    }
    return (size_t)(at - text);
}

/* A json_int_t is a long long, a real a double. */
static bool number_fits(const char *at, size_t n)
{
    if (strcspn(at, ".eE") < n)
        return isfinite(strtod(at, NULL));
    errno = 0;
    strtoll(at, NULL, 10);
    return errno != ERANGE;
}

/* Returns where the text goes on. */
static char *tame_number(char *at)
{
    size_t n = number_length(at);

    if (n == 0)
        return at + 1;
    if (!number_fits(at, n)) { /* so it is longer than "null" */
        static const char null[] = {'n', 'u', 'l', 'l'};
        memset(at, ' ', n);
        memcpy(at, null, sizeof null);
    }
    return at + n;
}

/* The code unit of the escape there; -1: it is none. */
static int code_unit(const char *at)
{
    if (at[0] != '\\' || at[1] != 'u' || strspn(at + 2, "0123456789abcdefABCDEF") < 4)
        return -1;
    char hex[5] = {at[2], at[3], at[4], at[5], 0};
    return (int)strtol(hex, NULL, 16);
}

static bool is_high(int unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static void tame_escapes(char *at, const char *end, const char *instead)
{
    while (at < end) {
        int unit = code_unit(at);
        if (unit < 0) {
            at += *at == '\\' ? 2 : 1;
        } else if (is_high(unit) && is_low(code_unit(at + ESCAPE))) {
            at += 2 * ESCAPE;
        } else {
            if (unit == 0 || is_high(unit) || is_low(unit))
                memcpy(at, instead, ESCAPE);
            at += ESCAPE;
        }
    }
}

/* Likewise; `at` is behind the opening quote. */
static char *tame_string(char *at)
{
    char *end = at;

    while (*end != 0 && *end != '"')
        end += *end == '\\' && end[1] != 0 ? 2 : 1;
    if (*end == 0)
        return end;
    const char *next = end + 1 + strspn(end + 1, " \t\r\n");
    tame_escapes(at, end, *next == ':' ? "\\ufffd" : "\\u0000");
    return end + 1;
}

static void tame(char *at)
{
    while (*at != 0) {
        if (*at == '"')
            at = tame_string(at + 1);
        else if (*at == '-' || digits(at) > 0)
            at = tame_number(at);
        else
            at++;
    }
}

json_t *jsontext_load(struct buf *text, size_t flags, bool *tamed, json_error_t *why)
{
    json_t *json = json_loadb((const char *)text->p, text->n, flags, why);

    *tamed = json == NULL && text->n > 0 && memchr(text->p, 0, text->n) == NULL;
    if (!*tamed)
        return json;
    buf_add_byte(text, 0);
    tame((char *)text->p);
    text->n--;
    return json_loadb((const char *)text->p, text->n, flags | JSON_ALLOW_NUL, why);
}

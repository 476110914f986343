#include "route/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/percent.h"

enum kind { LITERAL, ONE_SEGMENT, THE_REST };

/* What stands behind a `/`. */
struct segment {
    enum kind kind;
    struct slice text; /* of a parameter: its name; in the pattern's text */
};

struct pattern {
    char *text;
    struct segment *segments;
    size_t n;
};

/* -- a path, piece by piece -- */

/* Takes a `/` and the segment behind it; false: there is none. */
static bool take_segment(struct slice *path, struct slice *segment)
{
    const uint8_t *end;

    if (path->n == 0 || path->p[0] != '/')
        return false;
    *segment = slice_of(path->p + 1, path->n - 1);
    end = segment->n ? memchr(segment->p, '/', segment->n) : NULL;
    if (end != NULL)
        segment->n = (size_t)(end - segment->p);
    *path = slice_of(segment->p + segment->n, path->n - 1 - segment->n);
    return true;
}

/* -- what a text says -- */

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') &&
            name.p[i] != '_')
            return false;
    return name.n > 0;
}

/* NULL, or what is wrong with it; without braces it is literal. */
static const char *read_segment(struct slice text, struct segment *out)
{
    bool opens = text.n > 0 && text.p[0] == '{';

    *out = (struct segment){LITERAL, text};
    if (text.n == 0 || (!memchr(text.p, '{', text.n) && !memchr(text.p, '}', text.n)))
        return NULL;
    if (!opens || text.n < 2 || text.p[text.n - 1] != '}')
        return "a {name} must be a whole segment";
    out->text = slice_of(text.p + 1, text.n - 2);
    out->kind = ONE_SEGMENT;
    if (out->text.n > 0 && out->text.p[out->text.n - 1] == '*') {
        out->text.n--;
        out->kind = THE_REST;
    }
    return is_name(out->text) ? NULL : "the name of a {name} is made of a-z, 0-9 and _";
}

static size_t count_params(const struct pattern *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += p->segments[i].kind != LITERAL;
    return n;
}

static const char *add_segment(struct pattern *p, const struct segment *s)
{
    if (p->n > 0 && p->segments[p->n - 1].kind == THE_REST)
        return "a {name*} must be at the end";
    if (s->kind != LITERAL && pattern_param(p, s->text) >= 0)
        return "a {name} comes twice";
    if (s->kind != LITERAL && count_params(p) == PATTERN_PARAMS)
        return "more than 8 {name}";
    p->segments = mem_resize_array(p->segments, p->n + 1, sizeof *p->segments);
    p->segments[p->n++] = *s;
    return NULL;
}

/* Control characters and blanks are in no request line. */
static const char *check_characters(const char *text)
{
    if (text[0] != '/')
        return "must begin with /";
    if (strlen(text) > PATTERN_MAX)
        return "must have at most 1000 bytes";
    for (; *text != 0; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || *text == '?' || *text == '#')
            return "must hold no ?, # or blank";
    return NULL;
}

static struct pattern *make(const char *text, bool literal, const char **wrong)
{
    struct pattern *p = mem_zero(sizeof *p);
    struct slice rest, segment;
    struct segment s;

    p->text = mem_strdup(text);
    rest = slice_str(p->text);
    *wrong = literal ? NULL : check_characters(text);
    while (*wrong == NULL && take_segment(&rest, &segment)) {
        s = (struct segment){LITERAL, segment};
        if (!literal)
            *wrong = read_segment(segment, &s);
        if (*wrong == NULL)
            *wrong = add_segment(p, &s);
    }
    if (*wrong == NULL)
        return p;
    pattern_free(p);
    return NULL;
}

struct pattern *pattern_new(const char *text, const char **wrong)
{
    return make(text, false, wrong);
}

struct pattern *pattern_literal(const char *text)
{
    const char *wrong;

    return make(text, true, &wrong);
}

void pattern_free(struct pattern *p)
{
    if (p == NULL)
        return;
    free(p->segments);
    free(p->text);
    free(p);
}

const char *pattern_text(const struct pattern *p)
{
    return p->text;
}

bool pattern_same(const struct pattern *a, const struct pattern *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = a->segments[i].kind == b->segments[i].kind &&
               (a->segments[i].kind != LITERAL ||
                slice_equal(a->segments[i].text, b->segments[i].text));
    return same;
}

/* Does a segment fit each that the other one, of the same place, fits? */
static bool segment_covers(const struct segment *a, const struct segment *b)
{
    if (a->kind == LITERAL)
        return b->kind == LITERAL && slice_equal(a->text, b->text);
    return b->kind == ONE_SEGMENT || (b->kind == LITERAL && b->text.n > 0);
}

bool pattern_covers(const struct pattern *a, const struct pattern *b)
{
    for (size_t i = 0; i < a->n; i++) {
        if (i >= b->n)
            return false;
        if (a->segments[i].kind == THE_REST)
            return b->segments[i].kind != LITERAL || b->segments[i].text.n > 0 || i + 1 < b->n;
        if (!segment_covers(&a->segments[i], &b->segments[i]))
            return false;
    }
    return a->n == b->n;
}

static const char *doubt(struct slice literal, bool is_last)
{
    struct buf decoded = {0};
    bool good = percent_decode(&decoded, literal);

    buf_fini(&decoded);
    if (!good)
        return "a % in it begins no escape";
    for (size_t i = 0; i < literal.n; i++)
        if (literal.p[i] > 0x7e)
            return "browsers send other characters than ASCII percent-encoded, write them so";
    if ((literal.n == 0 && !is_last) || slice_equal(literal, slice_str(".")) ||
        slice_equal(literal, slice_str("..")))
        return "web servers fold //, . and ..";
    return NULL;
}

const char *pattern_doubt(const struct pattern *p)
{
    const char *why = NULL;

    for (size_t i = 0; why == NULL && i < p->n; i++)
        if (p->segments[i].kind == LITERAL)
            why = doubt(p->segments[i].text, i + 1 == p->n);
    return why;
}

int pattern_param(const struct pattern *p, struct slice name)
{
    int number = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (p->segments[i].kind == LITERAL)
            continue;
        if (slice_equal(p->segments[i].text, name))
            return number;
        number++;
    }
    return -1;
}

struct slice pattern_param_name(const struct pattern *p, int number)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->segments[i].kind != LITERAL && number-- == 0)
            return p->segments[i].text;
    return slice_of(NULL, 0);
}

/* -- does it fit? -- */

/* One to 4096 bytes, each escape one of them. */
static bool is_value(struct slice encoded)
{
    size_t escapes = 0;

    for (size_t i = 0; i < encoded.n; i++)
        escapes += encoded.p[i] == '%';
    return encoded.n > 0 && encoded.n <= PATTERN_VALUE + 2 * escapes;
}

bool pattern_fits(const struct pattern *p, struct slice path, struct slice values[PATTERN_PARAMS])
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct segment *s = &p->segments[i];
        struct slice here, rest = path;
        if (!take_segment(&path, &here))
            return false;
        if (s->kind == LITERAL) {
            if (!slice_equal(here, s->text))
                return false;
            continue;
        }
        if (s->kind == THE_REST) {
            here = slice_of(rest.p + 1, rest.n - 1);
            path.n = 0;
        }
        if (!is_value(here))
            return false;
        values[n++] = here;
    }
    return path.n == 0;
}

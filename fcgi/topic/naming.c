#include "topic/naming.h"

#include "base/headers.h"
#include "topic/field.h"

bool naming_parse(const char *text, struct naming *out)
{
    static const char header[] = "header:", field[] = "field:";
    const struct slice s = slice_str(text);

    if (strcmp(text, "topic") == 0)
        *out = (struct naming){.by = NAMING_TOPIC};
    else if (slice_starts(s, header) && s.n > sizeof header - 1)
        *out = (struct naming){NAMING_HEADER, text + sizeof header - 1};
    else if (slice_starts(s, field) && s.n > sizeof field - 1)
        *out = (struct naming){NAMING_FIELD, text + sizeof field - 1};
    else
        return false;
    return true;
}

static bool is_reserved(struct slice name)
{
    static const char *const reserved[] = {"message",   "delete",    "reset", "gap",
                                           "challenge", "keepalive", "open",  "error"};

    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (slice_equal(name, slice_str(reserved[i])))
            return true;
    return false;
}

static bool is_allowed(struct slice name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (name.n == 0 || name.n > NAMING_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (memchr(allowed, name.p[i], sizeof allowed - 1) == NULL)
            return false;
    return !is_reserved(name);
}

static struct slice last_header(const struct naming *n, const struct envelope *e,
                                struct slice headers)
{
    struct slice value, last = {0};
    unsigned name;

    while (headers_next(&headers, &name, &value))
        if (strcmp(e->headers[name], n->of) == 0)
            last = value;
    return last;
}

bool naming_add(struct buf *out, const struct naming *n, const struct envelope *e,
                const struct record *r)
{
    size_t before = out->n;

    if (n->by == NAMING_TOPIC)
        buf_add_str(out, e->topic);
    else if (n->by == NAMING_HEADER)
        buf_add_slice(out, last_header(n, e, r->headers));
    else if (n->by == NAMING_FIELD)
        field_first(out, r->value, n->of);
    if (is_allowed(slice_of(out->p + before, out->n - before)))
        return true;
    out->n = before;
    return false;
}

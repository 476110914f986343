#include "fuzz.h"

#include <stdlib.h>

uint8_t take_byte(struct slice *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

struct slice take_until(struct slice *in, uint8_t end)
{
    const uint8_t *stop = in->n ? memchr(in->p, end, in->n) : NULL;
    struct slice taken = slice_of(in->p, stop ? (size_t)(stop - in->p) : in->n);

    in->p += taken.n + (stop ? 1 : 0);
    in->n -= taken.n + (stop ? 1 : 0);
    return taken;
}

char *take_string(struct slice *in, uint8_t end)
{
    struct slice s = take_until(in, end);

    return s.n ? strndup((const char *)s.p, s.n) : strdup("");
}

/* -- event streams -- */

/* A line without its end, which is LF, CRLF or CR; false if its end is not there. */
static bool read_line(struct slice *in, struct slice *line)
{
    size_t n = 0;

    while (n < in->n && in->p[n] != '\n' && in->p[n] != '\r')
        n++;
    if (n == in->n)
        return false;
    *line = slice_of(in->p, n);
    n += in->p[n] == '\r' && n + 1 < in->n && in->p[n + 1] == '\n' ? 2 : 1;
    in->p += n;
    in->n -= n;
    return true;
}

static bool named(struct slice name, const char *wanted)
{
    return slice_equal(name, slice_str(wanted));
}

static void take_field(struct sse_event *e, struct slice name, struct slice value)
{
    if (named(name, "data")) {
        if (e->datas++ > 0)
            buf_add_byte(&e->data, '\n');
        buf_add_slice(&e->data, value);
    } else if (named(name, "id")) {
        e->ids++;
        e->id.n = 0;
        buf_add_slice(&e->id, value);
    } else if (named(name, "event")) {
        e->types++;
        e->type.n = 0;
        buf_add_slice(&e->type, value);
    } else if (named(name, "retry")) {
        e->retries++;
    } else {
        e->others++;
    }
}

static void take_line(struct sse_event *e, struct slice line)
{
    struct slice name = take_until(&line, ':');

    if (name.n == 0) {
        e->comments++;
        return;
    }
    if (line.n > 0 && line.p[0] == ' ')
        take_byte(&line);
    take_field(e, name, line);
}

bool sse_read(struct slice *stream, struct sse_event *out)
{
    struct slice rest = *stream, line;

    *out = (struct sse_event){0};
    while (read_line(&rest, &line)) {
        if (line.n == 0) {
            *stream = rest;
            return true;
        }
        take_line(out, line);
    }
    sse_event_fini(out);
    return false;
}

void sse_event_fini(struct sse_event *e)
{
    buf_fini(&e->type);
    buf_fini(&e->data);
    buf_fini(&e->id);
}

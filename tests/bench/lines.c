#include "lines.h"

#include <string.h>

static void keep(struct lines *l, const char *bytes, size_t n)
{
    size_t room = LINE_KEPT - l->kept_len;

    if (n > room)
        n = room;
    memcpy(l->kept + l->kept_len, bytes, n);
    l->kept_len += n;
    l->kept[l->kept_len] = 0;
}

bool lines_next(struct lines *l, struct span *in, struct span *line)
{
    const char *end = memchr(in->p, '\n', in->n);
    size_t n = end != NULL ? (size_t)(end - in->p) : in->n;

    *line = (struct span){in->p, n};
    if (end == NULL || l->kept_len > 0) {
        keep(l, in->p, n);
        *line = (struct span){l->kept, l->kept_len};
    }
    in->p += n;
    in->n -= n;
    if (end == NULL)
        return false;
    in->p++;
    in->n--;
    l->kept_len = 0;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

void lines_take(struct lines *l, struct span in, on_line take, void *arg)
{
    struct span line;

    while (in.n > 0)
        if (lines_next(l, &in, &line))
            take(arg, line.p, line.n);
}

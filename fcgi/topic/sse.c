#include "topic/sse.h"

/* The length of the first line of s, without its end. */
static size_t line_length(struct slice s, bool has_cr)
{
    const uint8_t *lf = memchr(s.p, '\n', s.n);
    size_t n = lf ? (size_t)(lf - s.p) : s.n;
    const uint8_t *cr = has_cr && n > 0 ? memchr(s.p, '\r', n) : NULL;

    return cr ? (size_t)(cr - s.p) : n;
}

void sse_add_data(struct buf *out, struct slice value)
{
    bool has_cr = value.n > 0 && memchr(value.p, '\r', value.n) != NULL;

    for (;;) {
        size_t n = value.n ? line_length(value, has_cr) : 0;
        buf_add(out, "data: ", n > 0 && value.p[0] == ' ' ? 6 : 5);
        buf_add(out, value.p, n);
        buf_add_byte(out, '\n');
        if (n == value.n)
            return;
        size_t end = value.p[n] == '\r' && value.n > n + 1 && value.p[n + 1] == '\n' ? 2 : 1;
        value.p += n + end;
        value.n -= n + end;
    }
}

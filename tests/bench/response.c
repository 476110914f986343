#include "response.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *p;
    size_t n;
};

bool response_begun(const struct response *r)
{
    return r->part != RESPONSE_HEAD;
}

static void keep(struct response *r, const char *bytes, size_t n)
{
    size_t room = LINE_KEPT - r->kept_len;

    if (n > room)
        n = room;
    memcpy(r->kept + r->kept_len, bytes, n);
    r->kept_len += n;
    r->kept[r->kept_len] = 0;
}

/* Steps over one line, or over its first part, which is kept; false: the rest is still to come. */
static bool next_line(struct response *r, struct span *in, struct span *line)
{
    const char *end = memchr(in->p, '\n', in->n);
    size_t n = end != NULL ? (size_t)(end - in->p) : in->n;

    *line = (struct span){in->p, n};
    if (end == NULL || r->kept_len > 0) {
        keep(r, in->p, n);
        *line = (struct span){r->kept, r->kept_len};
    }
    in->p += n;
    in->n -= n;
    if (end == NULL)
        return false;
    in->p++;
    in->n--;
    r->kept_len = 0;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

static bool is_chunked(struct span line)
{
    static const char field[] = "transfer-encoding:";

    return line.n >= sizeof field - 1 && strncasecmp(line.p, field, sizeof field - 1) == 0 &&
           memmem(line.p, line.n, "chunked", 7) != NULL;
}

static bool take_head_line(struct response *r, struct span line)
{
    if (r->status == 0) {
        if (line.n < 12 || memcmp(line.p, "HTTP/1.1 ", 9) != 0)
            return false;
        r->status = atoi(line.p + 9);
        return r->status > 0;
    }
    if (line.n == 0)
        r->part = r->chunked ? RESPONSE_CHUNK_SIZE : RESPONSE_TO_THE_END;
    else if (is_chunked(line))
        r->chunked = true;
    return true;
}

/* The lines between chunks, byte by byte: they are short, and the line kept is the body's. */
static bool take_chunk_size(struct response *r, char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = memchr(digits, tolower((unsigned char)c), sizeof digits - 1);

    if (c == '\n') {
        r->part = r->chunk_left > 0 ? RESPONSE_CHUNK : RESPONSE_DONE;
    } else if (digit != NULL && r->chunk_left >> 60 == 0) {
        r->chunk_left = r->chunk_left << 4 | (uint64_t)(digit - digits);
    } else {
        return c == '\r';
    }
    return true;
}

static void take_body(struct response *r, struct span body, response_line on_line, void *arg)
{
    struct span line;

    while (body.n > 0)
        if (next_line(r, &body, &line))
            on_line(arg, line.p, line.n);
}

static void take_chunk(struct response *r, struct span *in, response_line on_line, void *arg)
{
    size_t n = in->n < r->chunk_left ? in->n : (size_t)r->chunk_left;

    take_body(r, (struct span){in->p, n}, on_line, arg);
    in->p += n;
    in->n -= n;
    r->chunk_left -= n;
    if (r->chunk_left == 0)
        r->part = RESPONSE_CHUNK_END;
}

bool response_take(struct response *r, const char *bytes, size_t n, response_line on_line,
                   void *arg)
{
    struct span in = {bytes, n}, line;
    bool fine = true;

    while (in.n > 0 && fine) {
        switch (r->part) {
        case RESPONSE_HEAD:
            fine = !next_line(r, &in, &line) || take_head_line(r, line);
            break;
        case RESPONSE_TO_THE_END:
            take_body(r, in, on_line, arg);
            in.n = 0;
            break;
        case RESPONSE_CHUNK_SIZE:
            fine = take_chunk_size(r, *in.p++);
            in.n--;
            break;
        case RESPONSE_CHUNK:
            take_chunk(r, &in, on_line, arg);
            break;
        case RESPONSE_CHUNK_END:
            if (*in.p++ == '\n')
                r->part = RESPONSE_CHUNK_SIZE;
            in.n--;
            break;
        case RESPONSE_DONE:
            return true; /* trailers, which nobody reads */
        }
    }
    return fine;
}

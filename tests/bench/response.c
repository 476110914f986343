#include "response.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool response_begun(const struct response *r)
{
    return r->part != RESPONSE_HEAD;
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

static void take_chunk(struct response *r, struct span *in, on_line take, void *arg)
{
    size_t n = in->n < r->chunk_left ? in->n : (size_t)r->chunk_left;

    lines_take(&r->lines, (struct span){in->p, n}, take, arg);
    in->p += n;
    in->n -= n;
    r->chunk_left -= n;
    if (r->chunk_left == 0)
        r->part = RESPONSE_CHUNK_END;
}

bool response_take(struct response *r, const char *bytes, size_t n, on_line take, void *arg)
{
    struct span in = {bytes, n}, line;
    bool fine = true;

    while (in.n > 0 && fine) {
        switch (r->part) {
        case RESPONSE_HEAD:
            fine = !lines_next(&r->lines, &in, &line) || take_head_line(r, line);
            break;
        case RESPONSE_TO_THE_END:
            lines_take(&r->lines, in, take, arg);
            in.n = 0;
            break;
        case RESPONSE_CHUNK_SIZE:
            fine = take_chunk_size(r, *in.p++);
            in.n--;
            break;
        case RESPONSE_CHUNK:
            take_chunk(r, &in, take, arg);
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

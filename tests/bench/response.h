/* response - an HTTP/1.1 response with an event stream in it, taken apart as it comes.
 *
 * Bytes in, lines of the body out: no socket, no clock.  A line is passed on where it lies; only of
 * one that is split over two pieces a beginning is kept, so thousands of responses stay small. */
#ifndef BENCH_RESPONSE_H
#define BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_KEPT = 128 };

struct response {
    int status; /* 0: its first line has not come yet */
    enum {
        RESPONSE_HEAD,
        RESPONSE_TO_THE_END, /* a body without chunks */
        RESPONSE_CHUNK_SIZE,
        RESPONSE_CHUNK,
        RESPONSE_CHUNK_END,
        RESPONSE_DONE, /* the last chunk was there */
    } part;
    bool chunked;
    uint64_t chunk_left;
    size_t kept_len;
    char kept[LINE_KEPT + 1];
};

/* A line of the body without its line end.  A character that is not part of it follows; of a line
 * that came in pieces there may be no more than the first LINE_KEPT bytes. */
typedef void (*response_line)(void *arg, const char *line, size_t n);

/* Takes what was read; false if it is not HTTP/1.1. */
bool response_take(struct response *r, const char *bytes, size_t n, response_line on_line,
                   void *arg);

/* Whether the head is complete. */
bool response_begun(const struct response *r);

#endif

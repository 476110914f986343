/* response - an HTTP/1.1 response with an event stream in it, taken apart as it comes.
 *
 * Bytes in, lines of the body out: no socket, no clock. */
#ifndef BENCH_RESPONSE_H
#define BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lines.h"

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
    struct lines lines; /* of the head, then of the body */
};

/* Takes what was read; false if it is not HTTP/1.1. */
bool response_take(struct response *r, const char *bytes, size_t n, on_line take, void *arg);

/* Whether the head is complete. */
bool response_begun(const struct response *r);

#endif

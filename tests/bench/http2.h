/* http2 - event streams over one HTTP/2 connection (nghttp2), with the windows that Chromium has.
 *
 * Bytes in, lines of the bodies out: no socket, no clock. */
#ifndef BENCH_HTTP2_H
#define BENCH_HTTP2_H

#include <stdint.h>
#include <sys/types.h>

#include "lines.h"

struct http2;

/* A stream: the caller's, until its end or that of the connection. */
struct http2_stream {
    void *arg;
    struct lines lines;
};

/* Called with the stream's arg. */
struct http2_handler {
    void (*on_status)(void *arg, int status);
    on_line on_line;
    void (*on_end)(void *arg);
};

struct http2 *http2_new(const struct http2_handler *handler); /* borrowed */
void http2_free(struct http2 *h);

/* Asks for an event stream; header: lines with their ends, as HTTP/1.1 has them. */
void http2_ask(struct http2 *h, const char *host, const char *path, const char *header,
               struct http2_stream *stream);

/* Takes what was read; false if the connection is over. */
bool http2_take(struct http2 *h, const char *bytes, size_t n);
/* What is to be written next, valid until the next call; 0: nothing. */
size_t http2_give(struct http2 *h, const char **bytes);

#endif

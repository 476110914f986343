/* sink - where a stream's bytes go: the descriptor of a FastCGI request.  It never blocks.
 *
 * What a reader gives goes straight to the socket and stays the reader's until it was sent.  What a
 * stream has to say besides (the head, comments, the end) is the sink's own: it is kept here until
 * it is sent.  Whoever owns both takes care that own bytes never go out amid an event. */
#ifndef SKF_STREAM_SINK_H
#define SKF_STREAM_SINK_H

#include <sys/uio.h>

#include "base/fcgi_record.h"

struct sink_own; /* bytes in one piece, for most sinks have none most of the time */

struct sink {
    int fd; /* -1: closed */
    struct fcgi_input input;
    struct sink_own *own; /* not sent yet; NULL: all was */
};

enum sink_result {
    SINK_DONE, /* all was sent */
    SINK_FULL, /* the socket takes no more now */
    SINK_GONE, /* the front has closed */
};

/* fd is taken over. */
void sink_init(struct sink *s, int fd);

/* How many bytes went, 0 if the socket takes none now; -1: the front has gone. */
ssize_t sink_write(struct sink *s, struct iovec *iov, int n);

/* Adds whole records made with id 1 to the sink's own bytes (copied), with its request's id. */
void sink_put(struct sink *s, uint16_t request_id, struct slice records);
/* There are some that were not sent. */
static inline bool sink_has_own(const struct sink *s)
{
    return s->own != NULL;
}
/* `bytes`: what was sent is added to it. */
enum sink_result sink_flush(struct sink *s, uint64_t *bytes);

/* What has arrived from the front; true if it ends the request or has gone. */
bool sink_input_ends(struct sink *s);

/* Best effort: what is its own and END_REQUEST, unless `amid` an event or behind that; then closes
 * the descriptor. */
void sink_close(struct sink *s, uint16_t request_id, bool amid, uint64_t *bytes);

#endif

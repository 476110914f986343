/* answer - what a response begins with: status, header lines, and short whole answers. */
#ifndef SKF_FRONT_ANSWER_H
#define SKF_FRONT_ANSWER_H

#include "base/buf.h"
#include "front/refusal.h"

/* A short answer in the making.  Lines of `headers` end with CRLF. */
struct answer {
    int status;
    const char *reason; /* of a refusal, as are the details: a code; NULL: none */
    const char *detail; /* one of a fixed list, never from the request */
    struct buf headers;
};

struct answer answer_refusing(enum refusal why);

/* Appends the head (RFC 3875, section 6) and, for a refusal, a small problem document (RFC 9457),
 * whose bytes a HEAD request does not get. */
void answer_add_text(struct buf *out, const struct answer *answer, bool with_body);
/* The same as STDOUT of request `id`, and the end of the request. */
void answer_add(struct buf *out, uint16_t id, const struct answer *answer, bool with_body);

/* Appends "Status: ..." and the header lines of a stream of that type, its end included. */
#define ANSWER_EVENT_STREAM "text/event-stream;charset=utf-8"
#define ANSWER_NDJSON "application/x-ndjson"
void answer_add_stream_head(struct buf *out, const char *type, struct slice headers);

#endif

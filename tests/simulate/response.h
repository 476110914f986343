/* response - one as a strict client reads it: FastCGI records, the head, the event stream.
 * Anything that is not as it must be, byte for byte, is a breach. */
#ifndef SKF_SIMULATE_RESPONSE_H
#define SKF_SIMULATE_RESPONSE_H

#include "base/buf.h"

/* p NULL: there was no such line.  An id alone is no event to a browser, which only keeps it. */
struct sse_event {
    struct slice id, type, data; /* several lines of data are joined */
};

struct response_handler {
    void *arg;
    void (*on_event)(void *arg, const struct sse_event *event);
    void (*on_retry)(void *arg, int64_t ms);
};

struct response {
    struct response_handler handler;
    int form; /* of its events: enum form */
    uint16_t request_id;
    struct buf records, text; /* what is not whole yet */
    size_t searched;          /* so much of the text has no end of a line */
    int status;               /* 0: the head has not come */
    bool is_stream;           /* by its content type; or a document */
    struct buf etag;          /* of a document: as it came; empty: none */
    bool has_begun;           /* of lines: the empty one that is the first has come */
    bool ended;
    struct buf id, type, data; /* of the event that is under way */
    bool has_id, has_type, has_data, has_retry, has_comment;
};

void response_init(struct response *r, uint16_t request_id, const struct response_handler *handler);
size_t response_heap_bytes(const struct response *r);
void response_fini(struct response *r);
void response_take(struct response *r, struct slice bytes);
/* A document has come to its last bracket, and is the text. */
bool response_is_document(const struct response *r);
/* An event, or a record, is half there. */
bool response_is_amid(const struct response *r);

#endif

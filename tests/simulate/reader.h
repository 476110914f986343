/* reader - a response as a strict client reads it: FastCGI records, the head, the event stream.
 * Anything that is not as it must be, byte for byte, is a breach. */
#ifndef SKF_SIMULATE_READER_H
#define SKF_SIMULATE_READER_H

#include "base/buf.h"

/* p NULL: there was no such line. */
struct sse_event {
    struct slice id, type, data; /* several lines of data are joined */
};

struct reader_handler {
    void *arg;
    void (*on_event)(void *arg, const struct sse_event *event);
    void (*on_retry)(void *arg, int64_t ms);
};

struct reader {
    struct reader_handler handler;
    uint16_t request_id;
    struct buf records, text; /* what is not whole yet */
    size_t searched;          /* so much of the text has no end of a line */
    int status;               /* 0: the head has not come */
    bool is_stream;           /* by its content type */
    bool ended;
    struct buf id, type, data; /* of the event that is under way */
    bool has_id, has_type, has_data, has_retry, has_comment;
};

void reader_init(struct reader *r, uint16_t request_id, const struct reader_handler *handler);
size_t reader_heap_bytes(const struct reader *r);
void reader_fini(struct reader *r);
void reader_take(struct reader *r, struct slice bytes);
/* An event, or a record, is half there. */
bool reader_is_amid(const struct reader *r);

#endif

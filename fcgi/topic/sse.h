/* sse - lines of an event stream (WHATWG HTML, 9.2.5): LF only, no space after the colon. */
#ifndef SKF_TOPIC_SSE_H
#define SKF_TOPIC_SSE_H

#include "base/buf.h"

/* A `data:` line for each line of the value; LF, CRLF and a lone CR all end one, so that no record
 * can bring a field of its own.  A line that starts with a space gets one more, which the client
 * takes away again. */
void sse_add_data(struct buf *out, struct slice value);

/* The line "retry:<ms>", ms times 0.5 to 1.5: clients that were cut off together do not come back
 * together.  It needs no blank line, of which half of the clients make an empty event. */
void sse_add_retry(struct buf *out, int64_t ms);

#endif

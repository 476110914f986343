/* fuzz - what the targets share: input taken apart, event streams read back.
 *
 * A target gets any bytes at all and asserts what holds for all of them: more than that nothing
 * crashes.  It must not depend on what it was called with before. */
#ifndef SKF_FUZZ_FUZZ_H
#define SKF_FUZZ_FUZZ_H

#include <assert.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Takes the first byte away; 0 if there is none. */
uint8_t take_byte(struct slice *in);
/* Takes what stands before the first `end`, or all, and that byte away. */
struct slice take_until(struct slice *in, uint8_t end);
/* The same as a string (the caller's), which ends at the first NUL. */
char *take_string(struct slice *in, uint8_t end);

/* An event as a browser sees it (WHATWG HTML, 9.2.6), and how many fields of each name made it. */
struct sse_event {
    struct buf type, data, id; /* data: its lines, LF between them */
    int ids, types, datas, retries, comments, others;
};
/* Reads the first event or block of comments and takes it away, with its blank line; false, and
 * nothing taken, if there is no whole one. */
bool sse_read(struct slice *stream, struct sse_event *out);
void sse_event_fini(struct sse_event *event);

#endif

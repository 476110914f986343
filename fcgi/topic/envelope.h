/* envelope - a record as a JSON object, with all that is said of it:
 *
 *     {"topic":"orders","partition":0,"offset":41,"timestamp":1764400000000,"key":"k",
 *      "headers":{"region":["eu"]},"value":{"total":12.50}}
 *
 * in one line.  Bytes that are no UTF-8 are base64 (RFC 4648, 4): "keyBase64" in place of "key",
 * and {"base64":...} as the value of a header, which may also be null.  Of the value there is
 * "value" if it is JSON (topic/minify.h), else "text", else "base64"; a delete has "deleted":true
 * in its place. */
#ifndef SKF_TOPIC_ENVELOPE_H
#define SKF_TOPIC_ENVELOPE_H

#include "base/buf.h"
#include "base/record.h"

/* What all records of a topic have in common; borrowed.  The names of its headers that are kept
 * are in the order of their numbers (base/headers.h). */
struct envelope {
    const char *topic;
    const char *const *headers;
    size_t header_count;
};

/* Appends the object; and its members without the braces, for one that begins with others. */
void envelope_add(struct buf *out, const struct envelope *e, const struct record *r);
void envelope_add_members(struct buf *out, const struct envelope *e, const struct record *r);

#endif

/* minify - JSON (RFC 8259) as it was written, but for the blanks between.
 *
 * Strict, for what passes becomes a part of JSON of ours: one value, strings of UTF-8, nothing
 * before or behind but blanks. */
#ifndef SKF_TOPIC_MINIFY_H
#define SKF_TOPIC_MINIFY_H

#include "base/buf.h"

/* What is larger, or nested deeper, is not looked at as JSON. */
enum { MINIFY_BYTES_MAX = 1024 * 1024, MINIFY_DEPTH_MAX = 64 };

/* Appends the JSON; false, and `out` as it was, if the text is none. */
bool minify_add(struct buf *out, struct slice text);

#endif

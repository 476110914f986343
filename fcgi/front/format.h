/* format - in which form a request wants what it asks for: an event stream, lines of JSON, or one
 * JSON document.  Pure. */
#ifndef SKF_FRONT_FORMAT_H
#define SKF_FRONT_FORMAT_H

#include "base/slice.h"

enum format { FORMAT_SSE, FORMAT_NDJSON, FORMAT_JSON };

/* The decoded value of `?format=`.  False, and *format untouched: it is none. */
bool format_parse(struct slice value, enum format *format);

/* By an Accept header (RFC 9110, 12.5.1; NULL: not sent).  `text/event-stream` anywhere in it wins,
 * as EventSource sends it; else the first of ours that is named.  What is named with a quality of 0
 * counts as not named; ranges (`*`) choose nothing.  Without any of ours: an event stream. */
enum format format_accepted(const char *accept);

#endif

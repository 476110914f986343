/* quote - a text as a JSON string (RFC 8259, 7). */
#ifndef SKF_BASE_QUOTE_H
#define SKF_BASE_QUOTE_H

#include "base/buf.h"

/* Appends UTF-8 between quotation marks; only what JSON does not allow there is escaped. */
void quote_add(struct buf *out, struct slice text);

#endif

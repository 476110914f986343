/* percent - percent-decoding (RFC 3986, 2.1): bytes in, bytes out. */
#ifndef SKF_BASE_PERCENT_H
#define SKF_BASE_PERCENT_H

#include "base/buf.h"

/* Appends the percent-decoded bytes, decoded once; false, and out as it was, if a `%` is not
 * followed by two hexadecimal digits. */
bool percent_decode(struct buf *out, struct slice encoded);

#endif

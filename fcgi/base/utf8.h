/* utf8 - is it UTF-8 (RFC 3629)?  No surrogates, nothing beyond U+10FFFF, no form that is too long.
 */
#ifndef SKF_BASE_UTF8_H
#define SKF_BASE_UTF8_H

#include "base/slice.h"

/* How many of the bytes (one at least) are the first character; 0: they begin with none. */
size_t utf8_first(const uint8_t *p, size_t n);

bool utf8_valid(struct slice text);

#endif

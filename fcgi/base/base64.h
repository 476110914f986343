/* base64 - base64url with padding (RFC 4648, section 5), both ways; base64 (section 4), one way. */
#ifndef SKF_BASE_BASE64_H
#define SKF_BASE_BASE64_H

#include "base/buf.h"

/* Appends the encoding of `in` to out. */
void base64url_add(struct buf *out, struct slice in);
void base64_add(struct buf *out, struct slice in);

/* Appends the bytes that `in` stands for; false, and out as it was, if it is not base64url.
 * Missing padding is accepted, unused bits must be 0. */
bool base64url_decode(struct buf *out, struct slice in);

static inline size_t base64url_length(size_t n)
{
    return (n + 2) / 3 * 4;
}

#endif

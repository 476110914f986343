#include "base/headers.h"

/* A byte for the name; the length and 1, seven bits to a byte, the lowest first (0: null); the
 * value. */
void headers_add(struct buf *packed, unsigned name, struct slice value)
{
    size_t n = value.p ? value.n + 1 : 0;

    buf_add_byte(packed, (uint8_t)name);
    for (; n >= 0x80; n >>= 7)
        buf_add_byte(packed, (uint8_t)(n | 0x80));
    buf_add_byte(packed, (uint8_t)n);
    buf_add_slice(packed, value);
}

bool headers_next(struct slice *packed, unsigned *name, struct slice *value)
{
    const uint8_t *at = packed->p;
    size_t n = 0;

    if (packed->n == 0)
        return false;
    *name = *at++;
    for (unsigned shift = 0;; shift += 7) {
        n |= (size_t)(*at & 0x7f) << shift;
        if (*at++ < 0x80)
            break;
    }
    *value = n > 0 ? slice_of(at, n - 1) : slice_of(NULL, 0);
    at += value->n;
    *packed = slice_of(at, packed->n - (size_t)(at - packed->p));
    return true;
}

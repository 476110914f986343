#include "base/percent.h"

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct buf *out, struct slice encoded)
{
    size_t before = out->n;

    for (size_t i = 0; i < encoded.n; i++) {
        if (encoded.p[i] != '%') {
            buf_add_byte(out, encoded.p[i]);
            continue;
        }
        int high = encoded.n - i > 2 ? hex(encoded.p[i + 1]) : -1;
        int low = high >= 0 ? hex(encoded.p[i + 2]) : -1;
        if (low < 0) {
            out->n = before;
            return false;
        }
        buf_add_byte(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return true;
}

#include "topic/sse.h"

#include <stdlib.h>

/* Where the byte is next, from `at` on; `end` if nowhere.  `known` is the answer of before, which
 * holds until it is passed: each byte is looked at once, whatever ends the lines. */
static const uint8_t *next(const uint8_t *at, const uint8_t *end, int byte, const uint8_t *known)
{
    if (known >= at)
        return known;
    const uint8_t *found = memchr(at, byte, (size_t)(end - at));
    return found ? found : end;
}

void sse_add_data(struct buf *out, struct slice value)
{
    static const uint8_t nothing[1];
    const uint8_t *at = value.n ? value.p : nothing, *end = at + value.n;
    const uint8_t *lf = NULL, *cr = NULL;

    for (;;) {
        lf = next(at, end, '\n', lf);
        cr = next(at, end, '\r', cr);
        const uint8_t *stop = cr < lf ? cr : lf;
        buf_add(out, "data: ", at < stop && *at == ' ' ? 6 : 5);
        buf_add(out, at, (size_t)(stop - at));
        buf_add_byte(out, '\n');
        if (stop == end)
            return;
        at = stop + (stop == cr && stop + 1 == lf && lf < end ? 2 : 1);
    }
}

void sse_add_retry(struct buf *out, int64_t ms)
{
    buf_printf(out, "retry:%lld\n", (long long)(ms / 2 + arc4random_uniform((uint32_t)ms + 1)));
}

#include "base/utf8.h"

static bool follows(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_first(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < 2 || !follows(p[1]))
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if (n < 3 || !follows(p[2]) || (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
        return 0;
    if (p[0] < 0xf0)
        return 3;
    if (n < 4 || !follows(p[3]) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

bool utf8_valid(struct slice text)
{
    for (size_t i = 0, n; i < text.n; i += n) {
        n = utf8_first(text.p + i, text.n - i);
        if (n == 0)
            return false;
    }
    return true;
}

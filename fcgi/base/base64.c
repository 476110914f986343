#include "base/base64.h"

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void add(struct buf *out, struct slice in, const char *alphabet)
{
    uint8_t *to = buf_reserve(out, base64url_length(in.n));
    size_t i = 0;

    out->n += base64url_length(in.n);
    for (; in.n - i >= 3; i += 3) {
        uint32_t v = (uint32_t)in.p[i] << 16 | (uint32_t)in.p[i + 1] << 8 | in.p[i + 2];
        *to++ = (uint8_t)alphabet[v >> 18];
        *to++ = (uint8_t)alphabet[v >> 12 & 63];
        *to++ = (uint8_t)alphabet[v >> 6 & 63];
        *to++ = (uint8_t)alphabet[v & 63];
    }
    if (i == in.n)
        return;
    bool two = in.n - i == 2;
    uint32_t v = (uint32_t)in.p[i] << 16 | (two ? (uint32_t)in.p[i + 1] << 8 : 0);
    *to++ = (uint8_t)alphabet[v >> 18];
    *to++ = (uint8_t)alphabet[v >> 12 & 63];
    *to++ = two ? (uint8_t)alphabet[v >> 6 & 63] : '=';
    *to++ = '=';
}

void base64url_add(struct buf *out, struct slice in)
{
    add(out, in, LETTERS_AND_DIGITS "-_");
}

void base64_add(struct buf *out, struct slice in)
{
    add(out, in, LETTERS_AND_DIGITS "+/");
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct buf *out, struct slice in)
{
    size_t before = out->n;
    uint32_t bits = 0;
    int held = 0;

    if (in.n % 4 == 0 && in.n > 0 && in.p[in.n - 1] == '=')
        in.n -= in.p[in.n - 2] == '=' ? 2 : 1;
    if (in.n % 4 == 1)
        return false;
    for (size_t i = 0; i < in.n; i++) {
        int v = value_of(in.p[i]);
        if (v < 0) {
            out->n = before;
            return false;
        }
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_add_byte(out, (uint8_t)(bits >> held));
            bits &= (1u << held) - 1;
        }
    }
    if (bits != 0) {
        out->n = before;
        return false;
    }
    return true;
}

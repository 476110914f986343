#include "base/quote.h"

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void add_escape(struct buf *out, uint8_t c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *at = named; *at != 0; at += 2)
        if ((uint8_t)*at == c) {
            buf_add_byte(out, '\\');
            buf_add_byte(out, (uint8_t)at[1]);
            return;
        }
    buf_printf(out, "\\u%04x", c);
}

void quote_add(struct buf *out, struct slice text)
{
    size_t run;

    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.n; i = run + 1) {
        for (run = i; run < text.n && is_plain(text.p[run]); run++)
            ;
        buf_add(out, text.p + i, run - i);
        if (run < text.n)
            add_escape(out, text.p[run]);
    }
    buf_add_byte(out, '"');
}

/* buf - bytes that grow at their end.  The struct belongs to the caller; `{0}` is an empty one. */
#ifndef SKF_BASE_BUF_H
#define SKF_BASE_BUF_H

#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n;
    size_t cap;
};

/* Not for others: has it room for n more, or for any. */
void buf_grow(struct buf *b, size_t n);

/* Room for n more bytes at p + n; whoever fills them raises n. */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->p == NULL || b->cap - b->n < n)
        buf_grow(b, n);
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n); /* copied */
void buf_add_slice(struct buf *b, struct slice s);

static inline void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_add_byte(struct buf *b, uint8_t c)
{
    *buf_reserve(b, 1) = c;
    b->n++;
}

void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p, b->n);
}

/* Gives the memory back; the buf is empty and can be used again. */
void buf_fini(struct buf *b);

#endif

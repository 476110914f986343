/* slice - bytes that belong to somebody else.  `p` is NULL when there are none at all, which is
 * not the same as an empty slice: Kafka tells an absent key or value from an empty one. */
#ifndef SKF_BASE_SLICE_H
#define SKF_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, const char *start)
{
    size_t n = strlen(start);

    return s.n >= n && memcmp(s.p, start, n) == 0;
}

static inline bool slice_ends(struct slice s, const char *end)
{
    size_t n = strlen(end);

    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

/* Byte by byte, the shorter one first: below, at or above 0 as memcmp() has it. */
static inline int slice_order(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

#endif

/* lines - the lines of a text that comes in pieces.
 *
 * A line is passed on where it lies; only of one that is split over two pieces a beginning is kept,
 * so thousands of texts stay small. */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_KEPT = 128 };

struct lines {
    size_t kept_len;
    char kept[LINE_KEPT + 1];
};

struct span {
    const char *p;
    size_t n;
};

/* A line without its line end.  A character that is not part of it follows; of a line that came in
 * pieces there may be no more than the first LINE_KEPT bytes. */
typedef void (*on_line)(void *arg, const char *line, size_t n);

/* Steps over one line, or over its first part, which is kept; false: the rest is still to come. */
bool lines_next(struct lines *l, struct span *in, struct span *line);

/* Passes on all lines that are complete. */
void lines_take(struct lines *l, struct span in, on_line take, void *arg);

#endif

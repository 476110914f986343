/* line_inside - a connection as the program has it, by a descriptor of sockets.c. */
#ifndef SKF_SIMULATE_LINE_INSIDE_H
#define SKF_SIMULATE_LINE_INSIDE_H

#include <sys/uio.h>

#include "line.h"

/* The program has accepted it, and has this descriptor of it. */
void line_accept(struct line *line, int fd);
/* LOOP_READ and LOOP_WRITE, as poll() would say. */
int line_ready(const struct line *line);
/* As sendmsg() and recv() do. */
ssize_t line_put(struct line *line, const struct iovec *iov, size_t n);
ssize_t line_take(struct line *line, void *to, size_t n);
/* The program sends nothing more; what it sends is lost; it has closed its descriptor. */
void line_end(struct line *line);
void line_cut(struct line *line);
void line_hang_up(struct line *line);
size_t line_heap_bytes(const struct line *line);

#endif

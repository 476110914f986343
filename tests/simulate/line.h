/* line - a connection as a client has it: it is told by on_bytes(arg) when there is something to
 * read, or the end. */
#ifndef SKF_SIMULATE_LINE_H
#define SKF_SIMULATE_LINE_H

#include "base/buf.h"

struct line;

/* NULL: nobody listens there (-1).  `room`: how many unread bytes it holds. */
struct line *line_connect(int listen_fd, size_t room, void (*on_bytes)(void *arg), void *arg);
void line_write(struct line *line, struct slice bytes);
/* Takes up to n bytes; returns how many. */
size_t line_read(struct line *line, struct buf *to, size_t n);
size_t line_waiting(const struct line *line);
/* The program has closed its side, and all was read. */
bool line_ended(const struct line *line);
void line_close(struct line *line);

#endif

/* sockets - the descriptors of the program, in memory: stream sockets, a listening one, eventfds.
 *
 * A send takes as many bytes as dice throw, up to what there is room for.  The functions that the
 * program calls (recv(), sendmsg(), accept4(), ...) come here; descriptors that are not ours go on
 * to the system. */
#ifndef SKF_SIMULATE_SOCKETS_H
#define SKF_SIMULATE_SOCKETS_H

#include "base/buf.h"

struct loop;
struct watch;

/* What poll() would say of that descriptor: LOOP_READ and LOOP_WRITE of `what`. */
int socket_ready(int fd, int what);
/* A loop has begun to watch it: tell it of changes. */
void socket_watched(int fd, struct loop *loop, struct watch *watch);
/* Nobody watches it any more; it may be closed by now. */
void socket_unwatched(int fd, const struct watch *watch);

/* A listening socket. */
int socket_listen(void);
/* The process that has these descriptors was killed: nothing it sends from now on arrives. */
void socket_cut_all(const struct loop *loop);
/* No descriptors are left for accept4(). */
void socket_exhaust(int listen_fd, bool exhausted);

/* The other side of a connection, as a client has it; it is told by on_bytes(arg) when there is
 * something to read, or the end. */
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

/* Bytes of memory that hold what is under way. */
size_t sockets_heap_bytes(void);
/* All descriptors must be closed. */
void sockets_end(void);

#endif

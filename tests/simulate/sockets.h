/* sockets - the descriptors of the program, in memory: stream sockets, a listening one, eventfds.
 *
 * A send takes as many bytes as dice throw, up to what there is room for.  The functions that the
 * program calls (recv(), sendmsg(), accept4(), ...) come here; descriptors that are not ours go on
 * to the system. */
#ifndef SKF_SIMULATE_SOCKETS_H
#define SKF_SIMULATE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

struct line;
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

/* A client's line to a listening socket: it waits to be accepted.  False: nobody listens there
 * (-1).
 */
bool socket_connect(int listen_fd, struct line *line);
/* Something has come for it, or there is room: what waits for that is looked at.  -1: nothing does.
 */
void socket_touch(int fd);

/* Bytes of memory that hold what is under way. */
size_t sockets_heap_bytes(void);
/* All descriptors must be closed. */
void sockets_end(void);

#endif

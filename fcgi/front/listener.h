/* listener - the socket that the front connects to. */
#ifndef SKF_FRONT_LISTENER_H
#define SKF_FRONT_LISTENER_H

#include <stddef.h>

/* Descriptor 0 if it is a listening socket, as the front, spawn-fcgi or systemd hands it down.
 * -ENOTSOCK otherwise. */
int listener_inherited(void);

/* Listens at a path or at HOST:PORT, which must be of this machine alone: whoever reaches a FastCGI
 * port can say anything.  A dead socket at the path is replaced, a living one not.  The descriptor,
 * or a negative errno and `error` filled in. */
int listener_open(const char *where, char *error, size_t size);

/* A name for who listens there, which a restart does not change: of a path the last part without
 * `.sock`, of a port the address.  What is no letter, digit or one of `.:-@` is `_`. */
enum { LISTENER_NAME = 108 };
void listener_name(int fd, char name[LISTENER_NAME]);

/* Closes either; `where` as it was opened with, NULL if inherited.  A socket's path is removed. */
void listener_close(int fd, const char *where);

#endif

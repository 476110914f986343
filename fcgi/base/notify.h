/* notify - tells the service manager how this process is: sd_notify(3), "Notes", the protocol of
 * systemd's $NOTIFY_SOCKET, one datagram a message. */
#ifndef SKF_BASE_NOTIFY_H
#define SKF_BASE_NOTIFY_H

#include <stdint.h>

struct notify;

/* By the environment, whose variables are taken out of it: what this process starts has no say.
 * NULL if no service manager wants to know. */
struct notify *notify_new(void);
void notify_free(struct notify *n);

/* Lines of VARIABLE=value, as in sd_notify(3).  Never waits: a message for which the socket has no
 * room is lost. */
void notify_send(const struct notify *n, const char *message);

/* The time within which it wants to see a WATCHDOG=1 each time, in milliseconds; 0: never. */
int64_t notify_watchdog_ms(const struct notify *n);

#endif

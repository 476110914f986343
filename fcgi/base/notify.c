#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct notify {
    int fd;
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ms;
};

/* A path, or a name in the abstract namespace, which begins with '@'. */
static bool notify_address(const char *text, struct notify *n)
{
    size_t len = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || len >= sizeof n->to.sun_path)
        return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@')
        n->to.sun_path[0] = 0;
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static int64_t read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == 0 ? value : 0;
}

/* sd_watchdog_enabled(3): $WATCHDOG_PID says whom it is meant for, if it is there. */
static int64_t read_watchdog_ms(void)
{
    if (getenv("WATCHDOG_PID") != NULL && read_number("WATCHDOG_PID") != getpid())
        return 0;
    return read_number("WATCHDOG_USEC") / 1000;
}

static void forget_environment(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

struct notify *notify_new(void)
{
    const char *socket_name = getenv("NOTIFY_SOCKET");
    struct notify *n = mem_zero(sizeof *n);

    n->fd = -1;
    n->watchdog_ms = read_watchdog_ms();
    if (socket_name == NULL)
        goto none;
    if (!notify_address(socket_name, n)) {
        log_warn("notify: NOTIFY_SOCKET is no address of a Unix socket: %s", socket_name);
        goto none;
    }
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd < 0) {
        log_warn("notify: the service manager cannot be told anything: %s", strerror(errno));
        goto none;
    }
    forget_environment();
    return n;
none:
    forget_environment();
    notify_free(n);
    return NULL;
}

void notify_free(struct notify *n)
{
    if (n == NULL)
        return;
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}

void notify_send(const struct notify *n, const char *message)
{
    sendto(n->fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
           n->to_len);
}

int64_t notify_watchdog_ms(const struct notify *n)
{
    return n->watchdog_ms;
}

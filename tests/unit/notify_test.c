#include "base/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "logged.h"
#include "support.h"

static char directory[] = "/tmp/notify_test.XXXXXX";
static char path[64];
static int manager; /* the service manager's end */

static int listen_at(const char *name, size_t len)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(at.sun_path, name, len);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/notify", directory);
    manager = listen_at(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_release();
    close(manager);
    unlink(path);
    return rmdir(directory);
}

static void check_next(const char *expected)
{
    char got[128] = "";

    ssize_t n = recv(manager, got, sizeof got - 1, 0);
    if (expected == NULL) {
        assert_int_equal(n, -1);
        return;
    }
    assert_string_equal(got, expected);
}

static void each_message_is_a_datagram(void **state)
{
    (void)state;
    struct notify *n = notify_new();
    notify_send(n, "READY=1\nSTATUS=all is well");
    notify_send(n, "WATCHDOG=1");
    notify_free(n);
    check_next("READY=1\nSTATUS=all is well");
    check_next("WATCHDOG=1");
    check_next(NULL);
}

static void a_name_that_begins_with_an_at_is_abstract(void **state)
{
    char name[64];

    (void)state;
    size_t len = (size_t)snprintf(name, sizeof name, "@%s", directory);
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = 0;
    close(manager);
    manager = listen_at(name, len);
    struct notify *n = notify_new();
    notify_send(n, "READY=1");
    notify_free(n);
    check_next("READY=1");
}

static void without_a_service_manager_there_is_nobody_to_tell(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_null(notify_new());
    assert_int_equal(logged(""), 0);
}

static void an_address_that_is_none_is_told_and_left(void **state)
{
    char longest[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    const char *wrong[] = {"", "notify", "vsock:2:1", longest};

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        assert_null(notify_new());
        assert_int_equal(logged("warn: notify: NOTIFY_SOCKET is no address of a Unix socket"),
                         i + 1);
    }
}

static void the_environment_forgets_it(void **state)
{
    (void)state;
    setenv("WATCHDOG_USEC", "1000000", 1);
    struct notify *n = notify_new();
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    notify_free(n);
}

static int64_t watchdog_of(const char *usec, const char *pid)
{
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid != NULL)
        setenv("WATCHDOG_PID", pid, 1);
    struct notify *n = notify_new();
    int64_t ms = notify_watchdog_ms(n);
    notify_free(n);
    return ms;
}

static void the_watchdog_is_for_the_process_that_it_names(void **state)
{
    char own[16];

    (void)state;
    snprintf(own, sizeof own, "%d", (int)getpid());
    assert_int_equal(watchdog_of("30000000", NULL), 30000);
    assert_int_equal(watchdog_of("30000000", own), 30000);
    assert_int_equal(watchdog_of("30000000", "1"), 0);
    assert_int_equal(watchdog_of("soon", NULL), 0);
    assert_int_equal(watchdog_of("-5", NULL), 0);
}

/* A manager that hangs must not stop the loop. */
static void a_full_socket_stops_nobody(void **state)
{
    (void)state;
    struct notify *n = notify_new();
    for (int i = 0; i < 100000; i++)
        notify_send(n, "WATCHDOG=1");
    close(manager);
    notify_send(n, "WATCHDOG=1");
    notify_free(n);
    manager = dup(0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_message_is_a_datagram),
        T(a_name_that_begins_with_an_at_is_abstract),
        T(without_a_service_manager_there_is_nobody_to_tell),
        T(an_address_that_is_none_is_told_and_left),
        T(the_environment_forgets_it),
        T(the_watchdog_is_for_the_process_that_it_names),
        T(a_full_socket_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

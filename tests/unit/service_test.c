#include "service.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_loop.h"
#include "support.h"

static const char name[] = "@sse-kafka-fanout/service_test";
static int manager; /* the service manager's end */
static struct loop *loop;
static struct service *service;
static const char *lacks; /* NULL: nothing */
static bool reloading;
static char heard[4096]; /* since the last listen(), a message a line, but for the watchdog's */
static int beats;

static bool is_ready(void *arg, struct buf *status)
{
    (void)arg;
    buf_add_str(status, lacks != NULL ? lacks : "topic events");
    return lacks == NULL;
}

static bool is_reloading(void *arg)
{
    (void)arg;
    return reloading;
}

static void start(const char *watchdog_usec)
{
    struct service_config config = {.is_ready = is_ready, .is_reloading = is_reloading};

    setenv("NOTIFY_SOCKET", name, 1);
    if (watchdog_usec != NULL)
        setenv("WATCHDOG_USEC", watchdog_usec, 1);
    service = service_new(loop, &config);
}

static int setup(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(manager, (struct sockaddr *)&at, size) != 0)
        return -1;
    loop = loop_new();
    lacks = NULL;
    reloading = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    service_free(service);
    service = NULL;
    loop_free(loop);
    close(manager);
    return 0;
}

static const char *listen_now(void)
{
    char message[256];
    ssize_t n;

    heard[0] = 0;
    beats = 0;
    while ((n = recv(manager, message, sizeof message - 1, 0)) >= 0) {
        message[n] = 0;
        if (strcmp(message, "WATCHDOG=1") == 0) {
            beats++;
            continue;
        }
        strcat(heard, message);
        strcat(heard, "\n");
    }
    return heard;
}

static const char *after(int64_t ms)
{
    fake_loop_pass(ms);
    return listen_now();
}

static void it_is_ready_as_soon_as_nothing_is_lacking(void **state)
{
    (void)state;
    lacks = "catching_up";
    start(NULL);
    assert_string_equal(after(0), "STATUS=catching_up\n");
    assert_string_equal(after(7000), "");
    lacks = NULL;
    assert_string_equal(after(100), "STATUS=topic events\nREADY=1\n");
    assert_string_equal(after(60000), "");
}

static void who_cannot_be_ready_keeps_others_waiting_for_20_seconds(void **state)
{
    (void)state;
    lacks = "kafka_away";
    start(NULL);
    assert_string_equal(after(SERVICE_READY_MS - 100), "STATUS=kafka_away\n");
    assert_string_equal(after(100), "READY=1\n");
    lacks = NULL;
    assert_string_equal(after(1000), "STATUS=topic events\n");
}

static void what_it_lacks_later_is_told_and_takes_back_nothing(void **state)
{
    (void)state;
    start(NULL);
    after(0);
    lacks = "topic_missing";
    assert_string_equal(after(1000), "STATUS=topic_missing\n");
}

static void a_reload_ends_when_the_keys_have_been_read(void **state)
{
    (void)state;
    start(NULL);
    after(0);
    reloading = true;
    service_reload(service);
    assert_non_null(strstr(after(3000), "RELOADING=1\nMONOTONIC_USEC="));
    assert_null(strstr(heard, "READY=1"));
    reloading = false;
    assert_string_equal(after(100), "READY=1\n");
}

/* READY=1 would be said by the reload's end, when nothing has been read yet. */
static void a_reload_before_it_is_ready_is_part_of_the_start(void **state)
{
    (void)state;
    lacks = "catching_up";
    start(NULL);
    service_reload(service);
    assert_string_equal(after(1000), "STATUS=catching_up\n");
}

static void a_stop_is_told_once_and_nothing_is_ready_after_it(void **state)
{
    (void)state;
    lacks = "catching_up";
    start(NULL);
    after(0);
    service_stop(service);
    service_stop(service);
    service_reload(service);
    lacks = NULL;
    assert_string_equal(after(30000), "STOPPING=1\nSTATUS=topic events\n");
}

static int beats_in(const char *watchdog_usec, int64_t ms)
{
    start(watchdog_usec);
    fake_loop_pass(1000);
    listen_now();
    fake_loop_pass(ms);
    listen_now();
    return beats;
}

static void the_watchdog_sees_each_second_that_the_loop_turns(void **state)
{
    (void)state;
    assert_int_equal(beats_in("30000000", 5000), 5);
    fake_loop_stop(60000);
    listen_now();
    assert_int_equal(beats, 0);
}

static void a_short_watchdog_is_told_twice_as_often_as_it_wants(void **state)
{
    (void)state;
    assert_int_equal(beats_in("500000", 2000), 8);
}

static void the_watchdog_sees_it_while_it_stops(void **state)
{
    (void)state;
    start("30000000");
    service_stop(service);
    fake_loop_pass(10000);
    listen_now();
    assert_true(beats >= 9);
}

static void without_a_service_manager_nothing_is_told(void **state)
{
    struct service_config config = {.is_ready = is_ready, .is_reloading = is_reloading};

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    service = service_new(loop, &config);
    assert_null(service);
    service_reload(service);
    service_stop(service);
    assert_string_equal(after(60000), "");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_is_ready_as_soon_as_nothing_is_lacking),
        T(who_cannot_be_ready_keeps_others_waiting_for_20_seconds),
        T(what_it_lacks_later_is_told_and_takes_back_nothing),
        T(a_reload_ends_when_the_keys_have_been_read),
        T(a_reload_before_it_is_ready_is_part_of_the_start),
        T(a_stop_is_told_once_and_nothing_is_ready_after_it),
        T(the_watchdog_sees_each_second_that_the_loop_turns),
        T(a_short_watchdog_is_told_twice_as_often_as_it_wants),
        T(the_watchdog_sees_it_while_it_stops),
        T(without_a_service_manager_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

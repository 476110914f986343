#include "front/cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

static struct buf written;

static int setup(void **state)
{
    (void)state;
    clearenv();
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&written);
    return 0;
}

static int stand_by(void)
{
    return cgi_stand_by("https://a.example");
}

static int say_failure(void)
{
    cgi_fail();
    return 0;
}

/* What it returns with that as standard output. */
static int run_with(int (*answer)(void), int fd)
{
    fflush(stdout);
    int real = dup(STDOUT_FILENO);

    dup2(fd, STDOUT_FILENO);
    int result = answer();
    dup2(real, STDOUT_FILENO);
    close(real);
    return result;
}

static void run(int (*answer)(void))
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(run_with(answer, fds[1]), 0);
    close(fds[1]);
    ssize_t n = read(fds[0], buf_reserve(&written, 4096), 4096);
    assert_true(n >= 0);
    written.n += (size_t)n;
    close(fds[0]);
}

static void the_environment_says_that_it_is_a_cgi_program(void **state)
{
    (void)state;
    assert_false(cgi_is_one());
    setenv("GATEWAY_INTERFACE", "CGI/1.1", 1);
    assert_true(cgi_is_one());
}

static void it_answers_as_a_standby_responder(void **state)
{
    static const char head[] = "Status: 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-store, no-transform\r\n"
                               "X-Accel-Buffering: no\r\n"
                               "Access-Control-Allow-Origin: https://a.example\r\n"
                               "Vary: Origin\r\n\r\nretry:";

    (void)state;
    setenv("REDIRECT_STATUS", "503", 1);
    setenv("HTTP_ACCEPT", "text/event-stream", 1);
    setenv("HTTP_ORIGIN", "https://a.example", 1);
    run(stand_by);
    assert_true(written.n > sizeof head);
    assert_memory_equal(written.p, head, sizeof head - 1);
    assert_memory_equal(written.p + written.n - 2, "\n\n", 2);
}

static void asked_without_an_error_of_the_front_there_is_nothing(void **state)
{
    (void)state;
    setenv("HTTP_ACCEPT", "text/event-stream", 1);
    run(stand_by);
    assert_memory_equal(written.p, "Status: 404 ", 12);
}

static void a_front_that_is_gone_is_told(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    assert_int_equal(run_with(stand_by, fds[1]), -EPIPE);
    close(fds[1]);
}

static void one_that_is_not_set_up_says_so(void **state)
{
    (void)state;
    run(say_failure);
    assert_text(buf_slice(&written),
                "Status: 500 Internal Server Error\r\nCache-Control: no-store\r\n"
                "Content-Type: application/problem+json\r\nContent-Length: 83\r\n\r\n"
                "{\"title\":\"Internal Server Error\",\"status\":500,"
                "\"detail\":\"the program is not set up\"}");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_environment_says_that_it_is_a_cgi_program),
        T(it_answers_as_a_standby_responder),
        T(asked_without_an_error_of_the_front_there_is_nothing),
        T(a_front_that_is_gone_is_told),
        T(one_that_is_not_set_up_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/cgi.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_loop.h"
#include "support.h"

/* -- the request -- */

enum { VARIABLES = 16 };
static char variables[VARIABLES][128]; /* as the kernel lays them out for a process */
static char *list[VARIABLES + 1], **real_environ;
static size_t n_variables;
static struct buf request, path;

static void set(const char *variable)
{
    snprintf(variables[n_variables], sizeof variables[0], "%s", variable);
    list[n_variables] = variables[n_variables];
    list[++n_variables] = NULL;
}

static int setup(void **state)
{
    (void)state;
    real_environ = environ;
    environ = list;
    list[0] = NULL;
    n_variables = 0;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    environ = real_environ;
    buf_fini(&request);
    buf_fini(&path);
    return 0;
}

static bool request_has(const char *bytes)
{
    return memmem(request.p, request.n, bytes, strlen(bytes)) != NULL;
}

static void take(void)
{
    struct fcgi_request r;

    cgi_take_request(&request, &path, 0, NULL);
    assert_int_equal(fcgi_request_parse(request.p, request.n, &r), FCGI_COMPLETE);
    assert_int_equal(r.length, request.n);
}

static void the_environment_says_that_it_is_a_cgi_program(void **state)
{
    (void)state;
    assert_false(cgi_is_one());
    set("GATEWAY_INTERFACE=CGI/1.1");
    assert_true(cgi_is_one());
    take();
    assert_true(cgi_is_one());
}

static void the_request_is_what_the_front_said(void **state)
{
    (void)state;
    set("REQUEST_METHOD=GET");
    set("QUERY_STRING=access_token=a.b.c&x=y");
    set("HTTP_LAST_EVENT_ID=");
    set("HTTP_COOKIE=secret");
    set("PATH=/bin");
    take();
    assert_true(request_has("\016\003REQUEST_METHODGET"));
    assert_true(request_has("\014\026QUERY_STRINGaccess_token=a.b.c&x=y"));
    assert_true(request_has("HTTP_LAST_EVENT_ID"));
    assert_false(request_has("COOKIE") || request_has("PATH"));
}

/* Which is refused, as from any other front. */
static void what_stands_twice_is_said_twice(void **state)
{
    (void)state;
    set("HTTP_AUTHORIZATION=Bearer a");
    set("HTTP_AUTHORIZATION=Bearer b");
    take();
    assert_true(request_has("HTTP_AUTHORIZATIONBearer a"));
    assert_true(request_has("HTTP_AUTHORIZATIONBearer b"));
}

static void nothing_of_the_request_stays_in_the_environment(void **state)
{
    static const char *const of_request[] = {"QUERY_STRING=access_token=a.b.c",
                                             "REQUEST_URI=/events?access_token=a.b.c",
                                             "HTTP_AUTHORIZATION=Bearer a.b.c",
                                             "HTTP_REFERER=https://h/?access_token=a.b.c",
                                             "REDIRECT_QUERY_STRING=access_token=a.",
                                             "HTTP_COOKIE=a.b.c",
                                             "UNKNOWN_YET=a.b.c",
                                             "NO_VALUE"};
    static const char zeros[sizeof variables[0]];

    (void)state;
    set("SKF_CONFIG=/etc/x.json");
    for (size_t i = 0; i < 8; i++)
        set(of_request[i]);
    set("PATH=/bin");
    take();
    assert_string_equal(getenv("SKF_CONFIG"), "/etc/x.json");
    assert_string_equal(getenv("PATH"), "/bin");
    assert_null(environ[2]);
    for (size_t i = 1; i <= 8; i++)
        assert_memory_equal(variables[i], zeros, sizeof zeros);
}

static void its_path_ends_before_the_query(void **state)
{
    static const char *const uris[][2] = {{"REQUEST_URI=/of/a%2Fb?access_token=x?", "/of/a%2Fb"},
                                          {"REQUEST_URI=/a", "/a"},
                                          {"REQUEST_URI=", ""},
                                          {"OTHER=/a", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        path.n = request.n = 0;
        n_variables = 0;
        set(uris[i][0]);
        take();
        assert_text(buf_slice(&path), uris[i][1]);
    }
}

/* What the client has sent; then it is gone. */
static void send_body(const char *text)
{
    int fd = memfd_create("body", MFD_CLOEXEC), before = dup(STDIN_FILENO);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    lseek(fd, 0, SEEK_SET);
    dup2(fd, STDIN_FILENO);
    close(fd);
    cgi_take_request(&request, &path, 0, NULL);
    dup2(before, STDIN_FILENO);
    close(before);
}

static enum fcgi_state state_of_request(void)
{
    struct fcgi_request r;

    return fcgi_request_parse(request.p, request.n, &r);
}

#define FORM "CONTENT_TYPE=application/x-www-form-urlencoded"

static void a_body_is_that_of_the_request(void **state)
{
    static const char *const of[][2] = {
        {FORM, "CONTENT_LENGTH=5"}, {FORM, "OTHER=5"}, {"CONTENT_TYPE=a", "CONTENT_LENGTH=5"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        request.n = n_variables = 0;
        set(of[i][0]);
        set(of[i][1]);
        send_body(i == 1 ? "key=a" : "key=ab"); /* no more than its length */
        assert_true(request_has("\1\5\0\1\0\5\0\0key=a\1\5\0\1\0\0\0\0"));
        assert_int_equal(state_of_request(), FCGI_COMPLETE);
    }
}

static void without_a_length_only_a_form_has_a_body(void **state)
{
    (void)state;
    set("CONTENT_TYPE=application/x-challenge-response");
    send_body("key=a");
    assert_false(request_has("key=a"));
    assert_int_equal(state_of_request(), FCGI_COMPLETE);
}

/* It would select something else. */
static void half_a_form_is_no_request(void **state)
{
    (void)state;
    set(FORM);
    set("CONTENT_LENGTH=11");
    send_body("key=a");
    assert_int_equal(state_of_request(), FCGI_INCOMPLETE);
}

static void a_large_body_is_told_from_others(void **state)
{
    static char text[FCGI_MAX_STDIN + 2];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (size_t n = sizeof text - 2; n < sizeof text; n++) {
        text[n] = 0;
        request.n = n_variables = 0;
        set(FORM);
        send_body(text);
        assert_int_equal(state_of_request(), n > FCGI_MAX_STDIN ? FCGI_LARGE_STDIN : FCGI_COMPLETE);
        text[n] = 'x';
    }
}

static void nothing_of_it_stays_in_the_command_line(void **state)
{
    char name[] = "program", query[] = "eyJ0.eyJ1.abc", second[] = "x";
    char *argv[] = {name, query, second, NULL};

    (void)state;
    cgi_take_request(&request, &path, 3, argv);
    assert_string_equal(name, "program");
    assert_memory_equal(query, "\0\0\0\0\0\0\0\0\0\0\0\0\0", sizeof query - 1);
    assert_int_equal(second[0], 0);
}

/* -- the answer -- */

static struct loop *loop;
static struct cgi *cgi;
static int handler_fd, refused, done, front;
static int real_stdin, real_stdout;
static struct buf received;

static void on_request(void *arg, int fd, const struct fcgi_request *r, struct slice bytes)
{
    (void)arg;
    assert_int_equal(r->length, bytes.n);
    handler_fd = fd;
}

static void on_refusal(void *arg, enum fcgi_state state, uint16_t id, bool is_head, struct buf *out)
{
    (void)arg;
    assert_int_equal(state, FCGI_LARGE_PARAMS);
    assert_false(is_head);
    refused++;
    size_t mark = fcgi_stdout_begin(out);
    buf_add_str(out, "no");
    fcgi_stdout_end(out, mark, id);
    fcgi_end_add(out, id, FCGI_STATUS_COMPLETE);
}

static void on_done(void *arg)
{
    (void)arg;
    done++;
}

/* Standard output is that one from here to stop(). */
static void start_on(int fd)
{
    const struct inlet_handler handler = {.on_request = on_request, .on_refusal = on_refusal};

    fflush(stdout);
    real_stdin = dup(STDIN_FILENO);
    real_stdout = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    close(fd);
    handler_fd = -1;
    refused = done = 0;
    loop = loop_new();
    if (request.n == 0)
        take();
    cgi = cgi_start(loop, &handler, buf_slice(&request), on_done, NULL);
}

static void start(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    front = fds[0];
    start_on(fds[1]);
}

static int stop(void **state)
{
    cgi_free(cgi);
    cgi = NULL;
    dup2(real_stdin, STDIN_FILENO);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdin);
    close(real_stdout);
    loop_free(loop);
    if (handler_fd >= 0)
        close(handler_fd);
    close(front);
    buf_fini(&received);
    return teardown(state);
}

/* What the handler answers; returns how much of it went. */
static size_t answer(const char *text, size_t n, bool ends)
{
    struct buf out = {0};
    size_t mark = fcgi_stdout_begin(&out);

    buf_add(&out, text, n);
    fcgi_stdout_end(&out, mark, 1);
    if (ends)
        fcgi_end_add(&out, 1, FCGI_STATUS_COMPLETE);
    ssize_t sent = send(handler_fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&out);
    return sent > 0 ? (size_t)sent : 0;
}

/* What the front reads now; false: standard output is closed. */
static bool read_front(void)
{
    ssize_t n = read(front, buf_reserve(&received, 65536), 65536);

    received.n += n > 0 ? (size_t)n : 0;
    return n != 0;
}

static void the_answer_is_written_as_it_comes(void **state)
{
    (void)state;
    start();
    answer("Status: 200 OK\r\n\r\n", 18, false);
    fake_loop_settle();
    assert_true(read_front());
    assert_text(buf_slice(&received), "Status: 200 OK\r\n\r\n");
    answer("data:a\n\n", 8, false);
    fake_loop_settle();
    read_front();
    assert_text(buf_slice(&received), "Status: 200 OK\r\n\r\ndata:a\n\n");
    assert_int_equal(done, 0);
}

/* The front waits for that, however long our own end takes. */
static void standard_output_is_closed_behind_the_answer(void **state)
{
    (void)state;
    start();
    answer("all", 3, true);
    fake_loop_settle();
    assert_true(read_front());
    assert_false(read_front());
    assert_text(buf_slice(&received), "all");
    assert_int_equal(done, 1);
}

static void a_record_in_pieces_is_put_together(void **state)
{
    struct buf out = {0};

    (void)state;
    start();
    size_t mark = fcgi_stdout_begin(&out);
    buf_add_str(&out, "hello");
    fcgi_stdout_end(&out, mark, 1);
    fcgi_end_add(&out, 1, FCGI_STATUS_COMPLETE);
    for (size_t i = 0; i < out.n; i++) {
        assert_int_equal(send(handler_fd, out.p + i, 1, 0), 1);
        fake_loop_settle();
        read_front();
        assert_int_equal(done, i == out.n - 1);
    }
    assert_text(buf_slice(&received), "hello");
    buf_fini(&out);
}

static void a_front_that_does_not_read_holds_the_handler_up(void **state)
{
    static char kilobyte[1024];
    size_t sent = 0, n;

    (void)state;
    start();
    memset(kilobyte, 'x', sizeof kilobyte);
    while ((n = answer(kilobyte, sizeof kilobyte, false)) > 0) {
        assert_true(n > sizeof kilobyte); /* whole records, or nothing */
        sent++;
        fake_loop_settle();
        assert_true(sent < 1000);
    }
    fake_loop_settle(); /* and without spinning */
    for (size_t had = SIZE_MAX; had != received.n; fake_loop_settle()) {
        had = received.n;
        read_front();
    }
    assert_int_equal(received.n, sent * sizeof kilobyte);
    answer("end", 3, true);
    fake_loop_settle();
    while (read_front() && done == 0)
        fake_loop_settle();
    assert_int_equal(received.n, sent * sizeof kilobyte + 3);
}

static void a_front_that_leaves_is_noticed_in_silence(void **state)
{
    (void)state;
    start();
    fake_loop_settle();
    assert_int_equal(done, 0);
    close(front);
    fake_loop_settle();
    assert_int_equal(done, 1);
    front = open("/dev/null", O_RDONLY);
}

/* Apache's mod_cgid: input and output are one socket, whose input ends with the body. */
static void a_socket_whose_input_has_ended_is_still_written_to(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    shutdown(fds[1], SHUT_WR);
    front = fds[1];
    fcntl(front, F_SETFL, O_NONBLOCK);
    start_on(fds[0]);
    fake_loop_settle();
    assert_int_equal(done, 0);
    answer("x", 1, false);
    fake_loop_settle();
    read_front();
    assert_text(buf_slice(&received), "x");
    shutdown(front, SHUT_RD);
    answer("y", 1, false);
    fake_loop_settle();
    assert_int_equal(done, 1);
}

static void a_file_is_written_to_as_well(void **state)
{
    char text[16] = "";

    (void)state;
    int fd = memfd_create("output", MFD_CLOEXEC);
    front = dup(fd);
    start_on(fd);
    answer("all", 3, true);
    fake_loop_settle();
    assert_int_equal(done, 1);
    assert_int_equal(pread(front, text, sizeof text, 0), 3);
    assert_string_equal(text, "all");
}

static void a_request_that_is_too_large_is_refused(void **state)
{
    static char large[100 * 1024];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    memcpy(large, "QUERY_STRING=", 13);
    list[0] = large;
    list[1] = NULL;
    cgi_take_request(&request, &path, 0, NULL);
    start();
    fake_loop_settle();
    read_front();
    assert_text(buf_slice(&received), "no");
    assert_true(refused == 1 && done == 1);
}

/* The handler's end may be gone without a word. */
static void a_handler_that_closes_ends_it(void **state)
{
    (void)state;
    start();
    close(handler_fd);
    handler_fd = -1;
    fake_loop_settle();
    assert_int_equal(done, 1);
    assert_false(read_front());
}

static void one_that_is_not_set_up_says_so(void **state)
{
    (void)state;
    start();
    cgi_fail();
    read_front();
    assert_text(buf_slice(&received),
                "Status: 500 Internal Server Error\r\nCache-Control: no-store\r\n"
                "Content-Type: application/problem+json\r\nContent-Length: 108\r\n\r\n"
                "{\"title\":\"Internal Server Error\",\"status\":500,\"reason\":\"misconfigured\","
                "\"detail\":\"the program is not set up\"}");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define A(test) cmocka_unit_test_setup_teardown(test, setup, stop)
    const struct CMUnitTest tests[] = {
        T(the_environment_says_that_it_is_a_cgi_program),
        T(the_request_is_what_the_front_said),
        T(what_stands_twice_is_said_twice),
        T(nothing_of_the_request_stays_in_the_environment),
        T(its_path_ends_before_the_query),
        T(a_body_is_that_of_the_request),
        T(without_a_length_only_a_form_has_a_body),
        T(half_a_form_is_no_request),
        T(a_large_body_is_told_from_others),
        T(nothing_of_it_stays_in_the_command_line),
        A(the_answer_is_written_as_it_comes),
        A(standard_output_is_closed_behind_the_answer),
        A(a_record_in_pieces_is_put_together),
        A(a_front_that_does_not_read_holds_the_handler_up),
        A(a_front_that_leaves_is_noticed_in_silence),
        A(a_socket_whose_input_has_ended_is_still_written_to),
        A(a_file_is_written_to_as_well),
        A(a_request_that_is_too_large_is_refused),
        A(a_handler_that_closes_ends_it),
        A(one_that_is_not_set_up_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

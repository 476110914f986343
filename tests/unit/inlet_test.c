#include "front/inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_loop.h"
#include "logged.h"
#include "support.h"

enum {
    HEAD_MS = 10000,
    FULL_MS = 1000,
    PAUSE_MS = 100,
    PENDING_MAX = 1024,
    DRAIN_BYTES = 1 << 20,
};

static const char *const pairs[] = {"REQUEST_METHOD", "GET", NULL};

static struct loop *loop;
static struct inlet *inlet;
static int listen_fd;
static struct sockaddr_un address;
static socklen_t address_size;

/* What the handler was last called with. */
static struct {
    int requests, fd, refusals;
    struct fcgi_request request;
    struct buf bytes;
    enum fcgi_state state;
    bool is_head;
} seen;

static void on_request(void *arg, int fd, const struct fcgi_request *request, struct slice bytes)
{
    (void)arg;
    if (seen.requests++)
        close(seen.fd);
    seen.fd = fd;
    seen.request = *request;
    seen.bytes.n = 0;
    buf_add_slice(&seen.bytes, bytes);
}

static void on_refusal(void *arg, enum fcgi_state state, uint16_t id, bool is_head, struct buf *out)
{
    (void)arg;
    seen.refusals++;
    seen.state = state;
    seen.is_head = is_head;
    buf_printf(out, "refused %d", id);
}

static size_t in_use;
static size_t held(void *arg)
{
    (void)arg;
    return in_use;
}

static void start(void)
{
    const struct inlet_handler handler = {
        .on_request = on_request, .on_refusal = on_refusal, .held = held, .max_held = 5000};

    loop = loop_new();
    inlet = inlet_new(loop, listen_fd, &handler);
}

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    in_use = 0;
    listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    address_size = sizeof address;
    /* The kernel finds a name of no file. */
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof address.sun_family) != 0 ||
        listen(listen_fd, 4096) != 0 ||
        getsockname(listen_fd, (struct sockaddr *)&address, &address_size) != 0)
        return -1;
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inlet_free(inlet);
    loop_free(loop);
    close(listen_fd);
    if (seen.requests)
        close(seen.fd);
    buf_fini(&seen.bytes);
    return 0;
}

static int connect_front(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_size), 0);
    return fd;
}

static void send_bytes(int fd, struct slice bytes)
{
    assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

static struct buf get_request(void)
{
    struct buf b = {0};

    add_request(&b, 1, pairs);
    return b;
}

static bool closed(int fd)
{
    struct buf received = {0};
    bool result = read_all(fd, &received);

    buf_fini(&received);
    return result;
}

static void a_whole_request_is_handed_over_with_its_descriptor(void **state)
{
    struct buf b = get_request();
    struct buf received = {0};

    (void)state;
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.requests, 1);
    assert_true(seen.request.id == 1 && seen.request.length == b.n);
    assert_bytes(buf_slice(&seen.bytes), buf_slice(&b));
    assert_true(fcntl(seen.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(send(seen.fd, "hello", 5, 0), 5);
    read_all(front, &received);
    assert_text(buf_slice(&received), "hello");
    buf_fini(&received);
    buf_fini(&b);
    close(front);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(seen.requests, 0);
        send_bytes(front, slice_of(b.p + i, 1));
        fake_loop_settle();
    }
    assert_int_equal(seen.requests, 1);
    buf_fini(&b);
    close(front);
}

static void what_came_behind_a_request_is_handed_over_too(void **state)
{
    struct buf b = get_request();

    (void)state;
    size_t length = b.n;
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.request.length, length);
    assert_bytes(buf_slice(&seen.bytes), buf_slice(&b));
    buf_fini(&b);
    close(front);
}

static void a_large_request_is_read_in_pieces(void **state)
{
    struct buf b = {0};
    static const uint8_t body[FCGI_MAX_STDIN];

    (void)state;
    add_request(&b, 1, pairs);
    b.n -= FCGI_RECORD_HEADER;
    add_record(&b, FCGI_STDIN, 1, slice_of(body, 60000), 0);
    add_record(&b, FCGI_STDIN, 1, slice_of(body, sizeof body - 60000), 0);
    add_record(&b, FCGI_STDIN, 1, BYTES(""), 0);
    int front = connect_front();
    for (size_t sent = 0; sent < b.n;) {
        ssize_t n = send(front, b.p + sent, b.n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        fake_loop_settle();
    }
    assert_int_equal(seen.requests, 1);
    assert_bytes(buf_slice(&seen.bytes), buf_slice(&b));
    buf_fini(&b);
    close(front);
}

static void one_that_is_slow_delays_no_other(void **state)
{
    struct buf b = get_request();

    (void)state;
    int slow = connect_front(), quick = connect_front();
    send_bytes(slow, slice_of(b.p, b.n - 1));
    fake_loop_settle();
    send_bytes(quick, buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.requests, 1);
    send_bytes(slow, slice_of(b.p + b.n - 1, 1));
    fake_loop_settle();
    assert_int_equal(seen.requests, 2);
    buf_fini(&b);
    close(slow);
    close(quick);
}

static void broken_framing_is_closed_and_logged(void **state)
{
    (void)state;
    log_capture();
    int front = connect_front();
    send_bytes(front, slice_str("GET / HTTP/1.1\r\n\r\n"));
    fake_loop_settle();
    int told = logged("info: front: broken FastCGI framing, connection closed");
    log_release();
    assert_int_equal(told, 1);
    assert_true(closed(front));
    assert_int_equal(seen.requests + seen.refusals, 0);
    close(front);
}

static void a_front_that_goes_away_is_forgotten(void **state)
{
    (void)state;
    close(connect_front());
    fake_loop_settle();
    fake_loop_pass(HEAD_MS);
    assert_int_equal(seen.requests + seen.refusals, 0);
}

/* A connection that was refused for its role. */
static int refused_front(void)
{
    struct buf b = {0}, received = {0};

    add_begin(&b, 5, 2);
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.refusals, 1);
    assert_true(read_all(front, &received)); /* our half is closed */
    assert_text(buf_slice(&received), "refused 5");
    buf_fini(&b);
    buf_fini(&received);
    return front;
}

static void a_refusal_is_sent_and_our_half_closed(void **state)
{
    (void)state;
    log_capture();
    int front = refused_front();
    int told = logged("info: front: a FastCGI role other than responder was refused");
    log_release();
    assert_int_equal(told, 1);
    assert_int_equal(seen.state, FCGI_BAD_ROLE);
    close(front);
    fake_loop_settle();
}

static void what_comes_after_a_refusal_is_read_and_dropped_up_to_1_MB(void **state)
{
    static const uint8_t bytes[4096];
    int front = refused_front();
    size_t sent = 16;

    (void)state;
    for (; sent + sizeof bytes <= DRAIN_BYTES; sent += sizeof bytes) {
        send_bytes(front, slice_of(bytes, sizeof bytes));
        fake_loop_settle();
    }
    send_bytes(front, slice_of(bytes, sizeof bytes));
    fake_loop_settle();
    assert_int_equal(send(front, bytes, 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(seen.requests, 0);
    close(front);
}

static void a_request_that_is_not_whole_in_ten_seconds_is_closed(void **state)
{
    (void)state;
    log_capture();
    int first = connect_front();
    fake_loop_settle();
    fake_loop_pass(3000);
    int second = connect_front();
    fake_loop_settle();
    fake_loop_pass(HEAD_MS - 3000 - 1);
    assert_false(closed(first));
    fake_loop_pass(1);
    assert_true(closed(first));
    fake_loop_pass(2999);
    assert_false(closed(second));
    fake_loop_pass(1);
    int told = logged("info: front: no whole request within 10000 ms, connection closed");
    log_release();
    assert_int_equal(told, 2);
    assert_true(closed(second));
    close(first);
    close(second);
}

static void the_time_is_not_prolonged_by_bytes(void **state)
{
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    for (int i = 0; i < 10; i++) {
        assert_false(closed(front));
        send_bytes(front, slice_of(b.p + i, 1));
        fake_loop_settle();
        fake_loop_pass(HEAD_MS / 10);
    }
    assert_true(closed(front));
    buf_fini(&b);
    close(front);
}

static void raise_limit(rlim_t n)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < n)
        skip();
    limit.rlim_cur = n;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* -- more than can be held -- */

enum { CROWD = 1900 }; /* the fake loop watches all of them */

static void connect_crowd(int fronts[CROWD])
{
    raise_limit(4096);
    for (int i = 0; i < CROWD; i++)
        fronts[i] = connect_front();
    fake_loop_settle();
}

static void close_all(int *fronts, int n)
{
    for (int i = 0; i < n; i++)
        close(fronts[i]);
}

static void a_crowd_that_connects_before_it_sends_is_served_to_the_last(void **state)
{
    struct buf b = get_request();
    int fronts[CROWD];

    (void)state;
    connect_crowd(fronts);
    for (int i = 0; i < CROWD; i++)
        send_bytes(fronts[i], buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.requests, CROWD);
    close_all(fronts, CROWD);
    buf_fini(&b);
}

static void whoever_has_not_sent_all_in_a_second_makes_room_for_those_who_wait(void **state)
{
    struct buf b = get_request(), received = {0};
    int fronts[CROWD];

    (void)state;
    connect_crowd(fronts);
    send_bytes(fronts[0], slice_of(b.p, b.n - 1)); /* it has said its number */
    for (int i = PENDING_MAX; i < CROWD; i++)
        send_bytes(fronts[i], buf_slice(&b));
    fake_loop_pass(FULL_MS - 1);
    assert_int_equal(seen.requests, 0);
    assert_false(closed(fronts[0]));
    fake_loop_pass(1);
    assert_int_equal(seen.requests, CROWD - PENDING_MAX);
    assert_true(read_all(fronts[0], &received));
    assert_text(buf_slice(&received), "refused 1");
    assert_int_equal(seen.state, FCGI_INCOMPLETE);
    assert_true(closed(fronts[1]));
    assert_int_equal(seen.refusals, 1);
    assert_false(closed(fronts[PENDING_MAX - 1])); /* there was room before its turn came */
    close_all(fronts, CROWD);
    buf_fini(&received);
    buf_fini(&b);
}

/* A machine that stands still: the request is there, but was not read yet. */
static void what_has_come_meanwhile_is_read_before_time_is_up(void **state)
{
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    fake_loop_settle();
    send_bytes(front, buf_slice(&b));
    fake_loop_pass(HEAD_MS); /* the timer comes first */
    assert_int_equal(seen.requests, 1);
    close(front);
    buf_fini(&b);
}

static void requests_that_wait_for_an_answer_are_counted_too(void **state)
{
    struct buf b = get_request();

    (void)state;
    in_use = 5000;
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    fake_loop_pass(3 * FULL_MS);
    assert_int_equal(seen.requests, 0);
    in_use = 4999;
    fake_loop_pass(PAUSE_MS);
    assert_int_equal(seen.requests, 1);
    close(front);
    buf_fini(&b);
}

static void those_who_wait_are_told_of_once_a_minute(void **state)
{
    (void)state;
    log_capture();
    in_use = 5000;
    int front = connect_front();
    fake_loop_settle();
    fake_loop_pass(59000);
    int told = logged("warn: front: too many requests arrive at once");
    log_release();
    assert_int_equal(told, 1);
    close(front);
}

/* Shut down by whoever shares it, for example: it stays readable for ever. */
static void a_listening_descriptor_that_is_of_no_use_is_told_and_costs_no_turns(void **state)
{
    (void)state;
    log_capture();
    shutdown(listen_fd, SHUT_RDWR);
    fake_loop_settle(); /* fails if it never does */
    fake_loop_pass(10000);
    int told = logged("error: front: cannot accept: Invalid argument\n");
    log_release();
    assert_int_equal(told, 1);
}

static void without_descriptors_accepting_pauses_and_goes_on(void **state)
{
    struct rlimit limit, none;
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)front + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    fake_loop_settle();
    setrlimit(RLIMIT_NOFILE, &limit);
    fake_loop_pass(99);
    assert_int_equal(seen.requests, 0);
    fake_loop_pass(1);
    assert_int_equal(seen.requests, 1);
    buf_fini(&b);
    close(front);
}

static void the_listening_descriptor_is_made_non_blocking(void **state)
{
    (void)state;
    assert_true(fcntl(listen_fd, F_GETFL) & O_NONBLOCK);
}

static void make_blocking(void)
{
    assert_int_equal(fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) & ~O_NONBLOCK), 0);
}

static void one_that_somebody_makes_blocking_again_stops_nothing(void **state)
{
    (void)state;
    make_blocking();
    int fd = connect_front(); /* it would wait for the next */
    fake_loop_settle();
    make_blocking();
    inlet_close(inlet);
    close(fd);
}

/* However it comes about: a wait that has begun ends by itself. */
static void waiting_for_a_connection_has_an_end(void **state)
{
    (void)state;
    make_blocking();
    assert_int_equal(accept(listen_fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
}

static void freeing_closes_what_is_not_whole_and_not_the_listening_descriptor(void **state)
{
    (void)state;
    int front = connect_front();
    fake_loop_settle();
    inlet_free(inlet);
    assert_true(closed(front));
    close(front);
    close(connect_front());
    start();
}

/* -- closing -- */

static void those_in_the_backlog_are_taken_before_it_closes(void **state)
{
    enum { FRONTS = 300 }; /* more than are accepted in one turn */
    struct buf b = get_request();
    int fronts[FRONTS];

    (void)state;
    for (int i = 0; i < FRONTS; i++) {
        fronts[i] = connect_front();
        send_bytes(fronts[i], buf_slice(&b));
    }
    inlet_close(inlet);
    assert_int_equal(seen.requests, FRONTS);
    for (int i = 0; i < FRONTS; i++)
        close(fronts[i]);
    buf_fini(&b);
}

static void one_that_was_taken_may_still_send_its_request(void **state)
{
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    inlet_close(inlet);
    close(listen_fd);
    listen_fd = -1;
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    assert_int_equal(seen.requests, 1);
    close(front);
    buf_fini(&b);
}

static void one_that_was_taken_has_no_more_time_than_others(void **state)
{
    (void)state;
    int front = connect_front();
    inlet_close(inlet);
    fake_loop_pass(HEAD_MS - 1);
    assert_false(closed(front));
    fake_loop_pass(1);
    assert_true(closed(front));
    close(front);
}

static void whoever_comes_later_is_not_accepted(void **state)
{
    struct buf b = get_request();

    (void)state;
    inlet_close(inlet);
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    fake_loop_settle();
    fake_loop_pass(HEAD_MS);
    assert_int_equal(seen.requests, 0);
    assert_false(closed(front));
    close(front);
    buf_fini(&b);
}

static void it_may_be_closed_while_accepting_pauses(void **state)
{
    struct rlimit limit, none;
    struct buf b = get_request();

    (void)state;
    int front = connect_front();
    send_bytes(front, buf_slice(&b));
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)front + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    fake_loop_settle();
    inlet_close(inlet);
    setrlimit(RLIMIT_NOFILE, &limit);
    fake_loop_pass(HEAD_MS);
    assert_int_equal(seen.requests, 0);
    close(front);
    buf_fini(&b);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_whole_request_is_handed_over_with_its_descriptor),
        T(a_request_may_come_byte_by_byte),
        T(what_came_behind_a_request_is_handed_over_too),
        T(a_large_request_is_read_in_pieces),
        T(one_that_is_slow_delays_no_other),
        T(broken_framing_is_closed_and_logged),
        T(a_front_that_goes_away_is_forgotten),
        T(a_refusal_is_sent_and_our_half_closed),
        T(what_comes_after_a_refusal_is_read_and_dropped_up_to_1_MB),
        T(a_request_that_is_not_whole_in_ten_seconds_is_closed),
        T(the_time_is_not_prolonged_by_bytes),
        T(a_crowd_that_connects_before_it_sends_is_served_to_the_last),
        T(whoever_has_not_sent_all_in_a_second_makes_room_for_those_who_wait),
        T(what_has_come_meanwhile_is_read_before_time_is_up),
        T(requests_that_wait_for_an_answer_are_counted_too),
        T(those_who_wait_are_told_of_once_a_minute),
        T(a_listening_descriptor_that_is_of_no_use_is_told_and_costs_no_turns),
        T(without_descriptors_accepting_pauses_and_goes_on),
        T(the_listening_descriptor_is_made_non_blocking),
        T(one_that_somebody_makes_blocking_again_stops_nothing),
        T(waiting_for_a_connection_has_an_end),
        T(freeing_closes_what_is_not_whole_and_not_the_listening_descriptor),
        T(those_in_the_backlog_are_taken_before_it_closes),
        T(one_that_was_taken_may_still_send_its_request),
        T(one_that_was_taken_has_no_more_time_than_others),
        T(whoever_comes_later_is_not_accepted),
        T(it_may_be_closed_while_accepting_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

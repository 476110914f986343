#include "stream/sink.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

enum { OTHER_ID = 0x1234 };

/* A sink and the front's end of its socket. */
static struct sink sink;
static uint16_t request_id;
static uint64_t sent_bytes;
static int front;
static struct buf received;

static int setup(void **state)
{
    int fds[2];

    (void)state;
    small_socketpair(fds);
    front = fds[1];
    sent_bytes = 0;
    request_id = 1;
    sink_init(&sink, fds[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (sink.fd >= 0)
        close(sink.fd);
    close(front);
    free(sink.own);
    buf_fini(&received);
    return 0;
}

static void put(const char *text)
{
    struct buf records = {0};
    size_t mark = fcgi_stdout_begin(&records);

    buf_add_str(&records, text);
    fcgi_stdout_end(&records, mark, 1);
    sink_put(&sink, request_id, buf_slice(&records));
    buf_fini(&records);
}

/* What the front received is whole records with this text. */
static void check_received(const char *text, bool ended)
{
    struct output out = {0};

    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_int_equal(out.rest, 0);
    assert_int_equal(out.id, request_id);
    assert_int_equal(out.ended, ended);
    assert_text(buf_slice(&out.text), text);
    output_fini(&out);
}

static void own_bytes_go_out_in_their_order(void **state)
{
    (void)state;
    put("a");
    put("b");
    assert_true(sink_has_own(&sink));
    assert_int_equal(sink_flush(&sink, &sent_bytes), SINK_DONE);
    check_received("ab", false);
    assert_false(sink_has_own(&sink));
}

static void own_bytes_have_the_id_of_the_request(void **state)
{
    (void)state;
    request_id = OTHER_ID;
    put("a");
    put("b");
    assert_int_equal(sink_flush(&sink, &sent_bytes), SINK_DONE);
    check_received("ab", false);
}

static void own_bytes_wait_for_a_full_socket(void **state)
{
    int rounds = 0;
    struct output out = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        put("0123456789012345678901234567890123456789012345678901234567890123456789");
    while (sink_flush(&sink, &sent_bytes) == SINK_FULL) {
        assert_false(read_all(front, &received));
        rounds++;
    }
    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_true(rounds > 0);
    assert_int_equal(out.text.n, 70000);
    assert_int_equal(sent_bytes, received.n);
    output_fini(&out);
}

static void what_a_reader_gives_is_sent_as_far_as_the_socket_takes_it(void **state)
{
    static uint8_t bytes[2][200000];
    struct iovec iov[] = {{bytes[0], sizeof bytes[0]}, {bytes[1], sizeof bytes[1]}};

    (void)state;
    ssize_t n = sink_write(&sink, iov, 2);
    assert_in_range(n, 1, sizeof bytes - 1);
    assert_int_equal(sink_write(&sink, iov, 2), 0);
    read_all(front, &received);
    assert_int_equal(received.n, n);
    assert_false(sink_has_own(&sink));
}

static void a_front_that_has_closed_is_gone(void **state)
{
    char byte = 'a';
    struct iovec iov = {&byte, 1};

    (void)state;
    put("a");
    shutdown(front, SHUT_RDWR);
    assert_int_equal(sink_flush(&sink, &sent_bytes), SINK_GONE);
    assert_int_equal(sink_write(&sink, &iov, 1), -1);
}

static void the_front_ends_the_request_by_closing(void **state)
{
    (void)state;
    assert_false(sink_input_ends(&sink));
    shutdown(front, SHUT_WR);
    assert_true(sink_input_ends(&sink));
}

static void the_front_ends_the_request_by_an_abort_in_any_pieces(void **state)
{
    struct buf b = {0};

    (void)state;
    add_record(&b, FCGI_STDIN, 1, BYTES("body"), 0);
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(send(front, b.p + i, 1, 0), 1);
        assert_int_equal(sink_input_ends(&sink), i == b.n - 1);
    }
    buf_fini(&b);
}

static void one_that_is_closed_says_that_the_request_has_ended(void **state)
{
    (void)state;
    put("a");
    sink_close(&sink, request_id, false, &sent_bytes);
    assert_int_equal(sink.fd, -1);
    check_received("a", true);
    assert_true(read_all(front, &received));
}

/* Its records would be taken for the rest of the event. */
static void one_that_is_closed_amid_an_event_says_nothing(void **state)
{
    (void)state;
    put("a");
    sink_close(&sink, request_id, true, &sent_bytes);
    assert_true(read_all(front, &received));
    assert_int_equal(received.n, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(own_bytes_go_out_in_their_order),
        T(own_bytes_have_the_id_of_the_request),
        T(own_bytes_wait_for_a_full_socket),
        T(what_a_reader_gives_is_sent_as_far_as_the_socket_takes_it),
        T(a_front_that_has_closed_is_gone),
        T(the_front_ends_the_request_by_closing),
        T(the_front_ends_the_request_by_an_abort_in_any_pieces),
        T(one_that_is_closed_says_that_the_request_has_ended),
        T(one_that_is_closed_amid_an_event_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

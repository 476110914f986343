#include "stream/order.h"

#include <sys/socket.h>
#include <unistd.h>

#include "fanout_setup.h"

enum { CONNECTIONS = 3, EACH = 4, N = CONNECTIONS * EACH, ORDER_MS = 1000 };

/* -- in which order streams are written to -- */

static int written[4 * N], writes;

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    assert_in_range(writes, 0, 4 * N - 1);
    written[writes++] = fd;
    return __real_sendmsg(fd, m, flags);
}

static int peers[N], fds[N];
static uint32_t connections[N];

static void open_of(int i, uint32_t connection)
{
    struct opening opening = {.head = slice_of(NULL, 0), .connection = connection};
    int pair[2];

    small_socketpair(pair);
    peers[i] = pair[1];
    fds[i] = pair[0];
    connections[i] = connection;
    assert_non_null(fanout_open(fanout, pair[0], 1, &opening));
    settle();
}

/* Each connection its first stream, then each its second, and so on. */
static void open_in_turn(void)
{
    for (int i = 0; i < N; i++)
        open_of(i, 70 + (uint32_t)(i % CONNECTIONS));
}

static int teardown_all(void **state)
{
    for (int i = 0; i < N; i++)
        close(peers[i]);
    return teardown(state);
}

static int index_of(int fd)
{
    for (int i = 0; i < N; i++)
        if (fds[i] == fd)
            return i;
    return -1;
}

/* How often the next one written to is of another connection, when a record comes. */
static int changes(void)
{
    int n = 0;

    writes = 0;
    produce_live(0, "key", "value");
    for (int i = 1; i < writes; i++)
        n += connections[index_of(written[i])] != connections[index_of(written[i - 1])];
    return n;
}

static void start(void)
{
    make_topic(true, 1);
    settle();
    survey();
}

/* -- tests -- */

static void streams_of_a_connection_are_written_to_together(void **state)
{
    (void)state;
    start();
    open_in_turn();
    fake_loop_pass(ORDER_MS);
    for (int round = 0; round < 3; round++)
        assert_int_equal(changes(), CONNECTIONS - 1);
}

static void those_of_a_connection_keep_their_order(void **state)
{
    (void)state;
    start();
    open_in_turn();
    fake_loop_pass(ORDER_MS);
    changes();
    for (int i = 1; i < N; i++)
        if (connections[index_of(written[i])] == connections[index_of(written[i - 1])])
            assert_true(index_of(written[i]) > index_of(written[i - 1]));
}

static void whoever_comes_is_put_in_order_within_a_second(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < N - 1; i++)
        open_of(i, 70 + (uint32_t)(i / EACH));
    fake_loop_pass(ORDER_MS);
    assert_int_equal(changes(), CONNECTIONS - 1);
    open_of(N - 1, 70); /* behind those of 72 */
    assert_int_equal(changes(), CONNECTIONS);
    fake_loop_pass(ORDER_MS);
    assert_int_equal(changes(), CONNECTIONS - 1);
}

static void each_of_a_connection_of_its_own_gets_all(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < N; i++)
        open_of(i, (uint32_t)(1000 - i));
    fake_loop_pass(ORDER_MS);
    for (int round = 0; round < 3; round++)
        assert_int_equal(changes(), N - 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown_all)
    const struct CMUnitTest tests[] = {
        T(streams_of_a_connection_are_written_to_together),
        T(those_of_a_connection_keep_their_order),
        T(whoever_comes_is_put_in_order_within_a_second),
        T(each_of_a_connection_of_its_own_gets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

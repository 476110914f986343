#include "front/reply.h"

#include <sys/socket.h>
#include <unistd.h>

#include "fake_loop.h"
#include "support.h"

enum { SEND_MS = 10000 };

static struct loop *loop;
static struct replies *replies;
static int front;
static struct buf received;
static uint8_t much[1 << 20];

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    replies = replies_new(loop);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 7 >> 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    replies_free(replies);
    loop_free(loop);
    close(front);
    buf_fini(&received);
    return 0;
}

static void answer(struct slice bytes)
{
    int fds[2];

    small_socketpair(fds);
    front = fds[1];
    reply_send(replies, fds[0], bytes);
}

static void a_short_one_is_gone_at_once(void **state)
{
    (void)state;
    answer(BYTES("hello"));
    assert_true(read_all(front, &received));
    assert_bytes(buf_slice(&received), BYTES("hello"));
}

static void a_long_one_goes_as_the_front_takes_it(void **state)
{
    int rounds = 0;

    (void)state;
    answer(slice_of(much, sizeof much));
    while (!read_all(front, &received)) {
        fake_loop_settle();
        rounds++;
    }
    assert_true(rounds > 2);
    assert_bytes(buf_slice(&received), slice_of(much, sizeof much));
}

static void a_front_that_takes_nothing_is_left_after_ten_seconds(void **state)
{
    (void)state;
    answer(slice_of(much, sizeof much));
    fake_loop_pass(SEND_MS - 1);
    assert_false(read_all(front, &received));
    fake_loop_pass(1);
    assert_true(read_all(front, &received));
    assert_true(received.n < sizeof much);
}

static void a_front_that_goes_ends_it(void **state)
{
    (void)state;
    answer(slice_of(much, sizeof much));
    shutdown(front, SHUT_RDWR);
    fake_loop_settle();
    loop_free(loop); /* nothing waits any more */
}

static void the_end_of_the_program_ends_it(void **state)
{
    (void)state;
    answer(slice_of(much, sizeof much));
    replies_free(replies);
    replies = NULL;
    assert_true(read_all(front, &received));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_short_one_is_gone_at_once),
        T(a_long_one_goes_as_the_front_takes_it),
        T(a_front_that_takes_nothing_is_left_after_ten_seconds),
        T(a_front_that_goes_ends_it),
        T(the_end_of_the_program_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

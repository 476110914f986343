#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

enum { MUCH = 1 << 30, OTHER_ID = 0x1234 };

/* A stream and the front's end of its socket. */
static struct stream stream;
static struct traffic traffic;
static int front;
static struct buf received;

static struct backlog *backlog;
static struct cache *cache;
static struct chunk chunk;

static void on_drop(void *arg, struct block *block)
{
    (void)arg;
    (void)block;
}

static int setup(void **state)
{
    int fds[2];
    static int64_t next[] = {0};
    const struct progress start = {1, next};

    (void)state;
    small_socketpair(fds);
    front = fds[1];
    traffic = (struct traffic){0};
    stream = (struct stream){.fd = fds[0], .request_id = 1, .traffic = &traffic};
    backlog = backlog_new(MUCH, on_drop, NULL);
    backlog_reset(backlog, 1, &start);
    stream.place = backlog_end(backlog);
    cache = cache_new(MUCH);
    cache_reset(cache, true, 1000);
    cache_set_partitions(cache, 1);
    cache_set_origin(cache, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (stream.fd >= 0)
        close(stream.fd);
    close(front);
    replay_free(stream.replay);
    buf_fini(&stream.pending);
    buf_fini(&received);
    backlog_free(backlog);
    cache_free(cache);
    chunk_fini(&chunk);
    chunk = (struct chunk){0};
    return 0;
}

/* n records with values of 500 bytes, into the backlog and the cache. */
static void add_records(int n)
{
    static uint8_t value[500];
    char key[16];

    memset(value, 'v', sizeof value);
    for (int i = 0; i < n; i++) {
        const struct record r = {.offset = cache_progress(cache)->next[0],
                                 .key = slice_of(key, (size_t)sprintf(key, "%d", i)),
                                 .value = slice_of(value, sizeof value)};
        uint64_t number = cache_append(cache, &r, 0, 0);
        backlog_add(backlog, EVENT_ID_PROGRESS, number, cache_progress(cache), &r);
    }
}

/* All that the backlog holds, with the stream's request id. */
static struct buf backlog_bytes(struct place from)
{
    struct buf bytes = {0};
    struct iovec iov;

    while (backlog_iov(&from, &iov, 1) > 0) {
        buf_add(&bytes, iov.iov_base, iov.iov_len);
        backlog_advance(&from, iov.iov_len);
    }
    fcgi_set_id(bytes.p, bytes.n, stream.request_id);
    return bytes;
}

static void put(const char *text)
{
    struct buf records = {0};
    size_t mark = fcgi_stdout_begin(&records);

    buf_add_str(&records, text);
    fcgi_stdout_end(&records, mark, 1);
    stream_put(&stream, buf_slice(&records));
    buf_fini(&records);
}

/* What the front received is whole records with this text. */
static void check_received(const char *text, bool ended)
{
    struct output out = {0};

    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_int_equal(out.rest, 0);
    assert_int_equal(out.id, stream.request_id);
    assert_int_equal(out.ended, ended);
    assert_text(buf_slice(&out.text), text);
    output_fini(&out);
}

static void pending_bytes_go_out_in_their_order(void **state)
{
    (void)state;
    put("a");
    put("b");
    assert_int_equal(stream_send_pending(&stream), STREAM_DONE);
    check_received("ab", false);
    assert_null(stream.pending.p);
}

static void pending_bytes_have_the_id_of_the_request(void **state)
{
    (void)state;
    stream.request_id = OTHER_ID;
    put("a");
    put("b");
    assert_int_equal(stream_send_pending(&stream), STREAM_DONE);
    check_received("ab", false);
}

static void pending_bytes_wait_for_a_full_socket(void **state)
{
    int rounds = 0;
    struct output out = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        put("0123456789012345678901234567890123456789012345678901234567890123456789");
    while (stream_send_pending(&stream) == STREAM_FULL) {
        assert_false(read_all(front, &received));
        rounds++;
    }
    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_true(rounds > 0);
    assert_int_equal(out.text.n, 70000);
    output_fini(&out);
}

static void a_front_that_has_closed_is_gone(void **state)
{
    (void)state;
    put("a");
    shutdown(front, SHUT_RDWR);
    assert_int_equal(stream_send_pending(&stream), STREAM_GONE);
}

static void the_backlog_goes_out_in_as_many_steps_as_the_socket_needs(void **state)
{
    static const uint16_t ids[] = {1, OTHER_ID};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int rounds = 0;
        received.n = 0;
        stream.request_id = ids[i];
        stream_move(&stream, backlog_end(backlog));
        add_records(400);
        struct buf expected = backlog_bytes(stream.place);
        /* A stream with another id has copies pending, which go first. */
        while (stream_send_pending(&stream) != STREAM_DONE ||
               stream_send_backlog(&stream) != STREAM_DONE) {
            read_all(front, &received);
            rounds++;
        }
        read_all(front, &received);
        assert_true(rounds > 1);
        assert_bytes(buf_slice(&received), buf_slice(&expected));
        assert_true(backlog_at_end(backlog, &stream.place));
        buf_fini(&expected);
    }
}

/* Each event once, whatever the steps; those that were passed over are not among them. */
static void the_traffic_is_counted(void **state)
{
    static const uint16_t ids[] = {1, OTHER_ID};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        received.n = 0;
        traffic = (struct traffic){0};
        stream.request_id = ids[i];
        add_records(10);
        stream_move(&stream, backlog_end(backlog));
        add_records(400);
        while (stream_send_pending(&stream) != STREAM_DONE ||
               stream_send_backlog(&stream) != STREAM_DONE)
            read_all(front, &received);
        read_all(front, &received);
        assert_int_equal(traffic.events, 400);
        assert_int_equal(traffic.bytes, received.n);
        stream_move(&stream, (struct place){0});
        assert_int_equal(traffic.events, 400);
    }
}

static void the_event_under_way_counts_when_the_backlog_goes(void **state)
{
    (void)state;
    add_records(400);
    assert_int_equal(stream_send_backlog(&stream), STREAM_FULL);
    stream_settle(&stream);
    uint64_t number = backlog_number(&stream.place);
    stream_move(&stream, (struct place){0});
    assert_int_equal(traffic.events, number - 1);
}

static void a_stream_that_is_blocked_in_the_backlog_copies_nothing(void **state)
{
    (void)state;
    add_records(400);
    assert_int_equal(stream_send_backlog(&stream), STREAM_FULL);
    assert_int_equal(stream.pending.n, 0);
}

static void the_event_under_way_can_be_kept_when_the_backlog_goes(void **state)
{
    struct output out = {0};

    (void)state;
    add_records(400);
    assert_int_equal(stream_send_backlog(&stream), STREAM_FULL);
    stream_settle(&stream);
    uint64_t number = backlog_number(&stream.place);
    assert_int_equal(backlog_rest(&stream.place).n, 0);
    backlog_free(backlog); /* nothing of it is needed any more */
    backlog = NULL;
    read_all(front, &received);
    assert_int_equal(stream_send_pending(&stream), STREAM_DONE);
    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_int_equal(out.rest, 0);
    assert_int_equal(out.records, number - 1);
    output_fini(&out);
}

static void a_settled_stream_at_an_events_start_keeps_nothing(void **state)
{
    (void)state;
    add_records(1);
    stream_settle(&stream);
    assert_int_equal(stream.pending.n, 0);
    assert_int_equal(stream_send_backlog(&stream), STREAM_DONE);
    stream_settle(&stream);
    assert_int_equal(stream.pending.n, 0);
}

static void a_chunk_goes_out_whole_if_the_socket_takes_it(void **state)
{
    (void)state;
    add_records(2);
    stream.replay = replay_fresh(cache);
    stream.request_id = OTHER_ID;
    replay_fill(stream.replay, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), MUCH, &chunk);
    struct buf expected = backlog_bytes(stream.place);
    assert_int_equal(stream_send_chunk(&stream, &chunk), STREAM_DONE);
    read_all(front, &received);
    assert_bytes(buf_slice(&received), buf_slice(&expected));
    buf_fini(&expected);
}

static void an_empty_chunk_is_sent_at_once(void **state)
{
    (void)state;
    stream.replay = replay_fresh(cache);
    replay_fill(stream.replay, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), MUCH, &chunk);
    assert_int_equal(stream_send_chunk(&stream, &chunk), STREAM_DONE);
    assert_false(read_all(front, &received));
    assert_int_equal(received.n, 0);
}

static void of_a_chunk_that_is_too_much_only_the_event_under_way_is_kept(void **state)
{
    static const uint16_t ids[] = {1, OTHER_ID};

    (void)state;
    add_records(400);
    for (size_t i = 0; i < 2; i++) {
        int rounds = 0;
        received.n = 0;
        traffic = (struct traffic){0};
        stream.request_id = ids[i];
        stream.replay = replay_fresh(cache);
        struct buf expected = backlog_bytes(stream.place);
        for (bool more = true; more;) {
            if (stream_send_pending(&stream) == STREAM_DONE) {
                more = replay_fill(stream.replay, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache),
                                   MUCH, &chunk);
                more |= stream_send_chunk(&stream, &chunk) == STREAM_FULL;
                assert_true(stream.pending.n < 600);
            }
            read_all(front, &received);
            rounds++;
        }
        assert_true(rounds > 2);
        assert_int_equal(traffic.events, 400);
        assert_int_equal(traffic.bytes, received.n);
        assert_bytes(buf_slice(&received), buf_slice(&expected));
        replay_free(stream.replay);
        stream.replay = NULL;
        buf_fini(&expected);
    }
}

static void the_front_ends_the_request_by_closing(void **state)
{
    (void)state;
    assert_false(stream_input_ends(&stream));
    shutdown(front, SHUT_WR);
    assert_true(stream_input_ends(&stream));
}

static void the_front_ends_the_request_by_an_abort_in_any_pieces(void **state)
{
    struct buf b = {0};

    (void)state;
    add_record(&b, FCGI_STDIN, 1, BYTES("body"), 0);
    add_record(&b, FCGI_ABORT, 1, BYTES(""), 0);
    for (size_t i = 0; i < b.n; i++) {
        assert_int_equal(send(front, b.p + i, 1, 0), 1);
        assert_int_equal(stream_input_ends(&stream), i == b.n - 1);
    }
    buf_fini(&b);
}

static void a_closed_stream_says_that_the_request_has_ended(void **state)
{
    (void)state;
    put("a");
    stream_close(&stream);
    assert_int_equal(stream.fd, -1);
    check_received("a", true);
    assert_true(read_all(front, &received));
}

static void a_closed_stream_ends_behind_the_event_under_way(void **state)
{
    struct output out = {0};
    int room = 1 << 20;

    (void)state;
    add_records(400);
    assert_int_equal(stream_send_backlog(&stream), STREAM_FULL);
    read_all(front, &received);
    setsockopt(stream.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    stream_close(&stream);
    read_all(front, &received);
    output_read(&out, buf_slice(&received));
    assert_true(out.ended);
    assert_true(out.records < 400);
    output_fini(&out);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pending_bytes_go_out_in_their_order),
        T(pending_bytes_have_the_id_of_the_request),
        T(pending_bytes_wait_for_a_full_socket),
        T(a_front_that_has_closed_is_gone),
        T(the_backlog_goes_out_in_as_many_steps_as_the_socket_needs),
        T(the_traffic_is_counted),
        T(the_event_under_way_counts_when_the_backlog_goes),
        T(a_stream_that_is_blocked_in_the_backlog_copies_nothing),
        T(the_event_under_way_can_be_kept_when_the_backlog_goes),
        T(a_settled_stream_at_an_events_start_keeps_nothing),
        T(a_chunk_goes_out_whole_if_the_socket_takes_it),
        T(an_empty_chunk_is_sent_at_once),
        T(of_a_chunk_that_is_too_much_only_the_event_under_way_is_kept),
        T(the_front_ends_the_request_by_closing),
        T(the_front_ends_the_request_by_an_abort_in_any_pieces),
        T(a_closed_stream_says_that_the_request_has_ended),
        T(a_closed_stream_ends_behind_the_event_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

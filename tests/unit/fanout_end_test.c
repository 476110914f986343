#include <sys/socket.h>

#include "fanout_setup.h"

/* -- ending -- */

static void a_front_that_closes_ends_its_stream(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL), stays = open_client(NULL);
    leave(&c);
    assert_int_equal(fanout_count(fanout), 1);
    leave(&stays);
    assert_int_equal(fanout_count(fanout), 0);
}

static void an_abort_is_answered_with_the_end(void **state)
{
    struct buf abort_request = {0};

    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    add_record(&abort_request, FCGI_ABORT, 1, BYTES(""), 0);
    assert_int_equal(send(c.fd, abort_request.p, abort_request.n, 0), abort_request.n);
    fake_loop_settle();
    struct output out = receive(&c);
    assert_true(out.ended && c.closed);
    assert_int_equal(fanout_count(fanout), 0);
    output_fini(&out);
    buf_fini(&abort_request);
    leave(&c);
}

static void all_streams_end_with_the_fan_out(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client started = open_client(NULL);
    consumer.p[0].end = 9;
    struct client waiting = open_client(NULL);
    fanout_free(fanout);
    struct output out = receive(&started);
    assert_true(out.ended && started.closed);
    output_fini(&out);
    out = receive(&waiting);
    assert_true(out.ended && waiting.closed);
    output_fini(&out);
    leave(&started);
    leave(&waiting);
    start_with(EVENT_ID_PROGRESS, 1 << 30);
}

/* -- what is said outside of events, and the end -- */

/* The text after the last whole event before `said`, which must be there. */
static void check_said_between_events(const struct buf *text, const char *said)
{
    const uint8_t *at = memmem(text->p, text->n, said, strlen(said));

    assert_non_null(at);
    assert_true(at == text->p || (at - text->p >= 2 && at[-1] == '\n' && at[-2] == '\n'));
}

static void what_is_said_comes_after_the_event_that_is_under_way(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    say(&c, "retry:7\n\n");
    struct output out = receive(&c);
    check_said_between_events(&out.text, "retry:7\n\n");
    assert_true(out.text.n > 200000);
    output_fini(&out);
    leave(&c);
}

static void one_that_is_finished_says_goodbye_and_ends(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    say(&c, "retry:7\n\n");
    stream_finish(c.stream, STREAM_END_DRAIN);
    fake_loop_settle();
    assert_int_equal(fanout_count(fanout), 0);
    struct output out = receive(&c);
    assert_true(out.ended && c.closed);
    assert_text(buf_slice(&out.text), "retry:7\n\n");
    output_fini(&out);
    leave(&c);
}

static void one_that_is_finished_amid_an_event_gets_the_rest_of_it_and_no_more(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    say(&c, "retry:7\n\n");
    stream_finish(c.stream, STREAM_END_DRAIN);
    stream_hold(c.stream, true); /* for nothing: it ends */
    produce_live(0, "x", "1");
    fake_loop_pass(1000);
    assert_int_equal(fanout_count(fanout), 1);
    struct output out = receive(&c);
    assert_true(out.ended && c.closed && out.rest == 0);
    check_said_between_events(&out.text, "retry:7\n\n");
    assert_memory_equal(out.text.p + out.text.n - 9, "retry:7\n\n", 9);
    output_fini(&out);
    leave(&c);
    assert_int_equal(fanout_count(fanout), 0);
}

static void one_that_does_not_read_the_rest_is_cut_off_after_two_seconds(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    stream_finish(c.stream, STREAM_END_AGE);
    fake_loop_pass(1999);
    assert_int_equal(fanout_count(fanout), 1);
    fake_loop_pass(1);
    assert_int_equal(fanout_count(fanout), 0);
    assert_int_equal(fanout_stats(fanout).ended[STREAM_END_AGE], 1);
    leave(&c);
}

static void those_that_were_told_to_finish_do_not_stay(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), blocked = open_client(NULL);
    produce_kilobytes(200, 1000);
    consumer.p[0].end = 1000;
    struct client waiting = open_client(NULL);
    assert_true(fanout_count(fanout) == 3 && fanout_staying(fanout) == 3);
    stream_finish(slow.stream, STREAM_END_DRAIN);
    assert_true(fanout_count(fanout) == 3 && fanout_staying(fanout) == 2);
    for (int i = 0; i < 2; i++) {
        struct stream *s = fanout_first(fanout);
        assert_true(s == blocked.stream || s == waiting.stream);
        stream_finish(s, STREAM_END_DRAIN);
    }
    assert_null(fanout_first(fanout));
    assert_int_equal(fanout_staying(fanout), 0);
    assert_int_equal(fanout_count(fanout), 2); /* the one that waited had nothing to send */
    fake_loop_pass(2000);
    assert_int_equal(fanout_count(fanout), 0);
    leave(&slow);
    leave(&blocked);
    leave(&waiting);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_front_that_closes_ends_its_stream),
        T(an_abort_is_answered_with_the_end),
        T(all_streams_end_with_the_fan_out),
        T(what_is_said_comes_after_the_event_that_is_under_way),
        T(one_that_is_finished_says_goodbye_and_ends),
        T(one_that_is_finished_amid_an_event_gets_the_rest_of_it_and_no_more),
        T(one_that_does_not_read_the_rest_is_cut_off_after_two_seconds),
        T(those_that_were_told_to_finish_do_not_stay),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "stream/drain.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_loop.h"
#include "stream/fanouts.h"
#include "support.h"

enum { MANY = 1000, RETRY_MS = 1000, TICK_MS = 20 };

/* -- the fan-outs, as a drain sees them: each has half of the streams -- */

struct stream {
    enum framing framing;
    bool there, finishing;
    bool lingers; /* half an event is under way when it is finished */
    char said[32];
    int64_t ended_ms; /* since the drain began */
};
static struct stream streams[MANY];
static char a_fanout, another; /* never looked into */
static struct fanout *halves[] = {(struct fanout *)&a_fanout, (struct fanout *)&another};
static const struct fanouts fanouts = {halves, 2};
static int64_t began_ms;

static int first_of(const struct fanout *f)
{
    assert_true(f == halves[0] || f == halves[1]);
    return f == halves[0] ? 0 : MANY / 2;
}

size_t fanout_count(const struct fanout *f)
{
    size_t n = 0;

    for (int i = first_of(f), end = i + MANY / 2; i < end; i++)
        n += streams[i].there;
    return n;
}

static size_t count_staying(int from, int end)
{
    size_t n = 0;

    for (int i = from; i < end; i++)
        n += streams[i].there && !streams[i].finishing;
    return n;
}

/* Each is asked once in a tick. */
static size_t stayed, most_in_a_tick;

size_t fanout_staying(const struct fanout *f)
{
    int from = first_of(f);
    size_t all = count_staying(0, MANY);

    if (stayed > all && stayed - all > most_in_a_tick)
        most_in_a_tick = stayed - all;
    stayed = all;
    return count_staying(from, from + MANY / 2);
}

struct stream *fanout_first(struct fanout *f)
{
    for (int i = first_of(f), end = i + MANY / 2; i < end; i++)
        if (streams[i].there && !streams[i].finishing)
            return &streams[i];
    return NULL;
}

enum framing stream_framing(const struct stream *s)
{
    return s->framing;
}

void stream_say(struct stream *s, struct slice records)
{
    struct output out = {0};

    assert_true(s->there && !s->finishing);
    output_read(&out, records);
    assert_true(out.id == 1 && !out.ended && out.rest == 0);
    snprintf(s->said, sizeof s->said, "%.*s", (int)out.text.n, (const char *)out.text.p);
    output_fini(&out);
}

void stream_finish(struct stream *s, enum stream_end why)
{
    assert_true(s->there && !s->finishing);
    assert_int_equal(why, STREAM_END_DRAIN);
    s->ended_ms = loop_now_ms() - began_ms;
    s->finishing = true;
    s->there = s->lingers;
}

/* -- */

static struct loop *loop;
static struct drain *drain;
static int done;
static int64_t done_ms;

static void on_done(void *arg)
{
    assert_ptr_equal(arg, &done);
    done++;
    done_ms = loop_now_ms() - began_ms;
}

static int setup(void **state)
{
    (void)state;
    memset(streams, 0, sizeof streams);
    stayed = most_in_a_tick = 0;
    done = 0;
    loop = loop_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    drain_free(drain);
    drain = NULL;
    loop_free(loop);
    return 0;
}

static void open_streams(int n)
{
    for (int i = 0; i < n; i++)
        streams[i].there = true;
}

static void start(int64_t drain_ms)
{
    const struct drain_config config = {drain_ms, RETRY_MS, on_done, &done};

    began_ms = loop_now_ms();
    drain = drain_new(loop, &fanouts, &config);
}

static int ended(void)
{
    int n = 0;

    for (int i = 0; i < MANY; i++)
        n += streams[i].finishing;
    return n;
}

static void the_ends_are_spread_evenly(void **state)
{
    enum { DRAIN_MS = 10000, STEP_MS = 500 };

    (void)state;
    open_streams(MANY);
    start(DRAIN_MS);
    for (int64_t at = STEP_MS; at < DRAIN_MS; at += STEP_MS) {
        fake_loop_pass(STEP_MS);
        int64_t due = at * MANY / DRAIN_MS;
        assert_in_range(ended(), due - TICK_MS * MANY / DRAIN_MS, due + 1);
        assert_int_equal(done, 0);
    }
    fake_loop_pass(STEP_MS + TICK_MS);
    assert_int_equal(ended(), MANY);
    assert_int_equal(done, 1);
    assert_in_range(done_ms, DRAIN_MS, DRAIN_MS + TICK_MS);
}

static void few_streams_are_spread_too(void **state)
{
    (void)state;
    open_streams(4);
    start(8000);
    for (int i = 0; i < 4; i++)
        streams[i].ended_ms = -1;
    fake_loop_pass(9000);
    for (int i = 0; i < 4; i++)
        assert_in_range(streams[i].ended_ms, 2000 * i, 2000 * (i + 1) + TICK_MS);
    assert_int_equal(done, 1);
}

static void nobody_is_told_before_the_loop_turns(void **state)
{
    (void)state;
    open_streams(3);
    start(0);
    assert_true(ended() == 0 && done == 0);
    fake_loop_pass(0);
    assert_true(ended() == 3 && done == 1);
}

static void without_time_all_end_at_once(void **state)
{
    (void)state;
    open_streams(MANY);
    start(0);
    fake_loop_pass(0);
    assert_int_equal(ended(), MANY);
    assert_true(done == 1 && done_ms == 0);
    assert_in_range(most_in_a_tick, 1, 256); /* but in several turns of the loop */
}

static void without_streams_it_is_done_at_once(void **state)
{
    (void)state;
    start(10000);
    assert_int_equal(done, 0);
    fake_loop_pass(0);
    assert_true(done == 1 && done_ms == 0);
}

static void it_is_done_once(void **state)
{
    (void)state;
    open_streams(10);
    start(1000);
    fake_loop_pass(3600000);
    assert_int_equal(done, 1);
}

static void each_is_told_when_to_come_back(void **state)
{
    long low = RETRY_MS * 2, high = 0;

    (void)state;
    open_streams(MANY);
    start(1000);
    fake_loop_pass(2000);
    for (int i = 0; i < MANY; i++) {
        char *end;
        assert_memory_equal(streams[i].said, "retry:", 6);
        long ms = strtol(streams[i].said + 6, &end, 10);
        assert_string_equal(end, "\n");
        assert_in_range(ms, RETRY_MS / 2, RETRY_MS * 3 / 2);
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    assert_in_range(low, RETRY_MS / 2, RETRY_MS / 2 + 50);
    assert_in_range(high, RETRY_MS * 3 / 2 - 50, RETRY_MS * 3 / 2);
}

static void a_stream_of_lines_is_told_nothing(void **state)
{
    (void)state;
    open_streams(1);
    streams[0].framing = FRAMING_NDJSON;
    start(0);
    fake_loop_pass(0);
    assert_int_equal(ended(), 1);
    assert_string_equal(streams[0].said, "");
}

static void it_waits_for_those_that_linger(void **state)
{
    (void)state;
    open_streams(3);
    streams[1].lingers = true;
    start(0);
    fake_loop_pass(1990);
    assert_int_equal(ended(), 3);
    assert_int_equal(done, 0);
    streams[1].there = false;
    fake_loop_pass(TICK_MS);
    assert_int_equal(done, 1);
}

/* One that reads slowly must not cost the others their time. */
static void those_that_linger_hasten_nobody(void **state)
{
    (void)state;
    open_streams(100);
    for (int i = 0; i < 100; i++)
        streams[i].lingers = true;
    start(10000);
    fake_loop_pass(5000);
    assert_in_range(ended(), 45, 51);
}

static void those_that_leave_by_themselves_are_not_missed(void **state)
{
    (void)state;
    open_streams(100);
    start(10000);
    for (int i = 50; i < 100; i++) /* more than would be ended by then */
        streams[i].there = false;
    fake_loop_pass(5000);
    assert_in_range(ended(), 0, 1);
    fake_loop_pass(2500);
    assert_in_range(ended(), 24, 26);
    for (int i = 0; i < 50; i++)
        streams[i].there = false;
    fake_loop_pass(TICK_MS);
    assert_int_equal(done, 1);
}

static void it_may_be_given_up(void **state)
{
    (void)state;
    open_streams(10);
    start(10000);
    fake_loop_pass(3000);
    drain_free(drain);
    drain = NULL;
    int before = ended();
    fake_loop_pass(20000);
    assert_true(ended() == before && done == 0);
    drain_free(NULL);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_ends_are_spread_evenly),
        T(few_streams_are_spread_too),
        T(nobody_is_told_before_the_loop_turns),
        T(without_time_all_end_at_once),
        T(without_streams_it_is_done_at_once),
        T(it_is_done_once),
        T(each_is_told_when_to_come_back),
        T(a_stream_of_lines_is_told_nothing),
        T(it_waits_for_those_that_linger),
        T(those_that_linger_hasten_nobody),
        T(those_that_leave_by_themselves_are_not_missed),
        T(it_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

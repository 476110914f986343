/* However many bytes of what a reader gives are sent at a time: the stream is the same. */
#include <stdio.h>
#include <stdlib.h>

#include "reader_setup.h"

static const uint16_t request_ids[] = {1, OTHER_ID};

static void append_all(void)
{
    append(0, "a", "1");
    append(1, "a", NULL);
    append(0, "b", "3\n4");
    append(0, "c", NULL);
    append(1, "b", "5");
    append(0, "a", "6");
    append(1, "d", "7");
}

static unsigned count_ids(struct slice bytes)
{
    unsigned n = 0;

    if (bytes.n == 0)
        return 0;
    for (const uint8_t *at = bytes.p; (at = memmem(at, bytes.n - (size_t)(at - bytes.p), "id:", 3));
         at++)
        n++;
    return n;
}

/* The reader's first `n` bytes, one pull of at most `room` after the other. */
static void pull_up_to(struct reader *r, size_t room, size_t n, struct buf *bytes)
{
    while (bytes->n < n && pull(r, room < n - bytes->n ? room : n - bytes->n, bytes))
        ;
}

static struct reader *begin_as(uint16_t request_id, bool resumes)
{
    return begin(request_id, resumes ? "AQQAAgIC" : NULL); /* 0@1 1@1 */
}

/* Readers of a topic made anew, which they get from the cache, or live. */
static struct buf bytes_in_steps(bool compacted, bool live, uint16_t request_id, bool resumes,
                                 size_t step)
{
    struct buf bytes = {0};

    make(compacted, 2, MUCH);
    if (!live)
        append_all();
    struct reader *r = begin_as(request_id, resumes && !live);
    if (live) {
        skip_all(r);
        append_all();
    }
    while (pull(r, step, &bytes))
        ;
    assert_int_equal(source.counts.events, count_ids(buf_slice(&bytes)));
    assert_int_equal(r->at, READER_LIVE);
    return bytes;
}

static void the_bytes_are_the_same_in_steps_of_any_size(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 16; kind++) {
        bool compacted = kind & 1, live = kind & 2, resumes = kind & 8;
        uint16_t id = request_ids[kind >> 2 & 1];
        struct buf whole = bytes_in_steps(compacted, live, id, resumes, SIZE_MAX);
        assert_true(whole.n > 100);
        for (size_t step = 1; step <= whole.n; step++) {
            struct buf bytes = bytes_in_steps(compacted, live, id, resumes, step);
            assert_bytes(buf_slice(&bytes), buf_slice(&whole));
            buf_fini(&bytes);
        }
        buf_fini(&whole);
    }
}

static void another_request_gets_the_same_events_with_its_id(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct buf mine = bytes_in_steps(true, live, 1, false, SIZE_MAX),
                   other = bytes_in_steps(true, live, OTHER_ID, false, 7);
        fcgi_set_id(mine.p, mine.n, OTHER_ID);
        assert_bytes(buf_slice(&other), buf_slice(&mine));
        buf_fini(&mine);
        buf_fini(&other);
    }
}

static void a_reset_and_gaps_can_be_sent_in_steps_of_any_size(void **state)
{
    struct buf whole = {0};

    (void)state;
    make(true, 2, 70000);
    for (int i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        append(i % 2, key, "v");
    }
    for (size_t step = SIZE_MAX; step > 0; step = step > 200 ? 200 : step - 1) {
        struct buf bytes = {0};
        struct reader r;
        reader_init(&r, 1, slice_str("nonsense"), NULL);
        reader_begin(&r, &source, NULL);
        pull_up_to(&r, step, 600, &bytes);
        if (whole.n == 0)
            buf_add_slice(&whole, buf_slice(&bytes));
        assert_bytes(buf_slice(&bytes), buf_slice(&whole));
        buf_fini(&bytes);
        reader_fini(&r, &source);
    }
    assert_int_equal(whole.n, 600);
    assert_non_null(memmem(whole.p, whole.n, "event:reset", 11));
    assert_non_null(memmem(whole.p, whole.n, "event:gap", 9));
    buf_fini(&whole);
}

/* Not compacted: nothing is conflated. */
static void who_leaves_the_backlog_at_any_byte_goes_on_with_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf whole = bytes_in_steps(false, true, request_ids[i], false, SIZE_MAX);
        for (size_t n = 0; n <= whole.n; n++) {
            struct buf bytes = {0};
            make(false, 2, MUCH);
            struct reader *r = begin(request_ids[i], NULL);
            skip_all(r);
            append_all();
            pull_up_to(r, SIZE_MAX, n, &bytes);
            reader_leave(r, &source);
            source_restart_backlog(&source);
            pull_all(r, &bytes);
            assert_bytes(buf_slice(&bytes), buf_slice(&whole));
            buf_fini(&bytes);
        }
        buf_fini(&whole);
    }
}

/* The end of the event in which byte n lies, or which ends with it. */
static size_t event_end(struct slice whole, size_t n)
{
    size_t end = 0;

    while (end < n) /* each event is one record */
        end += 8 + ((size_t)whole.p[end + 4] << 8 | whole.p[end + 5]) + whole.p[end + 6];
    return end;
}

/* Begun at each byte, in the cache or live, by any request. */
static void check_that_the_rest_follows(bool stops)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        bool live = kind & 1;
        uint16_t id = request_ids[kind >> 1];
        struct buf whole = bytes_in_steps(false, live, id, false, SIZE_MAX);
        for (size_t n = 0; n <= whole.n; n++) {
            struct buf bytes = {0};
            make(false, 2, MUCH);
            if (!live)
                append_all();
            struct reader *r = begin(id, NULL);
            if (live) {
                skip_all(r);
                append_all();
            }
            pull_up_to(r, SIZE_MAX, n, &bytes);
            if (stops)
                reader_stop(r, &source);
            else
                reader_pause(r, true);
            pull_all(r, &bytes);
            assert_bytes(buf_slice(&bytes), slice_of(whole.p, event_end(buf_slice(&whole), n)));
            assert_int_equal(reader_rest(r).iov_len, 0);
            reader_pause(r, false);
            pull_all(r, &bytes);
            if (!stops)
                assert_bytes(buf_slice(&bytes), buf_slice(&whole));
            assert_int_equal(source.counts.events, count_ids(buf_slice(&bytes)));
            buf_fini(&bytes);
        }
        buf_fini(&whole);
    }
}

static void one_that_is_paused_gets_the_rest_of_its_event_and_later_all(void **state)
{
    (void)state;
    check_that_the_rest_follows(false);
}

static void one_that_is_stopped_gets_the_rest_of_its_event_and_no_more(void **state)
{
    (void)state;
    check_that_the_rest_follows(true);
}

/* -- what is kept -- */

static void one_that_is_slow_in_the_backlog_keeps_its_place_alone(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    struct reader *r = fresh();
    skip_all(r);
    append_kilobyte("k");
    append_kilobyte("k");
    pull(r, 100, &bytes);
    assert_in_range(reader_rest(r).iov_len, 900, 1100);
    assert_null(r->rest.block);
    buf_fini(&bytes);
}

static void append_megabyte(void)
{
    struct buf value = {0};

    memset(buf_reserve(&value, 1 << 20), 'v', 1 << 20);
    value.n = (1 << 20) - 1;
    buf_add_byte(&value, 0);
    append(0, "large", (const char *)value.p);
    buf_fini(&value);
}

/* Thousands may be slow in the same large event. */
static void the_rest_of_a_large_event_is_kept_once_for_all(void **state)
{
    struct buf first = {0}, second = {0};

    (void)state;
    make(true, 1, MUCH);
    struct reader *a = fresh(), *b = fresh();
    skip_all(a);
    skip_all(b);
    append_megabyte();
    pull(a, 1000, &first);
    pull(b, 500000, &second);
    append_megabyte(); /* the backlog drops the first */
    assert_int_equal(source.counts.conflations, 2);
    assert_non_null(a->rest.block);
    assert_ptr_equal(a->rest.block, b->rest.block);
    pull_all(a, &first);
    pull_all(b, &second);
    assert_bytes(buf_slice(&first), buf_slice(&second));
    assert_null(a->rest.block);
    buf_fini(&first);
    buf_fini(&second);
}

static void of_a_small_event_no_block_is_kept(void **state)
{
    struct buf first = {0}, second = {0};

    (void)state;
    make(true, 1, MUCH);
    struct reader *a = fresh(), *b = fresh();
    skip_all(a);
    skip_all(b);
    for (int i = 0; i < 60; i++)
        append_kilobyte("k");
    pull(a, 10500, &first);
    pull(b, 10500, &second);
    reader_leave(a, &source);
    reader_leave(b, &source);
    assert_true(a->rest.block != b->rest.block);
    buf_fini(&first);
    buf_fini(&second);
}

/* -- random -- */

static void random_readers_get_the_same_bytes(void **state)
{
    enum { READERS = 6, STEPS = 3000 };
    uint64_t seed = 21;

    (void)state;
    for (int round = 0; round < 10; round++) {
        struct reader *r[READERS];
        struct buf bytes[READERS] = {{0}};
        make(false, 2, MUCH);
        for (int i = 0; i < READERS; i++)
            r[i] = begin(i < 3 ? 1 : OTHER_ID, NULL);
        for (int step = 0; step < STEPS; step++) {
            uint32_t i = random_below(&seed, READERS);
            if (random_below(&seed, 3) == 0)
                append((int32_t)random_below(&seed, 2), "k",
                       random_below(&seed, 9) ? "v\nw" : NULL);
            else if (random_below(&seed, 30) == 0)
                reader_leave(r[i], &source);
            else if (random_below(&seed, 10) == 0)
                reader_pause(r[i], !r[i]->paused);
            else
                pull(r[i], random_below(&seed, 200), &bytes[i]);
        }
        for (int i = 0; i < READERS; i++) {
            reader_pause(r[i], false);
            pull_all(r[i], &bytes[i]);
            if (i == 3)
                fcgi_set_id(bytes[0].p, bytes[0].n, OTHER_ID);
            if (i > 0)
                assert_bytes(buf_slice(&bytes[i]), buf_slice(&bytes[0]));
        }
        for (int i = 0; i < READERS; i++)
            buf_fini(&bytes[i]);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(the_bytes_are_the_same_in_steps_of_any_size),
        T(another_request_gets_the_same_events_with_its_id),
        T(a_reset_and_gaps_can_be_sent_in_steps_of_any_size),
        T(who_leaves_the_backlog_at_any_byte_goes_on_with_the_same_bytes),
        T(one_that_is_paused_gets_the_rest_of_its_event_and_later_all),
        T(one_that_is_stopped_gets_the_rest_of_its_event_and_no_more),
        T(one_that_is_slow_in_the_backlog_keeps_its_place_alone),
        T(the_rest_of_a_large_event_is_kept_once_for_all),
        T(of_a_small_event_no_block_is_kept),
        T(random_readers_get_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Readers that stop in the midst of a large event share what they lack of it. */
#include <malloc.h>
#include <stdlib.h>

#include "reader_setup.h"

enum {
    LARGE = 1 << 20,
    STALLED = 100,
    EACH = 2048, /* bytes that one of them may cost */
    SPARE = 5 * LARGE,
};

/* What malloc has given out; 0 with the address sanitizer's. */
static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void append_large(void)
{
    char *value = malloc(LARGE + 1);

    memset(value, 'x', LARGE);
    value[LARGE] = 0;
    append(0, "large", value);
    free(value);
}

/* As much as a socket takes: a little more with each of them. */
static void stall(struct reader *readers[STALLED])
{
    for (size_t i = 0; i < STALLED; i++) {
        struct buf bytes = {0};
        assert_true(pull(readers[i], 32768 + i, &bytes));
        assert_int_equal(bytes.n, 32768 + i);
        buf_fini(&bytes);
    }
}

/* All of it comes; whoever had more lacks less of the same. */
static void check_rest(struct reader *readers[STALLED])
{
    struct buf first = {0};

    pull_all(readers[0], &first);
    assert_true(first.n > LARGE - 33000);
    for (size_t i = 1; i < STALLED; i++) {
        struct buf bytes = {0};
        pull_all(readers[i], &bytes);
        assert_bytes(buf_slice(&bytes), slice_of(first.p + i, first.n - i));
        buf_fini(&bytes);
    }
    buf_fini(&first);
}

static void begin_all(struct reader *readers[STALLED], uint16_t request_id, const char *keys)
{
    for (size_t i = 0; i < STALLED; i++)
        readers[i] = begin_keys(request_id, NULL, keys);
}

static void check_bound(size_t before)
{
    size_t now = in_use();

    assert_in_range(now, 0, before + SPARE + (size_t)STALLED * EACH);
}

static void check_from_the_cache(uint16_t request_id, const char *keys)
{
    struct reader *readers[STALLED];

    make(true, 1, MUCH);
    append_large();
    begin_all(readers, request_id, keys);
    size_t before = in_use();
    stall(readers);
    check_bound(before);
    check_rest(readers);
    assert_in_range(in_use(), 0, before + LARGE);
}

static void those_that_replay_share_a_large_event(void **state)
{
    (void)state;
    check_from_the_cache(1, NULL);
    check_from_the_cache(1, "large other");
    check_from_the_cache(OTHER_ID, NULL);
}

/* What comes behind it moves the backlog on. */
static void check_live(uint16_t request_id, const char *keys)
{
    struct reader *readers[STALLED];

    make(true, 1, MUCH);
    begin_all(readers, request_id, keys);
    for (size_t i = 0; i < STALLED; i++)
        skip_all(readers[i]);
    size_t before = in_use();
    append_large();
    stall(readers);
    for (int i = 0; i < 2 * BACKLOG_BYTES / 1024; i++)
        append_kilobyte("other");
    for (size_t i = 0; i < STALLED; i++)
        assert_true(reader_is_owed(readers[i]));
    check_bound(before);
    check_rest(readers);
}

static void those_that_were_live_share_a_large_event(void **state)
{
    (void)state;
    check_live(1, NULL);
    check_live(1, "large");
    check_live(OTHER_ID, NULL);
    check_live(OTHER_ID, "large");
}

static void memory_that_a_large_event_took_is_given_back(void **state)
{
    static const uint16_t ids[] = {1, OTHER_ID};

    (void)state;
    for (int i = 0; i < 2; i++) {
        make(true, 1, MUCH);
        size_t before = in_use();
        for (int n = 0; n < 20; n++)
            append_large();
        struct reader *r = begin(ids[i], NULL);
        skip_all(r);
        append(0, "large", "small again");
        skip_all(r);
        append_large();
        skip_all(r);
        append(0, "large", "small again");
        skip_all(r);
        forget_deletes();
        assert_in_range(in_use(), 0, before + LARGE);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(those_that_replay_share_a_large_event),
        T(those_that_were_live_share_a_large_event),
        T(memory_that_a_large_event_took_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

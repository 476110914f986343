#include "stream/backlog.h"

#include <malloc.h>
#include <stdio.h>

#include "support.h"

enum { LIMIT = 1 << 20, BLOCK = 64 * 1024 };

static const struct shape shape;
static struct backlog *backlog;
static struct progress at;
static uint64_t next_number;
static size_t added; /* bytes */

/* A single reader, moved to the end when its block is dropped. */
static struct place reader;
static int drops;

static void on_drop(void *arg, struct block *block)
{
    (void)arg;
    drops++;
    if (reader.block == block)
        reader = backlog_end(backlog);
}

static int setup(void **state)
{
    (void)state;
    progress_resize(&at, 2);
    at.next[0] = at.next[1] = 0;
    next_number = 100;
    added = 0;
    drops = 0;
    reader = (struct place){0};
    backlog = backlog_new(NULL, LIMIT, on_drop, NULL);
    backlog_reset(backlog, next_number, &at);
    drops = 0;
    reader = backlog_end(backlog);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    backlog_free(backlog);
    progress_fini(&at);
    return 0;
}

static void add_record_of(int32_t partition, struct slice key, struct slice value)
{
    const struct record r = {
        .partition = partition, .offset = at.next[partition]++, .key = key, .value = value};

    added += backlog_add(backlog, &shape, next_number++, &at, &r);
    backlog_trim(backlog);
}

static void add(int32_t partition, const char *value)
{
    add_record_of(partition, slice_str("k"), slice_str(value));
}

static void add_kilobytes(int n)
{
    static uint8_t value[1024];

    memset(value, 'v', sizeof value);
    for (int i = 0; i < n; i++)
        add_record_of(0, slice_str("k"), slice_of(value, sizeof value));
}

static bool is_at_end(const struct place *place)
{
    struct place end = backlog_end(backlog);

    return place->block == end.block && place->sent == end.sent;
}

/* What is to be sent from a place on. */
static struct buf bytes_from(struct place from)
{
    struct buf bytes = {0};
    struct iovec iov[3];
    int n;

    while ((n = backlog_iov(&from, iov, 3)) > 0) {
        for (int i = 0; i < n; i++) {
            buf_add(&bytes, iov[i].iov_base, iov[i].iov_len);
            backlog_advance(&from, iov[i].iov_len);
        }
    }
    assert_true(is_at_end(&from));
    return bytes;
}

static void check_text_from(struct place from, const char *expected)
{
    struct buf bytes = bytes_from(from);
    struct output out = {0};

    output_read(&out, buf_slice(&bytes));
    assert_text(buf_slice(&out.text), expected);
    buf_fini(&bytes);
    output_fini(&out);
}

static void events_come_in_their_order(void **state)
{
    (void)state;
    add(0, "a");
    add(1, "b");
    add_record_of(0, slice_str("k"), slice_of(NULL, 0));
    check_text_from(reader, "id:AQQAAgIA\ndata:a\n\n"
                            "id:AQQAAgIC\ndata:b\n\n"
                            "id:AQQABAIC\nevent:delete\ndata:aw==\n\n");
}

static void nothing_is_to_be_sent_from_the_end(void **state)
{
    struct iovec iov;

    (void)state;
    add(0, "a");
    struct place end = backlog_end(backlog);
    assert_true(is_at_end(&end));
    assert_false(is_at_end(&reader));
    assert_int_equal(backlog_iov(&end, &iov, 1), 0);
    assert_int_equal(backlog_number(&end), next_number);
}

static void from_the_end_the_next_event_is_to_be_sent(void **state)
{
    (void)state;
    add(0, "a");
    struct place end = backlog_end(backlog);
    add(0, "b");
    assert_false(is_at_end(&end));
    check_text_from(end, "id:AQQABAIA\ndata:b\n\n");
}

static void a_record_that_is_no_event_adds_nothing(void **state)
{
    (void)state;
    add_record_of(0, slice_of(NULL, 0), slice_of(NULL, 0));
    assert_int_equal(added, 0);
    assert_true(is_at_end(&reader));
}

/* A million of them in the life of a stream take no memory. */
static void records_that_are_no_events_take_nothing(void **state)
{
    struct progress got = {0};

    (void)state;
    add(0, "a");
    struct place end = backlog_end(backlog);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100000; i++)
        add_record_of(1, slice_of(NULL, 0), slice_of(NULL, 0));
    assert_in_range(mallinfo2().uordblks, 0, before + 1000);
    assert_true(is_at_end(&end));
    add(1, "b");
    check_text_from(end, "id:AQQAAgLCmgw=\ndata:b\n\n");
    end = backlog_end(backlog);
    backlog_progress(&end, &got);
    assert_true(got.next[0] == 1 && got.next[1] == 100001);
    progress_fini(&got);
}

static void a_key_that_has_aged_moves_no_place(void **state)
{
    struct progress got = {0};
    const struct record aged = {.partition = 1, .key = BYTES("k"), .aged = true};

    (void)state;
    add(0, "a");
    added += backlog_add(backlog, &shape, next_number++, &at, &aged);
    check_text_from(reader, "id:AQQAAgIA\ndata:a\n\n"
                            "id:AQQAAgIA\nevent:delete\ndata:aw==\n\n");
    struct place end = backlog_end(backlog);
    backlog_progress(&end, &got);
    assert_true(got.next[0] == 1 && got.next[1] == 0);
    progress_fini(&got);
}

static void the_bytes_added_are_counted(void **state)
{
    (void)state;
    add(0, "a");
    uint64_t one = added;
    add(0, "b");
    struct buf bytes = bytes_from(reader);
    assert_int_equal(added, 2 * one);
    assert_int_equal(added, bytes.n);
    buf_fini(&bytes);
}

/* At each byte: the rest of the event under way, the number behind it, the progress with it. */
static void each_byte_is_the_place_of_its_event(void **state)
{
    static const int32_t partitions[] = {0, 1, 1, 0, 0};
    enum { N = sizeof partitions / sizeof partitions[0] };
    size_t ends[N];
    int64_t next[N][2];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        add(partitions[i], "value");
        ends[i] = added;
        memcpy(next[i], at.next, sizeof next[i]);
    }
    for (size_t n = 1, i = 0; n <= ends[N - 1]; n++) {
        struct place place = reader;
        struct progress got = {0};
        if (n > ends[i])
            i++;
        backlog_advance(&place, n);
        backlog_progress(&place, &got);
        assert_int_equal(backlog_rest(&place).n, ends[i] - n);
        assert_int_equal(backlog_number(&place), 101 + i);
        assert_memory_equal(got.next, next[i], sizeof next[i]);
        progress_fini(&got);
    }
}

static void before_the_first_byte_no_event_is_under_way(void **state)
{
    struct progress got = {0};

    (void)state;
    add(0, "a");
    assert_int_equal(backlog_rest(&reader).n, 0);
    assert_int_equal(backlog_number(&reader), 100);
    backlog_progress(&reader, &got);
    assert_true(got.n == 2 && got.next[0] == 0 && got.next[1] == 0);
    progress_fini(&got);
}

static void many_events_are_sent_with_few_pieces_in_any_steps(void **state)
{
    static const size_t steps[] = {1000, 1061, BLOCK - 1, BLOCK, BLOCK + 1, 300000};

    (void)state;
    add_kilobytes(400);
    struct buf all = bytes_from(reader);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct place place = reader;
        for (size_t sent = 0; sent < all.n;) {
            struct iovec iov[2];
            int n = backlog_iov(&place, iov, 2);
            size_t have = iov[0].iov_len + (n > 1 ? iov[1].iov_len : 0);
            size_t step = have < steps[i] ? have : steps[i];
            assert_memory_equal(iov[0].iov_base, all.p + sent, iov[0].iov_len);
            backlog_advance(&place, step);
            sent += step;
        }
        assert_true(is_at_end(&place));
    }
    buf_fini(&all);
}

static void at_the_seam_of_blocks_no_event_is_under_way(void **state)
{
    struct iovec iov;
    struct progress got = {0};

    (void)state;
    add_kilobytes(100);
    assert_int_equal(backlog_iov(&reader, &iov, 1), 1);
    backlog_advance(&reader, iov.iov_len);
    assert_int_equal(backlog_rest(&reader).n, 0);
    backlog_progress(&reader, &got);
    assert_int_equal(got.next[0], backlog_number(&reader) - 100);
    progress_fini(&got);
}

static void the_oldest_go_beyond_the_limit_and_who_is_there_is_moved_first(void **state)
{
    (void)state;
    add_kilobytes(900);
    assert_int_equal(drops, 0);
    add_kilobytes(200);
    struct buf left = bytes_from(reader);
    assert_true(drops > 0);
    assert_true(left.n <= LIMIT);
    buf_fini(&left);
}

static void a_single_event_may_be_longer_than_the_limit(void **state)
{
    struct buf value = {0};

    (void)state;
    memset(buf_reserve(&value, 3 * LIMIT), 'v', 3 * LIMIT);
    value.n = 3 * LIMIT;
    add_record_of(0, slice_str("k"), buf_slice(&value));
    struct buf left = bytes_from(reader);
    assert_int_equal(drops, 0);
    assert_true(left.n > 3 * LIMIT);
    buf_fini(&left);
    buf_fini(&value);
}

static void the_events_before_a_place_are_counted(void **state)
{
    (void)state;
    assert_int_equal(backlog_event(&reader), 0);
    add(0, "a");
    add_record_of(0, slice_of(NULL, 0), slice_of(NULL, 0)); /* no event */
    add(0, "b");
    struct place at_byte = reader;
    size_t n = added, first = n / 2; /* both are of one size */
    for (size_t i = 0; i <= n; i++, at_byte.sent++)
        assert_int_equal(backlog_event(&at_byte), i == 0 ? 0 : i <= first ? 1 : 2);
    add_kilobytes(100); /* more than a block */
    struct place end = backlog_end(backlog);
    assert_int_equal(backlog_event(&end), 102);
    backlog_advance(&reader, added);
    assert_int_equal(backlog_event(&reader), 102);
    backlog_reset(backlog, 500, &at);
    end = backlog_end(backlog);
    assert_int_equal(backlog_event(&end), 102);
}

static void a_reset_forgets_all_and_goes_on_at_a_number(void **state)
{
    struct progress got = {0};

    (void)state;
    add(0, "a");
    at.next[1] = 7;
    backlog_reset(backlog, 500, &at);
    assert_int_equal(drops, 1);
    reader = backlog_end(backlog);
    assert_int_equal(backlog_number(&reader), 500);
    backlog_progress(&reader, &got);
    assert_true(got.next[0] == 1 && got.next[1] == 7);
    next_number = 500;
    add(1, "b");
    check_text_from(reader, "id:AQQAAgIQ\ndata:b\n\n");
    progress_fini(&got);
}

/* The progress at a place is that of the newest id that was begun before it. */
static void what_ids_say_without_an_event_is_in_the_progress_too(void **state)
{
    struct progress got = {0};

    (void)state;
    add(0, "a");
    struct place between = backlog_end(backlog);
    at.next[1] = 5; /* a transaction's marker */
    backlog_pass(backlog, 1, 5);
    at.next[1] = 7;
    backlog_pass(backlog, 1, 7);
    add_record_of(1, slice_of(NULL, 0), slice_of(NULL, 0)); /* a record that is no event */
    backlog_progress(&between, &got); /* who comes now has it by the cache's start, too */
    assert_int_equal(progress_get(&got, 1), 8);
    add(0, "b");
    backlog_progress(&between, &got);
    assert_int_equal(progress_get(&got, 0), 1);
    assert_int_equal(progress_get(&got, 1), 8);
    backlog_advance(&between, 1);
    backlog_progress(&between, &got);
    assert_int_equal(progress_get(&got, 0), 2);
    assert_int_equal(progress_get(&got, 1), 8);
    assert_int_equal(backlog_event(&between), 2);
    progress_fini(&got);
}

static void a_partition_that_came_later_is_in_the_progress(void **state)
{
    struct progress got = {0};

    (void)state;
    add(0, "a");
    progress_resize(&at, 4);
    at.next[2] = at.next[3] = 0;
    add(3, "b");
    struct place end = backlog_end(backlog);
    backlog_progress(&end, &got);
    assert_int_equal(progress_get(&got, 0), 1);
    assert_int_equal(progress_get(&got, 3), 1);
    progress_fini(&got);
}

/* -- several, bounded together -- */

static struct backlogs together;
static struct backlog *other; /* nobody reads it */
static int other_drops;

static void on_other_drop(void *arg, struct block *block)
{
    (void)arg, (void)block;
    other_drops++;
}

/* Two that may each have as much as both together. */
static int setup_two(void **state)
{
    int failed = setup(state);

    backlog_free(backlog);
    backlogs_init(&together, LIMIT);
    backlog = backlog_new(&together, LIMIT, on_drop, NULL);
    other = backlog_new(&together, LIMIT, on_other_drop, NULL);
    backlog_reset(backlog, next_number, &at);
    drops = other_drops = 0;
    reader = backlog_end(backlog);
    return failed;
}

static int teardown_two(void **state)
{
    backlog_free(other);
    assert_ptr_equal(TAILQ_FIRST(&together.all), backlog);
    return teardown(state);
}

static void add_to_other(size_t bytes)
{
    static uint8_t value[LIMIT];
    const struct record r = {.offset = 0, .key = slice_str("k"), .value = slice_of(value, bytes)};
    struct progress one = {0};

    progress_resize(&one, 1);
    one.next[0] = 1;
    backlog_add(other, &shape, 7, &one, &r);
    backlog_trim(other);
    progress_fini(&one);
}

static void one_that_grows_takes_of_the_largest(void **state)
{
    (void)state;
    add_kilobytes(900);
    size_t had = backlog_bytes(backlog);
    for (int i = 0; i < 400; i++)
        add_to_other(1024);
    assert_int_equal(other_drops, 0);
    assert_true(drops > 0 && backlog_bytes(backlog) < had);
    size_t all = backlog_bytes(backlog) + backlog_bytes(other);
    assert_in_range(all, LIMIT - BLOCK, LIMIT + BLOCK);
    for (int i = 0; i < 1000; i++)
        add_to_other(1024);
    assert_true(other_drops > 0); /* it is the largest by now */
    all = backlog_bytes(backlog) + backlog_bytes(other);
    assert_in_range(all, LIMIT - BLOCK, LIMIT + BLOCK);
    assert_true(is_at_end(&reader));
}

static void the_newest_block_of_each_stays(void **state)
{
    (void)state;
    add_kilobytes(50);
    add_to_other(LIMIT - 1);
    add_to_other(LIMIT - 1);
    assert_true(drops == 0 && backlog_bytes(backlog) > 50 * 1024);
    assert_int_equal(other_drops, 1);
}

/* Else each of many topics would keep its last large event. */
static void a_large_event_goes_when_another_grows(void **state)
{
    (void)state;
    add_to_other(LIMIT - 1);
    add_kilobytes(900);
    assert_int_equal(other_drops, 1);
    assert_int_equal(backlog_bytes(other), 0);
    assert_int_equal(drops, 0);
    struct place end = backlog_end(other);
    struct progress got = {0};
    backlog_progress(&end, &got);
    assert_int_equal(progress_get(&got, 0), 1);
    assert_int_equal(backlog_number(&end), 8);
    assert_int_equal(backlog_event(&end), 1);
    progress_fini(&got);
}

int main(void)
{
#define TWO(test) cmocka_unit_test_setup_teardown(test, setup_two, teardown_two)
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(events_come_in_their_order),
        T(nothing_is_to_be_sent_from_the_end),
        T(from_the_end_the_next_event_is_to_be_sent),
        T(a_record_that_is_no_event_adds_nothing),
        T(records_that_are_no_events_take_nothing),
        T(a_key_that_has_aged_moves_no_place),
        T(the_bytes_added_are_counted),
        T(each_byte_is_the_place_of_its_event),
        T(before_the_first_byte_no_event_is_under_way),
        T(many_events_are_sent_with_few_pieces_in_any_steps),
        T(at_the_seam_of_blocks_no_event_is_under_way),
        T(the_oldest_go_beyond_the_limit_and_who_is_there_is_moved_first),
        T(a_single_event_may_be_longer_than_the_limit),
        T(the_events_before_a_place_are_counted),
        T(a_reset_forgets_all_and_goes_on_at_a_number),
        T(what_ids_say_without_an_event_is_in_the_progress_too),
        T(a_partition_that_came_later_is_in_the_progress),
        TWO(one_that_grows_takes_of_the_largest),
        TWO(the_newest_block_of_each_stays),
        TWO(a_large_event_goes_when_another_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "topic/segments.h"

#include <stdlib.h>

#include "support.h"

enum { PARTITIONS = 3, NUMBERS = 40000 };

static struct segments *records;
static struct progress at; /* the end of each partition */
static struct entry *by_number[NUMBERS];
static uint64_t end;
static uint64_t seed;

static void begin(void)
{
    records = segments_new();
    progress_resize(&at, PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++)
        at.next[p] = 0;
    end = 1;
    seed = 1;
}

static void finish(void)
{
    segments_free(records);
    progress_fini(&at);
    memset(by_number, 0, sizeof by_number);
}

static void append(int32_t partition)
{
    const struct record r = {.partition = partition, .offset = at.next[partition]};
    struct entry *e = entry_new(&r, false);

    segments_append(records, end, e, &at);
    at.next[partition]++;
    by_number[end++] = e;
}

static void remove_number(uint64_t number)
{
    segments_remove(records, by_number[number]);
    free(by_number[number]);
    by_number[number] = NULL;
}

/* The first number from `from` on whose entry is below its partition's place; `end`: none. */
static uint64_t expected_below(const struct progress *origin, uint64_t from)
{
    for (; from < end; from++)
        if (by_number[from] != NULL &&
            by_number[from]->offset < origin->next[by_number[from]->partition])
            break;
    return from;
}

/* The whole sweep, in pieces of some steps, while others are taken out and added. */
static void check_sweep(const struct progress *origin)
{
    struct segments_sweep sweep = {.at = 1, .end = end};
    uint64_t before = sweep.end, last = 0;

    while (sweep.at < sweep.end) {
        size_t steps = random_below(&seed, 300);
        uint64_t next = expected_below(origin, last + 1);
        struct entry *e = segments_below(records, origin, &sweep, &steps);
        if (e == NULL) {
            assert_true(sweep.at < sweep.end ? sweep.at <= next : next >= before);
        } else {
            last = segments_number(e);
            assert_int_equal(last, next);
            remove_number(last);
        }
        uint64_t any = 1 + random_below(&seed, (uint32_t)end - 1);
        if (by_number[any] != NULL)
            remove_number(any);
        if (end < NUMBERS)
            append((int32_t)random_below(&seed, PARTITIONS));
    }
    assert_true(expected_below(origin, 1) >= before);
}

static void a_sweep_finds_each_entry_once_though_the_log_changes_meanwhile(void **state)
{
    struct progress origin = {0};

    (void)state;
    begin();
    for (int i = 0; i < 20000; i++)
        append((int32_t)random_below(&seed, PARTITIONS));
    progress_copy(&origin, &at);
    origin.next[0] /= 2;
    origin.next[1] = 0;
    check_sweep(&origin);
    origin.next[1] = at.next[1] / 3;
    check_sweep(&origin);
    progress_fini(&origin);
    finish();
}

static void what_is_found_below_a_place_lies_below_it(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 20000; i++)
        append((int32_t)random_below(&seed, PARTITIONS));
    for (int i = 0; i < 15000; i++) {
        uint64_t any = 1 + random_below(&seed, (uint32_t)end - 1);
        if (by_number[any] != NULL)
            remove_number(any);
    }
    for (int64_t next = 0; next < 6000; next += 97) {
        uint64_t from = segments_seek(records, 1, next), to = segments_seek_end(records, 1, next);
        for (uint64_t i = 1; i < end; i++) {
            if (by_number[i] == NULL || by_number[i]->partition != 1)
                continue;
            assert_true(by_number[i]->offset < next ? i < to : i >= from);
        }
    }
    finish();
}

static void a_walk_meets_all_entries_in_order(void **state)
{
    uint64_t number, expected = 500;

    (void)state;
    begin();
    for (int i = 0; i < 10000; i++)
        append(0);
    for (uint64_t i = 1; i < end; i += 1 + random_below(&seed, 3))
        remove_number(i);
    for (struct segments_walk w = segments_walk(records, 500);
         segments_next(&w, 9000, &number) != NULL; expected = number + 1) {
        for (; expected < number; expected++)
            assert_null(by_number[expected]);
        assert_non_null(by_number[number]);
    }
    for (; expected < 9000; expected++)
        assert_null(by_number[expected]);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sweep_finds_each_entry_once_though_the_log_changes_meanwhile),
        cmocka_unit_test(what_is_found_below_a_place_lies_below_it),
        cmocka_unit_test(a_walk_meets_all_entries_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

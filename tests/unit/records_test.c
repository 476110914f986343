#include "topic/records.h"

#include "support.h"

static struct records records;
static struct progress at;

static void begin(bool compacted)
{
    records_init(&records);
    records_reset(&records, compacted);
    records_set_partitions(&records, 2);
}

static void end(void)
{
    records_fini(&records);
    progress_fini(&at);
}

/* value: NULL for a delete. */
static uint64_t put(const char *key, const char *value, int64_t expires_at_ms)
{
    const struct record r = {.partition = 1,
                             .offset = (int64_t)records.end,
                             .key = slice_str(key),
                             .value = slice_str(value)};

    return records_append(&records, &r, &at, expires_at_ms);
}

static struct slice first_delete(void)
{
    return entry_key(TAILQ_FIRST(&records.deletions)->entry);
}

static void numbers_rise_from_one_over_a_reset_too(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(put("a", "1", 0), 1);
    assert_int_equal(put("b", "1", 0), 2);
    records_reset(&records, true);
    records_set_partitions(&records, 2);
    assert_int_equal(put("a", "1", 0), 3);
    assert_int_equal(records.count, 1);
    end();
}

static void the_newest_record_of_a_key_is_kept(void **state)
{
    (void)state;
    begin(true);
    put("a", "1", 0);
    put("b", "1", 0);
    size_t bytes = records_bytes(&records);
    put("b", "2", 0);
    put("b", "3", 0);
    assert_int_equal(records.count, 2);
    assert_int_equal(records_keys(&records), 2);
    assert_int_equal(records_bytes(&records), bytes);
    records_drop(&records, segments_first(records.log));
    assert_text(entry_key(segments_first(records.log)), "b");
    assert_int_equal(records_keys(&records), 1);
    end();
}

static void without_compaction_all_are_kept(void **state)
{
    (void)state;
    begin(false);
    put("a", "1", 0);
    put("a", NULL, 0);
    assert_int_equal(records.count, 2);
    assert_int_equal(records_keys(&records), 0);
    assert_true(TAILQ_EMPTY(&records.deletions));
    end();
}

static void deletes_wait_in_the_order_of_their_end(void **state)
{
    (void)state;
    begin(true);
    put("a", NULL, 10);
    put("b", NULL, 11);
    put("c", NULL, 12);
    put("a", "there again", 0);
    assert_text(first_delete(), "b");
    records_postpone(&records, TAILQ_FIRST(&records.deletions), 13);
    assert_text(first_delete(), "c");
    records_drop(&records, TAILQ_FIRST(&records.deletions)->entry);
    assert_text(first_delete(), "b");
    assert_int_equal(TAILQ_FIRST(&records.deletions)->expires_at_ms, 13);
    end();
}

static void aged_records_are_counted_while_they_are_there(void **state)
{
    const struct record aged = {.partition = 1, .offset = 9, .key = slice_of("a", 1), .aged = true};

    (void)state;
    begin(true);
    put("a", "1", 0);
    records_append(&records, &aged, &at, 10);
    assert_int_equal(records.aged[0], 0);
    assert_int_equal(records.aged[1], 1);
    put("a", "2", 0);
    assert_int_equal(records.aged[1], 0);
    end();
}

static void what_is_forgotten_is_freed_piece_by_piece(void **state)
{
    int pieces = 0;

    (void)state;
    begin(false);
    for (int i = 0; i < 10000; i++)
        put("a", "1", 0);
    records_reset(&records, false);
    assert_int_equal(records.count, 0);
    for (; !records_all_freed(&records); pieces++)
        records_free_some(&records);
    assert_true(pieces > 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_rise_from_one_over_a_reset_too),
        cmocka_unit_test(the_newest_record_of_a_key_is_kept),
        cmocka_unit_test(without_compaction_all_are_kept),
        cmocka_unit_test(deletes_wait_in_the_order_of_their_end),
        cmocka_unit_test(aged_records_are_counted_while_they_are_there),
        cmocka_unit_test(what_is_forgotten_is_freed_piece_by_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

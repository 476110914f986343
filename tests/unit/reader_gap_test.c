/* What is lost to a reader is told before it goes on. */
#include <stdio.h>

#include "reader_setup.h"

/* The limit has dropped the first records: the offset of the first that is left. */
static int64_t fill_beyond_limit(bool compacted)
{
    char key[16];

    make(compacted, 2, 70000);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "%d", i);
        append(i % 2, key, "v");
    }
    return cache_lost(source.cache, 0);
}

/* The data of the gaps alone. */
static void check_gaps(struct reader *r, const char *expected)
{
    struct buf bytes = {0}, text = {0};
    struct output out = {0};

    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    buf_add_byte(&out.text, 0);
    for (const char *at = (const char *)out.text.p; (at = strstr(at, "event:gap\ndata:")); at++)
        buf_printf(&text, "%.*s", (int)strcspn(at + 15, "\n"), at + 15);
    assert_text(buf_slice(&text), expected);
    buf_fini(&bytes);
    buf_fini(&text);
    output_fini(&out);
}

static void a_reader_of_a_compacted_topic_is_told_what_the_limit_dropped(void **state)
{
    char expected[128];

    (void)state;
    int64_t lost = fill_beyond_limit(true), lost1 = cache_lost(source.cache, 1);
    assert_true(lost > 0 && lost1 > 0);
    snprintf(expected, sizeof expected,
             "{\"partition\":0,\"from\":0,\"to\":%d}{\"partition\":1,\"from\":0,\"to\":%d}",
             (int)lost, (int)lost1);
    check_gaps(fresh(), expected);
    assert_int_equal(source.counts.gaps, 2);
}

static void a_fresh_reader_of_another_topic_starts_behind_what_was_dropped(void **state)
{
    (void)state;
    fill_beyond_limit(false);
    check_gaps(fresh(), "");
}

static void who_resumes_is_told_of_the_part_that_is_lost_to_it(void **state)
{
    char expected[128];

    (void)state;
    for (int compacted = 0; compacted < 2; compacted++) {
        int64_t lost = fill_beyond_limit(compacted), lost1 = cache_lost(source.cache, 1);
        snprintf(expected, sizeof expected, "{\"partition\":0,\"from\":%d,\"to\":%d}",
                 (int)lost - 1, (int)lost);
        check_gaps(resumed(lost - 1, lost1), expected);
        check_gaps(resumed(lost, lost1), "");
    }
}

static void what_is_lost_while_a_reader_is_behind_is_told_before_it_goes_on(void **state)
{
    char expected[128];
    struct buf bytes = {0};

    (void)state;
    make(false, 1, 70000);
    append(0, "k", "v");
    append(0, "k", "v");
    struct reader *r = fresh();
    pull(r, 1, &bytes);
    pull(r, SIZE_MAX, &bytes); /* the rest of the first */
    for (int i = 0; i < 2000; i++)
        append(0, "k", "v");
    reader_leave(r, &source);
    snprintf(expected, sizeof expected, "{\"partition\":0,\"from\":1,\"to\":%d}",
             (int)cache_lost(source.cache, 0));
    check_gaps(r, expected);
    buf_fini(&bytes);
}

/* What was lost of the cache is in the backlog still. */
static void what_the_backlog_gives_is_not_lost(void **state)
{
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(false, 1, 70000);
    for (int i = 0; i < 100; i++)
        append_kilobyte("k");
    struct reader *r = fresh();
    pull(r, 1, &bytes);
    for (int i = 0; i < 200; i++)
        append_kilobyte("k");
    assert_true(cache_lost(source.cache, 0) > 150);
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_non_null(memmem(out.text.p, out.text.n, "\"to\":100}", 9));
    buf_fini(&bytes);
    output_fini(&out);
}

static void a_gap_has_the_id_behind_it(void **state)
{
    struct buf bytes = {0}, id = {0};
    struct output out = {0};
    int64_t to[2];
    struct progress at = {2, to};

    (void)state;
    to[0] = fill_beyond_limit(true);
    to[1] = cache_lost(source.cache, 1);
    pull(resumed(0, to[1]), SIZE_MAX, &bytes);
    output_read(&out, buf_slice(&bytes));
    buf_add_str(&id, "id:");
    progress_add(&id, &at);
    buf_add_byte(&id, '\n');
    assert_bytes(slice_of(out.text.p, id.n), buf_slice(&id));
    buf_fini(&bytes);
    buf_fini(&id);
    output_fini(&out);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(a_reader_of_a_compacted_topic_is_told_what_the_limit_dropped),
        T(a_fresh_reader_of_another_topic_starts_behind_what_was_dropped),
        T(who_resumes_is_told_of_the_part_that_is_lost_to_it),
        T(what_is_lost_while_a_reader_is_behind_is_told_before_it_goes_on),
        T(what_the_backlog_gives_is_not_lost),
        T(a_gap_has_the_id_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

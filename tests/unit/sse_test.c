#include "topic/sse.h"

#include <stdlib.h>
#include <time.h>

#include "support.h"

static void check(struct slice value, const char *expected)
{
    struct buf out = {0};

    sse_add_data(&out, value);
    assert_text(buf_slice(&out), expected);
    buf_fini(&out);
}

static void a_line_is_a_line(void **state)
{
    (void)state;
    check(slice_str("Hello"), "data:Hello\n");
}

static void nothing_is_an_empty_line(void **state)
{
    (void)state;
    check(BYTES(""), "data:\n");
    check(slice_of(NULL, 0), "data:\n");
}

static void lf_crlf_and_a_lone_cr_end_a_line(void **state)
{
    (void)state;
    check(slice_str("a\nb"), "data:a\ndata:b\n");
    check(slice_str("a\r\nb"), "data:a\ndata:b\n");
    check(slice_str("a\rb"), "data:a\ndata:b\n");
    check(slice_str("a\n\rb"), "data:a\ndata:\ndata:b\n");
    check(slice_str("a\r\r\nb"), "data:a\ndata:\ndata:b\n");
}

static void a_line_end_at_the_end_is_one_more_empty_line(void **state)
{
    (void)state;
    check(slice_str("a\n"), "data:a\ndata:\n");
    check(slice_str("a\r"), "data:a\ndata:\n");
    check(slice_str("a\r\n"), "data:a\ndata:\n");
    check(slice_str("\n"), "data:\ndata:\n");
    check(slice_str("\r\n\r\n"), "data:\ndata:\ndata:\n");
}

static void a_space_at_the_start_of_a_line_is_kept_by_one_more(void **state)
{
    (void)state;
    check(slice_str(" a\n  b\nc "), "data:  a\ndata:   b\ndata:c \n");
    check(slice_str(" "), "data:  \n");
    check(slice_str("\t"), "data:\t\n");
}

static void no_value_can_bring_a_field_of_its_own(void **state)
{
    (void)state;
    check(slice_str("x\nevent:e\rid:1\r\n:c\n\ndata:y"),
          "data:x\ndata:event:e\ndata:id:1\ndata::c\ndata:\ndata:data:y\n");
}

static void all_other_bytes_are_as_they_are(void **state)
{
    struct buf value = {0}, out = {0};

    (void)state;
    for (int c = 0; c < 256; c++)
        if (c != '\n' && c != '\r')
            buf_add_byte(&value, (uint8_t)c);
    sse_add_data(&out, buf_slice(&value));
    assert_memory_equal(out.p, "data:", 5);
    assert_memory_equal(out.p + 5, value.p, value.n);
    assert_int_equal(out.n, 5 + value.n + 1);
    buf_fini(&value);
    buf_fini(&out);
}

/* What a client makes of the lines (WHATWG HTML, 9.2.6). */
static void read_back(struct slice lines, struct buf *value)
{
    while (lines.n > 0) {
        const uint8_t *end = memchr(lines.p, '\n', lines.n);
        assert_non_null(end);
        size_t n = (size_t)(end - lines.p);
        assert_true(n >= 5 && memcmp(lines.p, "data:", 5) == 0);
        size_t skip = n > 5 && lines.p[5] == ' ' ? 6 : 5;
        buf_add(value, lines.p + skip, n - skip);
        buf_add_byte(value, '\n');
        lines = slice_of(end + 1, lines.n - n - 1);
    }
    value->n--;
}

static void a_client_reads_the_value_again(void **state)
{
    static const char bytes[] = "ab \n\r:";
    uint64_t seed = 6;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct buf value = {0}, normal = {0}, out = {0}, back = {0};
        for (uint32_t n = random_below(&seed, 12); n > 0; n--)
            buf_add_byte(&value, (uint8_t)bytes[random_below(&seed, sizeof bytes - 1)]);
        for (size_t i = 0; i < value.n; i++) {
            if (value.p[i] != '\r')
                buf_add_byte(&normal, value.p[i]);
            else if (i + 1 == value.n || value.p[i + 1] != '\n')
                buf_add_byte(&normal, '\n');
        }
        sse_add_data(&out, buf_slice(&value));
        read_back(buf_slice(&out), &back);
        assert_bytes(buf_slice(&back), buf_slice(&normal));
        buf_fini(&value);
        buf_fini(&normal);
        buf_fini(&out);
        buf_fini(&back);
    }
}

/* The processor time for that many of these lines. */
static clock_t work_for(const char *line, int count)
{
    struct buf value = {0}, out = {0};
    size_t lines = 0;

    for (int i = 0; i < count; i++)
        buf_add_str(&value, line);
    clock_t start = clock();
    sse_add_data(&out, buf_slice(&value));
    clock_t work = clock() - start;
    for (size_t i = 0; i < out.n; i++)
        lines += out.p[i] == '\n';
    assert_int_equal(lines, count + 1);
    buf_fini(&value);
    buf_fini(&out);
    return work;
}

/* 50 times the lines: 50 times the work, and far from 2500 times. */
static void the_work_grows_with_the_lines_whatever_ends_them(void **state)
{
    static const char *const lines[] = {"\n", "\r\n", "a\n", "a\r"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_true(work_for(lines[i], 200000) < 250 * (work_for(lines[i], 4000) + 20));
}

/* -- retry -- */

static long retry_of(int64_t ms)
{
    struct buf out = {0};
    char *end;

    buf_add_str(&out, "x");
    sse_add_retry(&out, ms);
    buf_add_byte(&out, 0);
    assert_memory_equal(out.p, "xretry:", 7);
    long result = strtol((char *)out.p + 7, &end, 10);
    assert_string_equal(end, "\n");
    buf_fini(&out);
    return result;
}

static void the_time_to_retry_is_spread_over_half_to_one_and_a_half(void **state)
{
    enum { N = 4000, MS = 1000, PARTS = 10 };
    int in[PARTS] = {0};

    (void)state;
    for (int i = 0; i < N; i++) {
        long ms = retry_of(MS);
        assert_in_range(ms, MS / 2, MS * 3 / 2);
        in[ms == MS * 3 / 2 ? PARTS - 1 : (ms - MS / 2) * PARTS / MS]++;
    }
    for (int i = 0; i < PARTS; i++)
        assert_in_range(in[i], N / PARTS / 2, N / PARTS * 2);
}

static void the_shortest_and_the_longest_that_can_be_configured_are_spread(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_in_range(retry_of(100), 50, 150);
        assert_in_range(retry_of(600000), 300000, 900000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_line),
        cmocka_unit_test(nothing_is_an_empty_line),
        cmocka_unit_test(lf_crlf_and_a_lone_cr_end_a_line),
        cmocka_unit_test(a_line_end_at_the_end_is_one_more_empty_line),
        cmocka_unit_test(a_space_at_the_start_of_a_line_is_kept_by_one_more),
        cmocka_unit_test(no_value_can_bring_a_field_of_its_own),
        cmocka_unit_test(all_other_bytes_are_as_they_are),
        cmocka_unit_test(a_client_reads_the_value_again),
        cmocka_unit_test(the_work_grows_with_the_lines_whatever_ends_them),
        cmocka_unit_test(the_time_to_retry_is_spread_over_half_to_one_and_a_half),
        cmocka_unit_test(the_shortest_and_the_longest_that_can_be_configured_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

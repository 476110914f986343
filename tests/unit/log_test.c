#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support.h"

static int pipe_end, real_stderr;

/* Standard error goes into a pipe from here to logged(). */
static void capture(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    pipe_end = fds[0];
}

/* What was written since, without the prefix with the process id. */
static const char *logged(void)
{
    static char text[4096];
    char prefix[64];
    ssize_t n = read(pipe_end, text, sizeof text - 1);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_end);
    text[n > 0 ? n : 0] = 0;
    if (n <= 0)
        return text;
    int len = snprintf(prefix, sizeof prefix, "sse-kafka-fanout[%d] ", (int)getpid());
    assert_memory_equal(text, prefix, (size_t)len);
    return text + len;
}

static int reset_level(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    return 0;
}

static void a_line_has_its_level_and_an_end(void **state)
{
    (void)state;
    capture();
    log_warn("kafka: %s[%d]", "events", 2);
    assert_string_equal(logged(), "warn: kafka: events[2]\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
    static void (*const log_at[])(const char *, ...) = {log_error, log_warn, log_info, log_debug};

    (void)state;
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        log_set_level((enum log_level)level);
        for (int i = 0; i < 4; i++) {
            capture();
            log_at[i]("x");
            assert_int_equal(*logged() != 0, i <= level);
        }
    }
}

static void info_is_logged_and_debug_is_not_unless_told_otherwise(void **state)
{
    (void)state;
    capture();
    log_debug("x");
    assert_string_equal(logged(), "");
    capture();
    log_info("x");
    assert_string_equal(logged(), "info: x\n");
}

static void a_line_of_any_length_is_cut_and_still_ends(void **state)
{
    static char text[2000];

    (void)state;
    for (size_t n = 900; n < 1100; n++) {
        memset(text, 'x', n);
        text[n] = 0;
        capture();
        log_info("%s", text);
        const char *line = logged();
        size_t len = strlen(line);
        assert_true(len < 1024 && len > 900);
        assert_int_equal(line[len - 1], '\n');
        assert_int_equal(line[len - 2], 'x');
    }
}

static void levels_have_names(void **state)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    enum log_level level;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(log_level_parse(names[i], &level));
        assert_int_equal(level, i);
    }
}

static void an_unknown_name_of_a_level_changes_nothing(void **state)
{
    static const char *const names[] = {"", "Info", "info ", "notice", "inf"};
    enum log_level level = LOG_WARN;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(log_level_parse(names[i], &level));
    assert_int_equal(level, LOG_WARN);
}

static void printable_text_is_quoted_as_it_is(void **state)
{
    struct log_quoted q;

    (void)state;
    assert_string_equal(log_quote(slice_str("AQIAAg== ~!"), &q), "AQIAAg== ~!");
    assert_string_equal(log_quote(slice_of(NULL, 0), &q), "");
}

static void all_other_bytes_are_escaped(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        struct log_quoted q;
        char expected[8];
        const uint8_t byte = (uint8_t)c;
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        snprintf(expected, sizeof expected, plain ? "%c" : "\\x%02x", c);
        assert_string_equal(log_quote(slice_of(&byte, 1), &q), expected);
    }
}

static void forty_bytes_are_quoted_and_no_more(void **state)
{
    static const uint8_t bytes[1000] = {0};
    struct log_quoted q;

    (void)state;
    assert_int_equal(strlen(log_quote(slice_of(bytes, 40), &q)), 160);
    assert_int_equal(strlen(log_quote(slice_of(bytes, 41), &q)), 163);
    assert_string_equal(log_quote(slice_of(bytes, sizeof bytes), &q) + 160, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_has_its_level_and_an_end, reset_level),
        cmocka_unit_test_teardown(lines_above_the_level_are_dropped, reset_level),
        cmocka_unit_test_teardown(info_is_logged_and_debug_is_not_unless_told_otherwise,
                                  reset_level),
        cmocka_unit_test(a_line_of_any_length_is_cut_and_still_ends),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(an_unknown_name_of_a_level_changes_nothing),
        cmocka_unit_test(printable_text_is_quoted_as_it_is),
        cmocka_unit_test(all_other_bytes_are_escaped),
        cmocka_unit_test(forty_bytes_are_quoted_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

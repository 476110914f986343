#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
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

/* What was written since. */
static const char *logged_whole(void)
{
    static char text[8192];
    ssize_t n = read(pipe_end, text, sizeof text - 1);

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_end);
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* Likewise, without the prefix with the process id. */
static const char *logged(void)
{
    const char *text = logged_whole();
    char prefix[64];

    if (*text == 0)
        return text;
    int len = snprintf(prefix, sizeof prefix, "sse-kafka-fanout[%d] ", (int)getpid());
    assert_memory_equal(text, prefix, (size_t)len);
    return text + len;
}

static int reset(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    log_set_format(LOG_TEXT);
    unsetenv("JOURNAL_STREAM");
    log_look_for_journal();
    return 0;
}

/* Captures, and says by JOURNAL_STREAM that what is captured goes to the journal. */
static void capture_as_journal(long inode_off)
{
    char stream[64];
    struct stat st;

    capture();
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + (uintmax_t)inode_off);
    setenv("JOURNAL_STREAM", stream, 1);
    log_look_for_journal();
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

static void a_line_is_one_line_whatever_is_in_it(void **state)
{
    (void)state;
    capture();
    log_info("%s", "kafka: a\nb\r\x1b[2J\x7f"
                   "c \xc3\xa9");
    assert_string_equal(logged(), "info: kafka: a?b??[2J?c \xc3\xa9\n");
}

/* -- JSON -- */

/* One line, one object; its message is returned. */
static const char *json_message(const char *line)
{
    static char message[2048];
    json_error_t error;
    const char *when, *level, *text;
    int pid;
    struct tm tm = {0};

    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    assert_int_equal(json_unpack(json, "{s:s, s:s, s:i, s:s !}", "time", &when, "level", &level,
                                 "pid", &pid, "message", &text),
                     0);
    assert_string_equal(level, "warn");
    assert_int_equal(pid, getpid());
    const char *rest = strptime(when, "%Y-%m-%dT%H:%M:%S", &tm);
    assert_non_null(rest);
    assert_true(*rest == '.' && strlen(rest) == 5 && rest[4] == 'Z');
    assert_true(labs(timegm(&tm) - time(NULL)) < 60);
    snprintf(message, sizeof message, "%s", text);
    json_decref(json);
    return message;
}

static void check_json(const char *said, const char *expected)
{
    capture();
    log_warn("%s", said);
    assert_string_equal(json_message(logged_whole()), expected);
}

static void json_carries_any_text(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    check_json("kafka: events[2]", "kafka: events[2]");
    check_json("a \"b\" \\ / \n\r\t\x01\x7f", "a \"b\" \\ / \n\r\t\x01\x7f");
    check_json("\xc3\xa9", "\xc3\xa9");
    check_json("\xff \xc3", "? ?"); /* not UTF-8 */
}

static void a_long_line_is_whole_json_too(void **state)
{
    static char text[2000];

    (void)state;
    log_set_format(LOG_JSON);
    for (size_t n = 900; n < 1100; n++) {
        memset(text, n % 2 ? '\x01' : 'x', n);
        text[n] = 0;
        capture();
        log_warn("%s", text);
        size_t len = strlen(json_message(logged_whole()));
        assert_true(len <= n && len >= 900);
    }
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    capture();
    log_warn("x%s", text); /* cut inside a character */
    assert_true(strlen(json_message(logged_whole())) > 900);
}

/* -- the journal -- */

static void the_journal_gets_priorities_and_no_names(void **state)
{
    static void (*const log_at[])(const char *, ...) = {log_error, log_warn, log_info, log_debug};
    static const char *const lines[] = {"<3>x\n", "<4>x\n", "<6>x\n", "<7>x\n"};

    (void)state;
    log_set_level(LOG_DEBUG);
    for (int i = 0; i < 4; i++) {
        capture_as_journal(0);
        log_at[i]("x");
        assert_string_equal(logged_whole(), lines[i]);
    }
}

static void the_journal_gets_json_behind_the_priority(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    capture_as_journal(0);
    log_warn("x");
    const char *line = logged_whole();
    assert_memory_equal(line, "<4>", 3);
    assert_string_equal(json_message(line + 3), "x");
}

/* JOURNAL_STREAM is inherited: standard error may have been led elsewhere. */
static void another_stream_is_not_the_journal(void **state)
{
    (void)state;
    capture_as_journal(1);
    log_info("x");
    assert_string_equal(logged(), "info: x\n");
    setenv("JOURNAL_STREAM", "", 1);
    capture();
    log_look_for_journal();
    log_info("x");
    assert_string_equal(logged(), "info: x\n");
}

/* -- quoting -- */

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

static void eighty_bytes_are_quoted_and_no_more(void **state)
{
    static const uint8_t bytes[1000] = {0};
    struct log_quoted q;

    (void)state;
    assert_int_equal(strlen(log_quote(slice_of(bytes, 80), &q)), 320);
    assert_int_equal(strlen(log_quote(slice_of(bytes, 81), &q)), 323);
    assert_string_equal(log_quote(slice_of(bytes, sizeof bytes), &q) + 320, "...");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, reset, reset)
    const struct CMUnitTest tests[] = {
        T(a_line_has_its_level_and_an_end),
        T(lines_above_the_level_are_dropped),
        T(info_is_logged_and_debug_is_not_unless_told_otherwise),
        T(a_line_of_any_length_is_cut_and_still_ends),
        T(a_line_is_one_line_whatever_is_in_it),
        T(json_carries_any_text),
        T(a_long_line_is_whole_json_too),
        T(the_journal_gets_priorities_and_no_names),
        T(the_journal_gets_json_behind_the_priority),
        T(another_stream_is_not_the_journal),
        T(printable_text_is_quoted_as_it_is),
        T(all_other_bytes_are_escaped),
        T(eighty_bytes_are_quoted_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

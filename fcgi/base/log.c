#include "base/log.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    char priority; /* syslog(3) */
} levels[] = {{"error", '3'}, {"warn", '4'}, {"info", '6'}, {"debug", '7'}};
static enum log_level threshold = LOG_INFO;
static enum log_format form = LOG_TEXT;
static bool to_journal;

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_is_on(enum log_level level)
{
    return level <= threshold;
}

void log_set_format(enum log_format format)
{
    form = format;
}

void log_look_for_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat st;

    to_journal = false;
    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
        return;
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    to_journal = strcmp(stream, ours) == 0;
}

/* One fact is one line, and no terminal obeys it: librdkafka quotes what a broker said. */
static void replace_all(char *text, bool (*is_bad)(unsigned char c))
{
    for (; *text; text++)
        if (is_bad((unsigned char)*text))
            *text = '?';
}

static bool is_control(unsigned char c)
{
    return c < ' ' || c == 0x7f;
}

static bool is_not_ascii(unsigned char c)
{
    return c >= 0x80;
}

static size_t put_text(char *to, size_t size, enum log_level level, char *message)
{
    int n = 0;

    replace_all(message, is_control);
    if (!to_journal)
        n = snprintf(to, size, "sse-kafka-fanout[%d] %s: ", (int)getpid(), levels[level].name);
    return (size_t)n + (size_t)snprintf(to + n, size - (size_t)n, "%s", message);
}

/* 0: there is no memory for it. */
static size_t put_json(char *to, size_t size, enum log_level level, char *message)
{
    struct timespec now;
    struct tm utc;
    char date[32], time[48];
    json_t *text = json_string(message);

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(date, sizeof date, "%FT%T", gmtime_r(&now.tv_sec, &utc));
    snprintf(time, sizeof time, "%s.%03ldZ", date, now.tv_nsec / 1000000);
    if (text == NULL) { /* not UTF-8, or cut inside a character */
        replace_all(message, is_not_ascii);
        text = json_string(message);
    }
    json_t *json = json_pack("{s:s, s:s, s:i, s:o}", "time", time, "level", levels[level].name,
                             "pid", (int)getpid(), "message", text);
    size_t n = json_dumpb(json, to, size, JSON_COMPACT);
    json_decref(json);
    return n;
}

/* One write() per line, so that the lines of a pool's responders do not mix; and no memory of ours,
 * for that may be what has run out. */
void log_at_v(enum log_level level, const char *format, va_list args)
{
    enum { MESSAGE = 960, LONGEST_ESCAPE = 6 /* \u0001 */, NAMES = 128 };
    char message[MESSAGE], line[MESSAGE * LONGEST_ESCAPE + NAMES];
    size_t at = 0, n = 0;

    if (!log_is_on(level) || vsnprintf(message, sizeof message, format, args) < 0)
        return;
    if (to_journal)
        at = (size_t)snprintf(line, sizeof line, "<%c>", levels[level].priority);
    if (form == LOG_JSON)
        n = put_json(line + at, sizeof line - at, level, message);
    if (n == 0)
        n = put_text(line + at, sizeof line - at, level, message);
    line[at + n] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, at + n + 1);
    (void)ignored; /* nowhere left to say it */
}

void log_at(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_at_v(level, format, args);
    va_end(args);
}

#define DEFINE_LOG(name, level)                                                                    \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        log_at_v(level, format, args);                                                             \
        va_end(args);                                                                              \
    }
DEFINE_LOG(log_error, LOG_ERROR)
DEFINE_LOG(log_warn, LOG_WARN)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_debug, LOG_DEBUG)

const char *log_quote(struct slice s, struct log_quoted *out)
{
    size_t at = 0;

    for (size_t i = 0; i < s.n && i < LOG_QUOTED; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"')
            out->text[at++] = (char)c;
        else
            at += (size_t)snprintf(out->text + at, 5, "\\x%02x", c);
    }
    strcpy(out->text + at, s.n > LOG_QUOTED ? "..." : "");
    return out->text;
}

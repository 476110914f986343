#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"error", "warn", "info", "debug"};
static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* One write() per line, so that the lines of a pool's responders do not mix. */
static void write_line(enum log_level level, const char *format, va_list args)
{
    char line[1024];

    if (level > threshold)
        return;
    int at = snprintf(line, sizeof line, "sse-kafka-fanout[%d] %s: ", (int)getpid(), names[level]);
    int n = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
    if (n < 0)
        return;
    size_t len = (size_t)at + (size_t)n;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored; /* nowhere left to say it */
}

#define DEFINE_LOG(name, level)                                                                    \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        write_line(level, format, args);                                                           \
        va_end(args);                                                                              \
    }
DEFINE_LOG(log_error, LOG_ERROR)
DEFINE_LOG(log_warn, LOG_WARN)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_debug, LOG_DEBUG)

const char *log_quote(struct slice s, struct log_quoted *out)
{
    enum { MAX = 40 };
    size_t at = 0;

    for (size_t i = 0; i < s.n && i < MAX; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"')
            out->text[at++] = (char)c;
        else
            at += (size_t)snprintf(out->text + at, 5, "\\x%02x", c);
    }
    strcpy(out->text + at, s.n > MAX ? "..." : "");
    return out->text;
}

#include "lines.h"

#include <stdarg.h>
#include <stdio.h>

struct buf lines;

static void note(const char *level, const char *format, va_list ap)
{
    char line[2048];

    vsnprintf(line, sizeof line, format, ap);
    buf_printf(&lines, "%s %s\n", level, line);
}

#define WRAP(level)                                                                                \
    void __wrap_log_##level(const char *format, ...);                                              \
    void __wrap_log_##level(const char *format, ...)                                               \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, format);                                                                      \
        note(#level, format, ap);                                                                  \
        va_end(ap);                                                                                \
    }
WRAP(error)
WRAP(warn)
WRAP(info)

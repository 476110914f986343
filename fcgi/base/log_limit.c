#include "base/log_limit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60000 };

struct log_limit {
    const char *room, *what;
    struct timer *second; /* runs from the first line of each */
    unsigned lines;
    uint64_t left_out;
    enum log_level highest; /* of those left out */
};

static void log_limit_tell(struct log_limit *l)
{
    if (l->left_out > 0)
        log_at(l->highest, "%s: %" PRIu64 " more %s", l->room, l->left_out, l->what);
    l->left_out = 0;
    l->lines = 0;
}

static void on_second(void *arg)
{
    log_limit_tell(arg);
}

struct log_limit *log_limit_new(struct loop *loop, const char *room, const char *what)
{
    struct log_limit *l = mem_zero(sizeof *l);

    l->room = room;
    l->what = what;
    l->second = timer_new(loop, on_second, l);
    return l;
}

void log_limit_free(struct log_limit *l)
{
    if (l == NULL)
        return;
    log_limit_tell(l);
    timer_free(l->second);
    free(l);
}

bool log_once_a_minute(int64_t *told_ms, int64_t now_ms)
{
    bool due = *told_ms == 0 || now_ms - *told_ms >= MINUTE_MS;

    if (due)
        *told_ms = now_ms;
    return due;
}

void log_limited(struct log_limit *l, enum log_level level, const char *format, ...)
{
    va_list args;

    if (!log_is_on(level))
        return;
    if (!timer_running(l->second))
        timer_start(l->second, SECOND_MS);
    if (l->lines == LOG_LIMIT_LINES) {
        if (l->left_out++ == 0 || level < l->highest)
            l->highest = level;
        return;
    }
    l->lines++;
    va_start(args, format);
    log_at_v(level, format, args);
    va_end(args);
}

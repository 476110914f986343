/* What else the program asks of the system: the clock, chance, and where its log lines go. */
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include "base/log.h"
#include "world.h"

int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    static int64_t at_ms;
    static long looked; /* nanoseconds pass from one look to the next */
    int64_t ms = clock == CLOCK_REALTIME ? world_wall_ms() : world_now_ms();

    looked = world_now_ms() == at_ms ? looked + 1 : 0;
    at_ms = world_now_ms();
    *t = (struct timespec){ms / 1000, ms % 1000 * 1000000 + looked};
    return 0;
}

uint32_t __wrap_arc4random(void);
uint32_t __wrap_arc4random(void)
{
    return (uint32_t)dice_throw(world_dice(WHO_RANDOM));
}

uint32_t __wrap_arc4random_uniform(uint32_t n);
uint32_t __wrap_arc4random_uniform(uint32_t n)
{
    return dice_below(world_dice(WHO_RANDOM), n);
}

/* Takes real time, and is of no use where memory is given back at once. */
int __wrap_malloc_trim(size_t pad);
int __wrap_malloc_trim(size_t pad)
{
    (void)pad;
    return 0;
}

/* -- the log -- */

static void log_line(const char *level, const char *format, va_list args)
{
    char text[1024];

    if (!world_is_told())
        return;
    vsnprintf(text, sizeof text, format, args);
    world_tell("    responder %u, %s: %s", world_responder(), level, text);
}

void __wrap_log_at_v(enum log_level level, const char *format, va_list args);
void __wrap_log_at_v(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"error", "warn", "info"};

    if (level < LOG_DEBUG)
        log_line(names[level], format, args);
}

void __wrap_log_at(enum log_level level, const char *format, ...);
void __wrap_log_at(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    __wrap_log_at_v(level, format, args);
    va_end(args);
}

#define DEFINE_LOG(level)                                                                          \
    void __wrap_log_##level(const char *format, ...);                                              \
    void __wrap_log_##level(const char *format, ...)                                               \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        log_line(#level, format, args);                                                            \
        va_end(args);                                                                              \
    }
DEFINE_LOG(error)
DEFINE_LOG(warn)
DEFINE_LOG(info)

void __wrap_log_debug(const char *format, ...);
void __wrap_log_debug(const char *format, ...)
{
    (void)format;
}

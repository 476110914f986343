#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char seq_name[] = "{\"seq\":";
static const char at_name[] = ",\"at\":";

void die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t number(const char *option, const char *text, int64_t min, int64_t max)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || n < min || n > max)
        die("%s: %s is not a number from %" PRId64 " to %" PRId64, option, text, min, max);
    return n;
}

void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        die("out of memory");
    return p;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t steady_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

size_t stamp_write(char out[STAMP_MAX], struct stamp stamp)
{
    char text[STAMP_MAX + 1];
    int n = snprintf(text, sizeof text, "%s%" PRId64 "%s%" PRId64, seq_name, stamp.seq, at_name,
                     stamp.at_ns);

    memcpy(out, text, (size_t)n);
    return (size_t)n;
}

/* Steps over a name, and reads the number behind it. */
static bool read_member(const char **at, const char *end, const char *name, int64_t *out)
{
    size_t n = strlen(name);
    char *behind;

    if ((size_t)(end - *at) <= n || memcmp(*at, name, n) != 0)
        return false;
    *out = strtoll(*at + n, &behind, 10);
    *at = behind;
    return true;
}

bool stamp_read(const char *text, size_t n, struct stamp *stamp)
{
    const char *at = text, *end = text + n;

    return read_member(&at, end, seq_name, &stamp->seq) &&
           read_member(&at, end, at_name, &stamp->at_ns);
}

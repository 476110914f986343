/* tool - what publish, consume and sse-load share. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Says why on standard error, after the program's name, and exits with status 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The value of an option, a whole number from min to max; dies if it is anything else. */
int64_t number(const char *option, const char *text, int64_t min, int64_t max);

/* Never NULL. */
void *allocate(size_t n, size_t size);

/* Nanoseconds since 1970: of one machine, so publisher and reader agree. */
int64_t wall_ns(void);

/* Nanoseconds of a clock that nobody sets. */
int64_t steady_ns(void);

/* What a value begins with: the number of its record, and when it was published. */
struct stamp {
    int64_t seq;
    int64_t at_ns;
};

enum { STAMP_MAX = 64 };

/* Writes the stamp, without a NUL, and returns its length. */
size_t stamp_write(char out[STAMP_MAX], struct stamp stamp);

/* Reads the stamp that a text begins with; something but a digit follows the text.  false: there is
 * none. */
bool stamp_read(const char *text, size_t n, struct stamp *stamp);

#endif

/* log_limit - log lines that a request, a peer or a broker can cause: so many a second, then their
 * number.
 *
 * A flood of such lines would bury all others and fill the disk.  Each kind of line has a limit of
 * its own, so that a flood of one kind leaves the others readable. */
#ifndef SKF_BASE_LOG_LIMIT_H
#define SKF_BASE_LOG_LIMIT_H

#include <stdint.h>

#include "base/log.h"

struct loop;
struct log_limit;

enum { LOG_LIMIT_LINES = 20 }; /* in a second */

/* The lines that are left out are told within a second, as "<room>: <number> more <what>", at the
 * highest of their levels.  Both texts are borrowed. */
struct log_limit *log_limit_new(struct loop *loop, const char *room, const char *what);
/* Tells what has not been told yet. */
void log_limit_free(struct log_limit *l);

/* What goes on for long is told once a minute: true if it is to be told now.  `told_ms` is when it
 * was last, 0: never. */
bool log_once_a_minute(int64_t *told_ms, int64_t now_ms);

void log_limited(struct log_limit *l, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

/* log - one line per fact on standard error, for the operator.
 *
 * Nothing that came in a request is logged as it is: log_quote() makes it short and printable.
 * Tokens, queries and values of Kafka properties are never passed to it at all. */
#ifndef SKF_BASE_LOG_H
#define SKF_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above `level` are dropped.  The default is LOG_INFO. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* Text names the program, its process and the level; JSON has an object with time, level, pid and
 * message on each line. */
enum log_format { LOG_TEXT, LOG_JSON };
void log_set_format(enum log_format format);
/* If standard error goes to the journal (JOURNAL_STREAM, systemd.exec(5)), each line begins with
 * its priority (sd-daemon(3)), and text has no names: the journal has them. */
void log_look_for_journal(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_at_v(enum log_level level, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* At most LOG_QUOTED bytes of s, `...` for more, in `out`, which is returned.  Others than
 * printable ASCII, and quotes and backslashes, are \xHH there.  An id with a digest in it is shown
 * whole. */
enum { LOG_QUOTED = 80 };
struct log_quoted {
    char text[LOG_QUOTED * 4 + sizeof "..."];
};
const char *log_quote(struct slice s, struct log_quoted *out);

#endif

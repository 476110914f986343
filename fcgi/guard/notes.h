/* notes - what an operator should know of files that are read again and again: a line each, which
 * is logged when it is new and not at every reading. */
#ifndef SKF_GUARD_NOTES_H
#define SKF_GUARD_NOTES_H

#include <stddef.h>

enum { NOTES_MAX = 20 };

/* `{0}`: none.  The lines are owned. */
struct notes {
    char *lines[NOTES_MAX];
    size_t n;
    size_t more; /* that came when it was full */
};

void notes_add(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void notes_fini(struct notes *notes);

/* Warns of those that were not among the ones of before. */
void notes_log_new(const struct notes *notes, const struct notes *before);

#endif

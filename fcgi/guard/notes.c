#include "guard/notes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { LINE_SIZE = 768 };

void notes_add(struct notes *notes, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;

    if (notes->n == NOTES_MAX) {
        notes->more++;
        return;
    }
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    notes->lines[notes->n++] = mem_strdup(line);
}

void notes_fini(struct notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        free(notes->lines[i]);
    *notes = (struct notes){0};
}

static bool notes_have(const struct notes *notes, const char *line)
{
    for (size_t i = 0; i < notes->n; i++)
        if (strcmp(notes->lines[i], line) == 0)
            return true;
    return false;
}

void notes_log_new(const struct notes *notes, const struct notes *before)
{
    for (size_t i = 0; i < notes->n; i++)
        if (!notes_have(before, notes->lines[i]))
            log_warn("guard: %s", notes->lines[i]);
    if (notes->more > 0 && notes->more != before->more)
        log_warn("guard: %zu more remarks on the keys", notes->more);
}

/* row - one option: the command line, the file and --help are made from a table of these.
 *
 * A row reads by itself: its kind has a function for each place that a value can come from. */
#ifndef SKF_CONFIG_ROW_H
#define SKF_CONFIG_ROW_H

#include <jansson.h>

#include "config/config.h"

struct row;

/* What all rows of a kind have in common.  Whatever refuses a value logs one line. */
struct row_kind {
    bool has_no_argument;
    /* Of the command line, or a preset. */
    enum config_result (*read)(const struct row *row, void *to, const char *text);
    /* Of the file: NULL if a value is of this kind, else what it must be; then its reader. */
    const char *(*mismatch)(const json_t *value);
    enum config_result (*take)(const struct row *row, void *to, const json_t *value);
    void (*fini)(void *value); /* NULL: it owns nothing */
};

struct row {
    const char *name, *argument;
    const struct row_kind *kind;
    size_t at;           /* in struct config */
    char letter;         /* 0: none */
    int64_t min, max;    /* of a number */
    const char *choices; /* in the order of its enum */
    const char *preset;
    const char *help;
};

extern const struct row_kind kind_text, kind_list, kind_number, kind_choice;

/* Releases of clang-format differ about it. */
/* clang-format off */
/* The place of a member in a struct; its type is checked. */
#define ROW_MEMBER(struct_, member, type) /* NOLINTNEXTLINE: a type takes no parentheses */        \
    (offsetof(struct_, member) + 0 * sizeof(_Generic(((struct_ *)0)->member, type : 1)))
/* clang-format on */

enum { ROWS_MAX = 64 };
extern const struct row rows[];
extern const size_t rows_count; /* up to ROWS_MAX */

/* The one of that name in a table of n; NULL: none. */
const struct row *row_find(const struct row *table, size_t n, const char *name);
/* Its value in there. */
void *row_value(const struct row *row, struct config *config);

/* Logs an error. */
enum config_result config_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

#include "config/object.h"

#include <stdio.h>

enum { NAME_SIZE = 512 };

/* What refuses a value names it by its place in the file. */
static enum config_result read_member(const char *where, const json_t *value, const struct row *row,
                                      void *base)
{
    const char *wanted = row->kind->mismatch(value);
    struct row placed = *row;
    char name[NAME_SIZE];

    if (wanted != NULL)
        return config_fail("%s: %s: must be %s", where, row->name, wanted);
    snprintf(name, sizeof name, "%s: %s", where, row->name);
    placed.name = name;
    return row->kind->take(&placed, (char *)base + row->at, value);
}

enum config_result object_read(const char *where, const json_t *object, const struct row *table,
                               size_t n, void *base)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return config_fail("%s: must be an object", where);
    json_object_foreach ((json_t *)object, name, value) {
        const struct row *row = row_find(table, n, name);
        if (row == NULL)
            return config_fail("%s: unknown member %s", where, name);
        if (read_member(where, value, row, base) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

void object_fini(const struct row *table, size_t n, void *base)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].kind->fini != NULL)
            table[i].kind->fini((char *)base + table[i].at);
}

/* object - an object inside the configuration file: its members have a table of rows, too. */
#ifndef SKF_CONFIG_OBJECT_H
#define SKF_CONFIG_OBJECT_H

#include "config/row.h"

/* Reads each member by its row into the struct at `base`, to which the rows' offsets refer.
 * `where` names the object in errors. */
enum config_result object_read(const char *where, const json_t *object, const struct row *table,
                               size_t n, void *base);
/* Frees what the rows own in there. */
void object_fini(const struct row *table, size_t n, void *base);

#endif

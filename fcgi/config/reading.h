/* reading - what has been read so far, and from where. */
#ifndef SKF_CONFIG_READING_H
#define SKF_CONFIG_READING_H

#include "config/row.h"

struct reading {
    struct config *config;
    bool given[ROWS_MAX]; /* on the command line */
    bool set[ROWS_MAX];   /* there or in the file */
    const char *file;     /* NULL: none */
    json_t *properties;   /* name: value, of the command line */
};

bool reading_is_set(const struct reading *r, const char *name);

/* Sets a property of librdkafka; `trusted`: it stands in the file. */
enum config_result reading_set_property(struct reading *r, const char *name, const char *value,
                                        bool trusted);

#endif

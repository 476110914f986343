#include "config/reading.h"

#include <errno.h>

#include "kafka/conf.h"

bool reading_is_set(const struct reading *r, const char *name)
{
    const struct row *row = row_find(rows, rows_count, name);

    return row != NULL && r->set[row - rows];
}

/* The value itself is never printed: it may be a password. */
enum config_result reading_set_property(struct reading *r, const char *name, const char *value,
                                        bool trusted)
{
    switch (kafka_conf_set(r->config->kafka, name, value, trusted)) {
    case 0:
        return CONFIG_OK;
    case -EPERM:
        return config_fail("kafka property %s: is set by the program itself", name);
    case -EACCES:
        return config_fail(
            "kafka property %s: runs code, so only the configuration file may set it", name);
    case -ENOENT:
        return config_fail("kafka property %s: librdkafka does not know it", name);
    default:
        return config_fail("kafka property %s: librdkafka refuses its value", name);
    }
}

#include "config/reading.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/access.h"
#include "base/slice.h"
#include "kafka/conf.h"

bool reading_is_set(const struct reading *r, const char *name)
{
    const struct row *row = row_find(rows, rows_count, name);

    return row != NULL && r->set[row - rows];
}

/* librdkafka says of a file that it cannot read only that it failed. */
static enum config_result check_readable(const char *name, const char *value)
{
    if (!slice_ends(slice_str(name), ".location") || strcmp(value, "probe") == 0)
        return CONFIG_OK;
    if (access(value, R_OK) == 0)
        return CONFIG_OK;
    char why[ACCESS_SIZE];
    access_say(why, sizeof why, value, errno);
    return config_fail("kafka property %s: the file cannot be read: %s", name, why);
}

/* The value itself is never printed: it may be a password. */
enum config_result reading_set_property(struct reading *r, const char *name, const char *value,
                                        bool trusted)
{
    switch (kafka_conf_set(r->config->kafka, name, value, trusted)) {
    case 0:
        return check_readable(name, value);
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

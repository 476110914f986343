/* conf - librdkafka's configuration: our defaults, and which properties a user may set. */
#ifndef SKF_KAFKA_CONF_H
#define SKF_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

/* A librdkafka configuration with our defaults, to be completed by the user's properties. */
rd_kafka_conf_t *kafka_conf_new(void);
/* Sets a property of the user's: 0; -EPERM if the program must set it itself; -EACCES if it runs
 * code and `trusted` (the configuration file) is false; -ENOENT if librdkafka does not know it;
 * -EINVAL if it refuses the value. */
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, bool trusted);

#endif

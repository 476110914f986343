/* conf - librdkafka's configuration: our defaults, and which properties a user may set.  What is
 * librdkafka's own stays behind it, for kafka/ alone. */
#ifndef SKF_KAFKA_CONF_H
#define SKF_KAFKA_CONF_H

#include <stdbool.h>
#include <stddef.h>

struct kafka_conf;
struct rd_kafka_conf_s;

/* With our defaults, to be completed by the user's properties. */
struct kafka_conf *kafka_conf_new(void);
void kafka_conf_free(struct kafka_conf *conf);
/* Sets a property of the user's: 0; -EPERM if the program must set it itself; -EACCES if it runs
 * code and `trusted` (the configuration file) is false; -ENOENT if librdkafka does not know it;
 * -EINVAL if it refuses the value. */
int kafka_conf_set(struct kafka_conf *conf, const char *name, const char *value, bool trusted);
/* For so many topics: what librdkafka fetches ahead is limited for all of them together, unless the
 * user has set those limits, which are for each. */
void kafka_conf_share(struct kafka_conf *conf, size_t topics);
/* librdkafka's (borrowed). */
const struct rd_kafka_conf_s *kafka_conf_inside(const struct kafka_conf *conf);

/* Of the library that is there. */
const char *kafka_version(void);

#endif

/* cluster - what the consumers of one Kafka cluster share: librdkafka's handles, an eventfd in the
 * loop, and a look once a second at how all fares.
 *
 * A topic that is missing, refused or broken holds up no other. */
#ifndef SKF_KAFKA_CLUSTER_H
#define SKF_KAFKA_CLUSTER_H

#include <stddef.h>

struct cluster;
struct kafka_conf;
struct loop;

/* NULL, and `error` filled in, if librdkafka refuses the configuration as a whole. */
struct cluster *cluster_new(struct loop *loop, const struct kafka_conf *conf, const char *brokers,
                            char *error, size_t size);
/* Its consumers were freed before. */
void cluster_free(struct cluster *cluster);

#endif

/* outage - tells the operator which partitions give nothing, why, and when they go on: one line
 * for all those of a broker, once per change. */
#ifndef SKF_KAFKA_OUTAGE_H
#define SKF_KAFKA_OUTAGE_H

#include "kafka/partition.h"
#include "kafka/question.h"
#include "kafka/trouble.h"

/* To be called after a look at the partitions, unless all of them have the same trouble. */
void outage_tell(const struct trouble *trouble, const struct broker *brokers, int32_t brokers_n,
                 struct partition *partitions, int32_t n);

#endif

/* fake_consumer - a stand-in for kafka/consumer.c, as the fan-out sees it. */
#ifndef SKF_UNIT_FAKE_CONSUMER_H
#define SKF_UNIT_FAKE_CONSUMER_H

#include "kafka/consumer.h"

enum { FAKE_PARTITIONS = 100 };

/* What the fan-out is told when it asks. */
struct consumer {
    bool ready, missing, held, read_anew;
    uint64_t asked, answered; /* tickets */
    struct {
        int64_t end, surveyed_end, next;
        bool given_up, at_end;
    } p[FAKE_PARTITIONS];
};

/* How often it was asked about a partition's end. */
extern uint64_t fake_consumer_questions;

#endif

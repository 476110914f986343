/* report - the numbers of all rooms, as metrics. */
#ifndef SKF_REPORT_H
#define SKF_REPORT_H

#include "config/config.h"
#include "front/descriptors.h"
#include "front/handler.h"
#include "front/metrics.h"
#include "guard/session.h"
#include "kafka/consumer.h"
#include "stream/fanouts.h"

/* Whose numbers they are. */
struct report {
    const struct loop *loop;
    const struct config *config;
    struct descriptors descriptors;
    const struct fanouts *fanouts; /* by topic */
    const struct backlogs *backlogs;
    struct consumer *const *consumers; /* likewise */
    const struct handler *handler;
    const struct inlet *inlet;       /* NULL: not yet */
    const struct guard *guard;       /* NULL: none */
    const struct sessions *sessions; /* likewise */
    bool draining;
};

/* Fills in all but whose they are and when they were taken. */
void report_collect(const struct report *r, struct metrics *m);

#endif

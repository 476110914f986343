/* trouble - what keeps the consumer from its topic, told to the operator once per change. */
#ifndef SKF_KAFKA_TROUBLE_H
#define SKF_KAFKA_TROUBLE_H

#include "kafka/contact.h"

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_AWAY,    /* no broker answers */
    TROUBLE_REFUSED, /* they do not let us in: password, certificate, or a right is missing */
    TROUBLE_MISSING, /* the topic */
};

/* Errors are librdkafka's (rd_kafka_resp_err_t). */
struct trouble {
    const char *topic;       /* borrowed */
    struct contact *contact; /* likewise: of all topics */
    struct words words;      /* about partitions */
    /* Its own. */
    int error;     /* what the cluster has against the topic, logged once per change; 0: nothing, or
                      the contact is lost */
    int suspected; /* by the last answer */
    bool told;     /* the log has an error whose end it has not */
    bool read_refused;
};

void trouble_init(struct trouble *t, const char *topic, struct contact *contact);

/* A broker has said what it has against the topic; 0: nothing.  To be called after
 * contact_answered(). */
void trouble_told(struct trouble *t, int error);
/* The topic may, or may not, be read. */
void trouble_read(struct trouble *t, bool refused);
/* To be called with each look, after contact_look(). */
void trouble_look(struct trouble *t);

enum trouble_kind trouble_now(const struct trouble *t);

#endif

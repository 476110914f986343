/* contact - does any broker answer, and let us in?  Told to the operator once per change, for all
 * topics together. */
#ifndef SKF_KAFKA_CONTACT_H
#define SKF_KAFKA_CONTACT_H

#include <stdbool.h>

#include "kafka/words.h"

struct tick;

/* Errors are librdkafka's (rd_kafka_resp_err_t). */
struct contact {
    int error; /* _TRANSPORT: nobody answers; _AUTHENTICATION, _SSL: nobody lets us in; 0 */
    struct words words; /* about brokers and their answers */
    /* Its own. */
    int64_t answered_ms; /* when a broker has answered last */
    bool met;            /* one has */
    /* Since then: */
    bool all_down;
    bool bad_answer; /* the last error was an answer that could not be taken */
    int refusal;     /* _AUTHENTICATION, _SSL, or 0 */
    char refusal_text[WORDS_TEXT];
    char reason[WORDS_TEXT]; /* the last words about any broker */
};

/* Until now_ms nobody can have answered. */
void contact_init(struct contact *c, int64_t now_ms);

/* What librdkafka's error callback was told. */
void contact_hear(struct contact *c, int error, const char *reason);
/* A broker has answered a question, whatever it says. */
void contact_answered(struct contact *c, int64_t now_ms);
/* To be called with each look: nobody may have answered. */
void contact_look(struct contact *c, const struct tick *tick);

#endif

/* trouble - what keeps the consumer from its topic, told to the operator once per change, and
 * librdkafka's last words about each broker and partition. */
#ifndef SKF_KAFKA_TROUBLE_H
#define SKF_KAFKA_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

struct tick;

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_AWAY,    /* no broker answers */
    TROUBLE_REFUSED, /* they do not let us in: password, certificate, or a right is missing */
    TROUBLE_MISSING, /* the topic */
};

enum { TROUBLE_WORDS = 64, TROUBLE_TEXT = 256 };

/* What was said about a broker, about an answer of one that could not be taken, or about a
 * partition. */
enum words_about { WORDS_NOTHING, WORDS_BROKER, WORDS_ANSWER, WORDS_PARTITION };
struct words {
    enum words_about about;
    int32_t id;
    char text[TROUBLE_TEXT];
};

/* Errors are librdkafka's (rd_kafka_resp_err_t). */
struct trouble {
    const char *topic;      /* borrowed */
    enum trouble_kind kind; /* logged once per change */
    int error;              /* behind it; 0: nobody has answered */
    int suspected;          /* what the last answer had against the topic */
    bool read_refused;
    int64_t answered_ms; /* when a broker has answered last */
    /* Since then: */
    bool all_down;
    bool bad_answer; /* the last error was an answer that could not be taken */
    int refusal;     /* _AUTHENTICATION, _SSL, or 0 */
    char refusal_text[TROUBLE_TEXT];
    char reason[TROUBLE_TEXT]; /* the last words about any broker */

    struct words words[TROUBLE_WORDS]; /* the newest first */
};

/* Until now_ms nobody can have answered. */
void trouble_init(struct trouble *t, const char *topic, int64_t now_ms);

/* A broker has said what it has against the topic; 0: nothing. */
void trouble_told(struct trouble *t, int error);
/* A broker has answered a question, whatever it says. */
void trouble_answered(struct trouble *t, int64_t now_ms);
/* The topic may, or may not, be read. */
void trouble_read(struct trouble *t, bool refused);
/* What librdkafka's error callback was told. */
void trouble_hear(struct trouble *t, int error, const char *reason);
/* To be called with each look: nobody may have answered. */
void trouble_look(struct trouble *t, const struct tick *tick);

enum trouble_kind trouble_now(const struct trouble *t);

/* The text is copied; of too many, those that were not renewed for longest are forgotten. */
void trouble_note(struct trouble *t, enum words_about about, int32_t id, const char *text);
void trouble_forget(struct trouble *t, enum words_about about, int32_t id);
/* NULL: none. */
const char *trouble_words(const struct trouble *t, enum words_about about, int32_t id);

#endif

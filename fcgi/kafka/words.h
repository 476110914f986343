/* words - librdkafka's last words about each broker and partition, for the operator. */
#ifndef SKF_KAFKA_WORDS_H
#define SKF_KAFKA_WORDS_H

#include <stdint.h>

enum { WORDS_MAX = 64, WORDS_TEXT = 256 };

/* What was said about a broker, about an answer of one that could not be taken, or about a
 * partition. */
enum words_about { WORDS_NOTHING, WORDS_BROKER, WORDS_ANSWER, WORDS_PARTITION };

/* `{0}` is none. */
struct words {
    struct {
        enum words_about about;
        int32_t id;
        char text[WORDS_TEXT];
    } of[WORDS_MAX]; /* the newest first */
};

/* The text is copied; of too many, those that were not renewed for longest are forgotten. */
void words_note(struct words *w, enum words_about about, int32_t id, const char *text);
void words_forget(struct words *w, enum words_about about, int32_t id);
/* NULL: none. */
const char *words_find(const struct words *w, enum words_about about, int32_t id);

#endif

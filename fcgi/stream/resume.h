/* resume - where a stream wants to go on, and whether it can: judged when the cache is ready. */
#ifndef SKF_STREAM_RESUME_H
#define SKF_STREAM_RESUME_H

#include "kafka/consumer.h"
#include "topic/cache.h"

struct resume;

/* Why a stream has to be reset: M(X, enumerator, code, detail) for each.  Codes are a promise:
 * clients compare them. */
#define RESET_TABLE(M, X)                                                                          \
    M(X, ID_MALFORMED, "id_malformed", "the event id is malformed")                                \
    M(X, PARTITION_UNKNOWN, "partition_unknown",                                                   \
      "the event id names a partition that the topic lacks")                                       \
    M(X, ID_BEYOND_END, "id_beyond_end", "the event id is beyond the end of the topic")            \
    M(X, DELETES_UNKNOWN, "deletes_unknown", "deletes since the event id are no longer known")     \
    M(X, TOPIC_NEW, "topic_new", "the topic was made again")                                       \
    M(X, SELECTION, "selection", "the event id is of a stream that selects otherwise")
#define RESET_ENUMERATOR(X, name, code, detail) RESET_##name,
enum reset { RESET_NONE, RESET_TABLE(RESET_ENUMERATOR, ) RESETS };

/* What clients are told, as JSON: the code, and the same in words. */
const char *reset_code(enum reset why);
enum { RESET_JSON = 128 };
void reset_json(enum reset why, char json[RESET_JSON]);

/* From an event id; one that is malformed, or has another tag than this (empty: none), leads to a
 * reset. */
struct resume *resume_new(struct slice last_event_id, struct slice tag);
/* For a stream that has lost its place; it leads to a reset. */
struct resume *resume_none(enum reset why);
/* For one that was given all up to `at` (copied) of a cache that will be filled anew.  Keys that
 * the broker has dropped by their age until then leave no trace: that leads to a reset, too. */
struct resume *resume_held(const struct progress *at, const struct cache *cache);
void resume_free(struct resume *resume);

/* The id is beyond what the cache has read: it may be another responder's that has read more, so it
 * waits.  The survey of that ticket will say. */
bool resume_is_ahead(const struct resume *resume, const struct cache *cache);
void resume_await(struct resume *resume, uint64_t ticket);
/* Looks at what was answered since then; `answered`: up to which ticket it was told what partitions
 * there are.  True if the waiting is over: the cache has caught up, the place does not exist (then
 * it leads to a reset), or its partition was given up. */
bool resume_decide(struct resume *resume, const struct cache *cache,
                   const struct consumer *consumer, uint64_t answered);

/* Where to go on (RESET_NONE, and an empty `from` gets the place), or why that leads to a reset. */
enum reset resume_judge(const struct resume *resume, const struct cache *cache,
                        struct progress *from);

/* For a stream that began without an answer: by now there is one, and a partition ends below its
 * place, which leads to a reset. */
bool resume_is_refuted(const struct progress *at, const struct cache *cache,
                       const struct consumer *consumer);

#endif

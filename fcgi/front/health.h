/* health - why a responder is not ready for streams, and what else an operator should know of it.
 *
 * One table: a row here is a reason in /health/ready, a series of the metric `trouble`, and a line
 * of README's table.  A new reason is a row, and one health_set() in report.c. */
#ifndef SKF_FRONT_HEALTH_H
#define SKF_FRONT_HEALTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum reason_kind {
    REASON_FAILS,  /* not ready */
    REASON_COUNTS, /* not ready; how many of what its text names is told, too */
    REASON_TELLS,  /* ready all the same: told in the details alone */
};

/* enumerator, name, what it is about, kind, what it means.  Names are a promise: scripts and alerts
 * compare them. */
#define REASON_TABLE(X)                                                                            \
    X(KAFKA_AWAY, "kafka_away", TOPIC, FAILS, "no broker answers")                                 \
    X(KAFKA_REFUSED, "kafka_refused", TOPIC, FAILS,                                                \
      "the brokers refuse us: the password, a certificate or a right is wrong")                    \
    X(TOPIC_MISSING, "topic_missing", TOPIC, FAILS, "the topic does not exist")                    \
    X(PARTITION_AWAY, "partition_away", TOPIC, COUNTS,                                             \
      "partitions without a leader that answers; the others are served")                           \
    X(TOO_MANY_PARTITIONS, "too_many_partitions", TOPIC, COUNTS,                                   \
      "partitions are more than an event id can name")                                             \
    X(CATCHING_UP, "catching_up", TOPIC, FAILS,                                                    \
      "what was there at the start has not been read yet")                                         \
    X(CACHE_FULL, "cache_full", TOPIC, FAILS,                                                      \
      "the compacted topic does not fit its share of --cache-bytes")                               \
    X(KEYS_BROKEN, "keys_broken", PROCESS, FAILS,                                                  \
      "a JWKS file is broken; its keys of before are in use")                                      \
    X(LOOP_SLOW, "loop_slow", PROCESS, FAILS,                                                      \
      "a turn of the loop took over a second, a minute ago at most")                               \
    X(CONSUMER_STUCK, "consumer_stuck", TOPIC, FAILS,                                              \
      "a partition does not move though its broker answers")                                       \
    X(SETTINGS_ASSUMED, "settings_assumed", TOPIC, TELLS,                                          \
      "the topic's settings cannot be read: it is taken as not compacted")                         \
    X(DRAINING, "draining", PROCESS, FAILS, "it stops")                                            \
    X(SILENT, "silent", PROCESS, FAILS, "its loop has not turned for 5 seconds")

#define REASON_ENUMERATOR(name, text, scope, kind, meaning) REASON_##name,
enum reason { REASON_TABLE(REASON_ENUMERATOR) REASONS };

/* By reason: 0 if it is not so, else 1, or how many for a REASON_COUNTS.  `{0}`: all is well. */
struct health {
    int32_t count[REASONS];
};

void health_set(struct health *h, enum reason reason, int64_t count);
/* Of the process and one of its topics, together. */
struct health health_join(const struct health *a, const struct health *b);
bool health_ready(const struct health *h);
const char *health_name(enum reason reason);
/* Else it is about the whole process. */
bool health_is_of_topic(enum reason reason);
/* Appends the names of what keeps it from being ready, for people. */
void health_add_reasons(struct buf *out, const struct health *h);

/* What keeps it from being ready, as a JSON array of names, and all that is to be told, as an
 * object of name and text.  Each is the caller's. */
json_t *health_reasons(const struct health *h);
json_t *health_details(const struct health *h);

#endif

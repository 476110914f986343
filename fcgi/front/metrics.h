/* metrics - what a responder counts. */
#ifndef SKF_FRONT_METRICS_H
#define SKF_FRONT_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "front/health.h"
#include "front/refusal.h"
#include "guard/renewals.h"

#define METRIC_REFUSED_ROW(X, name, label)                                                         \
    X(REFUSED_##name, "requests_refused_total", PROCESS, "reason=\"" label "\"",                   \
      "Requests that were refused or told to come back.")

#define METRIC_RENEWAL_ROW(X, name, label)                                                         \
    X(RENEWAL_##name, "renewals_total", PROCESS, "outcome=\"" label "\"",                          \
      "Answers to challenges that came to this responder.")

/* What a series is about: its labels name the topic, too, or only the responder. */
enum metric_scope { METRIC_TOPIC, METRIC_PROCESS };

/* enumerator, family, scope, label, what it means.  Names as Prometheus wants them: a family that
 * ends with `_total` only grows, one of `_seconds` is kept in milliseconds.  The members of a
 * family stand together.  No label comes from a request, a token, a key or a subject: topic and
 * issuers are those of the configuration. */
#define METRIC_TABLE(X)                                                                            \
    X(STREAMS, "streams", TOPIC, "", "Event streams that are open.")                               \
    X(OPENED, "streams_opened_total", TOPIC, "", "Event streams that were opened.")                \
    X(ENDED_CLIENT, "streams_ended_total", TOPIC, "reason=\"client\"",                             \
      "Event streams that have ended.")                                                            \
    X(ENDED_TOKEN, "streams_ended_total", TOPIC, "reason=\"token\"", "")                           \
    X(ENDED_AGE, "streams_ended_total", TOPIC, "reason=\"age\"", "")                               \
    X(ENDED_DRAIN, "streams_ended_total", TOPIC, "reason=\"drain\"", "")                           \
    REFUSED_TABLE(METRIC_REFUSED_ROW, X)                                                           \
    RENEWAL_TABLE(METRIC_RENEWAL_ROW, X)                                                           \
    X(CHALLENGES, "challenges_total", PROCESS, "", "Challenges sent.")                             \
    X(SENT_EVENTS, "sent_events_total", TOPIC, "", "Events sent, to all streams together.")        \
    X(SENT_BYTES, "sent_bytes_total", TOPIC, "",                                                   \
      "Bytes sent to the web server for streams, the framing included.")                           \
    X(RECORDS, "records_total", TOPIC, "", "Records read from Kafka.")                             \
    X(CONFLATIONS, "conflations_total", TOPIC, "",                                                 \
      "Times that a slow stream fell behind the backlog.")                                         \
    X(GAPS, "gaps_total", TOPIC, "", "Gap events sent: records were lost to a stream.")            \
    X(RESETS, "resets_total", TOPIC, "", "Reset events sent: a stream had to start anew.")         \
    X(CACHE_RECORDS, "cache_records", TOPIC, "", "Records in the cache.")                          \
    X(CACHE_KEYS, "cache_keys", TOPIC, "",                                                         \
      "Keys of a compacted topic in the cache, those of remembered deletes included.")             \
    X(CACHE_BYTES, "cache_bytes", TOPIC, "", "Memory of the cache.")                               \
    X(TURNS, "loop_turns_total", PROCESS, "", "Turns of the loop.")                                \
    X(BUSY, "loop_busy_seconds_total", PROCESS, "", "Time that the loop spent in its turns.")      \
    X(LONGEST_TURN, "loop_longest_turn_seconds", PROCESS, "", "Longest turn of the loop so far.")  \
    X(LONG_TURNS, "loop_long_turns_total", PROCESS, "",                                            \
      "Turns of the loop that took over a second.")                                                \
    X(STUCK, "consumer_stuck_total", TOPIC, "", "Times that a partition did not move for 10 s.")

#define METRIC_ENUMERATOR(name, family, scope, label, help) METRIC_##name,
enum metric { METRIC_TABLE(METRIC_ENUMERATOR) METRICS };

enum {
    METRICS_LAGS = 256, /* partitions with a series of their own; those beyond have one together */
    TOPIC_MAX = 249,    /* bytes of a topic's name, as Kafka has it */
};

/* The keys of an issuer. */
struct metrics_issuer {
    char name[ISSUER_MAX + 1];
    int32_t broken; /* bool */
    int64_t changed_ms;
};

struct metrics {
    int32_t pid;
    char topic[TOPIC_MAX + 1];
    struct health health;
    int64_t beat_ms;         /* CLOCK_MONOTONIC, when it was taken */
    int64_t guarded;         /* bool */
    int64_t values[METRICS]; /* negative: there is none, and it is left out */
    int32_t issuer_count;
    struct metrics_issuer issuers[GUARD_ISSUERS_MAX];
    int32_t partitions;
    int64_t lag[METRICS_LAGS + 1]; /* records that were not read yet; the last: of all others */
};

/* Appends all of them in Prometheus' text format, version 0.0.4; a label tells whose they are. */
void metrics_add_text(struct buf *out, const struct metrics *m, size_t n);

#endif

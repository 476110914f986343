/* metrics - what a responder counts. */
#ifndef SKF_FRONT_METRICS_H
#define SKF_FRONT_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "front/health.h"
#include "front/refusal.h"

#define METRIC_REFUSED_ROW(X, name, label)                                                         \
    X(REFUSED_##name, "requests_refused_total", "reason=\"" label "\"",                            \
      "Requests that were refused or told to come back.")

/* enumerator, family, label, what it means.  Names as Prometheus wants them: a family that ends
 * with `_total` only grows, one of `_seconds` is kept in milliseconds.  The members of a family
 * stand together.  No label comes from a request, a token, a key or a subject. */
#define METRIC_TABLE(X)                                                                            \
    X(STREAMS, "streams", "", "Event streams that are open.")                                      \
    X(OPENED, "streams_opened_total", "", "Event streams that were opened.")                       \
    X(ENDED_CLIENT, "streams_ended_total", "reason=\"client\"", "Event streams that have ended.")  \
    X(ENDED_TOKEN, "streams_ended_total", "reason=\"token\"", "")                                  \
    X(ENDED_AGE, "streams_ended_total", "reason=\"age\"", "")                                      \
    X(ENDED_DRAIN, "streams_ended_total", "reason=\"drain\"", "")                                  \
    REFUSED_TABLE(METRIC_REFUSED_ROW, X)                                                           \
    X(RENEWAL_ACCEPTED, "renewals_total", "outcome=\"accepted\"",                                  \
      "Answers to challenges that came to this responder.")                                        \
    X(RENEWAL_TOKEN, "renewals_total", "outcome=\"token\"", "")                                    \
    X(RENEWAL_FORBIDDEN, "renewals_total", "outcome=\"forbidden\"", "")                            \
    X(RENEWAL_LIMITED, "renewals_total", "outcome=\"limited\"", "")                                \
    X(RENEWAL_PEER, "renewals_total", "outcome=\"peer\"", "")                                      \
    X(RENEWAL_BUSY, "renewals_total", "outcome=\"busy\"", "")                                      \
    X(CHALLENGES, "challenges_total", "", "Challenges sent.")                                      \
    X(KEYS_CHANGED, "jwks_changed_timestamp_seconds", "",                                          \
      "When the oldest of the JWKS files was changed whose keys are in use.")                      \
    X(SENT_EVENTS, "sent_events_total", "", "Events sent, to all streams together.")               \
    X(SENT_BYTES, "sent_bytes_total", "",                                                          \
      "Bytes sent to the web server for streams, the framing included.")                           \
    X(RECORDS, "records_total", "", "Records read from Kafka.")                                    \
    X(CONFLATIONS, "conflations_total", "", "Times that a slow stream fell behind the backlog.")   \
    X(GAPS, "gaps_total", "", "Gap events sent: records were lost to a stream.")                   \
    X(RESETS, "resets_total", "", "Reset events sent: a stream had to start anew.")                \
    X(CACHE_RECORDS, "cache_records", "", "Records in the cache.")                                 \
    X(CACHE_KEYS, "cache_keys", "",                                                                \
      "Keys of a compacted topic in the cache, those of remembered deletes included.")             \
    X(CACHE_BYTES, "cache_bytes", "", "Memory of the cache.")                                      \
    X(TURNS, "loop_turns_total", "", "Turns of the loop.")                                         \
    X(BUSY, "loop_busy_seconds_total", "", "Time that the loop spent in its turns.")               \
    X(LONGEST_TURN, "loop_longest_turn_seconds", "", "Longest turn of the loop so far.")           \
    X(LONG_TURNS, "loop_long_turns_total", "", "Turns of the loop that took over a second.")       \
    X(STUCK, "consumer_stuck_total", "", "Times that a partition did not move for 10 s.")

#define METRIC_ENUMERATOR(name, family, label, help) METRIC_##name,
enum metric { METRIC_TABLE(METRIC_ENUMERATOR) METRICS };

/* Partitions with a series of their own; those beyond have one together. */
enum { METRICS_LAGS = 256 };

struct metrics {
    int32_t pid;
    struct health health;
    int64_t beat_ms;         /* CLOCK_MONOTONIC, when it was taken */
    int64_t guarded;         /* bool */
    int64_t values[METRICS]; /* negative: there is none, and it is left out */
    int32_t partitions;
    int64_t lag[METRICS_LAGS + 1]; /* records that were not read yet; the last: of all others */
};

/* Appends all of them in Prometheus' text format, version 0.0.4; a label tells whose they are. */
void metrics_add_text(struct buf *out, const struct metrics *m, size_t n);

#endif

/* metrics - what a responder counts. */
#ifndef SKF_FRONT_METRICS_H
#define SKF_FRONT_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "front/health.h"
#include "front/refusal.h"
#include "guard/renewals.h"
#include "route/pattern.h"
#include "stream/delays.h"
#include "stream/resume.h"

#define METRIC_RESET_ROW(X, name, code, detail)                                                    \
    X(RESET_##name, "resets_total", "reason=\"" code "\"",                                         \
      "Reset events sent: a stream had to start anew.")

/* Enumerator, family, label, what it means.  Names as Prometheus wants them: a family that ends
 * with `_total` only grows, one of `_seconds` is kept in milliseconds; `X_limit` is what X cannot
 * exceed.  The members of a family stand together.  No label comes from a request, a token, a key
 * or a subject: topics, routes and issuers are those of the configuration.  A negative value is not
 * known, and has no series. */

#define METRIC_SHAPE_ROWS(X, prefix, family, help)                                                 \
    X(prefix##SSE, family, "shape=\"sse\"", help)                                                  \
    X(prefix##ENVELOPE, family, "shape=\"envelope\"", "")                                          \
    X(prefix##NDJSON, family, "shape=\"ndjson\"", "")                                              \
    X(prefix##JSON, family, "shape=\"json\"", "")

/* Of each topic. */
#define TOPIC_METRIC_TABLE(X)                                                                      \
    X(STREAMS, "streams", "", "Event streams that are open.")                                      \
    X(OPENED, "streams_opened_total", "", "Event streams that were opened.")                       \
    X(ENDED_CLIENT, "streams_ended_total", "reason=\"client\"", "Event streams that have ended.")  \
    X(ENDED_TOKEN, "streams_ended_total", "reason=\"token\"", "")                                  \
    X(ENDED_AGE, "streams_ended_total", "reason=\"age\"", "")                                      \
    X(ENDED_DRAIN, "streams_ended_total", "reason=\"drain\"", "")                                  \
    X(ENDED_WHOLE, "streams_ended_total", "reason=\"whole\"", "")                                  \
    X(ENDED_REPLACED, "streams_ended_total", "reason=\"replaced\"", "")                            \
    METRIC_SHAPE_ROWS(X, SHAPE_, "shape_streams", "Of the open streams, those of each shape.")     \
    METRIC_SHAPE_ROWS(X, SHAPE_OPENED_, "shape_streams_opened_total",                              \
                      "Of the streams that were opened, those of each shape.")                     \
    X(SENT_EVENTS, "sent_events_total", "", "Events sent, to all streams together.")               \
    X(SENT_BYTES, "sent_bytes_total", "",                                                          \
      "Bytes sent to the web server for streams, the framing included.")                           \
    X(RECORDS, "records_total", "", "Records read from Kafka.")                                    \
    X(CONFLATIONS, "conflations_total", "", "Times that a slow stream fell behind the backlog.")   \
    X(GAPS, "gaps_total", "", "Gap events sent: records were lost to a stream.")                   \
    RESET_TABLE(METRIC_RESET_ROW, X)                                                               \
    X(UNWANTED, "records_unwanted_total", "",                                                      \
      "Records that no stream was to be given, for all that were open select others.")             \
    X(INDEX_KEYS, "index_keys", "", "Different keys that open streams select by.")                 \
    X(CACHE_RECORDS, "cache_records", "", "Records in the cache.")                                 \
    X(CACHE_KEYS, "cache_keys", "",                                                                \
      "Keys of a compacted topic in the cache, those of remembered deletes included.")             \
    X(CACHE_BYTES, "cache_bytes", "", "Memory of the cache.")                                      \
    X(CACHE_LIMIT, "cache_bytes_limit", "", "The topic's share of --cache-bytes.")                 \
    X(BACKLOG_BYTES, "backlog_bytes", "",                                                          \
      "Memory of the newest events, encoded once for all streams.")                                \
    X(STUCK, "consumer_stuck_total", "", "Times that a partition did not move for 10 s.")

#define METRIC_REFUSED_ROW(X, name, label)                                                         \
    X(REFUSED_##name, "requests_refused_total", "reason=\"" label "\"",                            \
      "Requests that were refused or told to come back.")

#define METRIC_RENEWAL_ROW(X, name, label)                                                         \
    X(RENEWAL_##name, "renewals_total", "outcome=\"" label "\"",                                   \
      "Answers to challenges that came to this responder.")

/* Of the process. */
#define METRIC_TABLE(X)                                                                            \
    REFUSED_TABLE(METRIC_REFUSED_ROW, X)                                                           \
    RENEWAL_TABLE(METRIC_RENEWAL_ROW, X)                                                           \
    X(TOLD, "streams_told_total", "", "Times that a stream was told to select something else.")    \
    X(HANDLES, "stream_handles", "", "Handles of streams, open ones and remembered ones.")         \
    X(HANDLES_LIMIT, "stream_handles_limit", "", "From then on the least recently used goes.")     \
    X(HANDLES_FORGOTTEN, "stream_handles_forgotten_total", "", "Handles that went for others.")    \
    X(CHALLENGES, "challenges_total", "", "Challenges sent.")                                      \
    X(TURNS, "loop_turns_total", "", "Turns of the loop.")                                         \
    X(BUSY, "loop_busy_seconds_total", "", "Time that the loop spent in its turns.")               \
    X(LONGEST_TURN, "loop_longest_turn_seconds", "", "Longest turn of the loop so far.")           \
    X(LONG_TURNS, "loop_long_turns_total", "", "Turns of the loop that took over a second.")       \
    X(STREAMS_LIMIT, "streams_limit", "", "Event streams that may be open, of all topics.")        \
    X(REQUESTS, "requests_waiting", "", "Requests that are not whole, or not answered yet.")       \
    X(REQUESTS_LIMIT, "requests_waiting_limit", "", "From then on they wait in the listen queue.") \
    X(BACKLOGS_LIMIT, "backlogs_bytes_limit", "", "Of the backlogs of all topics together.")       \
    X(RESIDENT, "resident_memory_bytes", "", "Memory of the process.")                             \
    X(DESCRIPTORS, "open_descriptors", "", "Open files of the process; from Linux 6.2 on.")        \
    X(DESCRIPTORS_LIMIT, "open_descriptors_limit", "", "Open files that it may have.")             \
    X(START, "start_timestamp_seconds", "", "When the process began.")

#define TOPIC_METRIC_ENUMERATOR(name, family, label, help) TOPIC_METRIC_##name,
enum topic_metric { TOPIC_METRIC_TABLE(TOPIC_METRIC_ENUMERATOR) TOPIC_METRICS };
#define METRIC_ENUMERATOR(name, family, label, help) METRIC_##name,
enum metric { METRIC_TABLE(METRIC_ENUMERATOR) METRICS };

enum {
    METRICS_LAGS = 256, /* partitions with a series of their own; those beyond have one together */
    TOPIC_MAX = 249,    /* bytes of a topic's name, as Kafka has it */
    RESPONDER_MAX =
        111, /* bytes of a responder's name: a socket's path, and what tells two apart */
};

struct metrics_topic {
    char name[TOPIC_MAX + 1];
    struct health health; /* of this topic alone */
    int64_t values[TOPIC_METRICS];
    struct delay_counts delays;
    int32_t partitions;
    int64_t lag[METRICS_LAGS + 1]; /* records that were not read yet; the last: of all others */
};

struct metrics_route {
    char path[PATTERN_MAX + 1]; /* as it is configured */
    int64_t streams;
};

/* The keys of an issuer. */
struct metrics_issuer {
    char name[ISSUER_MAX + 1];
    int32_t broken; /* bool */
    int64_t changed_ms;
};

struct metrics {
    char responder[RESPONDER_MAX + 1]; /* front/listener.h: the same after a restart */
    char version[16];
    int32_t pid;
    int32_t topic_count, route_count, issuer_count;
    struct metrics_topic *topics; /* owned, and so are the routes */
    struct metrics_route *routes;
    struct health health; /* of the process, whatever the topic */
    int64_t beat_ms;      /* CLOCK_MONOTONIC, when it was taken */
    int64_t guarded;      /* bool */
    int64_t values[METRICS];
    struct metrics_issuer issuers[GUARD_ISSUERS_MAX];
};

/* Everything is 0. */
void metrics_init(struct metrics *m, int32_t topics, int32_t routes);
void metrics_fini(struct metrics *m);

/* How it fares with one of its topics. */
struct health metrics_health(const struct metrics *m, int32_t topic);

/* Several responders may have one name, as those at one socket have while the next takes over: the
 * one that serves keeps it, or of several the oldest, and the others' get `#2`, `#3`. */
void metrics_tell_apart(struct metrics *m, size_t n);

/* Appends all of them in Prometheus' text format, version 0.0.4; the labels `responder` and `pool`
 * tell whose they are. */
void metrics_add_text(struct buf *out, const struct metrics *m, size_t n);

#endif

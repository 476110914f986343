/* refusal - requests that got no stream: what each is told, counted, and logged.
 *
 * One table: a row here is an answer's status, its `reason` and `detail` (front/answer.h), and what
 * the log says.  Nothing in it comes from a request. */
#ifndef SKF_FRONT_REFUSAL_H
#define SKF_FRONT_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "guard/token.h"

struct loop;

/* By what they are counted: M(X, enumerator, label of the metric), for each. */
#define REFUSED_TABLE(M, X)                                                                        \
    M(X, DRAINING, "draining")                                                                     \
    M(X, FULL, "full")                                                                             \
    M(X, ADDRESS_STREAMS, "address_streams")                                                       \
    M(X, ADDRESS_OPENS, "address_opens")                                                           \
    M(X, ADDRESS_ATTEMPTS, "address_attempts")                                                     \
    M(X, SUBJECT_STREAMS, "subject_streams")                                                       \
    M(X, SUBJECT_OPENS, "subject_opens")                                                           \
    M(X, BUSY, "busy")                                                                             \
    M(X, TOKEN, "token")                                                                           \
    M(X, FORBIDDEN, "forbidden")                                                                   \
    M(X, OTHER, "other")
#define REFUSED_ENUMERATOR(X, name, label) REFUSED_##name,
enum refused { REFUSED_TABLE(REFUSED_ENUMERATOR, ) REFUSED_COUNTS };

/* enumerator, status, code, counted as, detail.  Codes are a promise: clients compare them. */
#define REFUSAL_TABLE(X)                                                                           \
    X(DRAINING, 503, "busy", DRAINING, "this responder stops")                                     \
    X(FULL, 503, "busy", FULL, "all streams are taken (--max-streams)")                            \
    X(ADDRESS_STREAMS, 503, "rate", ADDRESS_STREAMS,                                               \
      "too many streams of an address (--max-streams-per-address)")                                \
    X(ADDRESS_OPENS, 503, "rate", ADDRESS_OPENS,                                                   \
      "too many openings of an address (--max-opens-per-minute)")                                  \
    X(ADDRESS_ATTEMPTS, 503, "rate", ADDRESS_ATTEMPTS,                                             \
      "too many refused tokens of an address (--max-attempts-per-minute)")                         \
    X(SUBJECT_STREAMS, 503, "rate", SUBJECT_STREAMS,                                               \
      "too many streams of a subject (--max-streams-per-subject)")                                 \
    X(SUBJECT_OPENS, 503, "rate", SUBJECT_OPENS,                                                   \
      "too many openings of a subject (--max-opens-per-minute)")                                   \
    X(TOKENS_WAIT, 503, "busy", BUSY, "too many tokens wait to be verified")                       \
    X(REQUESTS_WAIT, 503, "busy", BUSY, "too many requests arrive at once")                        \
    X(TOPIC_MISSING, 503, "busy", BUSY, "there is no such topic now")                              \
    X(TOPIC_NOT_READ, 503, "busy", BUSY, "the topic is not read to its end yet")                   \
    X(ANSWER_ENDED, 503, "busy", BUSY, "the answer was ended before it could begin")               \
    X(TOKEN_MISSING, 401, "token_missing", TOKEN, "a token is needed")                             \
    X(TOKEN_INVALID, 401, "token_invalid", TOKEN, "the token is not valid")                        \
    X(TOKEN_TOO_LONG, 401, "token_too_long", TOKEN, "the token is longer than 8192 bytes")         \
    X(TOKEN_PLACE, 400, "token_invalid", OTHER,                                                    \
      "the token is empty, given twice, or has a blank or comma in it")                            \
    X(SCOPE_MISSING, 403, "scope_missing", FORBIDDEN, "the token lacks a scope")                   \
    X(SUBJECT_DIFFERS, 403, "subject_differs", FORBIDDEN,                                          \
      "the token in the URL is of another issuer or subject")                                      \
    X(CLAIM_MISSING, 403, "claim_missing", FORBIDDEN,                                              \
      "the token lacks a claim that the route selects by")                                         \
    X(ORIGIN, 403, "origin", FORBIDDEN, "the origin is not allowed")                               \
    X(ROUTE_UNKNOWN, 404, "route_unknown", OTHER, "there is nothing at this path")                 \
    X(TOPIC_UNKNOWN, 404, "topic_unknown", OTHER, "the topic in the path is not served")           \
    X(PATH_INVALID, 400, "path_invalid", OTHER, "the path is badly encoded")                       \
    X(PATH_NOT_BASE64, 400, "path_invalid", OTHER,                                                 \
      "the path holds what should be base64url and is not")                                        \
    X(FILTER_UNKNOWN, 400, "filter_unknown", OTHER,                                                \
      "the query selects by a header or field: only keys can be selected by")                      \
    X(FILTER_INVALID, 400, "filter_unknown", OTHER,                                                \
      "a value that the query selects by is badly encoded")                                        \
    X(FILTER_TOO_LARGE, 400, "filter_too_large", OTHER,                                            \
      "the query selects by more than 256 values, or by more than 8 KB")                           \
    X(FROM_INVALID, 400, "from_invalid", OTHER,                                                    \
      "from is neither earliest, latest, a time, nor -1 to -10000")                                \
    X(FORMAT_INVALID, 400, "format_invalid", OTHER, "format is neither sse, ndjson nor json")      \
    X(DATA_INVALID, 400, "data_invalid", OTHER, "data is neither value nor envelope")              \
    X(KEEPALIVE_INVALID, 400, "keepalive_invalid", OTHER, "keepalive is not event")                \
    X(METHOD, 405, "method", OTHER, "the method is not allowed here")                              \
    X(RENEWALS_NONE, 405, "method", OTHER,                                                         \
      "a CGI program without a peer directory renews nothing")                                     \
    X(STREAMS_NONE, 405, "method", OTHER, "no stream can be told here what to select")             \
    X(STREAM_INVALID, 400, "stream_invalid", OTHER,                                                \
      "the stream's handle is not 32 to 64 of A-Za-z0-9_-")                                        \
    X(STREAM_UNKNOWN, 404, "stream_unknown", OTHER, "no stream of that handle is known")           \
    X(STREAM_RATE, 429, "rate", OTHER, "a stream is told too often what to select")                \
    X(TYPE, 415, "type", OTHER,                                                                    \
      "the content type is neither application/x-challenge-response nor a form's")                 \
    X(LARGE_HEAD, 431, "too_large", OTHER, "the head is too large")                                \
    X(LARGE_BODY, 413, "too_large", OTHER, "the body is too large")                                \
    X(RENEWALS_RATE, 429, "rate", OTHER, "too many renewals of one subject")                       \
    X(PEER_AWAY, 503, "busy", OTHER, "another responder cannot be told now")                       \
    X(POOL_AWAY, 503, "busy", OTHER, "no stream is available now")                                 \
    X(REQUEST_INVALID, 400, "request_invalid", OTHER, "the request is malformed")                  \
    X(NOT_DECODED, 503, "busy", OTHER, "the request cannot be decoded now")                        \
    X(PARAM_TWICE, 400, "request_invalid", OTHER, "a parameter was sent twice")                    \
    X(PARAMS_MISSING, 500, "misconfigured", OTHER,                                                 \
      "the front passes no REQUEST_METHOD or no REQUEST_URI: see its FastCGI parameters")          \
    X(NOT_SET_UP, 500, "misconfigured", OTHER, "the program is not set up")                        \
    X(UNGUARDED, 500, "misconfigured", OTHER,                                                      \
      "the front demands a guard, but this responder has no keys")
#define REFUSAL_ENUMERATOR(name, status, code, counted, detail) REFUSAL_##name,
enum refusal { REFUSAL_TABLE(REFUSAL_ENUMERATOR) REFUSALS };

struct refusal_row {
    const char *code, *detail;
    int status;
    enum refused counted;
};
const struct refusal_row *refusal_row(enum refusal why);

/* What a request is refused for whose token is not good. */
enum refusal refusal_of_token(enum token_error error);

struct refusals {
    uint64_t count[REFUSED_COUNTS];
    int64_t told_ms[REFUSALS]; /* when it was a warning last; 0: never */
    struct log_limit *lines;
};

void refusals_init(struct refusals *r, struct loop *loop);
void refusals_fini(struct refusals *r);

/* A request was refused; `detail` says more than the table's, NULL: nothing more. */
void refusals_add(struct refusals *r, enum refusal why, const char *detail);
/* One was told to come back (front/standby.h): a warning, once a minute for each reason. */
void refusals_add_come_back(struct refusals *r, enum refusal why, int64_t now_ms);

#endif

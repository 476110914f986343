/* config - what the program was told: options, then the file for what they leave open. */
#ifndef SKF_CONFIG_CONFIG_H
#define SKF_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/headers.h"
#include "base/log.h"
#include "kafka/consumer.h"
#include "select/from.h"
#include "topic/event.h"

struct routes;

/* Texts, in the order given; each is owned. */
struct config_list {
    char **at;
    size_t n;
};

/* Who signs tokens, and what they must say; all owned. */
struct config_issuer {
    char *issuer, *audience, *audience_claim, *scope_claim, *identity;
    struct config_list jwks, scopes;
};

/* A topic that may be served: all that is said of it, by itself or by the options. */
struct config_topic {
    char *name;       /* owned */
    unsigned compact; /* enum compact */
    int64_t cache_bytes;
    struct config_list headers, filters; /* owned */
    /* The headers of its records that are kept: each of these two once; borrowed from there. */
    const char *kept[HEADERS_MAX];
    size_t kept_count;
};
/* A route, as the file has it; all owned. */
struct config_route {
    char *path, *topic;
    struct config_list scopes;
    json_t *select; /* NULL: everything */
    char *from;     /* NULL: as the option says */
    unsigned data;  /* enum config_data */
    char *event;    /* NULL: its events have no name */
};
enum config_data { CONFIG_DATA_VALUE, CONFIG_DATA_ENVELOPE };

/* What else the command line asks for, in place of serving. */
struct config_question {
    bool check;
    char *explain, *token_file, *check_jwks; /* owned; NULL: not asked */
};

struct config {
    struct config_question question;
    char *brokers, *topic, *listen, *cors, *path, *from; /* owned */
    struct kafka_conf *kafka;                            /* owned */
    bool standby;                                        /* answers in place of a pool */
    int64_t stand_in_s; /* at the socket of one that cannot start, for so long; 0: no */
    enum event_id event_id;
    enum compact compact;
    enum log_level log_level;
    enum log_format log_format;
    int64_t keepalive_s, retry_ms, flush_ms, cache_bytes, drain_s;
    /* 0: no limit; for max_streams: as many as there are descriptors for. */
    int64_t max_streams, max_streams_per_address, max_streams_per_subject, max_opens_per_minute;
    int64_t max_handles;
    int64_t max_attempts_per_minute; /* likewise */
    int64_t max_stream_age_s;
    /* What is served where; without routes in the file the one of `topic` and `path`. */
    struct routes *routes;       /* owned */
    struct from start;           /* of streams whose route does not say it */
    struct config_topic *topics; /* by their numbers in the routes */
    struct config_route *route_texts;
    size_t topic_count, route_count;
    /* The guard: all issuers, each of them complete; 0: none. */
    struct config_issuer *issuers; /* owned */
    size_t issuer_count;
    /* What the options say: the only issuer, or what those of the file leave open. */
    struct config_list jwks, scopes;
    char *issuer, *audience, *audience_claim, *scope_claim, *identity, *peer_dir; /* owned */
    int64_t challenge_s, leeway_s;
    bool allow_demo_key;
};

enum config_result { CONFIG_OK, CONFIG_DONE /* --help, --version */, CONFIG_ERROR };

/* Reads the command line; or, for a CGI program, whose command line may come from the request, only
 * the file that the environment names as SKF_CONFIG.  On CONFIG_ERROR one line was logged. */
enum config_result config_read(struct config *config, int argc, char **argv);
void config_fini(struct config *config);

#endif

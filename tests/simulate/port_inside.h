/* port_inside - what the files of the fake librdkafka share. */
#ifndef SKF_SIMULATE_PORT_INSIDE_H
#define SKF_SIMULATE_PORT_INSIDE_H

#include <librdkafka/rdkafka.h>
#include <sys/queue.h>

#include "cluster.h"
#include "port.h"
#include "world.h"

struct rd_kafka_conf_s {
    void *opaque;
    void (*error_cb)(rd_kafka_t *rk, int err, const char *reason, void *opaque);
};

/* A message as it lies in a queue; rd_kafka_message_destroy() gets its first member. */
struct message {
    rd_kafka_message_t m;
    STAILQ_ENTRY(message) link;
    const struct fetcher *fetcher;
    uint64_t version; /* of the fetcher when it was fetched */
    int life;         /* of the topic */
    int64_t timestamp;
    size_t size;
    char etag[16]; /* its header; empty: it has none */
    uint8_t bytes[];
};

/* The answer to a question of the admin client, waiting for its time, or in a queue. */
struct rd_kafka_op_s {
    TAILQ_ENTRY(rd_kafka_op_s) link;
    struct errand answer;
    rd_kafka_queue_t *queue;
    rd_kafka_resp_err_t error, topic_error;
    char values[2][32];
    struct rd_kafka_ConfigEntry_s *entries[2];
};

struct rd_kafka_queue_s {
    rd_kafka_t *rk;
    STAILQ_HEAD(, message) messages;
    size_t n; /* of them */
    TAILQ_HEAD(, rd_kafka_op_s) events;
    int wake_fd; /* -1: none */
};

/* Fetches one partition. */
struct fetcher {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    rd_kafka_queue_t *queue;
    int32_t partition;
    bool started, waits; /* for the cluster to change */
    uint64_t version;    /* what was fetched before the last stop is void */
    int64_t next, end_told;
    int64_t low, high; /* by the last answer */
    struct errand fetch;
};

struct rd_kafka_topic_s {
    rd_kafka_t *rk;
    char name[16];
};

struct rd_kafka_s {
    TAILQ_ENTRY(rd_kafka_s) link;
    struct rd_kafka_conf_s conf;
    unsigned responder;
    struct fetcher fetchers[PARTITIONS_MAX];
    TAILQ_HEAD(, rd_kafka_op_s) asked;
    unsigned layouts_asked, layout_heard; /* questions for metadata; the newest that was answered */
};

TAILQ_HEAD(handles, rd_kafka_s);
extern struct handles port_handles;

struct message *message_new(size_t bytes); /* with so many of its own */
void message_free(struct message *m);

/* The responder has no newer client: another topic may still use the one before. */
bool port_is_newest(const rd_kafka_t *rk);

/* Wakes the program, as librdkafka does, for the first message or event only. */
void port_put_message(rd_kafka_queue_t *queue, struct message *m);
void port_put_event(rd_kafka_queue_t *queue, rd_kafka_event_t *event);

void fetcher_init(struct fetcher *f, rd_kafka_t *rk, int32_t partition);
void fetcher_stop(struct fetcher *f);

/* A leader has answered with what consumers see of the partition now. */
void port_note_told(const rd_kafka_t *rk, int32_t partition);
/* Likewise, with its end, which it was asked for. */
void port_note_end(const rd_kafka_t *rk, int32_t partition);
/* The partition is read from some place on: what speaks against an earlier one was heeded. */
void port_note_begun(const rd_kafka_t *rk, int32_t partition);
/* It has answered that the place from which to read on is beyond its end. */
void port_note_exceeded(const rd_kafka_t *rk, int32_t partition);
/* A broker has answered how many partitions there are; 0: there is no such topic. */
void port_note_partitions(const rd_kafka_t *rk, int32_t n);

/* A broker has answered with the settings, or none has. */
void port_note_settings(const rd_kafka_t *rk);
void port_note_no_settings(const rd_kafka_t *rk);

/* The program has taken the message; another client of librdkafka begins anew. */
void port_note_read(const struct message *m);
void port_forget_read(unsigned responder);

/* How long an answer of that broker takes. */
int64_t port_latency_ms(const rd_kafka_t *rk, int broker);

#endif

/* responder - the program, wired as main.c does it, in simulated surroundings. */
#ifndef SKF_SIMULATE_RESPONDER_H
#define SKF_SIMULATE_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONDERS_MAX = 3 };

struct responder_config {
    size_t cache_bytes, backlog_bytes;
    int64_t keepalive_ms, flush_ms, retry_ms, drain_ms;
    bool guarded, id_with_key;
    int64_t max_handles;
    int64_t max_age_ms; /* of a stream; 0: any */
    unsigned routes;    /* their version */
};

struct responder;

struct responder *responder_start(unsigned number, const struct responder_config *config);
/* SIGTERM: goes on until all streams are ended. */
void responder_drain(struct responder *r);
/* SIGKILL, or the end of a drain. */
void responder_free(struct responder *r);

/* It has drained, and is to be freed. */
bool responder_done(const struct responder *r);
/* For line_connect(); -1: it does not listen any more. */
int responder_listens(const struct responder *r);
/* SIGSTOP, SIGCONT. */
void responder_stop(struct responder *r, bool stopped);
/* Its machine is slow: a turn takes up to so long; 0: no time. */
void responder_burden(struct responder *r, int64_t turn_ms);
/* No descriptors are left for those who connect. */
void responder_exhaust(struct responder *r, bool exhausted);
/* When it runs and goes on, so that it owes its streams something: since when; INT64_MAX: not. */
int64_t responder_runs_since_ms(const struct responder *r);

/* Likewise, so that it answers its peers. */
int64_t responder_answers_since_ms(const struct responder *r);

unsigned responder_routes(const struct responder *r);
/* The bytes of the cache, which have a limit of their own. */
size_t responder_cache_bytes(const struct responder *r);

/* When it has something to do; INT64_MAX: never. */
int64_t responder_due_ms(const struct responder *r);
void responder_turn(struct responder *r);
void responder_wall_stepped(struct responder *r);

#endif

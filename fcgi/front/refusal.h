/* refusal - requests that got no stream: each is counted, and has a line in the log.
 *
 * A flood of bad requests must not become a flood of lines: beyond so many in a second only their
 * number is logged. */
#ifndef SKF_FRONT_REFUSAL_H
#define SKF_FRONT_REFUSAL_H

#include <stdint.h>

/* Why a request got no stream: the first ones are told to come back (front/standby.h). */
enum refusal {
    REFUSAL_DRAINING,        /* the process stops */
    REFUSAL_FULL,            /* all streams are taken */
    REFUSAL_ADDRESS_STREAMS, /* too many streams of one address */
    REFUSAL_ADDRESS_OPENS,   /* too many openings of one address */
    REFUSAL_SUBJECT_STREAMS, /* likewise of one subject */
    REFUSAL_SUBJECT_OPENS,
    REFUSAL_BUSY,      /* too many tokens wait to be verified */
    REFUSAL_TOKEN,     /* 401 */
    REFUSAL_FORBIDDEN, /* 403 */
    REFUSAL_OTHER,     /* any other status */
    REFUSALS,
};

/* `{0}`: none yet. */
struct refusals {
    uint64_t count[REFUSALS];
    int64_t told_ms[REFUSALS]; /* when it was a warning last; 0: never */
    int64_t second;            /* whose lines are counted */
    unsigned lines;
    uint64_t unlogged;
};

/* A request was refused with that status; `detail` is from a fixed list, never from the request. */
void refusals_add(struct refusals *r, int status, const char *detail, int64_t now_ms);

/* One was told to come back: a warning, once a minute for each reason. */
void refusals_add_come_back(struct refusals *r, enum refusal why, int64_t now_ms);

#endif

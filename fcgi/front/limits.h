/* limits - how much a client address or a subject may have: streams at a time, openings (or what
 * else is counted by a table of its own) a minute.
 *
 * To open a stream, read the replay, close, and begin again is cheap for a client and dear for us.
 * A table remembers who has streams or was here lately; it is bounded: of those without a stream
 * the one that was away longest is forgotten first. */
#ifndef SKF_FRONT_LIMITS_H
#define SKF_FRONT_LIMITS_H

#include <stdint.h>

#include "base/slice.h"

struct limits;
struct visitor;

/* 0: no limit. */
struct limits_config {
    int64_t streams; /* of one visitor */
    int64_t opens;   /* of one visitor in a minute, all at once or evenly spread; up to 60000 */
};

struct limits *limits_new(const struct limits_config *config);
/* All visitors must have left. */
void limits_free(struct limits *l);

enum limit { LIMIT_NONE, LIMIT_STREAMS, LIMIT_OPENS };

/* Counts a stream that the visitor of that name opens at now_ms (CLOCK_MONOTONIC).  If it is within
 * the limits: LIMIT_NONE, and *visitor is what limits_leave() takes when the stream has ended; NULL
 * if nothing is limited. */
enum limit limits_enter(struct limits *l, struct slice name, int64_t now_ms,
                        struct visitor **visitor);
/* What limits_enter() would say; counts nothing. */
enum limit limits_ask(const struct limits *l, struct slice name, int64_t now_ms);
/* Takes back the opening of that visitor, which turned out to be none. */
void limits_give_back(struct limits *l, struct slice name);
/* NULL: does nothing. */
void limits_leave(struct visitor *visitor);

enum { LIMITS_NAME = 64 };

/* By what a REMOTE_ADDR is counted, as text: an IPv4 address, also one mapped into IPv6; the first
 * 64 bits of an IPv6 one, which is what one customer gets; "" for anything else, also NULL. */
void limits_address_name(const char *remote_addr, char name[LIMITS_NAME]);

#endif

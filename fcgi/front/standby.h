/* standby - what a request gets from those who cannot serve it now.
 *
 * A browser's EventSource gives up for good on any status but 200.  So one that wants an event
 * stream is answered 200, told when to come back, and ended; it comes back by itself.  All others
 * are told 503.  A standby responder, to which the front turns when the pool is away, does nothing
 * else; a live one does it when it is full or about to stop. */
#ifndef SKF_FRONT_STANDBY_H
#define SKF_FRONT_STANDBY_H

#include "front/cors.h"
#include "front/refusal.h"
#include "front/request.h"

/* Does the request want an event stream, as EventSource says it (Accept)? */
bool standby_wants_stream(const struct request *r);

/* Appends the whole response (RFC 3875, section 6) for one that is to come back: 200, `retry:` of
 * 10 to 30 s and no more if it wants a stream, else the refusal with Retry-After.  with_body false:
 * HEAD. */
void standby_add_come_back(struct buf *out, bool wants_stream, enum refusal why,
                           struct slice headers, bool with_body);

/* Appends the whole response of a standby responder, which serves as the front's error handler.
 * That shows it every method as GET and with an empty query, but leaves the headers, and tells by
 * REDIRECT_STATUS what error of its own it is about: 5xx if the pool is away; 400 and 413 stay what
 * they are; asked without one there is nothing, 404.  One that stands in for a responder, at its
 * socket, answers whatever comes as if the pool were away. */
void standby_answer(struct buf *out, const struct request *r, const struct cors *cors,
                    bool stands_in);

#endif

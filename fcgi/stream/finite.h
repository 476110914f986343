/* finite - a response that ends: what there is of a topic now, or has changed since an id; then the
 * place from where a stream would go on.
 *
 *     LOADS --its reader begins--> LOOKS --something is new--> WRITES --all was sent--> WHOLE
 *                                   |  ^                         ^
 *                     nothing is    v  | something has come      |
 *                                  WAITS ------------------------+
 *
 * LOOKS and WAITS are for those who have something already.  It is a stream as others are: it has
 * their states, limits and ends.  But its reader goes through the cache alone. */
#ifndef SKF_STREAM_FINITE_H
#define SKF_STREAM_FINITE_H

#include <stdbool.h>
#include <stdint.h>

struct finite;
struct opening;
struct stream;
struct streams;

enum { FINITE_LOAD_MS = 10000 }; /* it waits for the topic to be read */

/* The stream was just opened. */
void finite_init(struct stream *s, const struct opening *opening);
/* The stream ends: if it has not been answered yet, it is now.  True: END_REQUEST is among what it
 * has sent, or has to send. */
bool finite_fini(struct stream *s);

/* Its reader has begun, and its socket has room: does the next piece.  May end the stream. */
void finite_pump(struct stream *s, int64_t now_ms);

/* It may send the rest of what is under way for that long. */
void finite_call_last(struct stream *s, int64_t ms);

/* What it was given is void.  True: it does not wait for what comes instead, for it has ended. */
bool finite_void(struct stream *s);
/* What it was given will be read anew. */
void finite_put_back(struct stream *s);
/* What was hidden is shown: something new may be among it. */
void finite_look_again(struct stream *s);

/* There is no such topic: ends all that wait for it. */
void finites_refuse(struct streams *all);

#endif

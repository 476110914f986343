/* reply - a whole response on its way out; its connection is closed behind it.
 *
 * Almost all fit the empty buffer of their socket and are gone at once.  The metrics of a large
 * pool do not: their rest is kept until the front has taken it, ten seconds at most. */
#ifndef SKF_FRONT_REPLY_H
#define SKF_FRONT_REPLY_H

#include "base/loop.h"
#include "base/slice.h"

struct replies;

struct replies *replies_new(struct loop *loop);
/* Closes those that are under way. */
void replies_free(struct replies *r);

/* How many are under way. */
size_t replies_count(const struct replies *r);

/* Sends the records (copied if need be) and closes the descriptor, which is taken over. */
void reply_send(struct replies *r, int fd, struct slice records);

#endif

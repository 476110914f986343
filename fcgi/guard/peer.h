/* peer - the other responders of the pool, on this host.
 *
 * A renewal comes to any responder, the stream may be at another: each passes what it accepted on
 * to all.  So it is with what streams are told (front/subscriptions.h).  Responders find each other
 * by sockets in a directory of their own user; a name holds a hash of what they must agree on, the
 * version of the messages included.  Connected SOCK_SEQPACKET sockets: a message arrives whole, in
 * order, and stays with its receiver's kernel buffer while that is stopped; a peer's death is its
 * end of file. */
#ifndef SKF_GUARD_PEER_H
#define SKF_GUARD_PEER_H

#include "base/loop.h"
#include "guard/guard.h"

struct peers;

enum { PEER_TEXT_MAX = TOKEN_MAX + 64 }; /* what is no token has a few bytes besides */

/* As it goes from one responder to another: of a renewal the new token, and its selector. */
struct peer_message {
    struct slice text;
    const struct token_hash *hash; /* NULL: none */
};

struct peers_handler {
    void *arg;
    /* A peer has told this (borrowed). */
    void (*on_message)(void *arg, const struct peer_message *message);
    /* False while no more can be taken: the messages wait with their senders. */
    bool (*has_room)(void *arg);
};

/* Joins the pool in `directory`, which must be of this user, mode 0700 and no link; `agreement` is
 * what peers have in common.  NULL, and one line in `error`, if that cannot be. */
struct peers *peers_new(struct loop *loop, const char *directory, struct slice agreement,
                        const struct peers_handler *handler, char *error, size_t size);
void peers_free(struct peers *peers);

/* Takes what has come by now; false if there is more than there is room for. */
bool peers_drain(struct peers *peers);

/* Tells every peer there is.  0: each that lives will get it; -EAGAIN: one cannot be
 * told now. */
int peers_tell(struct peers *peers, const struct peer_message *message);
/* How many there were then. */
size_t peers_told(const struct peers *peers);

#endif

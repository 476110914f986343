/* inlet - takes the front's connections and waits until a request is whole.
 *
 * A front that is slow, stalled or malicious costs one descriptor for ten seconds, not the loop.
 * When too many requests are not whole, newcomers wait in the listen queue, and the others have one
 * second. */
#ifndef SKF_FRONT_INLET_H
#define SKF_FRONT_INLET_H

#include "base/fcgi_record.h"
#include "base/loop.h"

struct inlet;

struct inlet_handler {
    void *arg;
    /* A whole request; the descriptor is the handler's now, non-blocking.  `bytes` are borrowed;
     * what stands behind request->length came after it. */
    void (*on_request)(void *arg, int fd, const struct fcgi_request *request, struct slice bytes);
    /* A request that cannot be one for us, or FCGI_INCOMPLETE: it must go, because others wait.
     * Append the answer to `out`, without a body if it is HEAD, as far as can be seen.  The inlet
     * sends it. */
    void (*on_refusal)(void *arg, enum fcgi_state state, uint16_t id, bool is_head,
                       struct buf *out);
    /* How many descriptors the handler holds for requests that are not answered yet.  With those
     * that are not whole they stay below max_held: newcomers wait in the listen queue. */
    size_t (*held)(void *arg);
    size_t max_held;
};

/* Accepts on listen_fd, which stays the caller's and is made non-blocking. */
struct inlet *inlet_new(struct loop *loop, int listen_fd, const struct inlet_handler *handler);
/* Takes those that wait in the backlog, and no more from then on: the descriptor can be closed. */
void inlet_close(struct inlet *inlet);
/* How many requests are not whole. */
size_t inlet_waiting(const struct inlet *inlet);
void inlet_free(struct inlet *inlet);

#endif

/* status - /health/live, /health/ready and /metrics, for those whom the front lets ask.
 *
 * The answer is for the whole pool if its responders have a directory to meet in, else for the one
 * that was asked, and says so. */
#ifndef SKF_FRONT_STATUS_H
#define SKF_FRONT_STATUS_H

#include "base/loop.h"
#include "front/metrics.h"

struct status;

struct status_config {
    int32_t topics, routes; /* how many it has */
    const char *directory;  /* base/rundir.h; NULL: none */
    const char *responder;  /* its name; copied */
    /* Fills in all but whose they are and when they were taken. */
    void (*collect)(void *arg, struct metrics *m);
    void *arg;
};

/* NULL, and one line in `error`, if the directory cannot be used. */
struct status *status_new(struct loop *loop, const struct status_config *config, char *error,
                          size_t size);
void status_free(struct status *s);

/* Appends the whole response (RFC 3875, section 6) to a request for that path and query, 404 if it
 * is none of the three.  `topic` in the query asks for the health of that topic alone.
 * with_body false: HEAD. */
void status_answer(struct status *s, struct slice path, struct slice query, bool with_body,
                   struct buf *out);

/* Takes the numbers now, for the pool too, and not with the next beat. */
void status_beat(struct status *s);

/* Is this responder ready, whatever its pool is?  Appends a line for people: what it lacks. */
bool status_sum_up(struct status *s, struct buf *line);

#endif

/* queue - tokens whose signature is to be checked, in the order in which that is done.
 *
 * Tokens of known subjects, of whom one was verified before, go before the others: a flood of bad
 * tokens delays nobody who has been here.  But a bad token may name a known subject, too.  So of
 * each subject only a few go before the others at a time, and every fourth token is one of the
 * others while both wait. */
#ifndef SKF_GUARD_QUEUE_H
#define SKF_GUARD_QUEUE_H

#include <sys/queue.h>

#include "base/slice.h"

enum {
    QUEUE_KNOWN_MAX = 1024,  /* tokens of known subjects that go before the others */
    QUEUE_OTHERS_MAX = 4096, /* all others */
    QUEUE_SUBJECT_MAX = 4,   /* tokens of one subject that go before the others */
    QUEUE_SHARE = 4,         /* of so many tokens one is of the others */
};

struct queue;
struct verdict;

/* A subject together with its issuer: a SHA-256 of both. */
struct subject_hash {
    uint8_t bytes[32];
};

struct queued {
    TAILQ_ENTRY(queued) link;
    struct subject *subject; /* NULL: it is one of the others */
    void (*done)(void *arg, const struct verdict *verdict);
    void *arg;
    size_t size;
    uint8_t text[];
};

struct queue *queue_new(void);
/* It must be empty, and no subject known. */
void queue_free(struct queue *q);

/* A subject is known as long as each queue_know() has not had its queue_forget(). */
void queue_know(struct queue *q, const struct subject_hash *who);
void queue_forget(struct queue *q, const struct subject_hash *who);

/* Puts a token (copied) at its place; who NULL: it names nobody.  False if there is no room. */
bool queue_add(struct queue *q, struct slice text, const struct subject_hash *who,
               void (*done)(void *arg, const struct verdict *verdict), void *arg);
/* The next token, which the caller frees; NULL: none waits. */
struct queued *queue_take(struct queue *q);

bool queue_is_empty(const struct queue *q);
/* Is there room for a token of a known subject? */
bool queue_has_room(const struct queue *q);

#endif

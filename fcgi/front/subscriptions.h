/* subscriptions - what streams are told to select, over all responders of the pool.
 *
 * Only a stream's own responder, or the one where it was last, knows its handle.  Another that is
 * to tell it something, or to which it comes back, asks all peers; whoever opens a stream says so,
 * and all others let go of the handle.  A responder that drains passes its handles on: then several
 * remember them; one that is told something tells the others, and one to which the stream comes
 * back asks them all the same, for word of two peers may come in any order.
 *
 * Of what a handle was told the newest counts, at whichever responder it is: who lets go of it and
 * knows something newer than the stream was opened with says so.
 *
 * It speaks through a guard/peer.h of its own, whose hash is the handle's key here. */
#ifndef SKF_FRONT_SUBSCRIPTIONS_H
#define SKF_FRONT_SUBSCRIPTIONS_H

#include "base/loop.h"
#include "front/handles.h"

struct rates;
struct subscriptions;

enum { SUBSCRIPTION_FORM_MAX = 8192 };

/* NULL, and one line in `error`, if the pool in that directory cannot be joined.  All is borrowed;
 * handles and rates (of those that are told) must outlive it. */
struct subscriptions *subscriptions_new(struct loop *loop, struct handles *handles,
                                        struct rates *rates, const char *directory,
                                        struct slice agreement, char *error, size_t size);
/* Answers those who wait. */
void subscriptions_free(struct subscriptions *s);

enum subscription_answer {
    SUBSCRIPTION_UNKNOWN,
    SUBSCRIPTION_KNOWN, /* and taken, if it was told something */
    SUBSCRIPTION_TOLD,  /* ... before, which is the form */
    SUBSCRIPTION_LIMITED,
    SUBSCRIPTION_AWAY, /* a peer could not be asked, or has not answered in time */
};
struct handle_message;
typedef void subscription_done(void *arg, enum subscription_answer answer,
                               const struct handle_message *told);

/* Takes what peers have told by now: after this process was stopped for a while it may still wait.
 */
void subscriptions_hear(struct subscriptions *s);

/* Asks the peers for a handle; with a form (p not NULL), those that know it are told that.  Calls
 * done() once, at once or within a second: as soon as a form was taken, or all have answered.
 * `told` (NULL: no peer was asked) is what the handle was told last, if SUBSCRIPTION_TOLD, and when
 * it was told or opened anew. */
void subscriptions_ask(struct subscriptions *s, const struct token_hash *key, struct slice form,
                       subscription_done *done, void *arg);
/* A stream of that handle was opened here. */
void subscriptions_opened(struct subscriptions *s, const struct token_hash *key,
                          const struct handle *handle);
/* That handle was told something here.  False: others may remember it, too, and one of them cannot
 * be told now. */
bool subscriptions_told(struct subscriptions *s, const struct token_hash *key,
                        const struct handle *handle);
/* This responder drains: the peers there are remember its handles from now on.  When it is freed it
 * tells them once more, for others may have come meanwhile. */
void subscriptions_pass_on(struct subscriptions *s);

/* -- messages -- */

enum message_type {
    MESSAGE_FIND = 1, /* is it known? */
    MESSAGE_TELL,     /* it is to select what the form says */
    MESSAGE_TOLD,     /* it was told that */
    MESSAGE_ANSWER,   /* of enum subscription_answer */
    MESSAGE_OPENED,
    MESSAGE_PASSED, /* answer: KNOWN, or TOLD with the form */
};
struct handle_message {
    enum message_type type;
    enum subscription_answer answer;
    uint64_t asker, number; /* number: of the question, or when it was opened */
    uint64_t told_at;       /* when its handle was told what it selects by */
    struct slice form;
};
void handle_message_add(struct buf *out, const struct handle_message *m);
/* False: it is none. */
bool handle_message_parse(struct slice text, struct handle_message *out);

#endif

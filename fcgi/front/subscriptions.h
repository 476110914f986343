/* subscriptions - what streams are told to select, over all responders of the pool.
 *
 * Only a stream's own responder, or the one where it was last, knows its handle.  Another that is
 * to tell it something, or to which it comes back, asks all peers; whoever opens a stream says so,
 * and all others let go of the handle.  A responder that drains passes its handles on.
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
typedef void subscription_done(void *arg, enum subscription_answer answer, struct slice form);

/* Asks the peers for a handle; with a form (p not NULL), the one that knows it is told that.  Calls
 * done() once, at once or later. */
void subscriptions_ask(struct subscriptions *s, const struct token_hash *key, struct slice form,
                       subscription_done *done, void *arg);
/* A stream of that handle was opened here. */
void subscriptions_opened(struct subscriptions *s, const struct token_hash *key, uint64_t stamp);
/* This responder drains. */
void subscriptions_pass_on(struct subscriptions *s);

/* -- messages -- */

enum message_type {
    MESSAGE_FIND = 1, /* is it known? */
    MESSAGE_TELL,     /* it is to select what the form says */
    MESSAGE_ANSWER,   /* of enum subscription_answer */
    MESSAGE_OPENED,
    MESSAGE_PASSED, /* answer: KNOWN, or TOLD with the form */
};
struct handle_message {
    enum message_type type;
    enum subscription_answer answer;
    uint64_t asker, number; /* number: of the question, or when it was opened */
    struct slice form;
};
void handle_message_add(struct buf *out, const struct handle_message *m);
/* False: it is none. */
bool handle_message_parse(struct slice text, struct handle_message *out);

#endif

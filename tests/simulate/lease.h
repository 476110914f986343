/* lease - until when a guarded stream may go on: the rules of tokens, challenges and renewals.
 *
 * The wall clock rules.  Where it was set just now, where the responder stood still or the client
 * did not read at once, what is early or late cannot be told, and is not. */
#ifndef SKF_SIMULATE_LEASE_H
#define SKF_SIMULATE_LEASE_H

#include "response.h"

enum { CHALLENGE_MS = 10000 };

struct lease {
    char name[16];
    int64_t exp_ms;  /* of the token that opened it, or of the last renewal that was accepted */
    int64_t sure_ms; /* not before that, whether its responder has accepted the last one or not */
    int64_t offered_ms; /* the latest of those that were offered, whatever became of them */
    int64_t left_ms; /* the latest of those that were left unanswered: a responder that stands still
                        may accept it when it goes on, behind others that were answered */
    int64_t asked_ms, began_ms; /* when the stream was asked for, and known to be open */
    int64_t max_age_ms;         /* 0: any */
    bool offering;              /* one is on its way */
    int64_t answered_ms;        /* when the last renewal was */
    int64_t late_ms; /* when one was answered, maybe behind the end of the token; 0: none was */
    bool challenged; /* for that token */
    bool challenged_meanwhile; /* while a renewal was on its way: for that token, or for the new one
                                */
    unsigned steps;            /* of the clock, when it began */
    unsigned challenge_steps;  /* likewise, when it was challenged */
    unsigned key, offered_key; /* those that signed the tokens */
    bool offered_known;        /* by all responders, when it was offered */
};

/* A stream is opened, maybe after another one. */
void lease_begin(struct lease *l, const char *name, int64_t exp_ms, int64_t max_age_ms);
/* Its head has come: it is open from now on. */
void lease_open(struct lease *l);
/* A renewal is sent that is not for this stream, but may come late and be for the next one. */
void lease_offer_astray(struct lease *l, int64_t exp_ms);
/* A renewal is sent; is answered. */
void lease_offer(struct lease *l, int64_t exp_ms);
void lease_answer(struct lease *l, int64_t exp_ms, bool accepted);

/* The stream's own event: true if it is a challenge, which it then checks. */
bool lease_challenge(struct lease *l, const struct sse_event *event, bool undisturbed);
/* Any other event was read, of so many bytes. */
void lease_event(const struct lease *l, size_t bytes, bool undisturbed);
/* The stream has ended by itself. */
void lease_end(const struct lease *l, bool undisturbed);
/* Now and then, while it is open; nothing has disturbed it for so long. */
void lease_look(const struct lease *l, int64_t undisturbed_ms);

#endif

/* exchange - one request until it is answered, which may take some turns if a token must be
 * verified: what is needed then is copied.
 *
 * Every function that answers ends the exchange, which must not be used any more. */
#ifndef SKF_FRONT_EXCHANGE_H
#define SKF_FRONT_EXCHANGE_H

#include "base/buf.h"
#include "base/fcgi_record.h"
#include "base/loop.h"
#include "front/answer.h"
#include "front/cors.h"
#include "front/handles.h"
#include "front/limits.h"
#include "front/narrowing.h"
#include "front/request.h"
#include "guard/token.h"
#include "route/routes.h"

struct exchanges;
struct handler;

/* All that are under way.  `cors` is borrowed and must outlive them. */
struct exchanges *exchanges_new(struct loop *loop, const struct cors *cors);
/* All must have been answered. */
void exchanges_free(struct exchanges *all);

/* How many wait for their answer, or for the front to take it. */
size_t exchanges_waiting(const struct exchanges *all);
/* How many were refused since the start, by enum refused. */
const uint64_t *exchanges_refused(const struct exchanges *all);

struct exchange {
    struct exchanges *all;
    struct handler *handler; /* who serves it */
    int fd;
    uint16_t id;
    struct fcgi_input input; /* what has come behind the request: maybe half a record */
    bool head;
    bool wants_stream; /* and gives up for good on anything but one */
    char address[LIMITS_NAME];
    uint32_t connection; /* a hash of the client's address and port */
    struct cors_request origin;
    struct buf origin_text, host_text, last_event_id;
    bool resumes, resumes_by_header;
    struct buf if_none_match;       /* with a 0 behind; empty: not sent */
    int wait_s;                     /* that it would wait for news; 0: it would not */
    bool waits;                     /* it knows something already, so it will */
    bool counted;                   /* its token counts as one that is refused */
    struct destination destination; /* where its path leads */
    struct narrowing narrowing;     /* of its query */
    enum format format;             /* by that, or by its Accept */
    int lacks;                      /* the number of a claim, of REFUSAL_CLAIM_MISSING */
    struct buf token;               /* what is verified */
    struct buf selector;            /* the token in the URL; empty: none */
    /* A stream that can be told to select something else, or one that is told. */
    bool handle_bad, tells;
    bool asked, recalled;        /* the peers, for what it was told; which is the form */
    uint64_t told_at;            /* then, when that was */
    char handle[HANDLE_MAX + 1]; /* empty: none */
    struct token_hash key;       /* what it is known by; set when its token was verified */
    struct buf path, form;
    struct selection *route; /* what its route selects, of its token's claims */
};

/* Takes over the descriptor. */
struct exchange *exchange_new(struct exchanges *all, int fd, uint16_t id, const struct request *r);
/* Ends it without an answer: its descriptor was given away. */
void exchange_free(struct exchange *x);

/* Appends the header lines of its origin. */
void exchange_add_cors(const struct exchange *x, struct buf *out);

/* A whole response as text (RFC 3875, section 6). */
void exchange_finish_with(struct exchange *x, struct slice text);
/* Takes over the answer's headers. */
void exchange_finish(struct exchange *x, struct answer *answer);

/* `header`: one more line, or NULL. */
void exchange_refuse(struct exchange *x, enum refusal why, const char *header);
void exchange_refuse_token(struct exchange *x, enum token_error error);
/* The log names the claim. */
void exchange_refuse_claim(struct exchange *x, const char *claim);
/* Tells the client to come back, in the way that it understands. */
void exchange_turn_away(struct exchange *x, enum refusal why);

/* One that has an exchange no more was told to come back. */
void exchanges_turned_away(struct exchanges *all, enum refusal why);
/* One, likewise, is refused for its token: what it is answered.  The headers are the caller's. */
struct answer exchanges_refuse_token(struct exchanges *all, enum token_error error);

/* To a request of which no more is known than its id: appends the records of the answer. */
void exchanges_refuse_unread(struct exchanges *all, enum refusal why, uint16_t id, bool is_head,
                             struct buf *out);
/* Sends these records, and closes the descriptor behind them. */
void exchanges_send(struct exchanges *all, int fd, struct slice records);

#endif

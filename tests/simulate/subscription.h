/* subscription - a handle, and what its streams may select by: the rules of which form counts.
 *
 * That is a list, in the order in which it was sent: forms, and openings anew, from which on the
 * query of the stream's own URL counts.  What a stream selects goes forward in that list.  Several
 * clients may have one handle. */
#ifndef SKF_SIMULATE_SUBSCRIPTION_H
#define SKF_SIMULATE_SUBSCRIPTION_H

#include "wish.h"

struct pool;

enum { TELLINGS_A_SECOND = 10 };

struct telling {
    bool by_url;
    struct picked named; /* else */
    enum {
        TELLING_SENT,
        TELLING_TAKEN,
        TELLING_MAYBE, /* nobody knows */
        TELLING_REFUSED,
    } fate;
    int64_t at_ms; /* since when that is so */
};

struct subscription {
    char handle[40];
    struct pool *pool;
    struct telling *tellings;
    size_t n;
    bool is_told; /* by one of its clients: no other one tells it anything meanwhile */
    bool posting; /* a form is on its way: ... */
    size_t posted;
    uint64_t posted_by_others;
    bool crossed;   /* ... beside a stream that is opened anew: either may overtake the other */
    bool was_known; /* when it was sent */
    int opening;    /* streams that are asked for, and not open yet; ... */
    int anew;       /* ... these of them without an event id */
    int open;
    unsigned asked;          /* how often a stream was asked for */
    int64_t kept_ms;         /* when the one was asked for that was open last */
    int64_t heard_ms;        /* when one was open last, for sure */
    uint64_t uses;           /* how often it may have been used; ... */
    uint64_t lapses;         /* ... and may have been forgotten before, for others */
    uint64_t used_by_others; /* how often others had been when it was used last, for sure: ... */
    int64_t used_ms;         /* ... then */
    int64_t answered_ms[TELLINGS_A_SECOND]; /* the last ones, by their number */
    unsigned answers;
};

/* A stream that is asked for, or open. */
struct subscriber {
    struct subscription *subscription; /* NULL: it has no handle */
    size_t telling;                    /* by which it selects */
    bool anew, asked, open;
    int64_t asked_ms;
    uint64_t used_by_others; /* likewise, when it was asked for */
    uint64_t lapses;         /* when it was opened */
    unsigned alone;          /* by that count, if no other was asked for then; 0 */
};

struct subscription *subscription_new(struct pool *pool, unsigned number);
void subscription_free(struct subscription *s);
size_t subscription_heap_bytes(const struct subscription *s);

/* -- streams -- */

/* A stream is asked for, without an event id (anew) or with one. */
void subscriber_ask(struct subscriber *by, bool anew);
/* Its first event has come, or another one. */
void subscriber_open(struct subscriber *by);
/* All that was sent by it was read. */
void subscriber_hear(const struct subscriber *by);
/* It has ended, or its client has left it; no matter if it was asked for at all. */
void subscriber_leave(struct subscriber *by);
/* It is open, and its handle was not forgotten meanwhile: it can be told something. */
bool subscriber_keeps_handle(const struct subscriber *by);
/* No other stream of its handle was opened since it was asked for. */
bool subscriber_is_alone(const struct subscriber *by);

/* -- forms -- */

/* One is sent, while no other is on its way; is answered, with a status or (0) none. */
void subscription_post(struct subscription *s, const struct picked *named);
void subscription_answer(struct subscription *s, int status);

/* The last one that was taken before `since_ms`; 0: none, or the first. */
size_t subscription_taken(const struct subscription *s, int64_t since_ms);

#endif

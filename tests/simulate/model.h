/* model - what a client may be shown, and what it must know in the end.
 *
 * A view is what one client holds: its table, and the place that its last event id stands for.
 * What holds at every event:
 *   - an id goes forward in each partition, never back; a record's event carries the offset behind
 * it
 *   - at its place the client knows the topic: of each key the newest record, unless that comes
 * later
 *   - where nothing is compacted, it was given every record before its place, or told of the gap
 *   - what was superseded before it came, as far as its responder knew, is not shown to it
 *   - a reset and a gap have a reason
 *   - of a topic that was made again it is told by a reset, if its responder could see that
 *   - all of this holds for the topic seen through what it selects; what it does not select is
 * never named, and when it selects otherwise it is reset first
 *   - a stream that began later than at the earliest record knows all from there on
 *   - a document reaches to where the topic ended for its responder when it was asked for
 *   - one that is told to select something else is given what differs, and nothing twice: until it
 * has arrived its ids say so, and then it knows the topic through that */
#ifndef SKF_SIMULATE_MODEL_H
#define SKF_SIMULATE_MODEL_H

#include "cluster.h"
#include "response.h"
#include "subscription.h"

struct view {
    char name[16];
    char id[4096]; /* the last; empty: none */
    enum {
        ID_OWN,
        ID_MALFORMED,
        ID_FUTURE, /* behind the end, or of a partition that the topic lacks */
    } id_is;
    unsigned responder;
    int first_life;   /* none before that can be its own */
    int heard_life;   /* the last one of which its responder had heard when it came; 0: none */
    uint64_t lives;   /* of the topic that it may be in, as bits; bit 1 is the first */
    int id_life;      /* the last one that there was when it was given its id */
    uint64_t spliced; /* those from which it came into another without being told; 0: it did not */
    bool spliced_waiting; /* likewise, and before its first event */
    bool unsure;  /* it was given something by one that may not have known the topic's last life */
    bool foreign; /* it came back with an id of a former life, which may be good by chance */
    bool fresh;   /* it began with nothing */
    bool documents;                     /* it is given those, which end with their place */
    int64_t at[PARTITIONS_MAX];         /* the offset behind what it has; -1: not known yet */
    int64_t gap[PARTITIONS_MAX];        /* where the last gap that it was told of ends */
    int64_t have[PARTITIONS_MAX][KEYS]; /* the offset of what it holds of the key; -1: nothing */
    int64_t known_end[PARTITIONS_MAX];  /* what its responder knew when it came; -1: nothing */
    int known_life;
    struct picked holds;      /* what its stream selects, or did until it moves: of ... */
    struct picked route, url; /* ... what its route does, this; or what it was told */
    struct subscriber by;
    bool moving; /* by its last id: since moved_ms */
    int64_t moved_ms;
    struct picked goes_to;        /* where it arrives by this event, if it does */
    bool arrives, first;          /* first: no id has come since the stream was asked for */
    bool was_reset;               /* by the event before */
    struct picked due, may, left; /* at this event: what it must be given, what it may be given, and
                                     of what it may be told that it has left */
    struct picked offered;   /* what its route may select once a renewal was applied, if `offers` */
    bool lingers;            /* it names whatever stream has the handle: the next one, too */
    bool offers, is_settled; /* is_settled: the renewal was accepted, at settled_ms */
    int64_t settled_ms;
    bool other_tag;                /* its id is of a stream that selected otherwise */
    struct from asked;             /* where its stream is to start without a good id */
    struct from from;              /* where what it holds has started */
    bool begins_late;              /* not at the earliest record: ... */
    int64_t floor[PARTITIONS_MAX]; /* ... what is before that is not for it; -1: not known yet */
    struct picked late;            /* keys of which that is so: selected since it began */
    size_t events;                 /* since it came */
    int64_t came_ms;
    int64_t reset_ms; /* when it was reset last: from then on it is given all anew */
};

struct model_config {
    bool small_cache; /* the responders may have dropped anything */
};
void model_begin(const struct model_config *config);

/* A client that has nothing. */
void view_init(struct view *v, const char *name);
/* It forgets all that it holds. */
void view_forget(struct view *v);
/* Instead of its own it has an id that nobody has given it. */
void view_forge(struct view *v, const char *id, int id_is);
/* It opens a stream at the responder, with its id if it has one, that selects of what its route
 * does what its URL says; or what it was told. */
void view_open(struct view *v, unsigned responder, const struct picked *route,
               const struct picked *url, const struct from *from);
/* The head of its response has come: it may have waited to be taken in until now. */
void view_head(struct view *v);
void view_event(struct view *v, const struct sse_event *event);
/* A renewal is sent that makes its route select otherwise; it was accepted, or was not. */
void view_offer(struct view *v, const struct picked *route);
void view_settle(struct view *v, bool accepted);
/* The stream is left before it was answered: it may be applied to the next one. */
void view_linger(struct view *v);

/* A document has come: one that has all, or only what has changed.  What it says comes as events,
 * and then it has ended. */
void view_document(struct view *v, bool has_all);
void view_document_end(const struct view *v);
/* Instead: what it has is that of now; or of not long ago, where its responder was disturbed. */
void view_same(struct view *v, bool settled);

/* It has read all that was sent: it must know all that consumers could see at `since_ms`, of the
 * partitions for which owed(arg, partition) holds. */
void view_check(const struct view *v, int64_t since_ms, bool (*owed)(void *arg, int32_t partition),
                void *arg);

#endif

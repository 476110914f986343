/* partition - how one partition of the topic fares, as far as can be told from what comes of it.
 * Pure: no librdkafka, no clock. */
#ifndef SKF_KAFKA_PARTITION_H
#define SKF_KAFKA_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

struct tick;

enum {
    PARTITION_AWAY_MS = 8500, /* looked at each second: less than ten seconds in all */
    PARTITION_STUCK_MS = 10000,
};

enum partition_state {
    PARTITION_GIVES, /* what there is, or nothing because there is no more */
    PARTITION_AWAY,  /* its leader has not answered, and nothing has come, for so long */
    PARTITION_STUCK, /* its leader answers, there is more, and nothing comes */
};

struct partition {
    bool started;          /* librdkafka fetches it */
    bool refused;          /* its broker says that we may not read it */
    int32_t leader;        /* its broker's id; -1: none */
    int32_t home;          /* that of the one which leads it if it can; -1: not known */
    int64_t next;          /* offset of the next record; -1: not started yet */
    int64_t end;           /* behind its last committed record, by its leader's last answer; -1:
                              unknown, also while it is away, for there may be more by now */
    int64_t seen_end;      /* the last one that was known */
    int64_t top;           /* the highest one so far; -1: none was known */
    uint64_t cut;          /* the answer to that question confirms that the log is shorter than it
                              was; 0: it is not */
    uint64_t ticket;       /* the question that `end` answers */
    uint64_t out_of_range; /* the answer to that question says why `next` is; 0: it is not */
    int error;             /* of its leader's last answer; 0: it was a good one */

    /* partition_look()'s own. */
    bool answered;       /* since the last look */
    int64_t looked_next; /* `next` at the last look */
    int64_t heard_ms;    /* when it has answered or moved */
    int64_t stood_ms;    /* so long it has stood still */
    enum partition_state state;

    enum partition_state told; /* to the operator */
};

/* One that is known since then. */
struct partition partition_new(int64_t now_ms);

/* Its leader has answered. */
void partition_answered(struct partition *p, int64_t end, uint64_t ticket);

/* To be called with each look.  held: nobody takes its records, so it cannot move.  True if its
 * state has changed. */
bool partition_look(struct partition *p, bool held, const struct tick *tick);

#endif

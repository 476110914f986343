/* policy - what the topic's settings are taken to be, and when to ask the cluster for them (again).
 *
 * Pure: the caller asks, and hands in the answers and the time.  Errors are librdkafka's
 * (rd_kafka_resp_err_t). */
#ifndef SKF_KAFKA_POLICY_H
#define SKF_KAFKA_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* What the cluster tells of a topic. */
struct settings {
    bool compacted;
    int64_t delete_retention_ms;
};

/* What Kafka takes where nothing is set. */
struct settings settings_default(void);

/* Is the topic compacted?  AUTO asks the cluster. */
enum compact { COMPACT_AUTO, COMPACT_ON, COMPACT_OFF };

struct policy {
    const char *topic; /* borrowed */
    enum compact compact;
    bool decided;             /* `settings` are to be gone by */
    struct settings settings; /* the cluster's, or what is taken for them */
    bool read;                /* they are the cluster's */
    int unread; /* why they could not be read again; 0: they could, or nobody has asked yet.  Logged
                   once per change */
    bool asking;
    bool astray;          /* the answer that is under way is of a topic that has gone */
    int64_t due_ms;       /* when to ask next */
    int64_t undecided_ms; /* since when it is to be decided; 0: nobody has wanted to know */
};

struct policy policy_new(const char *topic, enum compact compact);

/* To be called when the cluster says that the topic is there; true: ask now, and hand the answer to
 * policy_answered().  answers: a broker is known that does; it is to be asked, for another one may
 * be away.  With none only a first question is asked, two seconds later. */
bool policy_ask(struct policy *p, bool answers, int64_t now_ms);

enum policy_change {
    POLICY_AS_BEFORE, /* decided or not */
    POLICY_DECIDED,   /* for the first time */
    POLICY_RETENTION, /* deletes are kept for another time from now on */
    POLICY_OTHER,     /* compacted or not: nothing that was read before is of use */
};

/* err: why there are no settings; 0: there are. */
enum policy_change policy_answered(struct policy *p, int err, const struct settings *settings,
                                   int64_t now_ms);

/* The topic is gone: another one of its name may have other settings.  Whoever still asks for those
 * of the old one must not hand in the answer. */
void policy_forget(struct policy *p);
/* The same, but an answer that is under way may be handed in: nothing is made of it. */
void policy_missing(struct policy *p);

/* AUTO cannot read them. */
bool policy_is_assumed(const struct policy *p);

#endif

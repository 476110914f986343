/* shape - how the events of a topic are written: streams of one shape are sent the same bytes. */
#ifndef SKF_TOPIC_SHAPE_H
#define SKF_TOPIC_SHAPE_H

#include <stdbool.h>

/* How the id of an event is written. */
enum event_id {
    EVENT_ID_PROGRESS, /* PROGRESS[~TAG][/ETAG] */
    EVENT_ID_KEY,      /* ["KEY in base64url" or null,"PROGRESS[~TAG][/ETAG]"] */
};

/* `{0}` is what EventSource gets: the values of records, under ids of the plain form. */
struct shape {
    enum event_id id;
    bool document; /* no events, but records of a JSON document (topic/document.h) */
    bool first;    /* of it; says nothing of the shape */
    const struct envelope *envelope;
};

static inline bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->id == b->id && a->document == b->document;
}

#endif

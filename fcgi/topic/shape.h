/* shape - how the events of a topic are written: streams of one shape are sent the same bytes. */
#ifndef SKF_TOPIC_SHAPE_H
#define SKF_TOPIC_SHAPE_H

#include "topic/naming.h"

/* How the id of an event is written. */
enum event_id {
    EVENT_ID_PROGRESS, /* PROGRESS[~TAG][/ETAG] */
    EVENT_ID_KEY,      /* ["KEY in base64url" or null,"PROGRESS[~TAG][/ETAG]"] */
};

enum framing {
    FRAMING_SSE,      /* an event stream */
    FRAMING_NDJSON,   /* a line of JSON for each event: its envelope, under ids of the plain form */
    FRAMING_DOCUMENT, /* no events, but records of a JSON document (topic/document.h) */
};

/* `{0}` is what EventSource gets: the values of records, under ids of the plain form. */
struct shape {
    enum event_id id;
    enum framing framing;
    bool enveloped;                  /* an event's data is the record's envelope */
    bool first;                      /* of a document; says nothing of the shape */
    struct naming naming;            /* of the events of an event stream */
    const struct envelope *envelope; /* the topic's, borrowed; NULL: it needs none */
};

/* Of one topic. */
static inline bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->id == b->id && a->framing == b->framing && a->enveloped == b->enveloped &&
           naming_equal(&a->naming, &b->naming);
}

/* What an answer looks like, as it is counted. */
enum shape_kind {
    SHAPE_SSE, /* an event stream of values */
    SHAPE_ENVELOPE,
    SHAPE_NDJSON,
    SHAPE_JSON, /* a document */
    SHAPE_KINDS,
};
static inline enum shape_kind shape_kind(const struct shape *s)
{
    switch (s->framing) {
    case FRAMING_NDJSON:
        return SHAPE_NDJSON;
    case FRAMING_DOCUMENT:
        return SHAPE_JSON;
    default:
        return s->enveloped ? SHAPE_ENVELOPE : SHAPE_SSE;
    }
}

#endif

/* unwrap - what is said as JSON, told as an event stream says it: the rest of the simulation knows
 * one way only. */
#ifndef SKF_SIMULATE_UNWRAP_H
#define SKF_SIMULATE_UNWRAP_H

#include "response.h"

/* In which form a client wants its events. */
enum form {
    FORM_PLAIN,
    FORM_ENVELOPE, /* an event stream whose data are envelopes */
    FORM_LINES,    /* a line of JSON each */
    FORM_DOCUMENT, /* all in one, unless nothing has come since the last one */
    FORM_CHANGES,  /* likewise, what has changed since the last one */
    FORMS
};
static inline bool form_ends(enum form form)
{
    return form == FORM_DOCUMENT || form == FORM_CHANGES;
}
const char *form_query(enum form form); /* "": none */

/* The event of a line: calls handler. */
void unwrap_line(struct slice line, const struct response_handler *handler);
/* An event of an event stream whose data are envelopes. */
void unwrap_event(const struct sse_event *event, const struct response_handler *handler);
/* A whole document: what a stream would say, with ids that name a record's own partition, and at
 * last the document's place. */
void unwrap_document(struct slice text, const struct response_handler *handler);

#endif

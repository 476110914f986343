/* condition - what a request knows already, and how long it would wait for news: If-None-Match
 * (RFC 9110, 13.1.2) and Prefer (RFC 7240).  Bytes in, bytes out. */
#ifndef SKF_FRONT_CONDITION_H
#define SKF_FRONT_CONDITION_H

#include "base/buf.h"

/* The place that the client has, of an If-None-Match header (NULL: not sent): of its tags the first
 * that is an event id of a stream that selects as `selection` says (a tag, empty: it selects
 * nothing).  Weak or strong is the same, and what a front that compresses adds is taken away.
 * Borrowed from the header; p NULL: there is none. */
struct slice condition_place(const char *if_none_match, struct slice selection);

enum { CONDITION_WAIT_MAX_S = 25 }; /* fronts cut an answer that is silent for longer */

/* Seconds of `wait=` in a Prefer header (NULL: not sent), at most CONDITION_WAIT_MAX_S; 0: none. */
int condition_wait_s(const char *prefer);

#endif

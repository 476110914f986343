/* selection - what a stream is to see of its topic: the records of some keys.
 *
 * It never changes, and is shared by whoever refers to it.  Its tag stands for all of it in the
 * stream's event ids: the same keys, in whatever order and however often they were named, have the
 * same tag at every responder.  Pure. */
#ifndef SKF_SELECT_SELECTION_H
#define SKF_SELECT_SELECTION_H

#include "select/values.h"

struct selection;

/* Of these keys (copied); none: it selects nothing. */
struct selection *selection_new(const struct values *keys);
/* NULL is a stream that selects nothing from its topic, for it gets all. */
struct selection *selection_ref(struct selection *s);
void selection_unref(struct selection *s);

/* Does a record with that key pass?  p NULL: it has none. */
bool selection_passes(const struct selection *s, struct slice key);
bool selection_equal(const struct selection *a, const struct selection *b);

/* Its keys, each once. */
size_t selection_count(const struct selection *s);
struct slice selection_key(const struct selection *s, size_t i);

/* PROGRESS_TAG characters of base64url; of NULL: an empty slice. */
struct slice selection_tag(const struct selection *s);

#endif

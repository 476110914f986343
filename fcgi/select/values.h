/* values - a set of texts, each any bytes: the keys that somebody selects, what a claim says.
 * `{0}` is an empty one. */
#ifndef SKF_SELECT_VALUES_H
#define SKF_SELECT_VALUES_H

#include "base/buf.h"

struct values {
    struct buf bytes;
    uint32_t *ends; /* of each */
    size_t n;
};

void values_fini(struct values *v);

/* Adds one (copied), or all of another set. */
void values_add(struct values *v, struct slice value);
void values_add_all(struct values *v, const struct values *from);
struct slice values_at(const struct values *v, size_t i);

/* Puts them in order, each once: for the functions below. */
void values_sort(struct values *v);
bool values_has(const struct values *v, struct slice value);
/* The same, of texts that are kept elsewhere: one behind the other, with these ends. */
bool values_find(const uint8_t *bytes, const uint32_t *ends, size_t n, struct slice value);
/* Keeps only what is in the other, too. */
void values_keep(struct values *v, const struct values *other);

#endif

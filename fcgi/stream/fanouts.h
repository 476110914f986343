/* fanouts - the fan-outs of all topics, by the number of the topic. */
#ifndef SKF_STREAM_FANOUTS_H
#define SKF_STREAM_FANOUTS_H

#include "stream/fanout.h"

/* Borrowed, by those who count or end streams whatever their topic is. */
struct fanouts {
    struct fanout **at; /* NULL: a topic that is not read here */
    size_t n;
};

/* How many streams are open. */
static inline size_t fanouts_count(const struct fanouts *all)
{
    size_t n = 0;

    for (size_t i = 0; i < all->n; i++)
        if (all->at[i] != NULL)
            n += fanout_count(all->at[i]);
    return n;
}

#endif

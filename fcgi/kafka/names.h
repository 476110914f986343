/* names - some partitions of a topic in a log line, as "events[0-3,7]"; of many, the first ones. */
#ifndef SKF_KAFKA_NAMES_H
#define SKF_KAFKA_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names {
    char text[256];
    int32_t first; /* partition; -1: none yet */
    /* Its own. */
    size_t n;
    int32_t from, to; /* the range that is not in the text yet */
    int32_t more;     /* for which there is no room */
};

struct names names_new(const char *topic);
/* In rising order. */
void names_add(struct names *names, int32_t partition);
/* To be called once, after the last one; returns the text. */
const char *names_end(struct names *names);

#endif

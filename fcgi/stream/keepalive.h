/* keepalive - a comment for whoever has been silent for a while. */
#ifndef SKF_STREAM_KEEPALIVE_H
#define SKF_STREAM_KEEPALIVE_H

#include "stream/streams.h"

struct keepalive {
    struct streams *streams;
    int64_t after_ms; /* of silence */
    struct timer *timer;
};

void keepalive_init(struct keepalive *k, struct streams *streams, int64_t after_ms);
void keepalive_fini(struct keepalive *k);

/* Sees to it that the stream that has been silent longest is not forgotten. */
void keepalive_schedule(struct keepalive *k);

#endif

/* descriptors - what each part of the process may have of them. */
#ifndef SKF_FRONT_DESCRIPTORS_H
#define SKF_FRONT_DESCRIPTORS_H

#include <stdint.h>

struct descriptors {
    int64_t streams;
    int64_t requests; /* that are not streams: not whole, waiting for their token, being answered */
};

/* Shares out `limit` (RLIMIT_NOFILE).  Some are left for brokers, peers and files, for whose sake
 * no stream may be lost; a flood of requests, or of tokens to be verified, gets at most a quarter
 * of the others.  `max_streams` 0: as many as there are. */
struct descriptors descriptors_share(uint64_t limit, int64_t max_streams);

#endif

#include "front/descriptors.h"

enum {
    RESERVED = 128, /* brokers, peers, files */
    /* The tables behind them have limits, too: front/inlet.c and guard/guard.c. */
    REQUESTS_MAX = 1024 + 4096,
};

struct descriptors descriptors_share(uint64_t limit, int64_t max_streams)
{
    uint64_t rest = limit > 2 * RESERVED ? limit - RESERVED : RESERVED;
    uint64_t requests = rest / 4 < REQUESTS_MAX ? rest / 4 : REQUESTS_MAX;
    uint64_t streams = rest - requests;

    if (streams > INT32_MAX) /* unlimited */
        streams = INT32_MAX;
    if (max_streams > 0 && (uint64_t)max_streams < streams)
        streams = (uint64_t)max_streams;
    return (struct descriptors){.streams = (int64_t)streams, .requests = (int64_t)requests};
}

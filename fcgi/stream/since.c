#include "stream/since.h"

#include <stdlib.h>

#include "base/mem.h"

struct since {
    int64_t ms;
    int32_t n;
    struct since_partition {
        bool known;
        uint64_t first; /* the number of the first that passes; 0: none so far */
    } of[];
};

struct since *since_new(int64_t ms, int32_t n)
{
    struct since *s = mem_zero(sizeof *s + (size_t)n * sizeof s->of[0]);

    s->ms = ms;
    s->n = n;
    return s;
}

void since_free(struct since *s)
{
    free(s);
}

bool since_passes(struct since *s, const struct record *record, uint64_t number)
{
    if (record->partition >= s->n)
        return true;
    struct since_partition *of = &s->of[record->partition];
    of->known = true;
    if (of->first == 0 && record->timestamp_ms >= s->ms)
        of->first = number;
    return of->first != 0 && number >= of->first;
}

bool since_knows(const struct since *s, int32_t partition)
{
    return partition >= s->n || s->of[partition].known;
}

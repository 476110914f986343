#include "stream/catchup.h"

#include <stdlib.h>

#include "base/mem.h"

struct catchup_partition {
    bool hidden;
    bool any; /* a record of it was hidden */
    struct hidden what;
    int64_t end;     /* to be reached; -1: not known yet */
    uint64_t ticket; /* asked when it was known */
};

void catchup_fini(struct catchup *c)
{
    free(c->partitions);
    progress_fini(&c->shown);
    *c = (struct catchup){0};
}

static void grow(struct catchup *c, int32_t n)
{
    c->partitions = mem_resize_array(c->partitions, (size_t)n, sizeof *c->partitions);
    for (; c->n < n; c->n++)
        c->partitions[c->n] = (struct catchup_partition){.hidden = false};
}

static int64_t start_of(const struct cache *cache, int32_t partition)
{
    struct progress starts = {0};

    cache_start(cache, &starts);
    int64_t start = progress_get(&starts, partition);
    progress_fini(&starts);
    return start;
}

void catchup_hide(struct catchup *c, int32_t partition, const struct cache *cache)
{
    const struct progress *read = cache_progress(cache);

    if (partition >= c->n)
        grow(c, partition + 1);
    if (c->partitions[partition].hidden)
        return;
    if (c->hidden++ == 0)
        progress_copy(&c->shown, read);
    if (c->shown.n < read->n)
        progress_resize(&c->shown, read->n);
    c->partitions[partition] = (struct catchup_partition){
        .hidden = true,
        .what = {partition, start_of(cache, partition), cache_end(cache)},
        .end = -1,
    };
}

void catchup_begin(struct catchup *c, int32_t partition, int64_t start)
{
    if (!catchup_is_hidden(c, partition) || c->partitions[partition].what.start >= 0)
        return;
    c->partitions[partition].what.start = start;
    c->shown.next[partition] = start;
}

bool catchup_is_hidden(const struct catchup *c, int32_t partition)
{
    return partition < c->n && c->partitions[partition].hidden;
}

bool catchup_pass(struct catchup *c, int32_t partition, int64_t next)
{
    if (catchup_is_hidden(c, partition)) {
        c->partitions[partition].any = true;
        return false;
    }
    if (next > c->shown.next[partition])
        c->shown.next[partition] = next;
    return true;
}

static bool is_reached(const struct catchup_partition *p, int32_t i,
                       const struct consumer *consumer)
{
    return p->end >= 0 && consumer_passed(consumer, i, p->end, p->ticket);
}

int32_t catchup_due(struct catchup *c, struct consumer *consumer)
{
    uint64_t asked = 0;

    for (int32_t i = 0; i < c->n && c->hidden > 0; i++) {
        struct catchup_partition *p = &c->partitions[i];
        if (!p->hidden)
            continue;
        if (consumer_given_up(consumer, i)) {
            p->end = -1; /* there will be more when it comes back */
            continue;
        }
        bool new = p->end < 0;
        if (new) {
            p->end = consumer_end(consumer, i);
            p->ticket = UINT64_MAX;
        }
        if (is_reached(p, i, consumer))
            return i;
        if (new && p->end >= 0)
            p->ticket = asked = asked ? asked : consumer_ask(consumer);
    }
    return -1;
}

bool catchup_any(const struct catchup *c, int32_t partition)
{
    return c->partitions[partition].any;
}

void catchup_show(struct catchup *c, int32_t partition, const struct cache *cache,
                  struct hidden *hidden)
{
    struct catchup_partition *p = &c->partitions[partition];

    p->hidden = false;
    c->hidden--;
    c->shown.next[partition] = progress_get(cache_progress(cache), partition);
    *hidden = p->what;
}

bool catchup_done(const struct catchup *c, const struct consumer *consumer)
{
    for (int32_t i = 0; i < c->n && c->hidden > 0; i++)
        if (c->partitions[i].hidden && !consumer_given_up(consumer, i))
            return false;
    return true;
}

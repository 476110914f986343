#include "select/index.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

enum { PARTS = 64, PART_BITS = 6, FIRST_SIZE = 8 };

struct part {
    struct want **chains; /* NULL: none yet */
    uint32_t mask;        /* their number - 1, a power of two */
    uint32_t n;           /* wants */
};

struct index {
    uint64_t seed; /* clients choose the keys, not where they collide */
    size_t n;
    struct part parts[PARTS];
};

struct index *index_new(void)
{
    struct index *index = mem_zero(sizeof *index);

    index->seed = (uint64_t)arc4random() << 32 | arc4random();
    return index;
}

void index_free(struct index *index)
{
    for (size_t i = 0; i < PARTS; i++)
        free(index->parts[i].chains);
    free(index);
}

/* The upper bits say which part, the lower ones which chain. */
static uint32_t index_hash(const struct index *index, struct slice key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.p, key.n, index->seed);
}

static uint32_t part_of(uint32_t hash)
{
    return hash >> (32 - PART_BITS);
}

static struct want *index_look(const struct part *part, uint32_t hash, struct slice key)
{
    struct want *want = part->chains ? part->chains[hash & part->mask] : NULL;

    while (want != NULL &&
           !(want->hash == hash && slice_equal(slice_of(want->key, want->key_len), key)))
        want = want->next;
    return want;
}

struct want *index_find(const struct index *index, struct slice key)
{
    if (index->n == 0 || key.p == NULL)
        return NULL;
    uint32_t hash = index_hash(index, key);

    return index_look(&index->parts[part_of(hash)], hash, key);
}

static void index_chain(struct part *part, struct want *want)
{
    struct want **chain = &part->chains[want->hash & part->mask];

    want->next = *chain;
    *chain = want;
}

static void index_grow(struct part *part)
{
    struct part old = *part;
    uint32_t size = old.chains ? (old.mask + 1) * 2 : FIRST_SIZE;

    part->mask = size - 1;
    part->chains = mem_zero(size * sizeof *part->chains);
    for (uint32_t i = 0; old.chains != NULL && i <= old.mask; i++) {
        struct want *want, *next;
        for (want = old.chains[i]; want != NULL; want = next) {
            next = want->next;
            index_chain(part, want);
        }
    }
    free(old.chains);
}

static struct want *index_make(struct index *index, uint32_t hash, struct slice key)
{
    struct part *part = &index->parts[part_of(hash)];
    struct want *want = mem_alloc(sizeof *want + key.n);

    if (part->chains == NULL || part->n > part->mask)
        index_grow(part);
    *want = (struct want){.hash = hash, .key_len = (uint32_t)key.n};
    LIST_INIT(&want->sole);
    LIST_INIT(&want->among);
    if (key.n > 0)
        memcpy(want->key, key.p, key.n);
    index_chain(part, want);
    part->n++;
    index->n++;
    return want;
}

void index_add(struct index *index, struct wish *wish, struct slice key, bool sole)
{
    uint32_t hash = index_hash(index, key);
    struct want *want = index_look(&index->parts[part_of(hash)], hash, key);

    if (want == NULL)
        want = index_make(index, hash, key);
    wish->want = want;
    want->soles += sole;
    LIST_INSERT_HEAD(sole ? &want->sole : &want->among, wish, link);
}

void index_remove(struct index *index, struct wish *wish, bool sole)
{
    struct want *want = wish->want;
    struct part *part = &index->parts[part_of(want->hash)];

    LIST_REMOVE(wish, link);
    want->soles -= sole;
    if (want->soles > 0 || !LIST_EMPTY(&want->among))
        return;
    struct want **at = &part->chains[want->hash & part->mask];
    while (*at != want)
        at = &(*at)->next;
    *at = want->next;
    part->n--;
    index->n--;
    free(want);
}

size_t index_count(const struct index *index)
{
    return index->n;
}

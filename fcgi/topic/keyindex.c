#include "topic/keyindex.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "topic/entry.h"

enum { PARTS = 64, PART_BITS = 6, FIRST_SIZE = 16 };

/* Linear probing with backward-shift deletion; the hashes lie apart, so that a probe reads one
 * cache line and seldom an entry. */
struct part {
    uint32_t *hash;
    struct entry **entry; /* NULL: free */
    size_t mask;          /* size - 1; the size is 0 or a power of two */
    size_t n;
};

struct keyindex {
    uint64_t seed; /* producers choose the keys, not where they collide */
    size_t n;
    size_t bytes;
    struct part parts[PARTS];
};

struct keyindex *keyindex_new(void)
{
    struct keyindex *index = mem_zero(sizeof *index);

    index->seed = (uint64_t)arc4random() << 32 | arc4random();
    index->bytes = sizeof *index;
    return index;
}

void keyindex_free(struct keyindex *index)
{
    if (index == NULL)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        free(index->parts[i].hash);
        free(index->parts[i].entry);
    }
    free(index);
}

static uint64_t hash_of(const struct keyindex *index, int32_t partition, struct slice key)
{
    return XXH3_64bits_withSeed(key.p, key.n, index->seed ^ (uint64_t)partition);
}

static bool has_key(const struct entry *e, int32_t partition, struct slice key)
{
    return e->partition == partition && slice_equal(entry_key(e), key);
}

/* The place of the key in the part, or the free one where it belongs. */
static size_t find(const struct part *part, uint32_t hash, int32_t partition, struct slice key)
{
    size_t i = hash & part->mask;

    while (part->entry[i] != NULL) {
        if (part->hash[i] == hash && has_key(part->entry[i], partition, key))
            break;
        i = (i + 1) & part->mask;
    }
    return i;
}

static void grow(struct keyindex *index, struct part *part)
{
    struct part old = *part;
    size_t size = old.entry ? (old.mask + 1) * 2 : FIRST_SIZE;

    part->mask = size - 1;
    part->hash = mem_alloc(size * sizeof *part->hash);
    part->entry = mem_zero(size * sizeof *part->entry);
    for (size_t i = 0; old.entry != NULL && i <= old.mask; i++) {
        if (old.entry[i] == NULL)
            continue;
        size_t to = old.hash[i] & part->mask;
        while (part->entry[to] != NULL)
            to = (to + 1) & part->mask;
        part->hash[to] = old.hash[i];
        part->entry[to] = old.entry[i];
    }
    index->bytes +=
        (size - (old.entry ? old.mask + 1 : 0)) * (sizeof *part->hash + sizeof *part->entry);
    free(old.hash);
    free(old.entry);
}

struct entry *keyindex_put(struct keyindex *index, struct entry *e)
{
    uint64_t h = hash_of(index, e->partition, entry_key(e));
    struct part *part = &index->parts[h >> (64 - PART_BITS)];

    if (part->entry == NULL || (part->n + 1) * 5 > (part->mask + 1) * 4)
        grow(index, part);
    size_t i = find(part, (uint32_t)h, e->partition, entry_key(e));
    struct entry *superseded = part->entry[i];
    if (superseded == NULL) {
        part->n++;
        index->n++;
    }
    part->hash[i] = (uint32_t)h;
    part->entry[i] = e;
    return superseded;
}

struct entry *keyindex_get(const struct keyindex *index, int32_t partition, struct slice key)
{
    uint64_t h = hash_of(index, partition, key);
    const struct part *part = &index->parts[h >> (64 - PART_BITS)];

    return part->entry ? part->entry[find(part, (uint32_t)h, partition, key)] : NULL;
}

void keyindex_remove(struct keyindex *index, const struct entry *e)
{
    uint64_t h = hash_of(index, e->partition, entry_key(e));
    struct part *part = &index->parts[h >> (64 - PART_BITS)];
    size_t hole = find(part, (uint32_t)h, e->partition, entry_key(e));

    assert(part->entry[hole] == e);
    for (size_t i = (hole + 1) & part->mask; part->entry[i] != NULL; i = (i + 1) & part->mask) {
        size_t home = part->hash[i] & part->mask;
        if (((i - home) & part->mask) < ((i - hole) & part->mask))
            continue; /* would come before its home */
        part->hash[hole] = part->hash[i];
        part->entry[hole] = part->entry[i];
        hole = i;
    }
    part->entry[hole] = NULL;
    part->n--;
    index->n--;
}

size_t keyindex_count(const struct keyindex *index)
{
    return index->n;
}

size_t keyindex_bytes(const struct keyindex *index)
{
    return index->bytes;
}

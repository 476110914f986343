#include "cluster.h"

#include <stdio.h>

/* -- keys -- */

/* Most are words.  Of each partition one is of bytes that no text has, and one is long; one of them
 * all is empty. */
static size_t write_key(int32_t partition, int key, char text[KEY_LONG_BYTES + 1])
{
    int n = sprintf(text, "k%d of %d", key, (int)partition);

    if (key == KEY_BYTES)
        memcpy(text + n, "\0\xff\r\n%&+/", 9);
    if (key == KEY_LONG)
        memset(text + n, '~', (size_t)(KEY_LONG_BYTES - n));
    if (key == KEY_EMPTY && partition == 0)
        return 0;
    return key == KEY_BYTES ? (size_t)n + 8 : key == KEY_LONG ? KEY_LONG_BYTES : (size_t)n;
}

struct slice cluster_key(int32_t partition, int key)
{
    static char words[PARTITIONS_MAX][KEYS][32], longs[PARTITIONS_MAX][KEY_LONG_BYTES + 1];
    static size_t lengths[PARTITIONS_MAX][KEYS];
    char *text = key == KEY_LONG ? longs[partition] : words[partition][key];

    if (text[0] == 0)
        lengths[partition][key] = write_key(partition, key, text);
    return slice_of(text, lengths[partition][key]);
}

bool cluster_parse_key(struct slice text, int32_t *partition, int *key)
{
    for (*partition = 0; *partition < PARTITIONS_MAX; ++*partition)
        for (*key = 0; *key < KEYS; ++*key)
            if (slice_equal(text, cluster_key(*partition, *key)))
                return true;
    return false;
}

/* -- the rest of a record -- */

void cluster_etag(int64_t offset, char text[16])
{
    text[0] = 0;
    if (offset % 5 == 3)
        snprintf(text, 16, "e%d", (int)offset);
}

void cluster_value(const struct topic *t, int32_t partition, int64_t offset, struct buf *out)
{
    const struct written *e = &t->partitions[partition].at[offset];
    size_t begin = out->n;

    buf_printf(out, "%d:%d:%lld:", e->born, (int)partition, (long long)offset);
    size_t had = out->n - begin, size = (size_t)e->size;
    if (size <= had)
        return;
    size_t more = size - had;
    memset(buf_reserve(out, more), 'x', more);
    if (offset % 4 == 1) /* several lines, and an empty one at the end */
        for (size_t i = 10; i < more; i += 50)
            out->p[out->n + i] = '\n';
    if (offset % 8 == 1)
        out->p[out->n + more - 1] = '\n';
    out->n += more;
}

bool cluster_parse_value(struct slice text, int *born, int32_t *partition, int64_t *offset)
{
    char copy[48];
    size_t n = text.n < sizeof copy - 1 ? text.n : sizeof copy - 1;
    long long o;

    memcpy(copy, text.p, n);
    copy[n] = 0;
    if (sscanf(copy, "%d:%d:%lld:", born, partition, &o) != 3)
        return false;
    *offset = o;
    return true;
}

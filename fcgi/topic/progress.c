#include "topic/progress.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

enum { ID_VERSION = 0x01, VARINT_MAX = 10 };

void progress_resize(struct progress *p, int32_t n)
{
    p->next = mem_resize_array(p->next, (size_t)n, sizeof *p->next);
    for (int32_t i = p->n; i < n; i++)
        p->next[i] = OFFSET_BEGINNING;
    p->n = n;
}

void progress_copy(struct progress *to, const struct progress *from)
{
    if (to->n != from->n)
        progress_resize(to, from->n);
    if (from->n > 0)
        memcpy(to->next, from->next, (size_t)from->n * sizeof *from->next);
}

void progress_fini(struct progress *p)
{
    free(p->next);
    *p = (struct progress){0};
}

static uint8_t *put_varint(uint8_t *to, int64_t value)
{
    uint64_t v = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    for (; v >= 0x80; v >>= 7)
        *to++ = (uint8_t)(v | 0x80);
    *to++ = (uint8_t)v;
    return to;
}

void progress_add(struct buf *out, const struct progress *p)
{
    uint8_t few[1 + VARINT_MAX + 16 * 2 * VARINT_MAX];
    uint8_t *raw = few, *to;

    if (p->n > 16)
        raw = mem_alloc(1 + VARINT_MAX + (size_t)p->n * 2 * VARINT_MAX);
    to = raw;
    *to++ = ID_VERSION;
    to = put_varint(to, p->n);
    for (int32_t i = 0; i < p->n; i++) {
        to = put_varint(to, i);
        to = put_varint(to, p->next[i]);
    }
    base64url_add(out, slice_of(raw, (size_t)(to - raw)));
    if (raw != few)
        free(raw);
}

size_t progress_add_tagged(struct buf *out, const struct progress *p, struct slice tag)
{
    progress_add(out, p);
    size_t tag_at = out->n;
    if (tag.n > 0) {
        buf_add_byte(out, '~');
        buf_add_slice(out, tag);
    }
    return tag_at;
}

static bool get_varint(struct slice *from, int64_t *value)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && from->n > 0; shift += 7) {
        uint8_t c = *from->p++;
        from->n--;
        if (shift == 63 && c > 1)
            return false;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *value = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return true;
        }
    }
    return false;
}

static int by_partition(const void *a, const void *b)
{
    const struct progress_at *x = a, *y = b;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

static int parse_raw(struct slice raw, struct progress_id *out)
{
    struct progress_id id = {0};
    int64_t n, partition, next;

    if (raw.n == 0 || raw.p[0] != ID_VERSION)
        return -EINVAL;
    raw.p++;
    raw.n--;
    if (!get_varint(&raw, &n) || n < 0 || n > EVENT_ID_PARTITIONS || (uint64_t)n > raw.n / 2)
        return -EINVAL;
    id.at = mem_alloc((size_t)n * sizeof *id.at);
    for (; id.n < n; id.n++) {
        if (!get_varint(&raw, &partition) || !get_varint(&raw, &next))
            goto malformed;
        if (partition < 0 || partition > INT32_MAX || next < OFFSET_BEGINNING)
            goto malformed;
        id.at[id.n].partition = (int32_t)partition;
        id.at[id.n].next = next < 0 ? OFFSET_BEGINNING : next;
    }
    if (raw.n != 0)
        goto malformed;
    qsort(id.at, (size_t)id.n, sizeof *id.at, by_partition);
    for (int32_t i = 1; i < id.n; i++)
        if (id.at[i].partition == id.at[i - 1].partition)
            goto malformed;
    *out = id;
    return 0;

malformed:
    free(id.at);
    return -EINVAL;
}

/* Text up to the first such byte, which goes with what is behind it to `behind`; p NULL: none. */
static struct slice text_until(struct slice text, int byte, struct slice *behind)
{
    const uint8_t *at = text.n ? memchr(text.p, byte, text.n) : NULL;
    size_t n = at ? (size_t)(at - text.p) : text.n;

    *behind = slice_of(at, text.n - n);
    return slice_of(text.p, n);
}

/* Behind the first `~`. */
static bool is_tag(struct slice tag, bool moving)
{
    for (size_t i = 0; i < tag.n; i++)
        if (!isalnum(tag.p[i]) && tag.p[i] != '-' && tag.p[i] != '_')
            return false;
    return tag.n == PROGRESS_TAG || (moving && tag.n == 0);
}

static int parse_text(struct slice text, struct progress_id *out)
{
    struct slice etag, tag, place = text_until(text_until(text, '/', &etag), '~', &tag);
    struct buf raw = {0};
    int err = -EINVAL;

    bool moving = tag.n > 1 && tag.p[tag.n - 1] == '~';
    if (tag.p != NULL)
        tag = slice_of(tag.p + 1, tag.n - 1 - moving);
    if (tag.p != NULL && !is_tag(tag, moving))
        return -EINVAL;
    if (base64url_decode(&raw, place))
        err = parse_raw(buf_slice(&raw), out);
    if (err == 0 && tag.n > 0)
        memcpy(out->tag, tag.p, PROGRESS_TAG);
    if (err == 0)
        out->moving = moving;
    buf_fini(&raw);
    return err;
}

int progress_id_parse(struct slice id, struct progress_id *out)
{
    if (id.n == 0 || id.n > EVENT_ID_PARSED)
        return -EINVAL;
    if (id.p[0] != '[')
        return parse_text(id, out);

    json_t *pair = json_loadb((const char *)id.p, id.n, 0, NULL);
    const json_t *text = json_array_size(pair) == 2 ? json_array_get(pair, 1) : NULL;
    int err = -EINVAL;
    if (json_is_string(text))
        err = parse_text(slice_of(json_string_value(text), json_string_length(text)), out);
    json_decref(pair);
    return err;
}

void progress_id_fini(struct progress_id *id)
{
    free(id->at);
    *id = (struct progress_id){0};
}

#include "topic/entry.h"

#include "base/buf.h"
#include "base/mem.h"
#include "topic/progress.h"

struct entry *entry_new(const struct record *r, bool compacted)
{
    struct entry head = {
        .offset = r->offset,
        .partition = r->partition,
        .key_len = r->key.p ? (uint32_t)r->key.n : ENTRY_ABSENT,
        .value_len = r->value.p ? (uint32_t)r->value.n
                     : r->aged  ? ENTRY_AGED
                                : ENTRY_ABSENT,
        .etag_len = r->etag.n <= EVENT_ID_MAX ? (uint16_t)r->etag.n : 0, /* else never shown */
    };
    size_t n = entry_size(&head, compacted);
    struct entry *e = mem_alloc(n);

    *e = head;
    struct buf bytes = {e->bytes, 0, n - sizeof head};
    buf_add_slice(&bytes, r->key);
    buf_add(&bytes, r->etag.p, head.etag_len);
    buf_add_slice(&bytes, r->value);
    if (entry_deletes(e, compacted))
        entry_deletion(e)->entry = e;
    return e;
}

struct record entry_record(const struct entry *e)
{
    struct record r = {.partition = e->partition, .offset = e->offset, .timestamp_ms = -1};
    const uint8_t *etag = e->bytes + entry_length(e->key_len);

    r.key = entry_key(e);
    if (e->etag_len > 0)
        r.etag = slice_of(etag, e->etag_len);
    if (e->value_len < ENTRY_AGED)
        r.value = slice_of(etag + e->etag_len, e->value_len);
    r.aged = entry_is_aged(e);
    return r;
}

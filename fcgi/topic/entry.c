#include "topic/entry.h"

#include "base/mem.h"
#include "topic/progress.h"

static uint8_t *put(uint8_t *to, const uint8_t *from, size_t n)
{
    if (from != NULL)
        memcpy(to, from, n);
    return to + n;
}

struct entry *entry_new(const struct record *r, bool compacted)
{
    struct entry head = {
        .offset = r->offset,
        .timestamp_ms = r->timestamp_ms,
        .partition = r->partition,
        .key_len = r->key.p ? (uint32_t)r->key.n : ENTRY_ABSENT,
        .value_len = r->value.p ? (uint32_t)r->value.n
                     : r->aged  ? ENTRY_AGED
                                : ENTRY_ABSENT,
        .etag_len = r->etag.n <= EVENT_ID_MAX ? r->etag.n & 0x7fff : 0, /* else never shown */
        .has_headers = r->headers.n > 0,
    };
    struct entry *e = mem_alloc(entry_size_with(&head, r->headers.n, compacted));

    *e = head;
    uint8_t *at = put(e->bytes, r->key.p, r->key.n);
    at = put(at, r->etag.p, head.etag_len);
    at = put(at, r->value.p, r->value.n);
    if (r->headers.n > 0) {
        const uint32_t n = (uint32_t)r->headers.n;
        at = put(at, (const uint8_t *)&n, sizeof n);
        put(at, r->headers.p, n);
    }
    if (entry_deletes(e, compacted))
        entry_deletion(e)->entry = e;
    return e;
}

struct record entry_record(const struct entry *e)
{
    struct record r = {
        .partition = e->partition, .offset = e->offset, .timestamp_ms = e->timestamp_ms};
    const uint8_t *etag = e->bytes + entry_length(e->key_len);

    r.key = entry_key(e);
    if (e->etag_len > 0)
        r.etag = slice_of(etag, e->etag_len);
    if (e->value_len < ENTRY_AGED)
        r.value = slice_of(etag + e->etag_len, e->value_len);
    if (e->has_headers)
        r.headers = slice_of(e->bytes + entry_plain(e) + sizeof(uint32_t), entry_headers(e));
    r.aged = entry_is_aged(e);
    return r;
}

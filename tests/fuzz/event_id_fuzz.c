/* An event id that a client comes back with: as a place, and what a stream is sent from there.
 * First a byte of flags and one for the sizes of events taken at once, then the id. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "fake_consumer.h"
#include "fuzz.h"
#include "stream/reader.h"
#include "support.h"

enum { COMPACTED = 1, KEY_FORM = 2, EXPIRED = 4, LIMITED = 8 };
enum { PARTITIONS = 3, RECORDS = 12, KEYS = 3, RETENTION_MS = 1000 };

/* -- reading and writing -- */

static void check_same(struct slice id, const struct progress_id *expected)
{
    struct progress_id p;

    assert(progress_id_parse(id, &p) == 0);
    assert(p.n == expected->n);
    for (int32_t i = 0; i < p.n; i++)
        assert(p.at[i].partition == expected->at[i].partition &&
               p.at[i].next == expected->at[i].next);
    progress_id_fini(&p);
}

/* Written anew in each form it is the same place. */
static void check_written(const struct progress_id *id)
{
    struct progress p = {0};
    struct buf text = {0}, keyed = {0};

    progress_resize(&p, id->n);
    for (int32_t i = 0; i < id->n; i++) {
        if (id->at[i].partition != i) /* we write all partitions, from 0 on */
            goto done;
        p.next[i] = id->at[i].next;
    }
    progress_add(&text, &p);
    check_same(buf_slice(&text), id);
    buf_printf(&keyed, "[null,\"%.*s/etag\"]", (int)text.n, (const char *)text.p);
    check_same(buf_slice(&keyed), id);

done:
    progress_fini(&p);
    buf_fini(&text);
    buf_fini(&keyed);
}

static void check_parsed(struct slice text)
{
    struct progress_id id;

    if (progress_id_parse(text, &id) != 0)
        return;
    for (int32_t i = 0; i < id.n; i++) {
        assert(id.at[i].partition >= 0 && id.at[i].next >= OFFSET_BEGINNING && id.at[i].next != -1);
        assert(i == 0 || id.at[i].partition > id.at[i - 1].partition);
    }
    check_written(&id);
    progress_id_fini(&id);
}

/* -- resuming -- */

/* Records of some keys; the value says where one stands, every third is a delete. */
static void fill(struct cache *c, uint8_t flags)
{
    cache_reset(c, flags & COMPACTED, RETENTION_MS);
    cache_set_partitions(c, PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++) /* the one in the middle is empty */
        cache_set_origin(c, i, 0);
    for (int i = 0; i < RECORDS; i++) {
        char value[16];
        uint8_t key = (uint8_t)('a' + i % KEYS);
        struct record r = {.partition = i % 2 * 2, .offset = i, .key = slice_of(&key, 1)};
        snprintf(value, sizeof value, "%d:%d", r.partition, i);
        if (i % 3 != 2)
            r.value = slice_str(value);
        cache_append(c, &r, i, 0);
    }
    if (flags & EXPIRED)
        while (cache_tidy(c, RETENTION_MS + RECORDS / 2))
            ;
}

/* The events that are due from that place on, in their order. */
static void expect(const struct cache *c, const struct progress *from, bool fresh, struct buf *out)
{
    struct cache_walk walk = cache_walk(c, 0, cache_end(c));
    struct record r;
    uint64_t number;

    while (cache_walk_next(&walk, &r, &number)) {
        bool deleted = r.value.p == NULL;
        if (r.offset < from->next[r.partition] || (deleted && fresh && cache_compacted(c)))
            continue;
        buf_add_slice(out, deleted ? r.key : r.value);
        buf_add_byte(out, deleted ? '-' : '+');
    }
}

/* Takes the events down; each must bring the stream on, but for a reset, which comes first. */
static void take_down(struct slice bytes, struct progress *at, struct buf *out)
{
    struct slice stream;
    struct sse_event e;
    struct output records = {0};

    output_read(&records, bytes);
    stream = buf_slice(&records.text);
    while (sse_read(&stream, &e)) {
        struct progress_id id;
        assert(progress_id_parse(buf_slice(&e.id), &id) == 0);
        for (int32_t i = 0; i < id.n; i++) {
            assert(id.at[i].next >= at->next[i]);
            at->next[i] = id.at[i].next;
        }
        bool deleted = slice_equal(buf_slice(&e.type), slice_str("delete"));
        bool notice = slice_equal(buf_slice(&e.type), slice_str("gap")) ||
                      slice_equal(buf_slice(&e.type), slice_str("reset"));
        if (deleted)
            assert(base64url_decode(out, buf_slice(&e.data)));
        else if (!notice)
            buf_add_slice(out, buf_slice(&e.data));
        if (!notice)
            buf_add_byte(out, deleted ? '-' : '+');
        progress_id_fini(&id);
        sse_event_fini(&e);
    }
    assert(stream.n == 0);
    output_fini(&records);
}

static void no_drop(void *arg, struct source *source, struct block *block)
{
    (void)arg, (void)source, (void)block;
}

/* All that the reader is given, `room` bytes at a time. */
static void read_all_events(struct reader *r, struct source *source, size_t room, struct buf *bytes)
{
    struct iovec iov;
    int n;

    for (int turns = 0; (n = reader_next(r, source, &iov, 1)) > 0 || r->more; turns++) {
        assert(turns < 1 << 16);
        size_t some = n > 0 && iov.iov_len < room ? iov.iov_len : room;
        if (n == 0)
            continue;
        buf_add(bytes, iov.iov_base, some);
        reader_sent(r, source, some);
    }
}

static void check_events(struct reader *r, struct source *source, size_t room)
{
    struct buf bytes = {0}, expected = {0}, got = {0};
    struct progress at = {0};

    progress_copy(&at, reader_progress(r));
    progress_resize(&at, PARTITIONS);
    expect(source->cache, &at, r->reset != RESET_NONE, &expected);
    read_all_events(r, source, room, &bytes);
    take_down(buf_slice(&bytes), &at, &got);
    assert(slice_equal(buf_slice(&got), buf_slice(&expected)));
    progress_fini(&at);
    buf_fini(&bytes);
    buf_fini(&expected);
    buf_fini(&got);
}

static void check_resume(struct slice id, uint8_t flags, size_t room)
{
    const struct source_owner owner = {.on_drop = no_drop};
    struct source source;
    struct reader r;

    struct catchup catchup = {0};
    struct chunk chunk = {0};

    const struct source_config config = {
        .cache = cache_new(flags & LIMITED ? 600 : 1 << 20),
        .catchup = &catchup,
        .chunk = &chunk,
        .shape = {.id = flags & KEY_FORM ? EVENT_ID_KEY : EVENT_ID_PROGRESS},
        .backlog_bytes = 1 << 20,
    };
    source_init(&source, &config, &owner);
    fill(source.cache, flags);
    source_restart_backlog(&source);
    struct consumer consumer = {.answered = 1};
    for (int32_t i = 0; i < PARTITIONS; i++) /* the survey knows all ends */
        consumer.p[i].surveyed_end = cache_progress(source.cache)->next[i];
    reader_init(&r, 1, id, NULL);
    if (r.resume != NULL) {
        resume_await(r.resume, 1);
        assert(resume_decide(r.resume, source.cache, &consumer, 1));
    }
    reader_begin(&r, &source, NULL);
    assert(r.at == READER_REPLAY);
    check_events(&r, &source, room);
    assert(r.at == READER_LIVE);
    reader_fini(&r, &source);
    source_fini(&source);
    cache_free(config.cache);
    chunk_fini(&chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    uint8_t flags = take_byte(&in), room = take_byte(&in);

    check_parsed(in);
    check_resume(in, flags, (size_t)room + 1);
    return 0;
}

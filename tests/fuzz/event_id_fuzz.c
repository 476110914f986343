/* An event id that a client comes back with: as a place, and what a stream is sent from there.
 * First a byte of flags and one for the sizes of events taken at once, then the id. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "fuzz.h"
#include "stream/resume.h"
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

struct consumer {
    const struct cache *cache;
};

int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket)
{
    (void)ticket;
    return cache_progress(c->cache)->next[partition];
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    (void)c;
    (void)partition;
    return false;
}

/* Records of some keys; the value says where one stands, every third is a delete. */
static struct cache *make_cache(uint8_t flags)
{
    struct cache *c = cache_new(flags & LIMITED ? 600 : 1 << 20);

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
    return c;
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

/* Takes the events of the chunk down; each must bring the stream on. */
static void take_down(const struct chunk *chunk, struct progress *at, struct buf *out)
{
    struct slice stream;
    struct sse_event e;
    struct output records = {0};

    output_read(&records, buf_slice(&chunk->bytes));
    stream = buf_slice(&records.text);
    while (sse_read(&stream, &e)) {
        struct progress_id id;
        assert(progress_id_parse(buf_slice(&e.id), &id) == 0);
        for (int32_t i = 0; i < id.n; i++) {
            assert(id.at[i].next >= at->next[i]);
            at->next[i] = id.at[i].next;
        }
        bool deleted = slice_equal(buf_slice(&e.type), slice_str("delete"));
        bool gap = slice_equal(buf_slice(&e.type), slice_str("gap"));
        if (deleted)
            assert(base64url_decode(out, buf_slice(&e.data)));
        else if (!gap)
            buf_add_slice(out, buf_slice(&e.data));
        if (!gap)
            buf_add_byte(out, deleted ? '-' : '+');
        progress_id_fini(&id);
        sse_event_fini(&e);
    }
    assert(stream.n == 0);
    output_fini(&records);
}

static void check_replay(struct replay *replay, const struct cache *c, enum event_id form,
                         size_t room, bool fresh)
{
    struct chunk chunk = {0};
    struct buf expected = {0}, got = {0};
    struct progress at = {0};
    bool more = true;

    progress_copy(&at, replay_progress(replay));
    progress_resize(&at, PARTITIONS);
    expect(c, &at, fresh, &expected);
    replay_bound(replay, cache_progress(c));
    for (int turns = 0; more; turns++) {
        assert(turns < 4 * RECORDS);
        more = replay_fill(replay, c, NULL, form, cache_end(c), room, &chunk);
        take_down(&chunk, &at, &got);
    }
    assert(slice_equal(buf_slice(&got), buf_slice(&expected)));
    progress_fini(&at);
    buf_fini(&expected);
    buf_fini(&got);
    chunk_fini(&chunk);
}

static void check_resume(struct slice id, uint8_t flags, size_t room)
{
    struct cache *cache = make_cache(flags);
    struct consumer consumer = {cache};
    struct resume *resume = resume_new(id);
    enum reset why;

    resume_await(resume, 1);
    assert(resume_decide(resume, cache, &consumer, 1)); /* the survey knows all ends */
    struct replay *replay = resume_replay(resume, cache, &why);
    assert(why != RESET_NONE || !resume_is_ahead(resume, cache));
    check_replay(replay, cache, flags & KEY_FORM ? EVENT_ID_KEY : EVENT_ID_PROGRESS, room,
                 why != RESET_NONE);
    replay_free(replay);
    resume_free(resume);
    cache_free(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    uint8_t flags = take_byte(&in), room = take_byte(&in);

    check_parsed(in);
    check_resume(in, flags, (size_t)room + 1);
    return 0;
}

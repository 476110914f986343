#include "stream/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "stream/backlog.h"
#include "support.h"

enum { RETENTION_MS = 1000, MUCH = 1 << 30 };

static struct cache *cache;

static void make(bool compacted, int32_t partitions, size_t max_bytes)
{
    cache_free(cache);
    cache = cache_new(max_bytes);
    cache_reset(cache, compacted, RETENTION_MS);
    cache_set_partitions(cache, partitions);
    for (int32_t i = 0; i < partitions; i++)
        cache_set_origin(cache, i, 0);
}

static int teardown(void **state)
{
    (void)state;
    cache_free(cache);
    cache = NULL;
    return 0;
}

static uint64_t append(int32_t partition, const char *key, const char *value)
{
    const struct record r = {.partition = partition,
                             .offset = cache_progress(cache)->next[partition],
                             .key = slice_str(key),
                             .value = slice_str(value)};

    return cache_append(cache, &r, 0, 0);
}

/* -- what a replay gives, to the cache's end -- */

static void collect(struct replay *r, struct chunk *chunk, size_t room, struct buf *bytes)
{
    bool more;

    do {
        more = replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), room, chunk);
        buf_add_slice(bytes, buf_slice(&chunk->bytes));
    } while (more);
}

/* The very text. */
static void check_text(struct replay *r, const char *expected)
{
    struct chunk chunk = {0};
    struct buf bytes = {0};
    struct output out = {0};

    collect(r, &chunk, MUCH, &bytes);
    replay_free(r);
    output_read(&out, buf_slice(&bytes));
    assert_text(buf_slice(&out.text), expected);
    buf_fini(&bytes);
    output_fini(&out);
    chunk_fini(&chunk);
}

/* The events as `TYPE[id]data`, type and id left out where they are not wanted. */
static void check_events(struct replay *r, const char *expected)
{
    struct chunk chunk = {0};
    struct buf bytes = {0}, text = {0};
    struct output out = {0};

    collect(r, &chunk, MUCH, &bytes);
    replay_free(r);
    output_read(&out, buf_slice(&bytes));
    buf_add_byte(&out.text, 0);
    for (char *line = strtok((char *)out.text.p, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "id:", 3) == 0)
            buf_add_str(&text, text.n ? " " : "");
        else if (strncmp(line, "event:", 6) == 0)
            buf_printf(&text, "%s:", line + 6);
        else
            buf_add_str(&text, line + 5);
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    buf_fini(&bytes);
    output_fini(&out);
    chunk_fini(&chunk);
}

static struct replay *resumed(int64_t next0, int64_t next1)
{
    int64_t next[] = {next0, next1};
    const struct progress from = {cache_progress(cache)->n, next};

    return replay_resumed(cache, &from);
}

static void a_fresh_stream_gets_the_newest_of_each_key(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "b", "3");
    append(0, "a", "4");
    check_events(replay_fresh(cache), "2 3 4");
}

static void each_event_has_the_id_of_its_place(void **state)
{
    struct chunk chunk = {0};
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "a", "3");
    struct replay *r = replay_fresh(cache);
    collect(r, &chunk, MUCH, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_text(buf_slice(&out.text), "id:AQQAAAIC\ndata:2\n\nid:AQQABAIC\ndata:3\n\n");
    assert_int_equal(replay_progress(r)->next[0], 2);
    assert_int_equal(replay_progress(r)->next[1], 1);
    replay_free(r);
    buf_fini(&bytes);
    output_fini(&out);
    chunk_fini(&chunk);
}

static void a_fresh_stream_gets_no_delete_from_before_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "a", NULL);
    check_events(replay_fresh(cache), "2");
}

static void a_fresh_stream_gets_a_delete_that_came_after_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct replay *r = replay_fresh(cache);
    append(0, "a", NULL);
    check_events(r, "delete:YQ==");
}

static void a_fresh_stream_of_a_topic_that_is_not_compacted_gets_all_deletes_too(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, "a", NULL);
    append(0, "a", "2");
    check_events(replay_fresh(cache), "1 delete:YQ== 2");
}

static void a_record_with_neither_key_nor_value_is_not_sent(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, NULL, NULL);
    append(0, NULL, "1");
    append(0, NULL, NULL);
    check_events(replay_fresh(cache), "1");
}

static void who_resumes_gets_what_it_has_not_seen_deletes_included(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    append(0, "c", "3");
    append(1, "b", NULL);
    append(0, "a", "4");
    check_events(resumed(1, 1), "3 delete:Yg== 4");
    check_events(resumed(2, 1), "delete:Yg== 4");
    check_events(resumed(3, 2), "");
}

static void who_resumes_gets_new_and_unknown_partitions_from_their_beginning(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "b", "2");
    check_events(resumed(1, OFFSET_BEGINNING), "2");
    struct replay *r = resumed(1, 1);
    cache_set_partitions(cache, 3);
    append(2, "c", "3");
    check_events(r, "3");
}

static void who_fell_behind_goes_on_with_the_newest_of_each_key(void **state)
{
    int64_t next[] = {1};
    const struct progress at = {1, next};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    uint64_t number = append(0, "b", "2");
    append(0, "c", "3");
    append(0, "b", NULL);
    append(0, "c", "4");
    check_events(replay_behind(number, &at, 0), "delete:Yg== 4");
}

static void nothing_at_the_limit_or_beyond_is_given(void **state)
{
    struct chunk chunk = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    uint64_t limit = append(0, "b", "2");
    struct replay *r = replay_fresh(cache);
    assert_false(replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, limit, MUCH, &chunk));
    assert_int_equal(replay_progress(r)->next[0], 1);
    check_events(r, "2");
    chunk_fini(&chunk);
}

static void a_chunk_is_a_little_over_its_room(void **state)
{
    struct chunk chunk = {0};

    (void)state;
    make(true, 1, MUCH);
    for (int i = 0; i < 100; i++)
        append(0, NULL, "0123456789");
    struct replay *r = replay_fresh(cache);
    assert_true(replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), 500, &chunk));
    assert_in_range(chunk.bytes.n, 500, 549);
    replay_free(r);
    chunk_fini(&chunk);
}

static void a_long_way_without_an_event_is_gone_in_steps(void **state)
{
    struct chunk chunk = {0};
    int fills = 1;

    (void)state;
    make(true, 1, MUCH);
    for (int i = 0; i < 100000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        append(0, key, NULL); /* there is nothing to delete */
    }
    struct replay *r = replay_fresh(cache);
    while (replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), MUCH, &chunk))
        fills++;
    assert_in_range(fills, 3, 100);
    replay_free(r);
    chunk_fini(&chunk);
}

/* -- keys that have aged -- */

static void set_origin(int32_t partition, int64_t origin)
{
    cache_set_origin(cache, partition, origin);
    while (cache_tidy(cache, 0))
        ;
}

static void a_key_that_has_aged_is_deleted_at_the_place_where_the_stream_is(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    uint64_t last = append(0, "b", "2");
    int64_t next = 2;
    const struct progress at = {1, &next};
    set_origin(0, 1);
    append(0, "c", "3");
    check_text(replay_behind(last + 1, &at, 0), "id:AQIABA==\nevent:delete\ndata:YQ==\n\n"
                                                "id:AQIABg==\ndata:3\n\n");
    check_text(replay_fresh(cache), "id:AQIABA==\ndata:2\n\nid:AQIABg==\ndata:3\n\n");
}

static void who_resumes_before_a_key_has_aged_or_just_then_is_told(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    set_origin(0, 1);
    check_text(resumed(1, 0), "id:AQIABA==\ndata:2\n\nid:AQIABA==\nevent:delete\ndata:YQ==\n\n");
    check_text(resumed(2, 0), "id:AQIABA==\nevent:delete\ndata:YQ==\n\n");
    append(0, "c", "3");
    check_text(resumed(2, 0), "id:AQIABA==\nevent:delete\ndata:YQ==\n\nid:AQIABg==\ndata:3\n\n");
}

/* Another responder may have had more records before it saw that. */
static void who_resumes_behind_a_key_that_has_aged_of_late_is_told_too(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    set_origin(0, 1);
    append(0, "c", "3");
    check_text(resumed(3, 0), "id:AQIABg==\nevent:delete\ndata:YQ==\n\n");
    check_text(resumed(4, 0), "id:AQIACA==\nevent:delete\ndata:YQ==\n\n"); /* ahead of us */
}

/* -- gaps -- */

/* The limit has dropped the first records: the offset of the first that is left. */
static int64_t fill_beyond_limit(bool compacted)
{
    char key[16];

    make(compacted, 2, 70000);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "%d", i);
        append(i % 2, key, "v");
    }
    return cache_lost(cache, 0);
}

/* The notices alone, as `data` of the gaps. */
static void check_gaps(struct replay *r, const char *expected)
{
    struct chunk chunk = {0};
    struct output out = {0};
    struct buf text = {0};

    replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), MUCH, &chunk);
    replay_free(r);
    output_read(&out, buf_slice(&chunk.bytes));
    buf_add_byte(&out.text, 0);
    for (const char *at = (const char *)out.text.p; (at = strstr(at, "event:gap\ndata:")); at++)
        buf_printf(&text, "%.*s", (int)strcspn(at + 15, "\n"), at + 15);
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    output_fini(&out);
    chunk_fini(&chunk);
}

static void a_stream_of_a_compacted_topic_is_told_what_the_limit_dropped(void **state)
{
    char expected[128];

    (void)state;
    int64_t lost = fill_beyond_limit(true), lost1 = cache_lost(cache, 1);
    assert_true(lost > 0 && lost1 > 0);
    snprintf(expected, sizeof expected,
             "{\"partition\":0,\"from\":0,\"to\":%d}{\"partition\":1,\"from\":0,\"to\":%d}",
             (int)lost, (int)lost1);
    check_gaps(replay_fresh(cache), expected);
}

static void a_fresh_stream_of_another_topic_starts_behind_what_was_dropped(void **state)
{
    (void)state;
    fill_beyond_limit(false);
    check_gaps(replay_fresh(cache), "");
}

static void who_resumes_is_told_of_the_part_that_is_lost_to_it(void **state)
{
    char expected[128];

    (void)state;
    for (int compacted = 0; compacted < 2; compacted++) {
        int64_t lost = fill_beyond_limit(compacted), lost1 = cache_lost(cache, 1);
        snprintf(expected, sizeof expected, "{\"partition\":0,\"from\":%d,\"to\":%d}",
                 (int)lost - 1, (int)lost);
        check_gaps(resumed(lost - 1, lost1), expected);
        check_gaps(resumed(lost, lost1), "");
    }
}

static void what_is_lost_while_a_stream_is_behind_is_told_before_it_goes_on(void **state)
{
    struct chunk chunk = {0};
    char expected[128];

    (void)state;
    make(false, 1, 70000);
    append(0, "k", "v");
    append(0, "k", "v");
    struct replay *r = replay_fresh(cache);
    replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), 1, &chunk);
    for (int i = 0; i < 2000; i++)
        append(0, "k", "v");
    snprintf(expected, sizeof expected, "{\"partition\":0,\"from\":1,\"to\":%d}",
             (int)cache_lost(cache, 0));
    check_gaps(r, expected);
    chunk_fini(&chunk);
}

static void a_gap_has_the_id_behind_it(void **state)
{
    struct chunk chunk = {0};
    struct output out = {0};
    int64_t to[2];
    struct progress at = {2, to};
    struct buf id = {0};

    (void)state;
    to[0] = fill_beyond_limit(true);
    to[1] = cache_lost(cache, 1);
    struct replay *r = resumed(0, to[1]);
    replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), 1, &chunk);
    output_read(&out, buf_slice(&chunk.bytes));
    buf_add_str(&id, "id:");
    progress_add(&id, &at);
    buf_add_byte(&id, '\n');
    assert_bytes(slice_of(out.text.p, id.n), buf_slice(&id));
    replay_free(r);
    buf_fini(&id);
    output_fini(&out);
    chunk_fini(&chunk);
}

/* -- deletes that are forgotten under a reader -- */

static bool lost_deletes(const struct replay *r)
{
    return replay_lost_deletes(r, cache, cache_progress(cache));
}

static void who_has_not_passed_a_forgotten_delete_has_lost_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct replay *r = resumed(1, 0);
    append(0, "a", NULL);
    assert_false(lost_deletes(r));
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_true(lost_deletes(r));
    replay_free(r);
}

static void who_has_passed_a_delete_does_not_lose_it(void **state)
{
    struct chunk chunk = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", NULL);
    append(0, "b", "2");
    struct replay *r = resumed(0, 0);
    replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), 1, &chunk);
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_false(lost_deletes(r));
    replay_free(r);
    chunk_fini(&chunk);
}

/* To find its way it begins somewhat before its place. */
static void who_resumed_behind_a_delete_does_not_lose_it(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", NULL);
    append(1, "b", "2");
    struct replay *r = resumed(1, 0);
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_false(lost_deletes(r));
    append(1, "b", NULL);
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_true(lost_deletes(r));
    replay_free(r);
}

static void a_fresh_stream_loses_only_deletes_that_came_after_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", NULL);
    struct replay *before = replay_fresh(cache);
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_false(lost_deletes(before));
    append(0, "b", NULL);
    while (cache_tidy(cache, RETENTION_MS))
        ;
    assert_true(lost_deletes(before));
    replay_free(before);
}

static void what_was_forgotten_before_a_resume_was_judged_then(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "a", NULL);
    append(0, "b", "2");
    while (cache_tidy(cache, RETENTION_MS))
        ;
    struct replay *r = resumed(2, 0);
    assert_false(lost_deletes(r));
    replay_free(r);
}

/* -- cutting -- */

typedef struct replay *(*begin_replay)(void);

static struct replay *begin_fresh(void)
{
    return replay_fresh(cache);
}

static struct replay *begin_resumed(void)
{
    return resumed(1, 1);
}

/* It counts as many as are in the bytes. */
static void check_count(const struct chunk *c, struct slice bytes)
{
    unsigned n = 0;

    for (const uint8_t *at = bytes.p; (at = memmem(at, bytes.n - (size_t)(at - bytes.p), "id:", 3));
         at++)
        n++;
    assert_int_equal(c->events, n);
}

/* A chunk of which n bytes are sent, the rest of the event under way, and all that follows. */
static struct buf bytes_cut_at(begin_replay begin, size_t room, size_t n)
{
    struct chunk chunk = {0};
    struct buf bytes = {0};
    struct replay *r = begin();

    bool more = replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), room, &chunk);
    if (n < chunk.bytes.n) {
        buf_add(&bytes, chunk.bytes.p, n);
        buf_add_slice(&bytes, replay_cut(r, &chunk, n));
        check_count(&chunk, buf_slice(&bytes));
        more = true;
    } else {
        buf_add_slice(&bytes, buf_slice(&chunk.bytes));
        check_count(&chunk, buf_slice(&bytes));
    }
    if (more)
        collect(r, &chunk, room, &bytes);
    replay_free(r);
    chunk_fini(&chunk);
    return bytes;
}

static void check_every_cut(begin_replay begin)
{
    for (size_t room = 1; room < 2000; room = room * 3 + 10) {
        struct buf uncut = bytes_cut_at(begin, MUCH, SIZE_MAX);
        for (size_t n = 0; n <= uncut.n; n++) {
            struct buf cut = bytes_cut_at(begin, room, n);
            assert_bytes(buf_slice(&cut), buf_slice(&uncut));
            buf_fini(&cut);
        }
        buf_fini(&uncut);
    }
}

static void a_chunk_can_be_cut_at_every_byte(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "b", "3\n4");
    append(1, "b", "5");
    append(0, "a", "6");
    check_every_cut(begin_fresh);
    check_every_cut(begin_resumed);
}

static void a_chunk_can_be_cut_at_every_byte_where_records_are_left_out(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", NULL);
    append(0, "b", "2");
    append(1, NULL, NULL);
    append(0, "c", NULL);
    append(0, "d", "3");
    append(0, "e", "4");
    append(1, "b", "5");
    check_every_cut(begin_fresh);
    check_every_cut(begin_resumed);
}

static void a_chunk_can_be_cut_at_every_byte_of_several_gaps(void **state)
{
    char key[16];

    (void)state;
    make(true, 2, 1 << 16);
    for (int i = 0; cache_lost(cache, 0) < 1 || cache_lost(cache, 1) < 1; i++) {
        char value[6001];
        memset(value, 'v', 6000);
        value[6000] = 0;
        snprintf(key, sizeof key, "%d", i);
        append(i % 2, key, value);
    }
    struct chunk chunk = {0};
    struct replay *r = replay_fresh(cache);
    replay_fill(r, cache, NULL, EVENT_ID_PROGRESS, cache_end(cache), 1, &chunk);
    size_t gaps = chunk.bytes.n;
    replay_free(r);
    chunk_fini(&chunk);
    struct buf uncut = bytes_cut_at(begin_fresh, MUCH, SIZE_MAX);
    for (size_t n = 0; n <= gaps; n++) {
        struct buf cut = bytes_cut_at(begin_fresh, MUCH, n);
        assert_true(slice_equal(buf_slice(&cut), buf_slice(&uncut)));
        buf_fini(&cut);
    }
    buf_fini(&uncut);
}

static void random_replays_can_be_cut_at_every_byte(void **state)
{
    uint64_t seed = 21;

    (void)state;
    for (int round = 0; round < 20; round++) {
        make(round % 2, 2, MUCH);
        for (int i = 0; i < 12; i++) {
            const char *const keys[] = {"a", "b", "c", "d"};
            const char *const values[] = {"1", "", "3\r\n4"};
            append((int32_t)random_below(&seed, 2), keys[random_below(&seed, 4)],
                   values[random_below(&seed, 3)]);
        }
        check_every_cut(begin_fresh);
        check_every_cut(begin_resumed);
    }
}

/* -- from the backlog into the cache -- */

static void ignore_drop(void *arg, struct block *block)
{
    (void)arg;
    (void)block;
}

static void who_leaves_the_backlog_at_any_byte_goes_on_with_the_same_bytes(void **state)
{
    struct backlog *backlog = backlog_new(MUCH, ignore_drop, NULL);
    struct buf uncut = {0};
    struct iovec iov;

    (void)state;
    make(false, 2, MUCH);
    backlog_reset(backlog, cache_end(cache), cache_progress(cache));
    struct place start = backlog_end(backlog);
    for (int i = 1; i <= 20; i++) {
        const struct record r = {.partition = i % 3 == 0,
                                 .offset = cache_progress(cache)->next[i % 3 == 0],
                                 .key = i % 7 ? BYTES("k") : slice_of(NULL, 0),
                                 .value = i % 4 ? BYTES("v\nw") : slice_of(NULL, 0)};
        uint64_t number = cache_append(cache, &r, 0, 0);
        backlog_add(backlog, EVENT_ID_PROGRESS, number, cache_progress(cache), &r);
    }
    assert_int_equal(backlog_iov(&start, &iov, 1), 1);
    buf_add(&uncut, iov.iov_base, iov.iov_len);
    for (size_t n = 0; n <= uncut.n; n++) {
        struct place place = start;
        struct buf bytes = {0};
        struct progress at = {0};
        struct chunk chunk = {0};
        backlog_advance(&place, n);
        buf_add(&bytes, uncut.p, n);
        buf_add_slice(&bytes, backlog_rest(&place));
        backlog_progress(&place, &at);
        struct replay *r = replay_behind(backlog_number(&place), &at, 0);
        collect(r, &chunk, MUCH, &bytes);
        assert_bytes(buf_slice(&bytes), buf_slice(&uncut));
        replay_free(r);
        progress_fini(&at);
        chunk_fini(&chunk);
        buf_fini(&bytes);
    }
    buf_fini(&uncut);
    backlog_free(backlog);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(a_fresh_stream_gets_the_newest_of_each_key),
        T(each_event_has_the_id_of_its_place),
        T(a_fresh_stream_gets_no_delete_from_before_it),
        T(a_fresh_stream_gets_a_delete_that_came_after_it),
        T(a_fresh_stream_of_a_topic_that_is_not_compacted_gets_all_deletes_too),
        T(a_record_with_neither_key_nor_value_is_not_sent),
        T(who_resumes_gets_what_it_has_not_seen_deletes_included),
        T(who_resumes_gets_new_and_unknown_partitions_from_their_beginning),
        T(who_fell_behind_goes_on_with_the_newest_of_each_key),
        T(nothing_at_the_limit_or_beyond_is_given),
        T(a_chunk_is_a_little_over_its_room),
        T(a_long_way_without_an_event_is_gone_in_steps),
        T(a_key_that_has_aged_is_deleted_at_the_place_where_the_stream_is),
        T(who_resumes_before_a_key_has_aged_or_just_then_is_told),
        T(who_resumes_behind_a_key_that_has_aged_of_late_is_told_too),
        T(a_stream_of_a_compacted_topic_is_told_what_the_limit_dropped),
        T(a_fresh_stream_of_another_topic_starts_behind_what_was_dropped),
        T(who_resumes_is_told_of_the_part_that_is_lost_to_it),
        T(what_is_lost_while_a_stream_is_behind_is_told_before_it_goes_on),
        T(a_gap_has_the_id_behind_it),
        T(who_has_not_passed_a_forgotten_delete_has_lost_it),
        T(who_has_passed_a_delete_does_not_lose_it),
        T(who_resumed_behind_a_delete_does_not_lose_it),
        T(a_fresh_stream_loses_only_deletes_that_came_after_it),
        T(what_was_forgotten_before_a_resume_was_judged_then),
        T(a_chunk_can_be_cut_at_every_byte),
        T(a_chunk_can_be_cut_at_every_byte_where_records_are_left_out),
        T(a_chunk_can_be_cut_at_every_byte_of_several_gaps),
        T(random_replays_can_be_cut_at_every_byte),
        T(who_leaves_the_backlog_at_any_byte_goes_on_with_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

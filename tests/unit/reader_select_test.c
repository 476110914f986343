#include <stdio.h>
#include <stdlib.h>

#include "reader_setup.h"
#include "stream/reader.h"

/* What readers that select are given: of the cache, and of what comes. */

static const char *tag_of(const char *keys)
{
    static char tag[PROGRESS_TAG + 1];
    struct selection *s = select_keys(keys);

    memcpy(tag, selection_tag(s).p, PROGRESS_TAG);
    selection_unref(s);
    return tag;
}

/* -- of the cache -- */

static void it_gets_the_newest_of_its_keys(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(1, "a", "2");
    append(0, "b", "3");
    append(0, "a", "4");
    append(0, "c", "5");
    check_events(begin_keys(1, NULL, "a"), "2 4");
    check_events(begin_keys(1, NULL, "c b"), "3 5");
    check_events(begin_keys(1, NULL, "d"), "");
}

static void nothing_selected_is_nothing_given(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = begin_keys(1, NULL, "");
    append(0, "a", "2");
    check_events(r, "");
    assert_int_equal(r->at, READER_PICKING);
}

static void where_nothing_is_compacted_it_gets_all_of_its_keys(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, NULL, "2");
    append(0, "b", "3");
    append(0, "a", NULL);
    append(0, "a", "4");
    check_events(begin_keys(1, NULL, "a"), "1 delete:YQ== 4");
}

static void of_many_keys_it_goes_through_the_log(void **state)
{
    struct buf keys = {0};

    (void)state;
    make(true, 2, MUCH);
    append(0, "k7", "1");
    append(1, "x", "2");
    append(0, "k8", "3");
    for (int i = 0; i < 1000; i++)
        buf_printf(&keys, "k%d ", i);
    buf_add_byte(&keys, 0);
    check_events(begin_keys(1, NULL, (const char *)keys.p), "1 3");
    buf_fini(&keys);
}

static void its_last_id_says_what_was_passed_over_too(void **state)
{
    char expected[128];

    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", "3");
    append(1, "d", "4");
    snprintf(expected, sizeof expected, "id:AQQAAgIA~%s\ndata:1\n\nid:AQQABgIC~%s\ndata:2\n\n",
             tag_of("a b"), tag_of("a b"));
    struct reader *r = begin_keys(1, NULL, "a b");
    check_text(r, expected);
    struct buf place = {0};
    assert_false(reader_add_place(r, &source, &place));
}

static void it_resumes_with_deletes(void **state)
{
    char id[64];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    snprintf(id, sizeof id, "AQIABA==~%s", tag_of("a b"));
    append(0, "a", NULL);
    append(0, "c", NULL);
    append(0, "b", "3");
    check_events(begin_keys(1, id, "b a"), "delete:YQ== 3");
}

static void check_reset(const char *id, const char *keys)
{
    struct reader *r = begin_keys(1, id, keys);
    struct buf bytes = {0};

    pull_all(r, &bytes);
    assert_non_null(memmem(bytes.p, bytes.n, "{\"reason\":\"selection\"", 21));
    buf_fini(&bytes);
}

static void an_id_with_another_tag_is_reset(void **state)
{
    char id[64];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    snprintf(id, sizeof id, "AQIAAg==~%s", tag_of("a"));
    check_reset(id, "b");
    check_reset(id, NULL);
    check_reset("AQIAAg==", "a");
    assert_int_equal(source.counts.resets[RESET_SELECTION], 3);
    check_events(begin_keys(1, id, "a"), "");
}

/* -- of what comes -- */

static void it_is_given_what_comes_of_its_keys(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "");
    append(0, "a", "1");
    append(0, "c", "2");
    append(0, "b", "3");
    append(0, "a", "4");
    append(0, NULL, "5");
    append(0, "b", NULL);
    check_events(r, "1 3 4 delete:Yg==");
}

static void it_is_called_once_for_all_that_waits(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_keys(1, NULL, "a b");
    skip_all(r);
    append(0, "c", "1");
    assert_int_equal(due, 0);
    append(0, "a", "2");
    append(0, "b", "3");
    assert_int_equal(due, 1);
    skip_all(r);
    append(0, "a", "4");
    assert_int_equal(due, 2);
}

static void what_nobody_wants_is_not_encoded(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    skip_all(begin_keys(1, NULL, "a"));
    append(0, "b", "1");
    assert_int_equal(unwanted, 1);
    append(0, "a", "2");
    assert_int_equal(unwanted, 1);
}

static void who_wants_everything_begins_behind_what_was_not_encoded(void **state)
{
    (void)state;
    make(false, 1, MUCH);
    struct reader *slow = begin_keys(1, NULL, "a");
    skip_all(slow);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = fresh();
    append(0, "c", "3");
    append(0, "a", "4");
    check_text(r, "id:AQIAAg==\ndata:1\n\nid:AQIABA==\ndata:2\n\nid:AQIABg==\ndata:3\n\n"
                  "id:AQIACA==\ndata:4\n\n");
    check_events(slow, "1 4");
}

static void its_ids_are_those_of_everybody_with_its_tag(void **state)
{
    char expected[128];

    (void)state;
    make(true, 2, MUCH);
    struct reader *r = begin_keys(1, NULL, "a");
    skip_all(r);
    append(1, "b", "1");
    append(0, "a", "2");
    snprintf(expected, sizeof expected, "id:AQQAAgIC~%s\ndata:2\n\n", tag_of("a"));
    check_text(r, expected);
}

static void its_place_alone_is_told_once_it_has_moved(void **state)
{
    char expected[128];
    struct buf place = {0};
    struct output out = {0};

    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_keys(1, NULL, "a");
    skip_all(r);
    append(0, "a", "1");
    skip_all(r);
    assert_false(reader_add_place(r, &source, &place));
    append(0, "b", "2");
    assert_true(reader_add_place(r, &source, &place));
    output_read(&out, buf_slice(&place));
    snprintf(expected, sizeof expected, "id:AQIABA==~%s\n\n", tag_of("a"));
    assert_text(buf_slice(&out.text), expected);
    assert_false(reader_add_place(r, &source, &place));
    append(0, "a", "3"); /* its id will say it */
    assert_false(reader_add_place(r, &source, &place));
    output_fini(&out);
    buf_fini(&place);
}

static void one_that_is_slow_goes_on_from_the_cache(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_keys(1, NULL, "a b");
    skip_all(r);
    append(0, "a", "old");
    append(0, "b", "1");
    for (int i = 0; i < 3000; i++)
        append_kilobyte("a");
    append(0, "a", "new");
    assert_int_equal(r->at, READER_REPLAY);
    assert_int_equal(source.counts.conflations, 1);
    check_events(r, "1 new");
}

static void a_block_that_goes_moves_only_those_for_whom_something_is_in_it(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *idle = begin_keys(1, NULL, "b"), *late = begin_keys(1, NULL, "c");
    struct reader *slow = begin_keys(1, NULL, "a");
    skip_all(idle);
    skip_all(late);
    skip_all(slow);
    for (int i = 0; i < 3000; i++)
        append_kilobyte("a");
    append(0, "c", "1");
    assert_int_equal(idle->at, READER_PICKING);
    assert_int_equal(late->at, READER_PICKING);
    assert_int_equal(slow->at, READER_REPLAY);
    check_events(late, "1");
}

/* The block's bytes move as it grows. */
static void the_same_event_is_given_again_after_others_have_come(void **state)
{
    char expected[64];

    (void)state;
    make(true, 1, MUCH);
    skip_all(fresh());
    struct reader *first = begin_keys(1, NULL, "a"), *second = begin_keys(1, NULL, "a");
    skip_all(first);
    skip_all(second);
    append(0, "a", "1");
    skip_all(first);
    for (int i = 0; i < 40; i++)
        append_kilobyte("b");
    snprintf(expected, sizeof expected, "id:AQIAAg==~%s\ndata:1\n\n", tag_of("a"));
    check_text(second, expected);
}

static void what_was_hidden_is_given_of_its_keys(void **state)
{
    struct hidden hidden;

    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    catchup_hide(source.catchup, 1, source.cache);
    struct reader *r = begin_keys(1, NULL, "a x");
    append(1, "x", "old");
    append(1, "y", "other");
    append(1, "x", "new");
    append(0, "a", "2");
    check_events(r, "2");
    reader_leave(r, &source);
    catchup_show(source.catchup, 1, source.cache, &hidden);
    reader_return(r, &source, &hidden);
    source_restart_backlog(&source);
    check_events(r, "new");
}

static void another_request_gets_the_same_with_its_id(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    struct reader *r = begin_keys(OTHER_ID, NULL, "a b");
    skip_all(r);
    append(0, "a", "1");
    append(0, "b", "2");
    struct buf bytes = {0};
    struct output out = {0};
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_int_equal(out.id, OTHER_ID);
    assert_non_null(memmem(out.text.p, out.text.n, "data:2", 6));
    output_fini(&out);
    buf_fini(&bytes);
}

/* -- at random -- */

enum { PICKERS = 10, ROUNDS = 3000 };

static const char *const selections[PICKERS] = {"a", "a b c", "c d e f",         "b", "b",
                                                "b", "f g",   "a b c d e f g h", "h", "b"};

struct picking {
    struct reader *reader;
    struct buf bytes;    /* sent */
    struct buf expected; /* text */
    int64_t ended;       /* offset of the last that was expected */
};

/* What a reader with that selection is to be given of the record. */
static void expect(struct picking *p, const char *keys, const char *key, const char *value,
                   int64_t offset)
{
    int64_t next[] = {offset + 1};
    const struct progress at = {1, next};

    if (strstr(keys, key) == NULL)
        return;
    buf_add_str(&p->expected, "id:");
    progress_add(&p->expected, &at);
    buf_printf(&p->expected, "~%s\ndata:%s\n\n", tag_of(keys), value);
}

static struct picking all[PICKERS];
static uint64_t seed;

/* What is due to one that has everything else comes with a round. */
static bool wants_pull(const struct reader *r)
{
    return r->at != READER_PICKING || reader_is_owed(r) || picker_waits(r->picker);
}

/* As a round does it, with sockets that have more or less room. */
static void serve(struct reader *r, void *arg)
{
    struct picking *p = all;
    struct iovec *iov;
    size_t sent = 0;

    (void)arg;
    while (p->reader != r)
        p++;
    if (wants_pull(r)) {
        reader_await_due(r, &source);
        return;
    }
    size_t room = random_below(&seed, 2) == 0 ? random_below(&seed, 3000) : SIZE_MAX;
    int n = reader_next_due(r, &source, &iov);
    for (int i = 0; i < n && sent < room; i++) {
        size_t some = iov[i].iov_len < room - sent ? iov[i].iov_len : room - sent;
        buf_add(&p->bytes, iov[i].iov_base, some);
        sent += some;
    }
    if (n > 0)
        reader_sent(r, &source, sent);
}

/* Some of a round, or one that begins. */
static void serve_some(void)
{
    if (random_below(&seed, 2) == 0)
        picks_begin_round(&source.picks);
    picks_serve(&source.picks, random_below(&seed, 4), serve, NULL);
}

/* Not compacted, so that nothing is conflated: whoever falls behind goes on from the cache. */
static void random_readers_get_exactly_what_is_theirs(void **state)
{
    (void)state;
    seed = 1;
    make(false, 1, MUCH);
    for (int i = 0; i < PICKERS; i++)
        all[i].reader = begin_keys(i % 2 ? 1 : OTHER_ID, NULL, selections[i]);
    for (int64_t offset = 0; offset < ROUNDS; offset++) {
        bool often = offset / 16 % 2 == 0; /* many of one key on end */
        bool quick = offset / 64 % 2 == 0;
        char key[] = {often ? 'b' : (char)('a' + random_below(&seed, 8)), 0}, value[6000];
        size_t n = random_below(&seed, 20) == 0 ? 5000 : 1 + random_below(&seed, 700);
        memset(value, 'v', n);
        value[n] = 0;
        append(0, key, value);
        for (int i = 0; i < PICKERS; i++)
            expect(&all[i], selections[i], key, value, offset);
        for (int i = 0; i < PICKERS; i++) {
            if (!wants_pull(all[i].reader) || random_below(&seed, quick ? 2 : 8) != 0)
                continue;
            if (quick)
                pull_all(all[i].reader, &all[i].bytes);
            else
                pull(all[i].reader, random_below(&seed, 9000), &all[i].bytes);
        }
        if (random_below(&seed, offset / 32 % 2 ? 16 : 2) == 0)
            serve_some();
        if (random_below(&seed, 16) == 0) /* it goes on from where it is */
            reader_leave(all[random_below(&seed, PICKERS)].reader, &source);
    }
    for (int i = 0; i < PICKERS; i++) {
        struct output out = {0};
        pull_all(all[i].reader, &all[i].bytes);
        output_read(&out, buf_slice(&all[i].bytes));
        assert_bytes(buf_slice(&out.text), buf_slice(&all[i].expected));
        output_fini(&out);
        buf_fini(&all[i].bytes);
        buf_fini(&all[i].expected);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(it_gets_the_newest_of_its_keys),
        T(nothing_selected_is_nothing_given),
        T(where_nothing_is_compacted_it_gets_all_of_its_keys),
        T(of_many_keys_it_goes_through_the_log),
        T(its_last_id_says_what_was_passed_over_too),
        T(it_resumes_with_deletes),
        T(an_id_with_another_tag_is_reset),
        T(it_is_given_what_comes_of_its_keys),
        T(it_is_called_once_for_all_that_waits),
        T(what_nobody_wants_is_not_encoded),
        T(who_wants_everything_begins_behind_what_was_not_encoded),
        T(its_ids_are_those_of_everybody_with_its_tag),
        T(its_place_alone_is_told_once_it_has_moved),
        T(one_that_is_slow_goes_on_from_the_cache),
        T(a_block_that_goes_moves_only_those_for_whom_something_is_in_it),
        T(the_same_event_is_given_again_after_others_have_come),
        T(what_was_hidden_is_given_of_its_keys),
        T(another_request_gets_the_same_with_its_id),
        T(random_readers_get_exactly_what_is_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

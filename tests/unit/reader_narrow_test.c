#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "reader_setup.h"

/* Readers that are told to select something else. */

static void narrow(struct reader *r, const char *keys)
{
    struct selection *s = select_keys(keys);

    reader_narrow(r, &source, s);
    selection_unref(s);
}

static const char *tag_of(const char *keys)
{
    static char tags[4][PROGRESS_TAG + 1];
    static int next;
    char *tag = tags[next++ % 4];
    struct selection *s = select_keys(keys);

    memcpy(tag, selection_tag(s).p, PROGRESS_TAG);
    selection_unref(s);
    return tag;
}

/* -- what is sent -- */

static void what_leaves_is_deleted_and_what_comes_is_sent(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(1, "b", "3");
    append(0, "c", "4");
    append(1, "d", "5");
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "1 2 3");
    narrow(r, "a c");
    check_events(r, "delete:Yg== delete:Yg== 4 ");
    assert_int_equal(r->at, READER_PICKING);
    append(0, "b", "6");
    append(0, "c", "7");
    append(0, "a", NULL);
    check_events(r, "7 delete:YQ==");
}

static void only_what_is_there_is_deleted(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", NULL);
    struct reader *r = begin_keys(1, NULL, "a b x");
    check_events(r, "1 2");
    append(0, "b", NULL);
    check_events(r, "delete:Yg==");
    narrow(r, "c y");
    check_events(r, "delete:YQ== ");
}

static void what_had_waited_when_it_left_is_deleted_too(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "1 2");
    append(0, "a", NULL);
    append(0, "b", "3");
    narrow(r, "c");
    check_events(r, "delete:YQ== delete:Yg== ");
}

/* Its partition may be shown again when the reader has left the key: nobody tells of it then. */
static void what_is_deleted_where_it_is_hidden_is_deleted_when_it_leaves(void **state)
{
    (void)state;
    make(true, 2, MUCH);
    append(0, "b", "1");
    append(1, "a", "2");
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "1 2");
    catchup_hide(source.catchup, 1, source.cache);
    append(1, "a", NULL);
    append(0, "b", "3");
    check_events(r, "3");
    narrow(r, "b");
    check_events(r, "delete:YQ== ");
}

static void the_same_selection_sends_nothing(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "1");
    narrow(r, "b a a");
    check_text(r, "");
}

static void its_ids_keep_the_old_tag_until_both_are_sent(void **state)
{
    char expected[256];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, NULL, "a");
    check_events(r, "1");
    narrow(r, "b");
    snprintf(expected, sizeof expected,
             "id:AQIABA==~%s~\nevent:delete\ndata:YQ==\n\n"
             "id:AQIABA==~%s~\ndata:2\n\n"
             "id:AQIABA==~%s\n\n",
             tag_of("a"), tag_of("a"), tag_of("b"));
    check_text(r, expected);
}

static void everything_can_be_left_and_come_back(void **state)
{
    char expected[256];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", "3");
    struct reader *r = begin(1, NULL);
    check_events(r, "1 2 3");
    assert_int_equal(source.followers, 1);
    narrow(r, "b");
    assert_int_equal(source.followers, 0);
    snprintf(expected, sizeof expected,
             "id:AQIABg==~~\nevent:delete\ndata:YQ==\n\n"
             "id:AQIABg==~~\nevent:delete\ndata:Yw==\n\n"
             "id:AQIABg==~%s\n\n",
             tag_of("b"));
    check_text(r, expected);
    append(0, "d", "4");
    append(0, "b", "5");
    check_events(r, "5");
    narrow(r, NULL);
    assert_int_equal(source.followers, 1);
    check_events(r, "1 3 4 ");
    assert_int_equal(r->at, READER_LIVE);
    append(0, "e", "6");
    check_events(r, "6");
}

static void where_nothing_is_compacted_only_what_comes_is_another(void **state)
{
    char expected[64];

    (void)state;
    make(false, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, NULL, "a");
    check_events(r, "1");
    narrow(r, "b");
    snprintf(expected, sizeof expected, "id:AQIABA==~%s\n\n", tag_of("b"));
    check_text(r, expected);
    append(0, "a", "3");
    append(0, "b", "4");
    check_events(r, "4");
}

/* -- in which state it may be -- */

static void one_that_waits_begins_with_the_new_selection(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = wait_keys(1, NULL, "a");
    narrow(r, "b");
    reader_begin(r, &source, NULL);
    check_events(r, "2");
}

static void one_that_waits_with_an_id_moves_when_it_begins(void **state)
{
    char id[64];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", "3");
    snprintf(id, sizeof id, "AQIABg==~%s", tag_of("a b"));
    struct reader *r = wait_keys(1, id, "a b");
    narrow(r, "c");
    narrow(r, "b c");
    reader_begin(r, &source, NULL);
    check_events(r, "delete:YQ== 3 ");
    r = wait_keys(1, id, "a b");
    narrow(r, "c");
    narrow(r, "a b");
    reader_begin(r, &source, NULL);
    check_text(r, "");
}

static void one_that_was_given_nothing_has_nothing_to_leave(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, NULL, "a");
    narrow(r, "b");
    check_events(r, "2");
}

/* Its place comes first, whatever it selects by then. */
static void one_that_begins_with_its_last_records_does_so_with_the_new_selection(void **state)
{
    char expected[128];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "a", "3");
    struct reader *r = wait_keys(1, NULL, "a");
    r->tells = READER_TELLS_START;
    reader_set_from(r, &(struct from){FROM_LAST, 1});
    reader_begin(r, &source, NULL);
    pull(r, 1, NULL); /* it has found where it begins */
    append(0, "b", "4");
    narrow(r, "b");
    snprintf(expected, sizeof expected, "id:AQIABA==~%s\n\nid:AQIACA==~%s\ndata:4\n\n", tag_of("b"),
             tag_of("b"));
    check_text(r, expected);
}

static void one_that_begins_behind_the_latest_is_told_its_place_first(void **state)
{
    char expected[64];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = wait_keys(1, NULL, "a");
    reader_set_from(r, &(struct from){FROM_LATEST, 0});
    reader_begin(r, &source, NULL);
    narrow(r, "b");
    snprintf(expected, sizeof expected, "id:AQIABA==~%s\n\n", tag_of("b"));
    check_text(r, expected);
    narrow(r, "a");
    check_events(r, "delete:Yg== 1 ");
}

static void one_that_is_to_be_reset_is_reset_to_the_new_selection(void **state)
{
    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, "bad", "a");
    narrow(r, "b");
    check_events(r,
                 "reset:{\"reason\":\"id_malformed\",\"detail\":\"the event id is malformed\"} 2");
}

static void an_id_from_amid_a_move_is_reset(void **state)
{
    char id[64];

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    snprintf(id, sizeof id, "AQIAAg==~%s~", tag_of("a"));
    skip_all(begin_keys(1, id, "a"));
    skip_all(begin_keys(1, "AQIAAg==~~", NULL));
    assert_int_equal(source.counts.resets[RESET_SELECTION], 2);
}

static void one_that_is_put_back_amid_a_move_is_reset(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    struct reader *r = begin_keys(1, NULL, "a");
    check_events(r, "1");
    narrow(r, "b");
    pull(r, 10, &bytes);
    reader_put_back(r, &source);
    reader_begin(r, &source, NULL);
    skip_all(r);
    assert_int_equal(source.counts.resets[RESET_SELECTION], 1);
    buf_fini(&bytes);
}

static void it_turns_amid_its_way_without_a_reset(void **state)
{
    struct buf bytes = {0};

    (void)state;
    make(true, 1, MUCH);
    append(0, "a", "1");
    append(0, "b", "2");
    append(0, "c", "3");
    struct reader *r = begin_keys(1, NULL, "a b");
    check_events(r, "1 2");
    narrow(r, "c");
    pull(r, 10, &bytes); /* the delete of `a` is under way */
    narrow(r, "a b");
    pull_all(r, &bytes);
    struct output out = {0};
    output_read(&out, buf_slice(&bytes));
    buf_add_byte(&out.text, 0);
    assert_non_null(strstr((char *)out.text.p, "data:YQ==\n\nid:"));
    assert_non_null(strstr((char *)out.text.p, "data:1\n\nid:"));
    assert_null(strstr((char *)out.text.p, "data:2"));
    assert_null(strstr((char *)out.text.p, "reset"));
    output_fini(&out);
    buf_fini(&bytes);
}

/* One partition is behind the other, so that its walk through the cache begins before records that
 * its id has passed: of the keys that are new to it these were not sent yet. */
static void one_that_came_back_turns_amid_its_way_and_lacks_nothing(void **state)
{
    enum { LETTERS = 20 };
    char keys[2 * LETTERS + 1] = "", id[64], key[2] = "";
    struct buf bytes = {0};
    struct output out = {0};

    (void)state;
    make(true, 2, MUCH);
    append(1, "y", "1");
    for (int i = 0; i < LETTERS; i++) {
        key[0] = keys[2 * i] = (char)('a' + i);
        keys[2 * i + 1] = ' ';
        append_kilobyte(key);
    }
    snprintf(id, sizeof id, "AQQAKAIA~%s", tag_of("x")); /* 0@20 1@0 */
    struct reader *r = begin_keys(1, id, "x");
    narrow(r, keys);
    while (bytes.n == 0)
        pull(r, 10, &bytes);
    narrow(r, "x");
    narrow(r, keys);
    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    buf_add_byte(&out.text, 0);
    int given = 0;
    for (const char *at = (char *)out.text.p; (at = strstr(at, "data:")) != NULL; at++)
        given++;
    assert_int_equal(given, LETTERS);
    assert_null(strstr((char *)out.text.p, "reset"));
    output_fini(&out);
    buf_fini(&bytes);
}

/* -- by chance: what a client holds is the topic through the selection of that moment -- */

enum { KEYS = 8, PARTITIONS = 3, STORIES = 300, STEPS = 120 };

/* Of keys 0 to 7; the last is everything. */
static const char *const sets[] = {"012", "1234", "", "1567", "01234567", "3", "03", "7", NULL};
enum { SETS = sizeof sets / sizeof sets[0] };

/* What a client holds: by key and partition the newest value; 0: none. */
struct client {
    int value[KEYS][PARTITIONS];
    struct buf bytes;
    size_t read; /* of its text */
    const char *selected, *before;
    bool under_way; /* an event, when it was told to select something else */
    int resets, repeats;
};

/* No two partitions have a key in common: a delete does not tell the partition. */
static struct slice key_name(int key, int partition)
{
    static char name[8];

    snprintf(name, sizeof name, "%c%d", 'a' + partition, key);
    return slice_str(name);
}

static struct selection *select_set(const char *set)
{
    struct values keys = {0};

    for (const char *c = set; c != NULL && *c != 0; c++)
        for (int p = 0; p < PARTITIONS; p++)
            values_add(&keys, key_name(*c - '0', p));
    struct selection *s = set ? selection_new(&keys) : NULL;
    values_fini(&keys);
    return s;
}

static bool is_in(const char *set, int key)
{
    return set == NULL || strchr(set, '0' + key) != NULL;
}

static void client_delete(struct client *c, const char *data)
{
    struct buf key = {0};

    assert_true(base64url_decode(&key, slice_str(data)));
    c->value[key.p[1] - '0'][key.p[0] - 'a'] = 0;
    buf_fini(&key);
}

static void client_take(struct client *c, const char *event)
{
    int key, partition, value;
    const char *data = strstr(event, "data:");

    if (strstr(event, "event:reset") != NULL) {
        memset(c->value, 0, sizeof c->value);
        c->resets++;
    } else if (strstr(event, "event:delete") != NULL) {
        client_delete(c, data + 5);
    } else if (data != NULL) {
        assert_int_equal(sscanf(data, "data:%d %d %d", &key, &partition, &value), 3);
        assert_true(is_in(c->selected, key) || (c->under_way && is_in(c->before, key)));
        c->repeats += c->value[key][partition] == value;
        c->value[key][partition] = value;
    }
    c->under_way = false;
}

/* Takes the events that have come as a whole; true if another has come in part. */
static bool client_read(struct client *c)
{
    struct output out = {0};
    char event[256], *text, *end;

    output_read(&out, buf_slice(&c->bytes));
    buf_add_byte(&out.text, 0);
    for (text = (char *)out.text.p + c->read; (end = strstr(text, "\n\n")) != NULL;
         text = end + 2) {
        snprintf(event, sizeof event, "%.*s", (int)(end - text), text);
        client_take(c, event);
    }
    bool in_part = *text != 0 || out.rest > 0;
    c->read = (size_t)(text - (char *)out.text.p);
    output_fini(&out);
    return in_part;
}

static void write_record(int newest[KEYS][PARTITIONS])
{
    static int count;
    int key = rand() % KEYS, partition = rand() % PARTITIONS;
    char value[32];
    bool deletes = rand() % 4 == 0;
    const struct slice name = key_name(key, partition);
    char text[8];

    snprintf(text, sizeof text, "%.*s", (int)name.n, (const char *)name.p);
    snprintf(value, sizeof value, "%d %d %d", key, partition, ++count);
    append(partition, text, deletes ? NULL : value);
    newest[key][partition] = deletes ? 0 : count;
}

static void client_select(struct client *c, struct reader *r, int of)
{
    const char *set = sets[rand() % of];
    struct selection *s = select_set(set);

    bool in_part = client_read(c);
    if (!c->under_way) /* else it has been so since before */
        c->before = c->selected;
    c->under_way = in_part;
    c->selected = set;
    reader_narrow(r, &source, s);
    selection_unref(s);
}

static void check_client(struct client *c, struct reader *r, int newest[KEYS][PARTITIONS])
{
    pull_all(r, &c->bytes);
    assert_false(client_read(c));
    for (int k = 0; k < KEYS; k++)
        for (int p = 0; p < PARTITIONS; p++)
            assert_int_equal(c->value[k][p], is_in(c->selected, k) ? newest[k][p] : 0);
}

/* One story, in which one of the first so many sets is selected again and again. */
static struct client play(unsigned seed, int of)
{
    int newest[KEYS][PARTITIONS] = {0};
    struct client c = {.selected = "012"};

    srand(seed);
    make(true, PARTITIONS, MUCH);
    for (int i = 0; i < 20; i++)
        write_record(newest);
    struct selection *s = select_set(c.selected);
    struct reader *r = begin_keys(rand() % 2 ? 1 : OTHER_ID, NULL, "");
    reader_set_from(r, &(struct from){FROM_EARLIEST, 0});
    reader_narrow(r, &source, s);
    selection_unref(s);
    for (int i = 0; i < STEPS; i++) {
        int what = rand() % 12;
        if (what < 5)
            write_record(newest);
        else if (what < 7)
            client_select(&c, r, of);
        else if (what < 11)
            pull(r, (size_t)(rand() % 200), &c.bytes);
        else if (rand() % 4 == 0)
            reader_leave(r, &source); /* as if its block of the backlog had gone */
        else
            check_client(&c, r, newest);
    }
    check_client(&c, r, newest);
    buf_fini(&c.bytes);
    return c;
}

static void whatever_happens_the_client_holds_what_is_selected(void **state)
{
    int resets = 0, repeats = 0;

    (void)state;
    for (unsigned seed = 1; seed <= STORIES; seed++) {
        struct client c = play(seed, SETS - 1);
        resets += c.resets;
        repeats += c.repeats;
    }
    assert_int_equal(resets, 0);
    assert_int_equal(repeats, 0);
}

/* Who turns amid the way from or to everything is reset. */
static void so_it_is_with_everything_among_it(void **state)
{
    int resets = 0;

    (void)state;
    for (unsigned seed = 1; seed <= STORIES; seed++) {
        struct client c = play(seed, SETS);
        resets += c.resets;
        if (c.resets == 0)
            assert_int_equal(c.repeats, 0);
    }
    assert_in_range(resets, 1, 2 * STORIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_is_deleted_and_what_comes_is_sent),
        cmocka_unit_test(only_what_is_there_is_deleted),
        cmocka_unit_test(what_had_waited_when_it_left_is_deleted_too),
        cmocka_unit_test(what_is_deleted_where_it_is_hidden_is_deleted_when_it_leaves),
        cmocka_unit_test(the_same_selection_sends_nothing),
        cmocka_unit_test(its_ids_keep_the_old_tag_until_both_are_sent),
        cmocka_unit_test(everything_can_be_left_and_come_back),
        cmocka_unit_test(where_nothing_is_compacted_only_what_comes_is_another),
        cmocka_unit_test(one_that_waits_begins_with_the_new_selection),
        cmocka_unit_test(one_that_waits_with_an_id_moves_when_it_begins),
        cmocka_unit_test(one_that_was_given_nothing_has_nothing_to_leave),
        cmocka_unit_test(one_that_begins_with_its_last_records_does_so_with_the_new_selection),
        cmocka_unit_test(one_that_begins_behind_the_latest_is_told_its_place_first),
        cmocka_unit_test(one_that_is_to_be_reset_is_reset_to_the_new_selection),
        cmocka_unit_test(an_id_from_amid_a_move_is_reset),
        cmocka_unit_test(one_that_is_put_back_amid_a_move_is_reset),
        cmocka_unit_test(it_turns_amid_its_way_without_a_reset),
        cmocka_unit_test(one_that_came_back_turns_amid_its_way_and_lacks_nothing),
        cmocka_unit_test(whatever_happens_the_client_holds_what_is_selected),
        cmocka_unit_test(so_it_is_with_everything_among_it),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}

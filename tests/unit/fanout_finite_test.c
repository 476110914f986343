#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fanout_setup.h"
#include "select/selection.h"
#include "stream/finite.h"

/* Finite responses, as their clients see them. */

static bool ended;
static int outcomes;

static void on_end(struct stream_owner *owner)
{
    (void)owner;
    ended = true;
}

static void on_outcome(struct stream_owner *owner, enum finite_outcome outcome, struct slice place,
                       struct buf *text)
{
    static const char *const names[] = {"document",   "same",   "missing",
                                        "not-loaded", "broken", "token-over"};

    (void)owner;
    outcomes++;
    buf_printf(text, "%s ", names[outcome]);
    buf_add_slice(text, place);
    buf_add_byte(text, '\n');
}

struct asks {
    const char *keys, *id, *unless;
    int64_t wait_ms;
    bool head_only;
    struct from from;
};

static struct client ask(uint16_t id, struct asks asks)
{
    static struct stream_owner owner = {.on_end = on_end};
    const struct finite_opening finite = {.unless = slice_str(asks.unless),
                                          .wait_ms = asks.wait_ms,
                                          .head_only = asks.head_only,
                                          .on_outcome = on_outcome};
    struct selection *selection = select_keys(asks.keys);
    const struct opening opening = {.last_event_id = slice_str(asks.id),
                                    .selection = selection,
                                    .from = asks.from,
                                    .finite = &finite,
                                    .owner = &owner};
    int fds[2];

    ended = false;
    outcomes = 0;
    small_socketpair(fds);
    struct stream *s = fanout_open(fanout, fds[0], id, &opening);
    selection_unref(selection);
    fake_loop_settle();
    return (struct client){.fd = fds[1], .stream = s};
}

static void add_item(struct buf *out, json_t *item)
{
    const char *key = json_string_value(json_object_get(item, "key"));

    if (json_object_get(item, "event") != NULL)
        buf_printf(out, " gap:%d-%d", (int)json_integer_value(json_object_get(item, "from")),
                   (int)json_integer_value(json_object_get(item, "to")));
    else if (json_is_true(json_object_get(item, "deleted")))
        buf_printf(out, " -%s", key);
    else
        buf_printf(out, " %s=%d", key ? key : "",
                   (int)json_integer_value(json_object_get(item, "value")));
}

/* The head, and the document in short: its keys and values, `-` before a deleted one. */
static void summarize(struct buf *out, struct slice text)
{
    const uint8_t *line = memchr(text.p, '\n', text.n);
    size_t head = line ? (size_t)(line - text.p) : text.n;
    json_t *item, *document, *records;
    size_t i;

    buf_add(out, text.p, head);
    if (text.n <= head + 1)
        return;
    document = json_loadb((const char *)line + 1, text.n - head - 1, 0, NULL);
    records = json_object_get(document, "records");
    if (document == NULL)
        buf_add_str(out, " unfinished");
    if (json_object_get(document, "reset") != NULL)
        buf_printf(out, " reset:%s", json_string_value(json_object_get(document, "reset")));
    json_array_foreach (records, i, item) {
        add_item(out, item);
    }
    if (document != NULL)
        buf_printf(out, " id:%s", json_string_value(json_object_get(document, "id")));
    json_decref(document);
}

/* It has ended, with this. */
static void check_answer(struct client *c, const char *expected)
{
    struct output out = receive(c);
    struct buf text = {0};

    assert_int_equal(out.rest, 0);
    if (out.text.n > 0)
        summarize(&text, buf_slice(&out.text));
    assert_text(buf_slice(&text), expected);
    assert_true(out.ended && c->closed && ended);
    assert_int_equal(outcomes, 1);
    buf_fini(&text);
    output_fini(&out);
    leave(c);
}

/* Nothing came yet. */
static void check_waits(struct client *c)
{
    struct output out = receive(c);

    assert_int_equal(out.text.n, 0);
    assert_false(c->closed || ended);
    output_fini(&out);
}

/* -- the document -- */

/* PROTOCOL 14.4. */
static void it_is_what_there_is_and_the_place_behind_it(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    produce(0, "a", "3");
    produce(1, "c", "4");
    produce(1, "c", NULL);
    settle();
    struct client c = ask(1, (struct asks){0});
    check_answer(&c, "document AQQABAIG b=2 a=3 id:AQQABAIG");
    assert_int_equal(fanout_stats(fanout).ended[STREAM_END_WHOLE], 1);
    assert_int_equal(fanout_count(fanout), 0);
}

static void a_topic_without_records_is_an_empty_document(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = ask(1, (struct asks){0});
    check_answer(&c, "document AQIAAA== id:AQIAAA==");
}

/* PROTOCOL 14.3. */
static void its_text_is_one_json_object_with_a_record_in_each_line(void **state)
{
    (void)state;
    make_topic(true, 1);
    topic.on_record(topic.arg, &(struct record){.offset = consumer.p[0].next++,
                                                .timestamp_ms = -1,
                                                .key = slice_str("a"),
                                                .value = slice_str("{ \"x\": 1 }")});
    topic.on_record(topic.arg, &(struct record){.offset = consumer.p[0].next++,
                                                .timestamp_ms = -1,
                                                .key = slice_str("b"),
                                                .value = slice_str("t")});
    settle();
    struct client c = ask(1, (struct asks){0});
    check_text(&c, "document AQIABA==\n{\"records\":[\n"
                   "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"key\":\"a\",\"headers\":{},"
                   "\"value\":{\"x\":1}},\n"
                   "{\"topic\":\"t\",\"partition\":0,\"offset\":1,\"key\":\"b\",\"headers\":{},"
                   "\"text\":\"t\"}],\"id\":\"AQIABA==\"}\n");
    leave(&c);
}

/* PROTOCOL 14.5. */
static void of_a_selection_it_has_its_keys_and_tag(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "c", "3");
    settle();
    struct client c = ask(1, (struct asks){.keys = "a c x"});
    struct output out = receive(&c);
    struct buf text = {0};
    summarize(&text, buf_slice(&out.text));
    assert_memory_equal(text.p, "document AQIABg==~", 18);
    assert_memory_equal(text.p + 26, " a=1 c=3 id:AQIABg==~", 21);
    assert_memory_equal(text.p + 18, text.p + text.n - 8, 8);
    buf_fini(&text);
    output_fini(&out);
    leave(&c);
}

static void its_head_alone_is_sent_to_who_wants_no_more(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.head_only = true});
    check_answer(&c, "document AQIAAg==");
}

static void another_request_s_id_is_in_all_of_it(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(0x1234, (struct asks){0});
    struct output out = receive(&c);
    assert_int_equal(out.id, 0x1234);
    assert_true(out.ended);
    output_fini(&out);
    leave(&c);
}

static void it_starts_where_it_is_told_to(void **state)
{
    (void)state;
    make_topic(false, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "c", "3");
    settle();
    struct client latest = ask(1, (struct asks){.from = {FROM_LATEST, 0}});
    check_answer(&latest, "document AQIABg== id:AQIABg==");
    struct client last = ask(1, (struct asks){.from = {FROM_LAST, 2}});
    check_answer(&last, "document AQIABg== b=2 c=3 id:AQIABg==");
}

/* PROTOCOL 14.6. */
static void what_was_lost_is_told_among_its_records(void **state)
{
    (void)state;
    make_topic(false, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "c", "3");
    settle();
    topic.on_origin(topic.arg, 0, 2);
    settle();
    fake_loop_pass(1000);
    struct client c = ask(1, (struct asks){.id = "AQIAAg=="});
    check_answer(&c, "document AQIABg== gap:1-2 c=3 id:AQIABg==");
}

/* -- slow clients -- */

/* PROTOCOL 14.4. */
static void what_comes_meanwhile_follows_and_nothing_comes_twice(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    struct client c = ask(1, (struct asks){0});
    produce(0, "0", "7");
    produce(0, "1", NULL);
    produce(0, "new", "8");
    settle();
    struct output out = receive(&c);
    json_t *document = json_loadb(strchr((const char *)out.text.p, '\n') + 1,
                                  out.text.n - strlen("document AQIA2AQ=\n"), 0, NULL);
    json_t *records = json_object_get(document, "records"), *item;
    size_t i;
    int64_t last = -1;
    assert_non_null(document);
    json_array_foreach (records, i, item) {
        assert_true(json_integer_value(json_object_get(item, "offset")) > last);
        last = json_integer_value(json_object_get(item, "offset"));
    }
    assert_int_equal(last, 302);
    assert_true(json_array_size(records) >= 301);
    assert_string_equal(json_string_value(json_object_get(document, "id")), "AQIA3gQ=");
    assert_true(out.ended);
    json_decref(document);
    output_fini(&out);
    leave(&c);
}

/* The text that it has got when it has ended is no whole document. */
static void check_unfinished(struct client *c)
{
    struct output out = receive(c);
    struct buf text = {0};

    assert_true(c->closed && ended);
    summarize(&text, buf_slice(&out.text));
    assert_non_null(memmem(text.p, text.n, " unfinished", 11));
    buf_fini(&text);
    output_fini(&out);
    leave(c);
}

static void a_large_value_at_the_end_is_whole_too(void **state)
{
    static char large[300001];

    (void)state;
    make_topic(true, 1);
    memset(large, '7', 300000);
    large[0] = '"', large[299999] = '"';
    produce(0, "a", "1");
    produce(0, "b", large);
    settle();
    struct client c = ask(1, (struct asks){0});
    check_answer(&c, "document AQIABA== a=1 b=0 id:AQIABA==");
}

static void read_some(struct client *c)
{
    uint8_t bytes[4000];
    ssize_t n = read(c->fd, bytes, sizeof bytes);

    buf_add(&c->bytes, bytes, n > 0 ? (size_t)n : 0);
}

/* Each key is always written again before the client comes to it. */
static void one_that_never_comes_to_the_end_is_not_finished(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(200, 200);
    struct client c = ask(1, (struct asks){0});
    for (int i = 0; i < 2000 && !ended; i++) {
        read_some(&c);
        produce_kilobytes(200, 200);
    }
    assert_true(ended);
    check_unfinished(&c);
}

/* Half of them are written again while it comes to them. */
static void a_slow_client_gets_every_key(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(400, 400);
    struct client c = ask(1, (struct asks){0});
    for (int i = 0; i < 2000 && !ended; i++) {
        char key[16];
        read_some(&c);
        snprintf(key, sizeof key, "%d", 399 - i % 400);
        produce_live(0, key, "0");
    }
    assert_true(ended);
    struct output out = receive(&c);
    const char *line = memchr(out.text.p, '\n', out.text.n);
    json_t *document =
        json_loadb(line + 1, out.text.n - (size_t)(line + 1 - (const char *)out.text.p), 0, NULL);
    bool has[400] = {false};
    json_t *item;
    size_t i;
    json_array_foreach (json_object_get(document, "records"), i, item) {
        has[atoi(json_string_value(json_object_get(item, "key")))] = true;
    }
    for (i = 0; i < 400; i++)
        assert_true(has[i]);
    json_decref(document);
    output_fini(&out);
    leave(&c);
}

static void nothing_stands_amid_it_while_it_is_slow(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    struct client c = ask(1, (struct asks){0});
    say(&c, "a challenge");
    fake_loop_pass(3 * KEEPALIVE_MS);
    struct output out = receive(&c);
    assert_null(memmem(out.text.p, out.text.n, "challenge", 9));
    assert_null(memmem(out.text.p, out.text.n, "\n:", 2));
    assert_true(out.ended);
    output_fini(&out);
    leave(&c);
}

/* PROTOCOL 14.7. */
static void one_that_cannot_be_finished_has_no_last_bracket(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    struct client over = ask(1, (struct asks){0});
    stream_finish(over.stream, STREAM_END_TOKEN);
    check_unfinished(&over);
    struct client again = ask(1, (struct asks){0});
    make_topic(true, 1);
    check_unfinished(&again);
}

/* PROTOCOL 14.18. */
static void one_that_has_not_begun_says_whether_its_token_has_ended_it(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client waits = ask(1, (struct asks){.unless = "AQIAAg==", .wait_ms = 5000});
    stream_finish(waits.stream, STREAM_END_TOKEN);
    check_answer(&waits, "token-over AQIAAg==");
    waits = ask(1, (struct asks){.unless = "AQIAAg==", .wait_ms = 5000});
    stream_finish(waits.stream, STREAM_END_AGE);
    check_answer(&waits, "broken AQIAAg==");
}

/* It has partitions that the topic lacks, once that is made again. */
static void one_that_is_whole_and_not_sent_yet_is_what_it_was(void **state)
{
    static const char end[] = "],\"id\":\"AQQA";

    (void)state;
    make_topic(true, 2);
    produce_kilobytes(12, 12); /* more than the socket takes, and little enough to be kept for it */
    settle();
    struct client c = ask(1, (struct asks){0});
    assert_false(ended);
    produce_kilobytes(2, 2);
    make_topic(true, 1);
    give_up(0);
    come_back(0, 1);
    produce(0, "c", "3");
    settle();
    struct output out = receive(&c);
    assert_true(ended && c.closed);
    assert_non_null(memmem(out.text.p, out.text.n, end, sizeof end - 1));
    output_fini(&out);
    leave(&c);
}

static void the_topic_may_be_read_anew_under_it(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    topic.on_end(topic.arg, 0, loop_now_ms());
    struct client c = ask(1, (struct asks){0});
    fake_loop_pass(RETENTION_MS);
    consumer.p[0].next++; /* it may have been a delete */
    produce(0, "a", "1");
    assert_true(consumer.read_anew);
    make_topic(true, 1);
    produce_kilobytes(301, 301);
    struct output out = receive(&c);
    assert_true(out.ended);
    assert_non_null(memmem(out.text.p, out.text.n, "],\"id\":\"AQIA2gQ=\"}\n", 19));
    output_fini(&out);
    leave(&c);
}

/* -- what a client has already -- */

/* PROTOCOL 14.12. */
static void from_an_id_on_it_has_what_has_changed(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "b", "3");
    produce(0, "a", NULL);
    settle();
    struct client c = ask(1, (struct asks){.id = "AQIABA=="});
    check_answer(&c, "document AQIACA== b=3 -a id:AQIACA==");
    c = ask(1, (struct asks){.id = "AQIACA=="});
    check_answer(&c, "document AQIACA== id:AQIACA==");
}

/* PROTOCOL 14.13. */
static void an_id_that_cannot_be_honoured_is_told(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.id = "x", .wait_ms = 5000});
    check_answer(&c, "document AQIAAg== reset:id_malformed a=1 id:AQIAAg==");
    c = ask(1, (struct asks){.id = "AQIAAg==~abcdefgh"});
    check_answer(&c, "document AQIAAg== reset:selection a=1 id:AQIAAg==");
}

/* PROTOCOL 14.10. */
static void unless_something_is_new_that_is_said(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQIAAg=="});
    check_answer(&c, "same AQIAAg==");
    produce_live(0, "b", "2");
    c = ask(1, (struct asks){.unless = "AQIAAg=="});
    check_answer(&c, "document AQIABA== a=1 b=2 id:AQIABA==");
    c = ask(1, (struct asks){.unless = "AQIAAg==", .id = "AQIABA=="});
    check_answer(&c, "document AQIABA== id:AQIABA==");
    c = ask(1, (struct asks){.unless = "AQIABA==", .id = "AQIAAg=="});
    check_answer(&c, "same AQIABA==");
}

static void a_delete_is_new_too(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "a", NULL);
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQIAAg=="});
    check_answer(&c, "document AQIABA== id:AQIABA==");
}

static const char *tagged(const char *place, const char *keys)
{
    static char text[64];
    struct selection *s = select_keys(keys);
    struct slice tag = selection_tag(s);

    snprintf(text, sizeof text, "%s~%.*s", place, (int)tag.n, (const char *)tag.p);
    selection_unref(s);
    return text;
}

/* PROTOCOL 14.10. */
static void what_does_not_pass_is_not_new(void **state)
{
    char same[80];

    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce_live(0, "b", "2");
    snprintf(same, sizeof same, "same %s", tagged("AQIAAg==", "a"));
    struct client c = ask(1, (struct asks){.keys = "a", .unless = tagged("AQIAAg==", "a")});
    check_answer(&c, same);
}

/* -- waiting -- */

/* PROTOCOL 14.14. */
static void it_waits_for_something_new(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQIAAg==", .wait_ms = 5000});
    fake_loop_pass(4000);
    check_waits(&c);
    produce_live(0, "b", "2");
    check_answer(&c, "document AQIABA== a=1 b=2 id:AQIABA==");
    c = ask(1, (struct asks){.id = "AQIABA==", .wait_ms = 5000});
    check_waits(&c);
    produce_live(0, "a", NULL);
    check_answer(&c, "document AQIABg== -a id:AQIABg==");
}

/* PROTOCOL 14.15. */
static void when_its_time_is_over_it_says_that_nothing_came(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQIAAg==", .wait_ms = 5000});
    fake_loop_pass(4999);
    check_waits(&c);
    fake_loop_pass(1);
    check_answer(&c, "same AQIAAg==");
    c = ask(1, (struct asks){.id = "AQIAAg==", .wait_ms = 5000});
    fake_loop_pass(5000);
    check_answer(&c, "document AQIAAg== id:AQIAAg==");
    c = ask(1, (struct asks){.id = "AQIAAg==", .unless = "AQIAAg==", .wait_ms = 5000});
    fake_loop_pass(5000);
    check_answer(&c, "same AQIAAg==");
}

static void one_that_selects_is_woken_by_its_keys_alone(void **state)
{
    char expected[120], tag[16];

    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    snprintf(tag, sizeof tag, "%s", strchr(tagged("", "a"), '~'));
    struct client c =
        ask(1, (struct asks){.keys = "a", .id = tagged("AQIAAg==", "a"), .wait_ms = 25000});
    produce_live(0, "b", "2");
    check_waits(&c);
    produce_live(0, "a", "3");
    snprintf(expected, sizeof expected, "document AQIABg==%s a=3 id:AQIABg==%s", tag, tag);
    check_answer(&c, expected);
    c = ask(1, (struct asks){.keys = "a", .unless = tagged("AQIABg==", "a"), .wait_ms = 25000});
    produce_live(0, "b", "4");
    check_waits(&c);
    produce_live(0, "a", "5");
    snprintf(expected, sizeof expected, "document AQIACg==%s a=5 id:AQIACg==%s", tag, tag);
    check_answer(&c, expected);
}

static void without_anything_to_compare_with_it_does_not_wait(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = ask(1, (struct asks){.wait_ms = 5000});
    check_answer(&c, "document AQIAAA== id:AQIAAA==");
}

/* a=1 is in partition 0; partition 1 is given up. */
static void make_topic_half_hidden(void)
{
    make_topic(true, 2);
    produce(0, "a", "1");
    settle();
    give_up(1);
    settle();
}

static void what_was_hidden_is_new_when_it_is_shown(void **state)
{
    (void)state;
    make_topic_half_hidden();
    struct client c = ask(1, (struct asks){.unless = "AQQAAgIA", .wait_ms = 5000});
    struct client b =
        ask(1, (struct asks){.keys = "b", .unless = tagged("AQQAAgIA", "b"), .wait_ms = 5000});
    check_waits(&c);
    come_back(1, 1);
    produce(1, "b", "2");
    settle();
    fake_loop_pass(FLUSH_MS);
    outcomes = 1;
    check_answer(&c, "document AQQAAgIC a=1 b=2 id:AQQAAgIC");
    char expected[120], tag[16];
    snprintf(tag, sizeof tag, "%s", strchr(tagged("", "b"), '~'));
    snprintf(expected, sizeof expected, "document AQQAAgIC%s b=2 id:AQQAAgIC%s", tag, tag);
    check_answer(&b, expected);
}

static void what_was_there_but_hidden_is_new_when_it_is_shown(void **state)
{
    (void)state;
    make_topic_half_hidden();
    produce(1, "b", "2");
    consumer.p[1].end = consumer.p[1].surveyed_end = -1;
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQQAAgIA", .wait_ms = 5000});
    check_waits(&c);
    come_back(1, 1);
    settle();
    fake_loop_pass(FLUSH_MS);
    check_answer(&c, "document AQQAAgIC a=1 b=2 id:AQQAAgIC");
}

/* Another responder had shown it more of a partition. */
static void one_that_selects_and_waits_goes_on_at_its_place(void **state)
{
    char expected[120], tag[16];
    struct asks asks = {.keys = "b", .wait_ms = 5000};

    (void)state;
    make_topic_half_hidden();
    snprintf(tag, sizeof tag, "%s", strchr(tagged("", "b"), '~'));
    asks.id = tagged("AQQAAgIC", "b"); /* 0@1 1@1 */
    struct client c = ask(1, asks);
    survey();
    fake_loop_pass(4999);
    check_waits(&c);
    fake_loop_pass(1);
    snprintf(expected, sizeof expected, "document AQQAAgIA%s id:AQQAAgIC%s", tag, tag);
    check_answer(&c, expected);
    c = ask(1, asks);
    survey();
    come_back(1, 2);
    produce(1, "b", "2");
    produce(1, "b", "3");
    settle();
    fake_loop_pass(FLUSH_MS);
    snprintf(expected, sizeof expected, "document AQQAAgIE%s b=3 id:AQQAAgIE%s", tag, tag);
    check_answer(&c, expected);
}

/* As a transaction's marker does. */
static void its_place_is_behind_what_is_no_record(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    consumer.p[0].next = consumer.p[0].end = 2;
    topic.on_position(topic.arg, 0, 2);
    settle();
    struct client c = ask(1, (struct asks){0});
    check_answer(&c, "document AQIABA== a=1 id:AQIABA==");
}

static void who_leaves_while_waiting_is_gone(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = ask(1, (struct asks){.id = "AQIAAA==", .wait_ms = 5000});
    struct client a =
        ask(1, (struct asks){.keys = "a", .id = tagged("AQIAAA==", "a"), .wait_ms = 5000});
    assert_int_equal(fanout_count(fanout), 2);
    leave(&c);
    leave(&a);
    assert_int_equal(fanout_count(fanout), 0);
    assert_int_equal(outcomes, 0);
    produce_live(0, "a", "1");
}

/* -- before the topic is read -- */

static void it_waits_for_the_end_of_the_topic(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2;
    struct client c = ask(1, (struct asks){.unless = "AQIAAg=="});
    produce(0, "a", "1");
    settle();
    check_waits(&c);
    produce(0, "b", "2");
    settle();
    check_answer(&c, "document AQIABA== a=1 b=2 id:AQIABA==");
}

/* PROTOCOL 14.16. */
static void ten_seconds_at_most(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2;
    struct client c = ask(1, (struct asks){.wait_ms = 20000});
    fake_loop_pass(FINITE_LOAD_MS - 1);
    check_waits(&c);
    fake_loop_pass(1);
    struct output out = receive(&c);
    assert_memory_equal(out.text.p, "not-loaded ", 11);
    assert_true(out.ended && ended);
    output_fini(&out);
    leave(&c);
}

/* PROTOCOL 14.16. */
static void a_topic_that_is_missing_is_told_at_once(void **state)
{
    (void)state;
    consumer.missing = true;
    struct client c = ask(1, (struct asks){0});
    struct output out = receive(&c);
    assert_memory_equal(out.text.p, "missing ", 8);
    assert_true(out.ended && ended);
    output_fini(&out);
    leave(&c);
}

static void one_that_is_ended_before_has_an_answer(void **state)
{
    (void)state;
    struct client c = ask(1, (struct asks){0});
    stream_finish(c.stream, STREAM_END_DRAIN);
    struct output out = receive(&c);
    assert_memory_equal(out.text.p, "broken ", 7);
    assert_true(out.ended && ended);
    output_fini(&out);
    leave(&c);
}

static void an_id_ahead_of_the_cache_is_waited_for(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    consumer.p[0].surveyed_end = 2;
    struct client c = ask(1, (struct asks){.unless = "AQIABA=="});
    check_waits(&c);
    produce(0, "b", "2");
    settle();
    survey();
    check_answer(&c, "same AQIABA==");
}

static void a_topic_made_again_is_none_that_is_known(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = ask(1, (struct asks){.unless = "AQIAAg==", .wait_ms = 5000});
    make_topic(true, 1);
    produce(0, "a", "2");
    settle();
    check_answer(&c, "document AQIAAA== id:AQIAAA==");
    c = ask(1, (struct asks){.id = "AQIAAg==", .wait_ms = 5000});
    make_topic(true, 1);
    settle();
    check_answer(&c, "document AQIAAA== reset:topic_new id:AQIAAA==");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_is_what_there_is_and_the_place_behind_it),
        T(a_topic_without_records_is_an_empty_document),
        T(its_text_is_one_json_object_with_a_record_in_each_line),
        T(of_a_selection_it_has_its_keys_and_tag),
        T(its_head_alone_is_sent_to_who_wants_no_more),
        T(another_request_s_id_is_in_all_of_it),
        T(it_starts_where_it_is_told_to),
        T(what_was_lost_is_told_among_its_records),
        T(what_comes_meanwhile_follows_and_nothing_comes_twice),
        T(a_large_value_at_the_end_is_whole_too),
        T(one_that_never_comes_to_the_end_is_not_finished),
        T(a_slow_client_gets_every_key),
        T(nothing_stands_amid_it_while_it_is_slow),
        T(one_that_cannot_be_finished_has_no_last_bracket),
        T(one_that_has_not_begun_says_whether_its_token_has_ended_it),
        T(one_that_is_whole_and_not_sent_yet_is_what_it_was),
        T(the_topic_may_be_read_anew_under_it),
        T(from_an_id_on_it_has_what_has_changed),
        T(an_id_that_cannot_be_honoured_is_told),
        T(unless_something_is_new_that_is_said),
        T(a_delete_is_new_too),
        T(what_does_not_pass_is_not_new),
        T(it_waits_for_something_new),
        T(when_its_time_is_over_it_says_that_nothing_came),
        T(one_that_selects_is_woken_by_its_keys_alone),
        T(without_anything_to_compare_with_it_does_not_wait),
        T(what_was_hidden_is_new_when_it_is_shown),
        T(what_was_there_but_hidden_is_new_when_it_is_shown),
        T(one_that_selects_and_waits_goes_on_at_its_place),
        T(its_place_is_behind_what_is_no_record),
        T(who_leaves_while_waiting_is_gone),
        T(it_waits_for_the_end_of_the_topic),
        T(ten_seconds_at_most),
        T(a_topic_that_is_missing_is_told_at_once),
        T(one_that_is_ended_before_has_an_answer),
        T(an_id_ahead_of_the_cache_is_waited_for),
        T(a_topic_made_again_is_none_that_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

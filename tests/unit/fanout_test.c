#include "stream/fanout.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "fake_consumer.h"
#include "fake_loop.h"
#include "stream/stream.h"
#include "support.h"

enum { KEEPALIVE_MS = 15000, FLUSH_MS = 10, RETENTION_MS = 60000 };

static struct consumer consumer;

/* -- the topic -- */

static struct loop *loop;
static struct fanout *fanout;
static struct consumer_handler topic;

static int64_t flush_ms = FLUSH_MS;

static void start_with(enum event_id form, size_t cache_bytes)
{
    const struct fanout_config config = {form, KEEPALIVE_MS, flush_ms, cache_bytes};

    memset(&consumer, 0, sizeof consumer);
    loop = loop_new();
    fanout = fanout_new(loop, &config);
    topic = fanout_handler(fanout);
    fanout_attach(fanout, &consumer);
}

static int setup(void **state)
{
    (void)state;
    start_with(EVENT_ID_PROGRESS, 1 << 30);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fanout_free(fanout);
    loop_free(loop);
    return 0;
}

/* All that was handed on is taken in. */
static void settle(void)
{
    topic.on_settled(topic.arg);
    fake_loop_settle();
}

static void make_topic(bool compacted, int32_t partitions)
{
    memset(consumer.p, 0, sizeof consumer.p);
    consumer.ready = true;
    topic.on_topic(topic.arg, compacted, RETENTION_MS);
    topic.on_partitions(topic.arg, partitions);
    for (int32_t i = 0; i < partitions; i++)
        topic.on_origin(topic.arg, i, 0);
    settle();
}

/* Handed on at once, if the consumer is not held. */
static void produce(int32_t partition, const char *key, const char *value)
{
    const struct record r = {.partition = partition,
                             .offset = consumer.p[partition].next++,
                             .timestamp_ms = loop_wall_ms(),
                             .key = slice_str(key),
                             .value = slice_str(value)};

    if (consumer.p[partition].end <= r.offset)
        consumer.p[partition].end = consumer.p[partition].surveyed_end = r.offset + 1;
    topic.on_record(topic.arg, &r);
}

static void produce_live(int32_t partition, const char *key, const char *value)
{
    produce(partition, key, value);
    settle();
    fake_loop_pass(FLUSH_MS);
}

/* Its leader does not answer any more, or there is none. */
static void give_up(int32_t partition)
{
    consumer.p[partition].given_up = true;
    consumer.p[partition].end = consumer.p[partition].surveyed_end = -1;
    topic.on_given_up(topic.arg, partition);
}

/* It does again: that is where the partition ends. */
static void come_back(int32_t partition, int64_t end)
{
    consumer.p[partition].given_up = false;
    consumer.p[partition].end = consumer.p[partition].surveyed_end = end;
}

static void survey(void)
{
    consumer.answered = consumer.asked;
    topic.on_survey(topic.arg, consumer.asked);
    settle();
}

/* -- clients -- */

struct client {
    int fd;
    struct stream *stream; /* until it ends */
    struct buf bytes;      /* received, not yet looked at */
    bool closed;
};

/* In the middle of a turn. */
static struct client open_unsettled(uint16_t id, const char *last_event_id)
{
    struct buf head = {0};
    int fds[2];
    size_t mark = fcgi_stdout_begin(&head);

    buf_add_str(&head, "head\n");
    fcgi_stdout_end(&head, mark, 1);
    small_socketpair(fds);
    struct stream *s =
        fanout_open(fanout, fds[0], id, buf_slice(&head), slice_str(last_event_id), NULL);
    buf_fini(&head);
    return (struct client){.fd = fds[1], .stream = s};
}

static struct client open_with(uint16_t id, const char *last_event_id)
{
    struct client c = open_unsettled(id, last_event_id);

    fake_loop_settle();
    return c;
}

static struct client open_client(const char *last_event_id)
{
    return open_with(1, last_event_id);
}

static void leave(struct client *c)
{
    close(c->fd);
    buf_fini(&c->bytes);
    fake_loop_settle();
}

/* Reads on until nothing more comes.  The text since the last call, without the head. */
static struct output receive(struct client *c)
{
    struct output out = {0};
    size_t had;

    do {
        had = c->bytes.n;
        c->closed = read_all(c->fd, &c->bytes);
        fake_loop_settle();
    } while (c->bytes.n > had);
    output_read(&out, buf_slice(&c->bytes));
    memmove(c->bytes.p, c->bytes.p + c->bytes.n - out.rest, out.rest);
    c->bytes.n = out.rest;
    if (out.text.n >= 5 && memcmp(out.text.p, "head\n", 5) == 0) {
        out.text.n -= 5;
        memmove(out.text.p, out.text.p + 5, out.text.n);
    }
    return out;
}

static void check_text(struct client *c, const char *expected)
{
    struct output out = receive(c);

    assert_int_equal(out.rest, 0);
    assert_text(buf_slice(&out.text), expected);
    output_fini(&out);
}

/* Only the data, blank between events; `*` for a comment, TYPE: for events with one. */
static void check_data(struct client *c, const char *expected)
{
    struct output out = receive(c);
    struct buf text = {0};

    assert_int_equal(out.rest, 0);
    buf_add_byte(&out.text, 0);
    for (char *line = strtok((char *)out.text.p, "\n"); line; line = strtok(NULL, "\n")) {
        if (strcmp(line, ":") == 0)
            buf_printf(&text, "%s*", text.n ? " " : "");
        else if (strncmp(line, "id:", 3) == 0)
            buf_add_str(&text, text.n ? " " : "");
        else if (strncmp(line, "event:", 6) == 0)
            buf_printf(&text, "%s:", line + 6);
        else
            buf_add_str(&text, line + 5);
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    output_fini(&out);
}

/* -- starting -- */

static void the_head_goes_out_before_kafka_has_answered(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    struct output out = {0};
    read_all(c.fd, &c.bytes);
    output_read(&out, buf_slice(&c.bytes));
    assert_text(buf_slice(&out.text), "head\n");
    assert_int_equal(fanout_count(fanout), 1);
    output_fini(&out);
    leave(&c);
}

static void a_stream_gets_the_topic_and_then_what_comes(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "a", "3");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "2 3");
    produce_live(0, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

static void a_stream_waits_for_the_end_of_the_topic_as_it_was_when_it_came(void **state)
{
    (void)state;
    make_topic(true, 2);
    consumer.p[0].end = 1;
    consumer.p[1].end = 1;
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    settle();
    check_data(&c, "");
    produce(1, "b", "2");
    settle();
    check_data(&c, "1 2");
    leave(&c);
}

static void what_is_superseded_before_the_end_is_reached_is_not_shown(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2;
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    settle();
    produce(0, "a", "2");
    settle();
    check_data(&c, "2");
    leave(&c);
}

static void the_end_may_be_reached_without_a_record(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 2; /* a marker of a transaction */
    struct client c = open_client(NULL);
    produce(0, "a", "1");
    consumer.p[0].end = 2;
    settle();
    check_data(&c, "");
    consumer.p[0].next = 2;
    topic.on_position(topic.arg, 0, 2);
    settle();
    check_data(&c, "1");
    leave(&c);
}

static void a_stream_that_comes_while_others_wait_has_an_end_of_its_own(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 1;
    struct client first = open_client(NULL);
    consumer.p[0].end = 2;
    struct client second = open_client(NULL);
    produce(0, "a", "1");
    consumer.p[0].end = 2;
    settle();
    check_data(&first, "1");
    check_data(&second, "");
    produce(0, "a", "2");
    settle();
    fake_loop_pass(FLUSH_MS);
    check_data(&second, "2");
    check_data(&first, "2");
    leave(&first);
    leave(&second);
}

static void a_partition_holds_the_others_back_until_it_is_given_up(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    consumer.p[1].end = 5;
    struct client c = open_client(NULL);
    settle();
    check_data(&c, "");
    give_up(1);
    settle();
    check_data(&c, "1");
    struct client late = open_client(NULL);
    check_data(&late, "1");
    leave(&c);
    leave(&late);
}

/* Its leader is not heard of before the stream comes. */
static void what_is_superseded_before_a_late_end_is_reached_is_not_shown(void **state)
{
    (void)state;
    make_topic(true, 2);
    consumer.p[1].end = consumer.p[1].surveyed_end = -1;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    struct client c = open_client(NULL);
    produce(0, "q", "q");
    settle();
    check_data(&c, "");
    assert_false(fanout_stats(fanout).caught_up);
    come_back(1, 3);
    produce(1, "k", "old");
    settle();
    produce(1, "k", "newer");
    settle();
    check_data(&c, "");
    produce(1, "k", "newest");
    settle();
    check_data(&c, "q newest");
    assert_true(fanout_stats(fanout).caught_up);
    leave(&c);
}

static void a_partition_that_comes_back_is_shown_as_a_replay_does(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    check_text(&c, "id:AQQAAgIA\ndata:1\n\n"); /* 0@1 1@0 */
    assert_true(fanout_stats(fanout).caught_up);
    come_back(1, 4);
    produce(1, "x", "old");
    produce(1, "y", "gone");
    produce(1, "x", "new");
    settle();
    assert_false(fanout_stats(fanout).caught_up);
    produce_live(0, "b", "2"); /* who comes back with that id gets all of it */
    check_text(&c, "id:AQQABAIA\ndata:2\n\n");
    produce_live(1, "y", NULL);
    check_text(&c, "id:AQQABAIG\ndata:new\n\n");
    assert_true(fanout_stats(fanout).caught_up);
    produce_live(1, "z", "live");
    check_text(&c, "id:AQQABAIK\ndata:live\n\n");
    leave(&c);
}

static void who_knew_it_before_is_told_of_its_deletes(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(1, "x", "1");
    produce(1, "y", "2");
    settle();
    struct client knows = open_client(NULL);
    check_data(&knows, "1 2");
    give_up(1);
    settle();
    struct client late = open_client(NULL);
    check_data(&late, "1 2"); /* what is known of it */
    come_back(1, 5);
    produce(1, "x", "3");
    produce(1, "y", NULL);
    settle();
    check_data(&knows, "");
    produce_live(1, "x", "4");
    check_data(&knows, "delete:eQ== 4");
    check_data(&late, "delete:eQ== 4");
    leave(&knows);
    leave(&late);
}

/* The delete is in the cache already when the stream comes, but hidden. */
static void who_never_had_it_is_not_told_of_its_delete(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(1, "x", "1");
    give_up(1);
    settle();
    produce(1, "x", NULL);
    struct client at_once = open_client(NULL);
    check_data(&at_once, "");
    struct client live = open_client(NULL);
    produce_live(0, "a", "2");
    check_data(&live, "2");
    check_data(&at_once, "2");
    come_back(1, 3);
    struct client with_it = open_unsettled(1, NULL);
    produce_live(1, "y", "3");
    check_data(&at_once, "3");
    check_data(&live, "3");
    check_data(&with_it, "2 3");
    leave(&at_once);
    leave(&live);
    leave(&with_it);
}

static void one_that_comes_back_without_a_record_takes_no_id_back(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    come_back(1, 2); /* a transaction was aborted */
    consumer.p[1].next = 2;
    topic.on_position(topic.arg, 1, 2);
    settle();
    produce_live(0, "a", "1");
    check_text(&c, "id:AQQAAgIE\ndata:1\n\n");
    produce(0, "b", "2");
    give_up(1);
    come_back(1, 3);
    produce(1, "x", "3");
    settle();
    check_text(&c, "id:AQQABAIE\ndata:2\n\nid:AQQABAIG\ndata:3\n\n");
    leave(&c);
}

static void one_that_goes_again_before_its_end_stays_hidden(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    come_back(1, 2);
    produce(1, "x", "old");
    settle();
    give_up(1);
    settle();
    struct client late = open_client(NULL);
    check_data(&late, "");
    come_back(1, 3); /* there is more by now */
    produce(1, "x", "newer");
    settle();
    check_data(&c, "");
    produce_live(1, "x", "newest");
    check_data(&c, "newest");
    check_data(&late, "newest");
    leave(&c);
    leave(&late);
}

static void who_comes_while_it_is_read_waits_for_its_end(void **state)
{
    (void)state;
    make_topic(true, 2);
    give_up(1);
    settle();
    come_back(1, 2);
    produce(1, "x", "old");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "");
    produce_live(1, "x", "new");
    check_data(&c, "new");
    leave(&c);
}

/* The broker has dropped what was not read. */
static void a_partition_that_comes_back_with_a_hole_is_a_reset(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "x", "2");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1 2");
    give_up(1);
    settle();
    come_back(1, 11);
    topic.on_origin(topic.arg, 1, 10);
    consumer.p[1].next = 10;
    produce_live(1, "y", "3");
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event id "
                   "are no longer known\"} 1 3 "
                   "delete:eA=="); /* x has aged */
    leave(&c);
}

static void a_partition_that_comes_back_with_a_gap_is_one(void **state)
{
    (void)state;
    make_topic(false, 2);
    produce(0, "a", "1");
    produce(1, "x", "2");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1 2");
    give_up(1);
    settle();
    come_back(1, 11);
    topic.on_origin(topic.arg, 1, 10);
    consumer.p[1].next = 10;
    produce_live(1, "y", "3");
    check_data(&c, "gap:{\"partition\":1,\"from\":1,\"to\":10} 3");
    leave(&c);
}

static void a_gap_is_told_whole_while_another_partition_is_away(void **state)
{
    (void)state;
    make_topic(false, 2);
    produce(0, "a", "1");
    give_up(1);
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    topic.on_origin(topic.arg, 0, 10);
    consumer.p[0].next = 10;
    produce_live(0, "a", "2");
    check_text(&c, "id:AQQAFAIA\nevent:gap\ndata:{\"partition\":0,\"from\":1,\"to\":10}\n\n"
                   "id:AQQAFgIA\ndata:2\n\n");
    leave(&c);
}

static void nobody_is_started_before_the_topic_is_known(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    settle();
    check_data(&c, "");
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

/* -- a partition that was away for longer than deletes are kept -- */

static void produce_at(int64_t offset, const char *key, const char *value)
{
    consumer.p[0].next = offset;
    produce_live(0, key, value);
}

/* Its delete was compacted away meanwhile: the log, read again, does not have it. */
static void a_topic_whose_deletes_may_have_been_missed_is_read_anew(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    topic.on_end(topic.arg, 0, loop_now_ms());
    struct client live = open_client(NULL);
    check_data(&live, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&live, "* * * *");
    produce_at(2, "k", "2");
    assert_true(consumer.read_anew);
    check_data(&live, ""); /* nothing with an id behind the delete */
    struct client knows = open_client("AQIAAg=="), fresh = open_client(NULL);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    check_data(&live, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                      "id are no longer known\"} 2");
    check_data(&knows, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                       "id are no longer known\"} 2");
    check_data(&fresh, "2");
    leave(&live);
    leave(&knows);
    leave(&fresh);
}

static void so_is_one_that_now_ends_with_a_hole(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    topic.on_end(topic.arg, 0, loop_now_ms());
    fake_loop_pass(RETENTION_MS);
    topic.on_position(topic.arg, 0, 2);
    assert_true(consumer.read_anew);
}

/* An id that was not judged yet is good, if it is behind what may be missing. */
static void who_waits_meanwhile_keeps_the_place(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    topic.on_end(topic.arg, 0, loop_now_ms());
    fake_loop_pass(RETENTION_MS);
    consumer.p[0].end = 4;
    struct client c = open_client("AQIABg=="); /* 0@3 */
    produce_at(2, "k", "2");
    assert_true(consumer.read_anew);
    make_topic(true, 1);
    produce_at(2, "k", "2");
    produce_live(0, "l", "3");
    check_data(&c, "3");
    leave(&c);
}

static void who_was_at_the_end_a_moment_ago_has_missed_nothing(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    fake_loop_pass(RETENTION_MS);
    check_data(&c, "* * * *");
    topic.on_end(topic.arg, 0, loop_now_ms());
    produce_at(2, "k", "2"); /* behind a transaction's marker */
    check_data(&c, "2");
    assert_false(consumer.read_anew);
    leave(&c);
}

/* -- live -- */

static void the_first_event_after_a_quiet_time_goes_at_once(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(1000);
    produce(0, "a", "1");
    settle();
    check_data(&c, "1");
    leave(&c);
}

static void the_next_one_waits_for_the_flush_interval(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(1000);
    produce(0, "a", "1");
    settle();
    produce(0, "b", "2");
    settle();
    fake_loop_pass(FLUSH_MS - 1);
    produce(0, "c", "3");
    settle();
    check_data(&c, "1");
    fake_loop_pass(1);
    check_data(&c, "2 3");
    leave(&c);
}

static void every_one_of_many_streams_gets_each_event(void **state)
{
    enum { MANY = 400 }; /* more than are flushed in one turn */
    static struct client clients[MANY];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    for (int i = 0; i < MANY; i++)
        check_data(&clients[i], "1 2");
    for (int i = 0; i < MANY; i++)
        leave(&clients[i]);
    assert_int_equal(fanout_count(fanout), 0);
}

/* 500 streams: 15 ms on average, but nothing waits for a few events close together. */
static void by_itself_the_interval_grows_with_the_streams(void **state)
{
    enum { MANY = 500, INTERVAL_MS = 15, AT_ONCE = 4 };
    static struct client clients[MANY];

    (void)teardown(state);
    flush_ms = -1;
    setup(state);
    flush_ms = FLUSH_MS;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    fake_loop_pass(1000);
    for (int i = 0; i < AT_ONCE; i++) {
        produce(0, "a", "1");
        settle();
        check_data(&clients[MANY - 1], "1");
    }
    produce(0, "a", "2");
    settle();
    fake_loop_pass(INTERVAL_MS - 1);
    check_data(&clients[0], "1 1 1 1");
    check_data(&clients[MANY - 1], "");
    fake_loop_pass(1);
    check_data(&clients[0], "2");
    check_data(&clients[MANY - 1], "2");
    for (int i = 0; i < MANY; i++)
        leave(&clients[i]);
}

static void a_request_with_another_id_gets_the_same_with_its_id(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_with(0x1234, "bad");
    struct output out = receive(&c);
    assert_int_equal(out.id, 0x1234);
    output_fini(&out);
    produce_live(0, "b", "2");
    out = receive(&c);
    assert_int_equal(out.id, 0x1234);
    assert_text(buf_slice(&out.text), "id:AQIABA==\ndata:2\n\n");
    output_fini(&out);
    leave(&c);
}

static void ids_have_the_form_that_is_configured(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_KEY, 1 << 30);
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client(NULL);
    produce_live(0, "b", "2");
    check_text(&c, "id:[\"YQ==\",\"AQIAAg==\"]\ndata:1\n\nid:[\"Yg==\",\"AQIABA==\"]\ndata:2\n\n");
    leave(&c);
}

/* Each look at the topic's end asks for that of each partition. */
static void streams_that_come_in_one_turn_are_looked_at_together(void **state)
{
    enum { MANY = 200, PARTITIONS = 4 };
    static struct client clients[MANY];

    (void)state;
    make_topic(true, PARTITIONS);
    produce(0, "a", "1");
    settle();
    fake_consumer_questions = 0;
    for (int i = 0; i < MANY; i++)
        clients[i] = open_unsettled(1, NULL);
    fake_loop_settle();
    assert_in_range(fake_consumer_questions, PARTITIONS, 3 * PARTITIONS);
    for (int i = 0; i < MANY; i++) {
        check_data(&clients[i], "1");
        leave(&clients[i]);
    }
}

/* -- keep-alive -- */

static void a_silent_stream_gets_a_comment(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 1);
    check_text(&c, "");
    fake_loop_pass(1);
    check_text(&c, ":\n");
    fake_loop_pass(3 * KEEPALIVE_MS);
    check_text(&c, ":\n:\n:\n");
    leave(&c);
}

static uint64_t sent_by_then;

static void on_first_comment(void *arg, int what)
{
    struct client *c = arg;

    (void)what;
    if (sent_by_then == 0)
        sent_by_then = fanout_stats(fanout).sent_bytes;
    read_all(c->fd, &c->bytes);
}

/* After a stall all of them are due at once: the loop must get round meanwhile. */
static void comments_for_many_take_several_turns(void **state)
{
    enum { MANY = 600 };
    static struct client clients[MANY];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    check_text(&clients[0], "");
    uint64_t before = fanout_stats(fanout).sent_bytes;
    sent_by_then = 0;
    struct watch *watch = watch_new(loop, clients[0].fd, LOOP_READ, on_first_comment, &clients[0]);
    fake_loop_pass(KEEPALIVE_MS);
    watch_free(watch);
    uint64_t all = fanout_stats(fanout).sent_bytes - before;
    assert_in_range(sent_by_then - before, 1, all / 2);
    for (int i = 0; i < MANY; i++) {
        check_text(&clients[i], ":\n");
        leave(&clients[i]);
    }
}

/* Each costs as much as the cache is large: the loop must get round meanwhile. */
static void streams_that_begin_together_take_turns(void **state)
{
    enum { MANY = 40 };
    struct client clients[MANY];
    size_t begun = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        clients[i] = open_client(NULL);
    consumer.ready = true;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 1);
    topic.on_origin(topic.arg, 0, 0);
    produce(0, "a", "1");
    topic.on_settled(topic.arg);
    fake_loop_turn();
    for (int i = 0; i < MANY; i++)
        begun += clients[i].stream->state == STREAM_READY;
    assert_in_range(begun, 1, MANY / 2);
    fake_loop_settle();
    for (int i = 0; i < MANY; i++) {
        check_data(&clients[i], "1");
        leave(&clients[i]);
    }
}

static void a_stream_that_waits_for_kafka_gets_comments_too(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    fake_loop_pass(2 * KEEPALIVE_MS);
    check_text(&c, ":\n:\n");
    leave(&c);
}

static void an_event_puts_the_comment_off(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 1);
    produce(0, "a", "1");
    settle();
    fake_loop_pass(KEEPALIVE_MS - 1);
    check_data(&c, "1");
    fake_loop_pass(1);
    check_data(&c, "*");
    leave(&c);
}

static void each_stream_has_its_own_silence(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client first = open_client(NULL);
    fake_loop_pass(4000);
    struct client second = open_client(NULL);
    fake_loop_pass(KEEPALIVE_MS - 4000);
    check_text(&first, ":\n");
    check_text(&second, "");
    fake_loop_pass(4000);
    check_text(&second, ":\n");
    leave(&first);
    leave(&second);
}

/* -- ending -- */

static void a_front_that_closes_ends_its_stream(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL), stays = open_client(NULL);
    leave(&c);
    assert_int_equal(fanout_count(fanout), 1);
    leave(&stays);
    assert_int_equal(fanout_count(fanout), 0);
}

static void an_abort_is_answered_with_the_end(void **state)
{
    struct buf abort_request = {0};

    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    add_record(&abort_request, FCGI_ABORT, 1, BYTES(""), 0);
    assert_int_equal(send(c.fd, abort_request.p, abort_request.n, 0), abort_request.n);
    fake_loop_settle();
    struct output out = receive(&c);
    assert_true(out.ended && c.closed);
    assert_int_equal(fanout_count(fanout), 0);
    output_fini(&out);
    buf_fini(&abort_request);
    leave(&c);
}

static void all_streams_end_with_the_fan_out(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client started = open_client(NULL);
    consumer.p[0].end = 9;
    struct client waiting = open_client(NULL);
    fanout_free(fanout);
    struct output out = receive(&started);
    assert_true(out.ended && started.closed);
    output_fini(&out);
    out = receive(&waiting);
    assert_true(out.ended && waiting.closed);
    output_fini(&out);
    leave(&started);
    leave(&waiting);
    start_with(EVENT_ID_PROGRESS, 1 << 30);
}

/* -- resuming -- */

static void who_resumes_gets_the_rest_with_its_deletes(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    produce(0, "a", NULL);
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "2 delete:YQ==");
    produce_live(0, "c", "3");
    check_data(&c, "3");
    leave(&c);
}

static void a_malformed_id_is_reset_and_everything_follows(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("nonsense");
    check_text(&c, "id:AQIAAA==\nevent:reset\ndata:{\"reason\":\"id_malformed\",\"detail\":\"the "
                   "event id is malformed\"}\n\n"
                   "id:AQIAAg==\ndata:1\n\n");
    leave(&c);
}

static void an_id_that_is_merely_ahead_of_us_waits(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA=="); /* next offset 2 */
    check_text(&c, "");
    consumer.p[0].surveyed_end = 3;
    survey();
    check_text(&c, "");
    produce(0, "b", "2");
    settle();
    produce(0, "c", "3");
    settle();
    fake_loop_pass(FLUSH_MS);
    check_data(&c, "3");
    leave(&c);
}

static void an_id_beyond_the_end_is_reset_after_a_look_at_the_cluster(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA==");
    topic.on_survey(topic.arg, consumer.asked - 1); /* one that began before it came */
    check_text(&c, "");
    survey();
    check_data(&c, "reset:{\"reason\":\"id_beyond_end\",\"detail\":\"the event id is beyond the "
                   "end of the topic\"} 1");
    leave(&c);
}

static void an_id_of_a_partition_that_the_topic_lacks_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQQAAgIC"); /* 0@1 1@1 */
    survey();
    check_data(&c, "reset:{\"reason\":\"partition_unknown\",\"detail\":\"the event id names a "
                   "partition that the topic lacks\"} 1");
    leave(&c);
}

static void partitions_that_an_id_omits_start_at_their_beginning(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "2");
    leave(&c);
}

static void an_id_below_a_forgotten_delete_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "a", NULL);
    produce(0, "b", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 1000);
    struct client below = open_client("AQIAAg=="), behind = open_client("AQIABA==");
    check_data(&below, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event "
                       "id are no longer known\"} 2");
    check_data(&behind, "2");
    leave(&below);
    leave(&behind);
}

static void who_resumes_ahead_of_a_partition_without_a_leader_gets_nothing_twice(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    survey();
    come_back(1, 3);
    produce_live(1, "b", "3"); /* offset 1: it has seen that */
    produce_live(1, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

/* Partition 1 has no leader, and the client is one record ahead of us in it; it begins now. */
static struct client begin_ahead_of_a_partition(void)
{
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    topic.on_survey(topic.arg, consumer.asked);
    return c;
}

static void what_comes_before_a_stream_ahead_is_first_sent_comes_once(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    produce(0, "c", "5"); /* in the turn in which it began */
    settle();
    produce_live(0, "d", "6");
    check_text(&c, "id:AQQABAIE\ndata:5\n\n"
                   "id:AQQABgIE\ndata:6\n\n");
    leave(&c);
}

static void
a_partition_that_returns_before_a_stream_ahead_is_first_sent_repeats_nothing(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    come_back(1, 3);
    produce(1, "b", "3"); /* it has seen that */
    settle();
    produce_live(1, "b", "4");
    check_data(&c, "4");
    leave(&c);
}

static void a_stream_ahead_of_a_partition_that_returns_shorter_is_reset(void **state)
{
    (void)state;
    struct client c = begin_ahead_of_a_partition();
    settle();
    produce_live(0, "c", "5");
    check_data(&c, "5");
    come_back(1, 1);
    survey();
    check_data(&c, "reset:{\"reason\":\"id_beyond_end\",\"detail\":\"the event id is beyond the "
                   "end of the topic\"} 1 2 5");
    produce_live(1, "b", "3");
    check_data(&c, "3");
    leave(&c);
}

static void who_resumes_with_an_early_id_is_told_of_the_gap(void **state)
{
    (void)state;
    make_topic(false, 1);
    for (int i = 0; i < 5; i++)
        produce(0, "a", "x");
    topic.on_origin(topic.arg, 0, 3);
    settle();
    struct client c = open_client("AQIAAg==");
    check_data(&c, "gap:{\"partition\":0,\"from\":1,\"to\":3} x x");
    leave(&c);
}

/* -- keys that have aged -- */

static size_t count_events(struct client *c)
{
    struct output out = receive(c);
    size_t n = 0;

    assert_int_equal(out.rest, 0);
    for (size_t i = 0; i + 1 < out.text.n; i++)
        n += out.text.p[i] == '\n' && out.text.p[i + 1] == '\n';
    output_fini(&out);
    return n;
}

static void a_key_that_the_broker_has_dropped_by_age_is_deleted_on_open_streams(void **state)
{
    (void)state;
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1 2");
    topic.on_origin(topic.arg, 0, 1);
    settle();
    fake_loop_pass(FLUSH_MS);
    check_text(&c, "id:AQQABAIA\nevent:delete\ndata:YQ==\n\n");
    produce_live(0, "a", "3");
    check_text(&c, "id:AQQABgIA\ndata:3\n\n");
    struct client fresh = open_client(NULL), back = open_client("AQQABAIA");
    check_data(&fresh, "2 3");
    check_data(&back, "3");
    leave(&c);
    leave(&fresh);
    leave(&back);
}

static void in_the_keyed_form_too(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_KEY, 1 << 30);
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIAAg==");
    topic.on_origin(topic.arg, 0, 1);
    settle();
    fake_loop_pass(FLUSH_MS);
    check_text(&c, "id:[\"YQ==\",\"AQIAAg==\"]\nevent:delete\ndata:YQ==\n\n");
    leave(&c);
}

/* More than a turn's work, than a flush and than the backlog holds. */
static void many_keys_age_in_many_turns_and_reach_everybody(void **state)
{
    enum { MANY = 60000 };

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        produce(0, key, "v");
    }
    settle();
    struct client quick = open_client(NULL), slow = open_client(NULL);
    assert_int_equal(count_events(&quick), MANY);
    topic.on_origin(topic.arg, 0, MANY - 1);
    settle();
    assert_int_equal(count_events(&quick), MANY - 1);
    assert_in_range(count_events(&slow), MANY, 2 * MANY);
    produce_live(0, "last", "v");
    assert_int_equal(count_events(&quick), 1);
    assert_int_equal(count_events(&slow), 1);
    leave(&quick);
    leave(&slow);
}

/* -- a topic made again -- */

static void every_open_stream_is_reset_when_the_topic_was_made_again(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client fresh = open_client(NULL), resumed = open_client("AQIAAg=="),
                  ahead = open_client("AQIABA==");
    check_data(&fresh, "1");
    make_topic(true, 1);
    check_data(&fresh, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"}");
    produce_live(0, "b", "2");
    check_data(&fresh, "2");
    check_data(&resumed,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    check_data(&ahead,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    leave(&fresh);
    leave(&resumed);
    leave(&ahead);
}

static void a_stream_that_still_waited_is_not_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    consumer.p[0].end = 5;
    struct client c = open_client(NULL);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

/* Made again as long as before, so that their ids could be honoured. */
static void those_that_wait_with_an_id_of_the_topic_that_was_are_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    consumer.p[0].end = 2;
    struct client waiting = open_client("AQIAAg=="), fresh = open_client(NULL);
    consumer.ready = false;
    struct client opened = open_client("AQIAAg==");
    make_topic(true, 1);
    produce_live(0, "a", "2");
    produce_live(0, "b", "3");
    check_data(&waiting,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2 3");
    check_data(&opened,
               "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2 3");
    check_data(&fresh, "2 3");
    leave(&waiting);
    leave(&fresh);
    leave(&opened);
}

static void who_waits_for_the_topic_that_is_first_known_is_not_reset(void **state)
{
    (void)state;
    struct client c = open_client("AQIAAg==");
    make_topic(true, 1);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    survey();
    check_data(&c, "2");
    leave(&c);
}

/* -- slow clients -- */

static void produce_kilobytes(int n, int keys)
{
    static char value[1001];

    memset(value, 'v', 1000);
    for (int i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i % keys);
        produce(0, key, value);
        if (i % 50 == 49)
            settle();
    }
    settle();
    fake_loop_pass(FLUSH_MS);
}

static void a_client_that_does_not_read_delays_nobody_and_goes_on_later(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), quick = open_client(NULL);
    for (int i = 0; i < 20; i++) {
        produce_kilobytes(10, 1000);
        assert_int_equal(count_events(&quick), 10);
    }
    assert_int_equal(count_events(&slow), 200);
    leave(&slow);
    leave(&quick);
}

static void who_falls_far_behind_gets_the_newest_of_each_key(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 10); /* more than the backlog holds */
    size_t n = count_events(&slow);
    assert_in_range(n, 10, 4200); /* 4 MB are the backlog's */
    produce_live(0, "0", "last");
    check_data(&slow, "last");
    leave(&slow);
}

static void who_falls_far_behind_in_another_topic_gets_every_record(void **state)
{
    (void)state;
    make_topic(false, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 10);
    assert_int_equal(count_events(&slow), 8000);
    leave(&slow);
}

static void who_sleeps_through_a_forgotten_delete_is_reset(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    struct client slow = open_client(NULL);
    produce_kilobytes(8000, 1);
    produce(0, "gone", NULL);
    produce(0, "stays", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 2000);
    struct output out = receive(&slow);
    buf_add_byte(&out.text, 0);
    const char *text = (const char *)out.text.p;
    const char *reset = strstr(text, "event:reset");
    assert_non_null(reset);
    assert_null(strstr(text, "event:delete"));
    assert_non_null(strstr(reset, "data:2"));
    output_fini(&out);
    leave(&slow);
}

static void a_blocked_stream_gets_no_comment(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL);
    produce_kilobytes(100, 100);
    fake_loop_pass(3 * KEEPALIVE_MS);
    struct output out = receive(&slow);
    assert_null(memmem(out.text.p, out.text.n, "\n:\n", 3));
    output_fini(&out);
    leave(&slow);
}

static void the_consumer_is_held_while_more_waits_than_streams_can_be_sent(void **state)
{
    static char value[100001];

    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    memset(value, 'v', 100000);
    for (int i = 0; i < 30 && !consumer.held; i++)
        produce(0, "k", value);
    assert_true(consumer.held);
    settle();
    assert_false(consumer.held);
    leave(&c);
}

static void without_streams_the_consumer_is_not_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(8000, 1);
    assert_false(consumer.held);
}

/* -- holding -- */

static void hold(struct client *c)
{
    fanout_hold(c->stream, true);
    fake_loop_settle();
}

static void let_go(struct client *c)
{
    fanout_hold(c->stream, false);
    fake_loop_settle();
}

static void one_that_is_up_to_date_and_held_gets_nothing_new(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client held = open_client(NULL), other = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&held, "1");
    hold(&held);
    produce_live(0, "b", "2");
    produce_live(0, "c", "3");
    fake_loop_pass(2 * KEEPALIVE_MS);
    check_text(&held, "");
    check_data(&other, "1 2 3 * *");
    let_go(&held);
    check_data(&held, "2 3");
    produce_live(0, "d", "4");
    check_data(&held, "4");
    leave(&held);
    leave(&other);
}

static void holding_twice_is_holding_once(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    let_go(&c);
    hold(&c);
    hold(&c);
    produce_live(0, "a", "1");
    check_text(&c, "");
    let_go(&c);
    let_go(&c);
    check_data(&c, "1");
    leave(&c);
}

static void one_that_waits_for_the_topic_and_is_held_starts_when_it_is_let_go(void **state)
{
    (void)state;
    struct client opened = open_client(NULL);
    hold(&opened);
    make_topic(true, 1);
    consumer.p[0].end = 1;
    struct client waiting = open_client(NULL);
    hold(&waiting);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    check_text(&opened, "");
    check_text(&waiting, "");
    let_go(&opened);
    let_go(&waiting);
    check_data(&opened, "1 2");
    check_data(&waiting, "1 2");
    leave(&opened);
    leave(&waiting);
}

static void one_that_is_let_go_before_it_starts_just_starts(void **state)
{
    (void)state;
    struct client c = open_client(NULL);
    hold(&c);
    let_go(&c);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    leave(&c);
}

static void one_that_is_ahead_of_us_and_held_goes_on_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_client("AQIABA=="); /* next offset 2 */
    hold(&c);
    consumer.p[0].surveyed_end = 3;
    survey();
    produce_live(0, "b", "2");
    produce_live(0, "c", "3");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "3");
    leave(&c);
}

static void one_that_is_held_amid_its_replay_goes_on_without_loss(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce_kilobytes(500, 500);
    struct client c = open_client(NULL); /* blocked, half an event is under way */
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 100);
    produce_live(0, "x", "1");
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), 501);
    leave(&c);
}

static void one_that_is_held_between_two_turns_of_its_replay_stops_there(void **state)
{
    enum { N = 500 };
    struct buf head = {0};
    int fds[2], large = 4 << 20;

    (void)state;
    make_topic(true, 1);
    produce_kilobytes(N, N);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
    struct client c = {
        .fd = fds[1],
        .stream = fanout_open(fanout, fds[0], 1, buf_slice(&head), slice_of(NULL, 0), NULL)};
    fake_loop_turn(); /* it begins */
    fake_loop_turn();
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, N - 1);
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), N);
    leave(&c);
}

static void one_that_is_held_amid_an_event_gets_the_rest_of_it(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000); /* more than its socket takes */
    hold(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 199);
    produce_live(0, "x", "1");
    check_text(&c, "");
    let_go(&c);
    assert_int_equal(n + count_events(&c), 201);
    leave(&c);
}

static void one_that_is_let_go_while_its_socket_is_full_goes_on_later(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    hold(&c);
    let_go(&c);
    assert_int_equal(count_events(&c), 200);
    produce_live(0, "x", "1");
    check_data(&c, "1");
    leave(&c);
}

static void the_backlog_may_move_on_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "0", "first");
    check_data(&c, "first");
    hold(&c);
    produce_kilobytes(8000, 10); /* more than the backlog holds */
    check_text(&c, "");
    let_go(&c);
    size_t n = count_events(&c);
    assert_in_range(n, 10, 4200);
    produce_live(0, "0", "last");
    check_data(&c, "last");
    leave(&c);
}

static void the_backlog_may_move_on_while_half_an_event_is_held(void **state)
{
    (void)state;
    make_topic(false, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    hold(&c);
    produce_kilobytes(8000, 10);
    size_t n = count_events(&c);
    assert_in_range(n, 1, 199);
    let_go(&c);
    assert_int_equal(n + count_events(&c), 8200); /* not compacted: each of them */
    leave(&c);
}

static void the_topic_may_be_made_again_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    hold(&c);
    make_topic(true, 1);
    produce_live(0, "b", "2");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "reset:{\"reason\":\"topic_new\",\"detail\":\"the topic was made again\"} 2");
    produce_live(0, "c", "3");
    check_data(&c, "3");
    leave(&c);
}

static void what_cannot_be_resumed_is_told_when_it_is_let_go(void **state)
{
    (void)state;
    struct client c = open_client("nonsense");
    hold(&c);
    make_topic(true, 1);
    produce_live(0, "a", "1");
    check_text(&c, "");
    let_go(&c);
    check_data(&c,
               "reset:{\"reason\":\"id_malformed\",\"detail\":\"the event id is malformed\"} 1");
    leave(&c);
}

static void deletes_may_be_forgotten_while_a_stream_is_held(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "gone", "1");
    settle();
    struct client c = open_client(NULL);
    check_data(&c, "1");
    hold(&c);
    produce_kilobytes(8000, 1);
    produce(0, "gone", NULL);
    produce(0, "stays", "2");
    settle();
    fake_loop_pass(RETENTION_MS + 2000);
    check_text(&c, "");
    let_go(&c);
    struct output out = receive(&c);
    buf_add_byte(&out.text, 0);
    assert_non_null(strstr((const char *)out.text.p, "event:reset"));
    assert_non_null(strstr((const char *)out.text.p, "data:2"));
    output_fini(&out);
    leave(&c);
}

/* It resumed ahead of a partition without a leader, and follows the other one. */
static struct client open_ahead_of_a_partition(void)
{
    make_topic(true, 2);
    produce(0, "a", "1");
    produce(1, "b", "2");
    settle();
    give_up(1);
    struct client c = open_client("AQQAAgIE"); /* 0@1 1@2 */
    survey();
    fake_loop_pass(10001);
    survey();
    produce_live(0, "c", "5");
    check_data(&c, "5");
    come_back(1, 3);
    return c;
}

static void one_that_is_held_ahead_of_a_partition_gets_nothing_twice(void **state)
{
    (void)state;
    struct client c = open_ahead_of_a_partition();
    hold(&c);
    produce_live(1, "b", "3"); /* offset 1: it has seen that */
    produce_live(1, "b", "4");
    let_go(&c);
    check_data(&c, "4");
    leave(&c);
}

static void one_that_is_slow_ahead_of_a_partition_gets_nothing_twice(void **state)
{
    (void)state;
    struct client c = open_ahead_of_a_partition();
    produce_kilobytes(200, 1000); /* of the other partition */
    produce_live(1, "b", "3");
    produce_live(1, "b", "4");
    struct output out = receive(&c);
    buf_add_byte(&out.text, 0);
    assert_null(strstr((const char *)out.text.p, "data:3\n"));
    assert_non_null(strstr((const char *)out.text.p, "data:4\n"));
    output_fini(&out);
    leave(&c);
}

static void one_that_is_held_is_reset_when_it_is_let_go(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    hold(&c);
    topic.on_origin(topic.arg, 0, 5); /* deleted before we have read it */
    consumer.p[0].next = 5;
    produce_live(0, "b", "2");
    check_text(&c, "");
    let_go(&c);
    check_data(&c, "reset:{\"reason\":\"deletes_unknown\",\"detail\":\"deletes since the event id "
                   "are no longer known\"} 2 delete:YQ==");
    leave(&c);
}

static void one_that_is_held_may_leave_or_be_ended(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client leaves = open_client(NULL), ended = open_client(NULL);
    hold(&leaves);
    hold(&ended);
    produce_live(0, "a", "1");
    leave(&leaves);
    fanout_finish(ended.stream, STREAM_END_TOKEN);
    fake_loop_settle();
    struct output out = receive(&ended);
    assert_true(out.ended && out.text.n == 0);
    output_fini(&out);
    leave(&ended);
    assert_int_equal(fanout_count(fanout), 0);
}

/* -- what is said outside of events, and the end -- */

static void say(struct client *c, const char *text)
{
    struct buf records = {0};
    size_t mark = fcgi_stdout_begin(&records);

    buf_add_str(&records, text);
    fcgi_stdout_end(&records, mark, 1);
    fanout_say(c->stream, buf_slice(&records));
    buf_fini(&records);
}

/* The text after the last whole event before `said`, which must be there. */
static void check_said_between_events(const struct buf *text, const char *said)
{
    const uint8_t *at = memmem(text->p, text->n, said, strlen(said));

    assert_non_null(at);
    assert_true(at == text->p || (at - text->p >= 2 && at[-1] == '\n' && at[-2] == '\n'));
}

static void what_is_said_comes_after_the_event_that_is_under_way(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    say(&c, "retry:7\n\n");
    struct output out = receive(&c);
    check_said_between_events(&out.text, "retry:7\n\n");
    assert_true(out.text.n > 200000);
    output_fini(&out);
    leave(&c);
}

static void one_that_is_finished_says_goodbye_and_ends(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_live(0, "a", "1");
    check_data(&c, "1");
    say(&c, "retry:7\n\n");
    fanout_finish(c.stream, STREAM_END_DRAIN);
    fake_loop_settle();
    assert_int_equal(fanout_count(fanout), 0);
    struct output out = receive(&c);
    assert_true(out.ended && c.closed);
    assert_text(buf_slice(&out.text), "retry:7\n\n");
    output_fini(&out);
    leave(&c);
}

static void one_that_is_finished_amid_an_event_gets_the_rest_of_it_and_no_more(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    say(&c, "retry:7\n\n");
    fanout_finish(c.stream, STREAM_END_DRAIN);
    fanout_hold(c.stream, true); /* for nothing: it ends */
    produce_live(0, "x", "1");
    fake_loop_pass(1000);
    assert_int_equal(fanout_count(fanout), 1);
    struct output out = receive(&c);
    assert_true(out.ended && c.closed && out.rest == 0);
    check_said_between_events(&out.text, "retry:7\n\n");
    assert_memory_equal(out.text.p + out.text.n - 9, "retry:7\n\n", 9);
    output_fini(&out);
    leave(&c);
    assert_int_equal(fanout_count(fanout), 0);
}

static void one_that_does_not_read_the_rest_is_cut_off_after_two_seconds(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_client(NULL);
    produce_kilobytes(200, 1000);
    fanout_finish(c.stream, STREAM_END_AGE);
    fake_loop_pass(1999);
    assert_int_equal(fanout_count(fanout), 1);
    fake_loop_pass(1);
    assert_int_equal(fanout_count(fanout), 0);
    assert_int_equal(fanout_stats(fanout).ended[STREAM_END_AGE], 1);
    leave(&c);
}

static void those_that_were_told_to_finish_do_not_stay(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), blocked = open_client(NULL);
    produce_kilobytes(200, 1000);
    consumer.p[0].end = 1000;
    struct client waiting = open_client(NULL);
    assert_true(fanout_count(fanout) == 3 && fanout_staying(fanout) == 3);
    fanout_finish(slow.stream, STREAM_END_DRAIN);
    assert_true(fanout_count(fanout) == 3 && fanout_staying(fanout) == 2);
    for (int i = 0; i < 2; i++) {
        struct stream *s = fanout_first(fanout);
        assert_true(s == blocked.stream || s == waiting.stream);
        fanout_finish(s, STREAM_END_DRAIN);
    }
    assert_null(fanout_first(fanout));
    assert_int_equal(fanout_staying(fanout), 0);
    assert_int_equal(fanout_count(fanout), 2); /* the one that waited had nothing to send */
    fake_loop_pass(2000);
    assert_int_equal(fanout_count(fanout), 0);
    leave(&slow);
    leave(&blocked);
    leave(&waiting);
}

/* -- what is counted -- */

static void openings_and_ends_are_counted(void **state)
{
    struct client c[5];

    (void)state;
    make_topic(true, 1);
    for (int i = 0; i < 5; i++)
        c[i] = open_client(NULL);
    fanout_finish(c[0].stream, STREAM_END_TOKEN);
    fanout_finish(c[1].stream, STREAM_END_AGE);
    fanout_finish(c[2].stream, STREAM_END_DRAIN);
    fanout_finish(c[3].stream, STREAM_END_DRAIN);
    for (int i = 0; i < 5; i++)
        leave(&c[i]);
    struct fanout_stats stats = fanout_stats(fanout);
    assert_int_equal(stats.opened, 5);
    assert_int_equal(stats.ended[STREAM_END_CLIENT], 1);
    assert_int_equal(stats.ended[STREAM_END_TOKEN], 1);
    assert_int_equal(stats.ended[STREAM_END_AGE], 1);
    assert_int_equal(stats.ended[STREAM_END_DRAIN], 2);
}

static void records_and_the_cache_are_counted(void **state)
{
    (void)state;
    make_topic(true, 1);
    assert_int_equal(fanout_stats(fanout).records, 0);
    produce(0, "a", "1");
    produce(0, "a", "2");
    produce(0, "b", "3");
    struct fanout_stats stats = fanout_stats(fanout);
    assert_int_equal(stats.records, 3);
    assert_int_equal(stats.cache_records, 2);
    assert_int_equal(stats.cache_keys, 2);
    assert_in_range(stats.cache_bytes, 1, 1 << 24);
    assert_false(stats.cache_overflowed);
}

static void a_compacted_topic_that_does_not_fit_in_is_told(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_PROGRESS, 1 << 16);
    make_topic(true, 1);
    produce_kilobytes(50, 1);
    assert_false(fanout_stats(fanout).cache_overflowed);
    produce_kilobytes(2000, 2000);
    assert_true(fanout_stats(fanout).cache_overflowed);
}

static void conflations_are_counted(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client slow = open_client(NULL), other = open_client(NULL);
    for (int i = 0; i < 80; i++) {
        produce_kilobytes(100, 10);
        count_events(&other);
    }
    assert_int_equal(fanout_stats(fanout).conflations, 1);
    leave(&slow);
    leave(&other);
}

/* Replayed, live, conflated, with a reset before; and one that never reads the rest. */
static void each_event_that_is_sent_is_counted_once(void **state)
{
    size_t n = 0;

    (void)state;
    make_topic(true, 1);
    produce_kilobytes(300, 300);
    struct client slow = open_client(NULL), other = open_client("nonsense");
    n = count_events(&slow);
    for (int i = 0; i < 80; i++) {
        produce_kilobytes(100, 10);
        n += count_events(&other);
    }
    n += count_events(&slow);
    assert_int_equal(fanout_stats(fanout).conflations, 1);
    assert_int_equal(fanout_stats(fanout).sent_events, n);
    produce_kilobytes(200, 10); /* the slow one is blocked in the backlog, inside an event */
    fanout_finish(slow.stream, STREAM_END_DRAIN);
    n += count_events(&slow) + count_events(&other);
    assert_int_equal(fanout_stats(fanout).sent_events, n);
    assert_in_range(fanout_stats(fanout).sent_bytes, n * 1024, n * 1200);
    leave(&slow);
    leave(&other);
}

static void gaps_and_resets_are_counted(void **state)
{
    (void)state;
    make_topic(false, 1);
    for (int i = 0; i < 5; i++)
        produce(0, "a", "x");
    topic.on_origin(topic.arg, 0, 3);
    settle();
    struct client gap = open_client("AQIAAg=="), reset = open_client("nonsense");
    assert_int_equal(fanout_stats(fanout).gaps, 1);
    assert_int_equal(fanout_stats(fanout).resets, 1);
    make_topic(false, 1);
    assert_int_equal(fanout_stats(fanout).resets, 3);
    leave(&gap);
    leave(&reset);
}

static bool caught_up(void)
{
    return fanout_stats(fanout).caught_up;
}

static void it_is_caught_up_when_all_was_read_that_was_there_first(void **state)
{
    (void)state;
    settle();
    assert_false(caught_up());
    make_topic(true, 2);
    assert_true(caught_up()); /* an empty topic */
    teardown(NULL);
    setup(NULL);
    consumer.ready = true;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 2);
    consumer.p[0].end = 2;
    consumer.p[1].end = 1;
    settle();
    assert_false(caught_up());
    produce(0, "a", "1");
    consumer.p[0].end = 10; /* what came later does not count */
    produce(1, "b", "2");
    settle();
    assert_false(caught_up());
    produce(0, "a", "3");
    consumer.p[0].end = 10;
    settle();
    assert_true(caught_up());
    consumer.p[0].end = 1000;
    settle();
    assert_true(caught_up()); /* once and for all, as long as it is the same topic */
}

static void a_topic_made_again_is_to_be_caught_up_with_anew(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    assert_true(caught_up());
    memset(consumer.p, 0, sizeof consumer.p);
    consumer.p[0].end = 1;
    topic.on_topic(topic.arg, true, RETENTION_MS);
    topic.on_partitions(topic.arg, 1);
    settle();
    assert_false(caught_up());
    produce(0, "a", "1");
    settle();
    assert_true(caught_up());
}

/* -- everything at once: random clients against the topic's own story -- */

enum { KEYS = 8, CLIENTS = 5, STEPS = 1500, BIG = 3000 };

/* What happens beside records and pages. */
static struct story {
    bool topic; /* compacted */
    bool outages, ages, made_again;
    size_t cache_bytes; /* too few for the topic; 0: enough */
    int64_t quiet_ms;
} story;

/* What the newest record of a key says; 0: deleted, or never there. */
static int64_t truth[FAKE_PARTITIONS][KEYS];
static bool compacted;

/* A page: it knows what events told it, and comes back with its last id. */
struct page {
    struct client client;
    bool connected;
    bool held;
    int events; /* since it was held; the one that was under way may follow */
    char id[256];
    struct buf text;               /* of events that are not whole */
    int64_t next[FAKE_PARTITIONS]; /* by its last id */
    int64_t table[FAKE_PARTITIONS][KEYS];
};
static struct page pages[CLIENTS];

static void page_reset(struct page *p)
{
    memset(p->table, 0, sizeof p->table);
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        p->next[i] = 0;
}

/* The id goes forward, never back; by one record if none may be missing.  A delete of a key that
 * has aged moves it not at all. */
static void page_take_id(struct page *p, const char *id, const char *type)
{
    bool reset = type != NULL && strcmp(type, "reset") == 0;
    struct progress_id now;
    int64_t moved = 0;

    assert_int_equal(progress_id_parse(slice_str(id), &now), 0);
    for (int32_t i = 0; i < now.n; i++) {
        int64_t *next = &p->next[now.at[i].partition];
        if (now.at[i].next < 0)
            now.at[i].next = 0; /* nothing was seen of it, and where it begins is not known */
        if (!reset && now.at[i].next < *next)
            fail_msg("page %d: partition %d goes back from %lld to %lld, id %s after %s",
                     (int)(p - pages), now.at[i].partition, (long long)*next,
                     (long long)now.at[i].next, id, p->id);
        moved += now.at[i].next - *next;
        *next = now.at[i].next;
    }
    if (type == NULL && (compacted ? moved <= 0 : moved != 1))
        fail_msg("page %d: id %s after %s", (int)(p - pages), id, p->id);
    progress_id_fini(&now);
    snprintf(p->id, sizeof p->id, "%s", id);
}

/* Values are `partition:key:offset`, padded; keys are of one letter. */
static void page_take_event(struct page *p, char *event)
{
    char *id = NULL, *type = NULL, *data = NULL;

    for (char *line = strtok(event, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "id:", 3) == 0)
            id = line + 3;
        else if (strncmp(line, "event:", 6) == 0)
            type = line + 6;
        else if (strncmp(line, "data:", 5) == 0)
            data = line + 5;
    }
    if (id == NULL) /* the comment */
        return;
    p->events++;
    if (type != NULL && strcmp(type, "reset") == 0) {
        page_reset(p);
        page_take_id(p, id, type);
        return;
    }
    int64_t before[FAKE_PARTITIONS];
    memcpy(before, p->next, sizeof before);
    page_take_id(p, id, type);
    if (type != NULL && strcmp(type, "gap") == 0) {
        assert_true(story.cache_bytes > 0); /* else nothing may be lost */
        return;
    }
    if (type != NULL) {
        assert_string_equal(type, "delete");
        struct buf key = {0};
        assert_true(base64url_decode(&key, slice_str(data)));
        /* Keys hold their partition, so that a delete is of one partition only. */
        int partition = key.p[0] - '0', k = key.p[1] - 'a';
        p->table[partition][k] = 0;
        buf_fini(&key);
        return;
    }
    int partition, k;
    long long offset;
    assert_int_equal(sscanf(data, "%d:%d:%lld", &partition, &k, &offset), 3);
    assert_true(offset >= before[partition]); /* nothing twice, nothing out of order */
    assert_int_equal(p->next[partition], offset + 1);
    p->table[partition][k] = offset + 1;
}

static void page_read(struct page *p, size_t limit)
{
    struct output out = {0};
    size_t had = p->client.bytes.n;

    if (limit == SIZE_MAX) {
        out = receive(&p->client);
    } else {
        ssize_t n = recv(p->client.fd, buf_reserve(&p->client.bytes, limit), limit, MSG_DONTWAIT);
        p->client.bytes.n = had + (n > 0 ? (size_t)n : 0);
        output_read(&out, buf_slice(&p->client.bytes));
        memmove(p->client.bytes.p, p->client.bytes.p + p->client.bytes.n - out.rest, out.rest);
        p->client.bytes.n = out.rest;
        if (out.text.n >= 5 && memcmp(out.text.p, "head\n", 5) == 0)
            memcpy(out.text.p, ":\n\n\n\n", 5);
    }
    assert_false(p->client.closed);
    buf_add_slice(&p->text, buf_slice(&out.text));
    output_fini(&out);
    size_t at = 0;
    uint8_t *end;
    while ((end = p->text.n > at ? memmem(p->text.p + at, p->text.n - at, "\n\n", 2) : NULL)) {
        *end = 0;
        page_take_event(p, (char *)p->text.p + at);
        at = (size_t)(end - p->text.p) + 2;
    }
    if (at > 0)
        memmove(p->text.p, p->text.p + at, p->text.n - at);
    p->text.n -= at;
}

static void page_hold(struct page *p, bool held)
{
    if (held)
        page_read(p, SIZE_MAX); /* but for what is sent while it reads */
    p->held = held;
    fanout_hold(p->client.stream, held);
    page_read(p, SIZE_MAX);
    p->events = 0;
}

static void page_connect(struct page *p)
{
    p->held = false;
    p->client = open_unsettled((uint16_t)(1 + (p - pages) % 2), p->id[0] ? p->id : NULL);
    if (!p->id[0])
        page_reset(p);
    p->connected = true;
}

static void page_disconnect(struct page *p)
{
    leave(&p->client);
    buf_fini(&p->text);
    p->client = (struct client){0};
    p->connected = false;
}

/* What other responders have read already of a partition that is away here. */
enum { PENDING = 40 };
static struct pending {
    struct {
        int key;
        bool deletes;
    } records[PENDING];
    size_t n;
} pending[FAKE_PARTITIONS];

static void pending_add(struct pending *q, uint64_t *seed)
{
    if (q->n == PENDING)
        return;
    q->records[q->n].key = (int)random_below(seed, KEYS);
    q->records[q->n++].deletes = random_below(seed, 5) == 0;
}

static void random_record_of(int32_t partition, uint64_t *seed)
{
    struct pending *q = &pending[partition];
    int64_t offset = consumer.p[partition].next;

    if (q->n == 0)
        pending_add(q, seed);
    int k = q->records[0].key;
    bool deletes = q->records[0].deletes;
    memmove(q->records, q->records + 1, --q->n * sizeof *q->records);
    char key[3] = {(char)('0' + partition), (char)('a' + k), 0};
    char value[BIG + 1];

    if (deletes) {
        truth[partition][k] = 0;
        produce(partition, key, NULL);
    } else {
        int n = snprintf(value, sizeof value, "%d:%d:%lld", partition, k, (long long)offset);
        size_t pad = random_below(seed, 4) ? 0 : random_below(seed, BIG - 50);
        memset(value + n, ' ', pad);
        value[(size_t)n + pad] = 0;
        truth[partition][k] = offset + 1;
        produce(partition, key, value);
    }
}

static void random_record(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);

    if (consumer.ready && !consumer.p[partition].given_up)
        random_record_of(partition, seed);
}

/* A partition goes, or comes back with some records that are to be read first. */
static void random_outage(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);

    if (consumer.p[partition].given_up)
        come_back(partition, consumer.p[partition].next + (int64_t)pending[partition].n +
                                 random_below(seed, 20));
    else
        give_up(partition);
}

static void end_outages(uint64_t *seed)
{
    for (int32_t i = 0; i < 3; i++) {
        if (consumer.p[i].given_up)
            come_back(i, consumer.p[i].next + (int64_t)pending[i].n);
        while (consumer.p[i].next < consumer.p[i].end)
            random_record_of(i, seed);
    }
    settle();
}

/* A page that has all that we have of a partition that is away goes to another responder, which
 * has more of it, and comes back with that id. */
static void random_visit_elsewhere(uint64_t *seed)
{
    struct page *p = &pages[random_below(seed, CLIENTS)];
    int32_t partition = (int32_t)random_below(seed, 3);
    struct pending *q = &pending[partition];
    int64_t *next = &p->next[partition];
    struct buf id = {0};

    if (p->connected || !p->id[0] || !consumer.p[partition].given_up ||
        *next != consumer.p[partition].next)
        return;
    for (uint32_t n = random_below(seed, 10); n > 0; n--)
        pending_add(q, seed);
    for (size_t i = 0; i < q->n; i++)
        p->table[partition][q->records[i].key] = q->records[i].deletes ? 0 : *next + (int64_t)i + 1;
    *next += (int64_t)q->n;
    const struct progress at = {3, p->next};
    progress_add(&id, &at);
    snprintf(p->id, sizeof p->id, "%.*s", (int)id.n, (const char *)id.p);
    buf_fini(&id);
}

/* The broker drops the oldest records of a partition. */
static void random_age(uint64_t *seed)
{
    int32_t partition = (int32_t)random_below(seed, 3);
    int64_t origin = consumer.p[partition].next - random_below(seed, 30);

    if (!consumer.ready || consumer.p[partition].given_up)
        return;
    topic.on_origin(topic.arg, partition, origin);
    for (int k = 0; k < KEYS; k++)
        if (truth[partition][k] <= origin)
            truth[partition][k] = 0;
}

/* The topic is deleted, or made again; ids that are not open meanwhile are dropped. */
static void random_made_again(void)
{
    if (consumer.ready) {
        consumer.ready = false;
        return;
    }
    memset(truth, 0, sizeof truth);
    memset(pending, 0, sizeof pending);
    for (int i = 0; i < CLIENTS; i++)
        if (!pages[i].connected)
            pages[i].id[0] = 0;
    make_topic(compacted, 3);
}

static void random_survey(void)
{
    consumer.answered = consumer.asked;
    if (consumer.ready)
        topic.on_survey(topic.arg, consumer.asked);
}

static void random_event(uint64_t *seed)
{
    if (story.outages && random_below(seed, 20) == 0)
        random_outage(seed);
    if (story.outages && random_below(seed, 3) == 0)
        random_visit_elsewhere(seed);
    if (story.ages && random_below(seed, 10) == 0)
        random_age(seed);
    if (story.made_again && random_below(seed, consumer.ready ? 150 : 10) == 0)
        random_made_again();
    if (random_below(seed, 3) == 0)
        random_survey();
}

static void random_page_step(uint64_t *seed)
{
    struct page *p = &pages[random_below(seed, CLIENTS)];

    if (!p->connected)
        page_connect(p);
    else if (random_below(seed, 30) == 0)
        page_disconnect(p);
    else if (random_below(seed, 10) == 0)
        page_hold(p, !p->held);
    else if (random_below(seed, 3) == 0)
        page_read(p, SIZE_MAX);
    else
        page_read(p, 1 + random_below(seed, 3000));
}

static void run_story(struct story happens, uint64_t seed)
{
    story = happens;
    compacted = story.topic;
    /* Where every record goes to every page, there is more to do. */
    const int steps = compacted ? STEPS : STEPS / 2;

    teardown(NULL);
    start_with(EVENT_ID_PROGRESS, story.cache_bytes ? story.cache_bytes : 1 << 30);
    memset(truth, 0, sizeof truth);
    memset(pages, 0, sizeof pages);
    memset(pending, 0, sizeof pending);
    make_topic(compacted, 3);
    for (int step = 0; step < steps; step++) {
        /* Bursts are larger than sockets take, some than the backlog holds. */
        uint32_t burst = random_below(&seed, 400) == 0 ? 15000 : random_below(&seed, 8);
        for (uint32_t i = 0; i < burst; i++) {
            random_record(&seed);
            if (i % 100 == 99)
                fake_loop_turn();
        }
        random_event(&seed);
        if (random_below(&seed, 2)) /* in the turn of what came before, and of what comes */
            random_page_step(&seed);
        random_record(&seed);
        topic.on_settled(topic.arg);
        fake_loop_turn();
        random_page_step(&seed);
        fake_loop_pass(random_below(&seed, 5) + (random_below(&seed, 200) ? 0 : story.quiet_ms));
        for (int i = 0; i < CLIENTS; i++)
            assert_true(!pages[i].held || pages[i].events == 0);
    }
    if (!consumer.ready)
        random_made_again();
    end_outages(&seed);
    for (int i = 0; i < CLIENTS; i++) {
        struct page *p = &pages[i];
        if (!p->connected)
            page_connect(p);
        page_hold(p, false);
        survey();
        fake_loop_pass(FLUSH_MS);
        page_read(p, SIZE_MAX);
        if (story.cache_bytes == 0)
            assert_memory_equal(p->table, truth, sizeof truth);
        page_disconnect(p);
    }
}

static void pages_that_come_and_go_know_the_truth_in_the_end(void **state)
{
    (void)state;
    run_story((struct story){.topic = true}, 41);
    run_story((struct story){.topic = true}, 42);
}

static void also_where_deletes_are_forgotten(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .quiet_ms = RETENTION_MS / 2}, 43);
}

static void also_where_the_topic_is_not_compacted(void **state)
{
    (void)state;
    run_story((struct story){0}, 44);
}

static void also_where_partitions_go_and_come_back(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .outages = true}, 45);
    run_story((struct story){.topic = true, .outages = true}, 46);
    run_story((struct story){.topic = true, .outages = true, .quiet_ms = RETENTION_MS / 2}, 47);
    run_story((struct story){.outages = true}, 48);
}

static void also_where_keys_age(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .ages = true}, 49);
    run_story((struct story){.topic = true, .ages = true, .quiet_ms = RETENTION_MS / 2}, 50);
    run_story((struct story){.topic = true, .ages = true, .outages = true}, 51);
}

static void also_where_the_topic_is_made_again(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .made_again = true}, 52);
    run_story((struct story){.topic = true, .made_again = true, .ages = true, .outages = true}, 53);
    run_story((struct story){.made_again = true, .outages = true}, 54);
}

/* There it is enough that nothing comes twice and no id goes back. */
static void where_the_cache_is_too_small_nothing_comes_twice(void **state)
{
    (void)state;
    run_story((struct story){.topic = true, .cache_bytes = 20000, .outages = true}, 55);
    run_story((struct story){.cache_bytes = 100000, .outages = true}, 56);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_head_goes_out_before_kafka_has_answered),
        T(a_stream_gets_the_topic_and_then_what_comes),
        T(a_stream_waits_for_the_end_of_the_topic_as_it_was_when_it_came),
        T(what_is_superseded_before_the_end_is_reached_is_not_shown),
        T(the_end_may_be_reached_without_a_record),
        T(a_stream_that_comes_while_others_wait_has_an_end_of_its_own),
        T(a_partition_holds_the_others_back_until_it_is_given_up),
        T(what_is_superseded_before_a_late_end_is_reached_is_not_shown),
        T(a_partition_that_comes_back_is_shown_as_a_replay_does),
        T(who_knew_it_before_is_told_of_its_deletes),
        T(who_never_had_it_is_not_told_of_its_delete),
        T(one_that_comes_back_without_a_record_takes_no_id_back),
        T(one_that_goes_again_before_its_end_stays_hidden),
        T(who_comes_while_it_is_read_waits_for_its_end),
        T(a_partition_that_comes_back_with_a_hole_is_a_reset),
        T(a_partition_that_comes_back_with_a_gap_is_one),
        T(a_gap_is_told_whole_while_another_partition_is_away),
        T(nobody_is_started_before_the_topic_is_known),
        T(a_topic_whose_deletes_may_have_been_missed_is_read_anew),
        T(so_is_one_that_now_ends_with_a_hole),
        T(who_waits_meanwhile_keeps_the_place),
        T(who_was_at_the_end_a_moment_ago_has_missed_nothing),
        T(the_first_event_after_a_quiet_time_goes_at_once),
        T(the_next_one_waits_for_the_flush_interval),
        T(every_one_of_many_streams_gets_each_event),
        T(by_itself_the_interval_grows_with_the_streams),
        T(a_request_with_another_id_gets_the_same_with_its_id),
        T(ids_have_the_form_that_is_configured),
        T(streams_that_come_in_one_turn_are_looked_at_together),
        T(comments_for_many_take_several_turns),
        T(a_silent_stream_gets_a_comment),
        T(streams_that_begin_together_take_turns),
        T(a_stream_that_waits_for_kafka_gets_comments_too),
        T(an_event_puts_the_comment_off),
        T(each_stream_has_its_own_silence),
        T(a_front_that_closes_ends_its_stream),
        T(an_abort_is_answered_with_the_end),
        T(all_streams_end_with_the_fan_out),
        T(who_resumes_gets_the_rest_with_its_deletes),
        T(a_malformed_id_is_reset_and_everything_follows),
        T(an_id_that_is_merely_ahead_of_us_waits),
        T(an_id_beyond_the_end_is_reset_after_a_look_at_the_cluster),
        T(an_id_of_a_partition_that_the_topic_lacks_is_reset),
        T(partitions_that_an_id_omits_start_at_their_beginning),
        T(an_id_below_a_forgotten_delete_is_reset),
        T(who_resumes_ahead_of_a_partition_without_a_leader_gets_nothing_twice),
        T(what_comes_before_a_stream_ahead_is_first_sent_comes_once),
        T(a_partition_that_returns_before_a_stream_ahead_is_first_sent_repeats_nothing),
        T(a_stream_ahead_of_a_partition_that_returns_shorter_is_reset),
        T(who_resumes_with_an_early_id_is_told_of_the_gap),
        T(a_key_that_the_broker_has_dropped_by_age_is_deleted_on_open_streams),
        T(in_the_keyed_form_too),
        T(many_keys_age_in_many_turns_and_reach_everybody),
        T(every_open_stream_is_reset_when_the_topic_was_made_again),
        T(a_stream_that_still_waited_is_not_reset),
        T(those_that_wait_with_an_id_of_the_topic_that_was_are_reset),
        T(who_waits_for_the_topic_that_is_first_known_is_not_reset),
        T(a_client_that_does_not_read_delays_nobody_and_goes_on_later),
        T(who_falls_far_behind_gets_the_newest_of_each_key),
        T(who_falls_far_behind_in_another_topic_gets_every_record),
        T(who_sleeps_through_a_forgotten_delete_is_reset),
        T(a_blocked_stream_gets_no_comment),
        T(the_consumer_is_held_while_more_waits_than_streams_can_be_sent),
        T(without_streams_the_consumer_is_not_held),
        T(one_that_is_up_to_date_and_held_gets_nothing_new),
        T(holding_twice_is_holding_once),
        T(one_that_waits_for_the_topic_and_is_held_starts_when_it_is_let_go),
        T(one_that_is_let_go_before_it_starts_just_starts),
        T(one_that_is_ahead_of_us_and_held_goes_on_when_it_is_let_go),
        T(one_that_is_held_amid_its_replay_goes_on_without_loss),
        T(one_that_is_held_between_two_turns_of_its_replay_stops_there),
        T(one_that_is_held_amid_an_event_gets_the_rest_of_it),
        T(one_that_is_let_go_while_its_socket_is_full_goes_on_later),
        T(the_backlog_may_move_on_while_a_stream_is_held),
        T(the_backlog_may_move_on_while_half_an_event_is_held),
        T(the_topic_may_be_made_again_while_a_stream_is_held),
        T(what_cannot_be_resumed_is_told_when_it_is_let_go),
        T(deletes_may_be_forgotten_while_a_stream_is_held),
        T(one_that_is_held_ahead_of_a_partition_gets_nothing_twice),
        T(one_that_is_slow_ahead_of_a_partition_gets_nothing_twice),
        T(one_that_is_held_is_reset_when_it_is_let_go),
        T(one_that_is_held_may_leave_or_be_ended),
        T(what_is_said_comes_after_the_event_that_is_under_way),
        T(one_that_is_finished_says_goodbye_and_ends),
        T(one_that_is_finished_amid_an_event_gets_the_rest_of_it_and_no_more),
        T(one_that_does_not_read_the_rest_is_cut_off_after_two_seconds),
        T(those_that_were_told_to_finish_do_not_stay),
        T(openings_and_ends_are_counted),
        T(records_and_the_cache_are_counted),
        T(a_compacted_topic_that_does_not_fit_in_is_told),
        T(conflations_are_counted),
        T(each_event_that_is_sent_is_counted_once),
        T(gaps_and_resets_are_counted),
        T(it_is_caught_up_when_all_was_read_that_was_there_first),
        T(a_topic_made_again_is_to_be_caught_up_with_anew),
        T(pages_that_come_and_go_know_the_truth_in_the_end),
        T(also_where_deletes_are_forgotten),
        T(also_where_the_topic_is_not_compacted),
        T(also_where_partitions_go_and_come_back),
        T(also_where_keys_age),
        T(also_where_the_topic_is_made_again),
        T(where_the_cache_is_too_small_nothing_comes_twice),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

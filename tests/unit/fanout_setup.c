#include "fanout_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct consumer consumer;

/* -- the topic -- */

struct loop *loop;
struct fanout *fanout;
struct consumer_handler topic;

int64_t flush_ms = FLUSH_MS;

void start_with(enum event_id form, size_t cache_bytes)
{
    const struct fanout_config config = {.event_id = form,
                                         .envelope = {"t", NULL, 0},
                                         .keepalive_ms = KEEPALIVE_MS,
                                         .flush_ms = flush_ms,
                                         .cache_bytes = cache_bytes};

    memset(&consumer, 0, sizeof consumer);
    loop = loop_new();
    fanout = fanout_new(loop, &config);
    topic = fanout_handler(fanout);
    fanout_attach(fanout, &consumer);
}

int setup(void **state)
{
    (void)state;
    start_with(EVENT_ID_PROGRESS, 1 << 30);
    return 0;
}

int teardown(void **state)
{
    (void)state;
    fanout_free(fanout);
    loop_free(loop);
    return 0;
}

void settle(void)
{
    topic.on_settled(topic.arg);
    fake_loop_settle();
}

void make_topic(bool compacted, int32_t partitions)
{
    memset(consumer.p, 0, sizeof consumer.p);
    consumer.ready = true;
    topic.on_topic(topic.arg, compacted, RETENTION_MS);
    topic.on_partitions(topic.arg, partitions);
    for (int32_t i = 0; i < partitions; i++)
        topic.on_origin(topic.arg, i, 0);
    settle();
}

void produce(int32_t partition, const char *key, const char *value)
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

void produce_live(int32_t partition, const char *key, const char *value)
{
    produce(partition, key, value);
    settle();
    fake_loop_pass(FLUSH_MS);
}

void give_up(int32_t partition)
{
    consumer.p[partition].given_up = true;
    consumer.p[partition].end = consumer.p[partition].surveyed_end = -1;
    topic.on_given_up(topic.arg, partition);
}

void come_back(int32_t partition, int64_t end)
{
    consumer.p[partition].given_up = false;
    consumer.p[partition].end = consumer.p[partition].surveyed_end = end;
}

void survey(void)
{
    consumer.answered = consumer.asked;
    topic.on_survey(topic.arg, consumer.asked);
    settle();
}

/* -- clients -- */

struct client open_unsettled_as(uint16_t id, const struct opening *how)
{
    struct opening opening = *how;
    struct buf head = {0};
    int fds[2];
    size_t mark = fcgi_stdout_begin(&head);

    buf_add_str(&head, "head\n");
    fcgi_stdout_end(&head, mark, 1);
    small_socketpair(fds);
    opening.head = buf_slice(&head);
    struct stream *s = fanout_open(fanout, fds[0], id, &opening);
    buf_fini(&head);
    return (struct client){.fd = fds[1], .stream = s};
}

struct client open_as(const struct opening *how)
{
    struct client c = open_unsettled_as(1, how);

    fake_loop_settle();
    return c;
}

struct client open_unsettled(uint16_t id, const char *last_event_id)
{
    return open_unsettled_as(id, &(struct opening){.last_event_id = slice_str(last_event_id)});
}

struct client open_keys(uint16_t id, const char *last_event_id, const char *keys)
{
    struct selection *selection = select_keys(keys);
    const struct opening how = {.last_event_id = slice_str(last_event_id), .selection = selection};
    struct client c = open_unsettled_as(id, &how);

    selection_unref(selection);
    fake_loop_settle();
    return c;
}

struct client open_with(uint16_t id, const char *last_event_id)
{
    struct client c = open_unsettled(id, last_event_id);

    fake_loop_settle();
    return c;
}

struct client open_client(const char *last_event_id)
{
    return open_with(1, last_event_id);
}

void leave(struct client *c)
{
    close(c->fd);
    buf_fini(&c->bytes);
    fake_loop_settle();
}

struct output receive(struct client *c)
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

void check_text(struct client *c, const char *expected)
{
    struct output out = receive(c);

    assert_int_equal(out.rest, 0);
    assert_text(buf_slice(&out.text), expected);
    output_fini(&out);
}

void check_data(struct client *c, const char *expected)
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

size_t count_events(struct client *c)
{
    struct output out = receive(c);
    size_t n = 0;

    assert_int_equal(out.rest, 0);
    for (size_t i = 0; i + 1 < out.text.n; i++)
        n += out.text.p[i] == '\n' && out.text.p[i + 1] == '\n';
    output_fini(&out);
    return n;
}

void produce_kilobytes(int n, int keys)
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

void hold(struct client *c)
{
    stream_hold(c->stream, true);
    fake_loop_settle();
}

void let_go(struct client *c)
{
    stream_hold(c->stream, false);
    fake_loop_settle();
}

void say(struct client *c, const char *text)
{
    struct buf records = {0};
    size_t mark = fcgi_stdout_begin(&records);

    buf_add_str(&records, text);
    fcgi_stdout_end(&records, mark, 1);
    stream_say(c->stream, buf_slice(&records));
    buf_fini(&records);
}

/* scenario - one kind of work of the product, done N times, without Kafka, front or network:
 * tests/bench/instructions counts what it costs.
 *
 *   deliver N   a record to 1000 streams
 *   record N    a record to one stream
 *   keyed N     a record to 1000 streams that select its key
 *   unwanted N  a record that none of 200 streams has selected, each of a key of its own
 *   many N      likewise, of 18000 streams
 *   load N      a record of a new key into the cache, with nobody there
 *   limit N     a record into a cache that is full, of a topic that is not compacted
 *   age N       a record of a hundred partitions, and what the broker drops of each meanwhile
 *   fresh N     a stream that opens and gets the one key of the topic
 *   resume N    a stream that opens and has all 5000 keys already */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fcgi_record.h"
#include "base/loop.h"
#include "fake_consumer.h"
#include "select/selection.h"
#include "stream/fanout.h"
#include "tool.h"

enum {
    MANY = 1000,
    FEW = 200,
    CROWD = 18000,
    KEYS = 5000,
    VALUE_BYTES = 200,
    OPENED_TOGETHER = 100,
    PARTITIONS = 100,
    DROPPED_TOGETHER = 10, /* of a partition */
    KEPT = 1000,           /* likewise */
    FULL = 16 << 20,
};

struct scenario {
    const char *name;
    int streams; /* that are there */
    int keys;    /* of the topic at the beginning */
    int64_t per_step;
    void (*step)(void);
    int turns; /* of the loop, for what a step leaves to be done */
    bool compacted;
    int32_t partitions;
    size_t cache_bytes;
    enum { EVERYTHING, THE_KEY, OWN_KEY } selects;
};

static const struct scenario *scenario;
static struct loop *loop;
static struct consumer consumer;
static struct fanout *fanout;
static struct consumer_handler topic;
static struct task drive;
static int64_t steps_left;
static int turns_left;
static struct buf last_id;

/* Every socket takes everything. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    size_t n = 0;

    (void)fd;
    (void)flags;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        n += m->msg_iov[i].iov_len;
    return (ssize_t)n;
}

/* -- steps -- */

static void produce_to(int32_t partition, int64_t key)
{
    static char value[VALUE_BYTES];
    char name[32];
    int64_t offset = consumer.p[partition].next++;
    int n = snprintf(name, sizeof name, "key-%lld", (long long)key);
    const struct record r = {
        .partition = partition,
        .offset = offset,
        .key = slice_of(name, (size_t)n),
        .value = slice_of(value, sizeof value),
    };

    memset(value, 'x', sizeof value);
    consumer.p[partition].end = consumer.p[partition].surveyed_end = offset + 1;
    topic.on_record(topic.arg, &r);
}

static void produce(int64_t key)
{
    produce_to(0, key);
}

static void produce_known(void)
{
    produce(0);
    topic.on_settled(topic.arg);
}

static void produce_new(void)
{
    produce(consumer.p[0].next);
    topic.on_settled(topic.arg);
}

/* A run of the broker's retention: all log starts move at once. */
static void produce_and_age(void)
{
    for (int i = 0; i < DROPPED_TOGETHER; i++)
        for (int32_t p = 0; p < PARTITIONS; p++)
            produce_to(p, consumer.p[p].next);
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (consumer.p[p].next > KEPT)
            topic.on_origin(topic.arg, p, consumer.p[p].next - KEPT);
    topic.on_settled(topic.arg);
}

/* Of the topic's first key, or of one that only this stream has. */
static struct selection *make_selection(int stream)
{
    struct values keys = {0};
    char name[32];

    if (scenario->selects == EVERYTHING)
        return NULL;
    int n = snprintf(name, sizeof name, scenario->selects == OWN_KEY ? "own-%d" : "key-0", stream);
    values_add(&keys, slice_of(name, (size_t)n));
    struct selection *s = selection_new(&keys);
    values_fini(&keys);
    return s;
}

static struct stream *open_stream(struct slice id)
{
    static int opened;
    struct selection *selection = make_selection(opened++);
    struct buf head = {0};
    size_t mark = fcgi_stdout_begin(&head);

    buf_add_str(&head, "Status: 200 OK\r\n\r\n");
    fcgi_stdout_end(&head, mark, 1);
    struct stream *s = fanout_open(
        fanout, eventfd(0, EFD_NONBLOCK), 1,
        &(struct opening){.head = buf_slice(&head), .last_event_id = id, .selection = selection});
    selection_unref(selection);
    buf_fini(&head);
    return s;
}

static void end_all(void)
{
    struct stream *s;

    while ((s = fanout_first(fanout)) != NULL)
        stream_finish(s, STREAM_END_AGE);
}

static void open_fresh(void)
{
    end_all();
    for (int i = 0; i < OPENED_TOGETHER; i++)
        open_stream(slice_of(NULL, 0));
}

static void open_resumed(void)
{
    end_all();
    for (int i = 0; i < OPENED_TOGETHER; i++)
        open_stream(buf_slice(&last_id));
}

static const struct scenario scenarios[] = {
    {"deliver", MANY, 1, 1, produce_known, 8, true, 1, 1 << 30, EVERYTHING},
    {"record", 1, 1, 1, produce_known, 1, true, 1, 1 << 30, EVERYTHING},
    {"keyed", MANY, 1, 1, produce_known, 8, true, 1, 1 << 30, THE_KEY},
    {"unwanted", FEW, 1, 1, produce_known, 1, true, 1, 1 << 30, OWN_KEY},
    {"many", CROWD, 1, 1, produce_known, 1, true, 1, 1 << 30, OWN_KEY},
    {"load", 0, 1, 1, produce_new, 0, true, 1, 1 << 30, EVERYTHING},
    {"limit", 0, 2 * FULL / VALUE_BYTES, 1, produce_new, 0, false, 1, FULL, EVERYTHING},
    {"age", 0, 0, DROPPED_TOGETHER *PARTITIONS, produce_and_age, 2, true, PARTITIONS, 1 << 30,
     EVERYTHING},
    {"fresh", 0, 1, OPENED_TOGETHER, open_fresh, 16, true, 1, 1 << 30, EVERYTHING},
    {"resume", 0, KEYS, OPENED_TOGETHER, open_resumed, 16, true, 1, 1 << 30, EVERYTHING},
};

/* -- */

static void run(void *arg)
{
    (void)arg;
    if (turns_left-- <= 0) {
        if (steps_left-- == 0) {
            loop_stop(loop);
            return;
        }
        scenario->step();
        turns_left = scenario->turns;
    }
    loop_defer(loop, &drive);
}

static void make_topic(void)
{
    consumer.ready = true;
    topic.on_topic(topic.arg, scenario->compacted, 60000);
    topic.on_partitions(topic.arg, scenario->partitions);
    for (int32_t p = 0; p < scenario->partitions; p++)
        topic.on_origin(topic.arg, p, 0);
    for (int i = 0; i < scenario->keys; i++)
        produce(i);
    topic.on_settled(topic.arg);
    int64_t next = consumer.p[0].next;
    const struct progress end = {.n = 1, .next = &next};
    progress_add(&last_id, &end);
}

static void raise_descriptors(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0)
            scenario = &scenarios[i];
    if (scenario == NULL)
        die("usage: scenario deliver|record|keyed|unwanted|many|load|limit|age|fresh|resume N");
    raise_descriptors();
    steps_left = number("N", argv[2], 0, INT64_MAX) / scenario->per_step;
    loop = loop_new();
    const struct fanout_config config = {.keepalive_ms = 3600000,
                                         .cache_bytes = scenario->cache_bytes};
    fanout = fanout_new(loop, &config);
    topic = fanout_handler(fanout);
    fanout_attach(fanout, &consumer);
    make_topic();
    for (int i = 0; i < scenario->streams; i++)
        open_stream(slice_of(NULL, 0));
    drive = (struct task){.run = run};
    turns_left = scenario->streams;
    loop_defer(loop, &drive);
    loop_run(loop);
    fanout_free(fanout);
    loop_free(loop);
    buf_fini(&last_id);
}

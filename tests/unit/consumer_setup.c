#include "consumer_setup.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/headers.h"
#include "base/log.h"
#include "kafka/conf.h"
#include "kafka/question.h"

enum { PATIENCE_S = 60 };

struct mock_kafka kafka;
struct loop *loop;
struct cluster *cluster;
struct consumer *consumer;

/* The machine was suspended for an hour. */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int done = __real_clock_gettime(clock, t);

    t->tv_sec += clock == CLOCK_BOOTTIME ? 3600 : 0;
    return done;
}

/* What the cluster says instead, once there is something here. */
rd_kafka_resp_err_t settings_error;
struct settings settings;

rd_kafka_resp_err_t __real_settings_read(rd_kafka_event_t *answer, struct settings *out);
rd_kafka_resp_err_t __wrap_settings_read(rd_kafka_event_t *answer, struct settings *out);
rd_kafka_resp_err_t __wrap_settings_read(rd_kafka_event_t *answer, struct settings *out)
{
    if (settings_error == RD_KAFKA_RESP_ERR_NO_ERROR && settings.delete_retention_ms == 0)
        return __real_settings_read(answer, out);
    if (!settings_error)
        *out = settings;
    return settings_error;
}
/* Nothing is taken before so many records can be. */
size_t batch_of;

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                     rd_kafka_message_t **messages, size_t n)
{
    ssize_t (*take)(rd_kafka_queue_t *, int, rd_kafka_message_t **, size_t);

    if (rd_kafka_queue_length(queue) < batch_of)
        return 0;
    *(void **)&take = dlsym(RTLD_NEXT, "rd_kafka_consume_batch_queue");
    return take(queue, timeout_ms, messages, n);
}

/* Consumers' handles that are not destroyed yet: that takes a thread its time, also when the
 * cluster is freed. */
static atomic_int handles;

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t size)
{
    rd_kafka_t *(*make)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);

    *(void **)&make = dlsym(RTLD_NEXT, "rd_kafka_new");
    rd_kafka_t *rk = make(type, conf, error, size);
    handles += rk != NULL && type == RD_KAFKA_CONSUMER;
    return rk;
}

void rd_kafka_destroy(rd_kafka_t *rk)
{
    void (*destroy)(rd_kafka_t *);
    bool counts = rd_kafka_type(rk) == RD_KAFKA_CONSUMER;

    *(void **)&destroy = dlsym(RTLD_NEXT, "rd_kafka_destroy");
    destroy(rk);
    handles -= counts;
}

/* The reader and the asker. */
bool is_alone(void)
{
    return handles == 2;
}

int32_t silent = -1; /* of its leader no answer is expected */

/* What the brokers say besides. */
int64_t all_ends;      /* where each log ends; -1: it is true */
int wrong_answers;     /* so many answers say so; -1: all */
const char *a_cluster; /* NULL: the truth */
struct topic_id an_id; /* not known: the truth */
atomic_int layouts;    /* answers about the topic so far */
atomic_int denials;    /* so many of the next ones say that there is no such topic */
atomic_int hidden;     /* so many of its partitions are not there yet */

void __real_question_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n);
void __wrap_question_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n);
void __wrap_question_extents(rd_kafka_t *rk, int timeout_ms, struct extent *extents, int32_t n)
{
    __real_question_extents(rk, timeout_ms, extents, n);
    if (all_ends < 0 || wrong_answers == 0)
        return;
    wrong_answers -= wrong_answers > 0;
    for (int32_t i = 0; i < n; i++)
        extents[i].end = all_ends;
}

void __real_topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *names,
                         int32_t n, struct topic_id *ids);
void __wrap_topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *names,
                         int32_t n, struct topic_id *ids);
void __wrap_topicid_take(rd_kafka_queue_t *answer, int timeout_ms, const char *const *names,
                         int32_t n, struct topic_id *ids)
{
    __real_topicid_take(answer, timeout_ms, names, n, ids);
    for (int32_t i = 0; i < n && topicid_known(an_id); i++)
        ids[i] = an_id;
}

rd_kafka_resp_err_t __real_question_layout(rd_kafka_t *rk, const char *const *names, int32_t n,
                                           int timeout_ms, struct layout *out);
rd_kafka_resp_err_t __wrap_question_layout(rd_kafka_t *rk, const char *const *names, int32_t n,
                                           int timeout_ms, struct layout *out);
rd_kafka_resp_err_t __wrap_question_layout(rd_kafka_t *rk, const char *const *names, int32_t n,
                                           int timeout_ms, struct layout *out)
{
    rd_kafka_resp_err_t err = __real_question_layout(rk, names, n, timeout_ms, out);

    if (!err && a_cluster != NULL)
        snprintf(out->cluster, sizeof out->cluster, "%s", a_cluster);
    if (!err)
        out->topics[0].n -= hidden;
    if (!err && denials > 0) {
        out->topics[0].error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        out->topics[0].n = 0;
        denials--;
    }
    layouts += !err;
    return err;
}

/* What the handler was told. */
struct buf told; /* topics, partitions and records, a line each */
int64_t origins[8], positions[8], ends_ms[8];
bool given_up[8];
uint64_t answered;
int topics, missing, records;
int64_t record_takes_ms; /* of the loop's time */

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    (void)arg;
    assert_true(delete_retention_ms == 86400000);
    buf_printf(&told, "topic %s\n", compacted ? "compacted" : "not compacted");
    topics++;
    records = 0;
    memset(origins, -1, sizeof origins);
}

static void on_missing(void *arg)
{
    (void)arg;
    missing++;
}

static void on_retention(void *arg, int64_t delete_retention_ms)
{
    (void)arg;
    buf_printf(&told, "retention %lld\n", (long long)delete_retention_ms);
}

static void on_partitions(void *arg, int32_t n)
{
    (void)arg;
    buf_printf(&told, "%d partitions\n", n);
}

static void on_origin(void *arg, int32_t partition, int64_t offset)
{
    (void)arg;
    origins[partition] = offset;
}

static void print(struct slice s)
{
    if (s.p == NULL)
        buf_add_str(&told, " none");
    else
        buf_printf(&told, " '%.*s'", (int)s.n, (const char *)s.p);
}

static void print_headers(struct slice packed)
{
    struct slice value;
    unsigned name;

    while (headers_next(&packed, &name, &value)) {
        buf_printf(&told, " %u:", name);
        print(value);
    }
}

static void on_record(void *arg, const struct record *r)
{
    (void)arg;
    assert_true(r->timestamp_ms > INT64_C(1600000000000));
    assert_true(origins[r->partition] >= 0); /* it is told first */
    buf_printf(&told, "%d@%lld", r->partition, (long long)r->offset);
    print(r->key);
    print(r->value);
    print(r->etag);
    print_headers(r->headers);
    buf_add_byte(&told, '\n');
    records++;
    if (record_takes_ms)
        fake_loop_pass(record_takes_ms);
}

static void on_position(void *arg, int32_t partition, int64_t next)
{
    (void)arg;
    positions[partition] = next;
}

static void on_end(void *arg, int32_t partition, int64_t at_ms)
{
    (void)arg;
    ends_ms[partition] = at_ms;
}

static void on_given_up(void *arg, int32_t partition)
{
    (void)arg;
    given_up[partition] = true;
}

static void on_survey(void *arg, uint64_t asked)
{
    (void)arg;
    answered = asked;
}

static void on_settled(void *arg)
{
    (void)arg;
}

struct consumer_handler handler = {
    .on_topic = on_topic,
    .on_missing = on_missing,
    .on_retention = on_retention,
    .on_partitions = on_partitions,
    .on_origin = on_origin,
    .on_record = on_record,
    .on_position = on_position,
    .on_end = on_end,
    .on_given_up = on_given_up,
    .on_survey = on_survey,
    .on_settled = on_settled,
};

void start_with(const char *brokers, const char *topic, enum compact compact,
                const struct consumer_handler *with)
{
    char error[256];
    struct kafka_conf *conf = kafka_conf_new();

    assert_int_equal(kafka_conf_set(conf, "fetch.wait.max.ms", "10", false), 0);
    cluster = cluster_new(loop, conf, brokers, error, sizeof error);
    kafka_conf_free(conf);
    assert_non_null(cluster);
    consumer = consumer_new(cluster, topic, compact, with);
}

void start(const char *topic, enum compact compact)
{
    start_with(kafka.brokers, topic, compact, &handler);
}

void wait_until(bool (*condition)(void))
{
    time_t until = time(NULL) + PATIENCE_S;

    for (fake_loop_settle(); !condition(); fake_loop_settle()) {
        if (time(NULL) > until)
            fail_msg("it has not come; told so far:\n%.*s", (int)told.n, (const char *)told.p);
        fake_loop_wait();
    }
}

static int wanted;

static bool has_wanted(void)
{
    return records >= wanted;
}

void wait_for_records(int n)
{
    wanted = n;
    wait_until(has_wanted);
}

int group_setup(void **state)
{
    (void)state;
    mock_kafka_start(&kafka);
    return 0;
}

int group_teardown(void **state)
{
    (void)state;
    mock_kafka_stop(&kafka);
    return 0;
}

int setup(void **state)
{
    (void)state;
    loop = loop_new();
    memset(origins, -1, sizeof origins);
    memset(positions, -1, sizeof positions);
    memset(ends_ms, 0, sizeof ends_ms);
    memset(given_up, 0, sizeof given_up);
    answered = 0;
    topics = missing = records = 0;
    record_takes_ms = 0;
    settings_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    settings = (struct settings){0};
    handler.partitions_max = 0;
    all_ends = wrong_answers = -1;
    a_cluster = NULL;
    an_id = (struct topic_id){0};
    denials = hidden = 0;
    return 0;
}

int teardown(void **state)
{
    (void)state;
    rd_kafka_mock_clear_request_errors(kafka.cluster, FETCH);
    rd_kafka_mock_clear_request_errors(kafka.cluster, LIST_OFFSETS);
    silent = -1;
    batch_of = 0;
    consumer_free(consumer);
    cluster_free(cluster);
    consumer = NULL;
    cluster = NULL;
    loop_free(loop);
    buf_fini(&told);
    return 0;
}

/* -- what several tests wait for -- */

uint64_t ticket;

/* Each of n numbers of each of the partitions once, in order. */
void check_numbers(int partitions, int n)
{
    int next[8] = {0}, partition, number;
    long long offset;

    wait_for_records(partitions * n);
    buf_add_byte(&told, 0);
    char *line = strtok((char *)told.p, "\n");
    for (; line != NULL; line = strtok(NULL, "\n")) {
        if (sscanf(line, "%d@%lld 'k' '%d' none", &partition, &offset, &number) != 3)
            continue;
        assert_int_equal(offset, next[partition]);
        assert_int_equal(number, next[partition]++);
    }
    for (int i = 0; i < partitions; i++)
        assert_int_equal(next[i], n);
}

bool is_told_twice(void)
{
    return topics == 2 && records == wanted;
}

bool ready(void)
{
    return consumer_ready(consumer);
}

bool is_surveyed(void)
{
    return consumer_surveyed_end(consumer, 0, ticket) >= 0;
}

void start_with_ten(const char *topic)
{
    mock_kafka_create(&kafka, topic, 1);
    mock_kafka_produce_numbers(&kafka, topic, 0, 10);
    start(topic, COMPACT_ON);
    check_numbers(1, 10);
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket), 10);
}

bool is_answered(void)
{
    for (int32_t i = 0; i < consumer_stats(consumer).partitions; i++)
        if (i != silent && consumer_surveyed_end(consumer, i, ticket) < 0)
            return false;
    return answered >= ticket;
}

bool all_100_one_by_one(void)
{
    int before;

    do {
        before = records;
        consumer_hold(consumer, false);
        fake_loop_turn();
        assert_true(records <= before + 1);
    } while (records > before);
    return records == 100;
}

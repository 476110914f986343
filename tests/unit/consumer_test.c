#include "kafka/consumer.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "fake_loop.h"
#include "kafka/cluster.h"
#include "kafka/conf.h"
#include "kafka/question.h"
#include "kafka/topicid.h"
#include "mock_kafka.h"
#include "support.h"

enum { PATIENCE_S = 60, FETCH = 1, LIST_OFFSETS = 2 /* API keys */ };

static struct mock_kafka kafka;
static struct loop *loop;
static struct cluster *cluster;
static struct consumer *consumer;

/* What the cluster says instead, once there is something here. */
static rd_kafka_resp_err_t settings_error;
static struct settings settings;

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
static size_t batch_of;

ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                     rd_kafka_message_t **messages, size_t n)
{
    ssize_t (*take)(rd_kafka_queue_t *, int, rd_kafka_message_t **, size_t);

    if (rd_kafka_queue_length(queue) < batch_of)
        return 0;
    *(void **)&take = dlsym(RTLD_NEXT, "rd_kafka_consume_batch_queue");
    return take(queue, timeout_ms, messages, n);
}

static int32_t silent = -1; /* of its leader no answer is expected */

/* What the brokers say besides. */
static int64_t all_ends;      /* where each log ends; -1: it is true */
static int wrong_answers;     /* so many answers say so; -1: all */
static const char *a_cluster; /* NULL: the truth */
static struct topic_id an_id; /* not known: the truth */

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
    return err;
}

/* What the handler was told. */
static struct buf told; /* topics, partitions and records, a line each */
static int64_t origins[8], positions[8], ends_ms[8];
static bool given_up[8];
static uint64_t answered;
static int topics, missing, records;
static int64_t record_takes_ms; /* of the loop's time */

static void on_topic(void *arg, bool compacted, int64_t delete_retention_ms)
{
    (void)arg;
    assert_true(delete_retention_ms == 86400000);
    buf_printf(&told, "topic %s\n", compacted ? "compacted" : "not compacted");
    topics++;
    records = 0;
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

static void on_record(void *arg, const struct record *r)
{
    (void)arg;
    assert_true(r->timestamp_ms > INT64_C(1600000000000));
    buf_printf(&told, "%d@%lld", r->partition, (long long)r->offset);
    print(r->key);
    print(r->value);
    print(r->etag);
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

static void on_survey(void *arg, uint64_t ticket)
{
    (void)arg;
    answered = ticket;
}

static void on_settled(void *arg)
{
    (void)arg;
}

static struct consumer_handler handler = {
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

static void start_with(const char *brokers, const char *topic, enum compact compact,
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

static void start(const char *topic, enum compact compact)
{
    start_with(kafka.brokers, topic, compact, &handler);
}

static void wait_until(bool (*condition)(void))
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

static void wait_for_records(int n)
{
    wanted = n;
    wait_until(has_wanted);
}

static int group_setup(void **state)
{
    (void)state;
    mock_kafka_start(&kafka);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mock_kafka_stop(&kafka);
    return 0;
}

static int setup(void **state)
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
    return 0;
}

static int teardown(void **state)
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

/* -- records -- */

static void records_come_in_with_all_they_have(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "shapes", 1);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), BYTES("v"), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), slice_of(NULL, 0), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, slice_of(NULL, 0), BYTES("v"), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES(""), BYTES(""), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, slice_of(NULL, 0), slice_of(NULL, 0), NULL);
    mock_kafka_produce(&kafka, "shapes", 0, BYTES("k"), BYTES("v"), "e");
    start("shapes", COMPACT_ON);
    wait_for_records(6);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n"
                                  "0@0 'k' 'v' none\n"
                                  "0@1 'k' none none\n"
                                  "0@2 none 'v' none\n"
                                  "0@3 '' '' none\n"
                                  "0@4 none none none\n"
                                  "0@5 'k' 'v' 'e'\n");
}

/* Each of n numbers of each of the partitions once, in order. */
static void check_numbers(int partitions, int n)
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

static void every_record_of_every_partition_comes_once_and_in_order(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "many", 3);
    for (int32_t i = 0; i < 3; i++)
        mock_kafka_produce_numbers(&kafka, "many", i, 3000);
    start("many", COMPACT_OFF);
    check_numbers(3, 3000);
}

/* What has gathered while it was held comes in one go, though librdkafka wakes for its first
 * record only and a turn ends after one batch. */
static void a_turn_that_takes_long_is_ended_and_goes_on_unwoken(void **state)
{
    enum { N = 30000, BATCH = 1000 };
    int at_once = 0;

    (void)state;
    mock_kafka_create(&kafka, "long", 1);
    mock_kafka_produce_numbers(&kafka, "long", 0, N);
    start("long", COMPACT_OFF);
    record_takes_ms = 1;
    while (at_once <= 3 * BATCH && records < N) {
        int before = records;
        consumer_hold(consumer, true);
        for (int i = 0; i < 3; i++) {
            fake_loop_wait();
            fake_loop_turn();
        }
        consumer_hold(consumer, false);
        fake_loop_settle();
        at_once = records - before;
    }
    assert_true(at_once > 3 * BATCH);
    check_numbers(1, N);
}

static void what_is_produced_later_comes_too(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "live", 1);
    start("live", COMPACT_ON);
    for (int i = 1; i <= 3; i++) {
        mock_kafka_produce(&kafka, "live", 0, BYTES("k"), BYTES("v"), NULL);
        wait_for_records(i);
    }
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' 'v' none\n"
                                  "0@1 'k' 'v' none\n0@2 'k' 'v' none\n");
}

static bool at_position_5(void)
{
    return positions[0] == 5;
}

static void the_end_of_a_partition_is_told(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "end", 1);
    mock_kafka_produce_numbers(&kafka, "end", 0, 5);
    start("end", COMPACT_ON);
    wait_until(at_position_5);
    assert_int_equal(records, 5);
    assert_true(consumer_passed(consumer, 0, 5, UINT64_MAX));
    assert_int_equal(consumer_end(consumer, 0), 5);
}

static void nothing_is_handed_on_while_it_is_held(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "held", 1);
    mock_kafka_produce_numbers(&kafka, "held", 0, 2000);
    start("held", COMPACT_ON);
    wait_for_records(1);
    consumer_hold(consumer, true);
    int before = records;
    mock_kafka_produce(&kafka, "held", 0, BYTES("k"), BYTES("2000"), NULL);
    for (int i = 0; i < 3; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    assert_int_equal(records, before);
    consumer_hold(consumer, false);
    check_numbers(1, 2001);
}

static void hold_at_each(void *arg, const struct record *r)
{
    on_record(arg, r);
    consumer_hold(consumer, true);
}

static bool all_100_one_by_one(void)
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

static void a_handler_that_holds_gets_no_further_record_until_it_lets_go(void **state)
{
    struct consumer_handler holding = handler;

    (void)state;
    holding.on_record = hold_at_each;
    mock_kafka_create(&kafka, "holding", 1);
    mock_kafka_produce_numbers(&kafka, "holding", 0, 100);
    start_with(kafka.brokers, "holding", COMPACT_ON, &holding);
    wait_until(all_100_one_by_one);
    check_numbers(1, 100);
}

/* -- the topic -- */

static bool ready(void)
{
    return consumer_ready(consumer);
}

static void check_compact(const char *topic, enum compact compact, const char *expected)
{
    mock_kafka_create(&kafka, topic, 1);
    start(topic, compact);
    assert_false(consumer_ready(consumer));
    wait_until(ready);
    assert_text(buf_slice(&told), expected);
}

static void a_topic_is_compacted_if_told_so(void **state)
{
    (void)state;
    check_compact("on", COMPACT_ON, "topic compacted\n1 partitions\n");
}

static void a_topic_is_not_compacted_if_told_so(void **state)
{
    (void)state;
    check_compact("off", COMPACT_OFF, "topic not compacted\n1 partitions\n");
}

static void a_topic_whose_settings_cannot_be_had_is_taken_as_not_compacted(void **state)
{
    (void)state;
    check_compact("auto", COMPACT_AUTO, "topic not compacted\n1 partitions\n");
}

static bool is_told_twice(void)
{
    return topics == 2 && records == wanted;
}

static void a_topic_whose_policy_changes_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "changing", 1);
    mock_kafka_produce_numbers(&kafka, "changing", 0, 3);
    settings = (struct settings){.compacted = false, .delete_retention_ms = 86400000};
    start("changing", COMPACT_AUTO);
    check_numbers(1, 3);
    settings.compacted = true;
    told.n = 0;
    fake_loop_pass(15000);
    wait_until(is_told_twice);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' '0' none\n"
                                  "0@1 'k' '1' none\n0@2 'k' '2' none\n");
}

static bool is_something_told(void)
{
    return told.n > 0;
}

static void a_changed_retention_is_told_and_nothing_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "hasty", 1);
    mock_kafka_produce_numbers(&kafka, "hasty", 0, 3);
    settings = (struct settings){.compacted = true, .delete_retention_ms = 86400000};
    start("hasty", COMPACT_AUTO);
    check_numbers(1, 3);
    settings.delete_retention_ms = 1000;
    told.n = 0;
    fake_loop_pass(15000);
    wait_until(is_something_told);
    assert_text(buf_slice(&told), "retention 1000\n");
    assert_int_equal(topics, 1);
}

static void settings_that_cannot_be_read_are_told_until_they_can(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "refused", 1);
    mock_kafka_produce_numbers(&kafka, "refused", 0, 3);
    settings_error = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    start("refused", COMPACT_AUTO);
    check_numbers(1, 3);
    assert_true(consumer_stats(consumer).settings_assumed);
    settings_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    settings = (struct settings){.compacted = true, .delete_retention_ms = 86400000};
    fake_loop_pass(15000);
    wait_until(is_told_twice);
    assert_false(consumer_stats(consumer).settings_assumed);
}

static bool is_missing(void)
{
    return missing > 0;
}

static void a_topic_that_is_missing_is_waited_for(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "late", 1);
    mock_kafka_produce_numbers(&kafka, "late", 0, 3);
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start("late", COMPACT_ON);
    for (int i = 0; i < 5; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    wait_until(is_missing);
    assert_false(consumer_ready(consumer));
    assert_int_equal(topics, 0);
    rd_kafka_mock_topic_set_error(kafka.cluster, "late", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer); /* instead of waiting a second for the next survey */
    check_numbers(1, 3);
}

static bool not_ready(void)
{
    return !consumer_ready(consumer);
}

static void a_topic_that_went_and_came_again_is_read_anew(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "again", 1);
    mock_kafka_produce_numbers(&kafka, "again", 0, 3);
    start("again", COMPACT_ON);
    wait_for_records(3);
    rd_kafka_mock_topic_set_error(kafka.cluster, "again", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_ask(consumer);
    wait_until(not_ready);
    rd_kafka_mock_topic_set_error(kafka.cluster, "again", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer);
    told.n = 0;
    records = 0;
    wait_for_records(3);
    assert_text(buf_slice(&told), "topic compacted\n1 partitions\n0@0 'k' '0' none\n"
                                  "0@1 'k' '1' none\n0@2 'k' '2' none\n");
}

static void hold_at_first(void *arg, const struct record *r)
{
    on_record(arg, r);
    consumer_hold(consumer, true);
}

static bool is_there_again(void)
{
    return topics == 2 && consumer_ready(consumer);
}

/* The rest of a batch that waited for the handler is of another topic by then. */
static void what_was_taken_of_a_topic_goes_with_it(void **state)
{
    struct consumer_handler holding = handler;

    (void)state;
    holding.on_record = hold_at_first;
    mock_kafka_create(&kafka, "batch", 1);
    mock_kafka_produce_numbers(&kafka, "batch", 0, 100);
    start_with(kafka.brokers, "batch", COMPACT_ON, &holding);
    batch_of = 100;
    wait_for_records(1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "batch", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    consumer_ask(consumer);
    wait_until(not_ready);
    rd_kafka_mock_topic_set_error(kafka.cluster, "batch", RD_KAFKA_RESP_ERR_NO_ERROR);
    consumer_ask(consumer);
    wait_until(is_there_again);
    batch_of = 0;
    told.n = 0;
    wait_until(all_100_one_by_one);
    for (int i = 0, at = 0; i < 100; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "0@%d 'k' '%d' none\n", i, i);
        assert_memory_equal(told.p + at, line, (size_t)n);
        at += n;
    }
}

static uint64_t ticket;

static bool is_surveyed(void)
{
    return consumer_surveyed_end(consumer, 0, ticket) >= 0;
}

static void start_with_ten(const char *topic)
{
    mock_kafka_create(&kafka, topic, 1);
    mock_kafka_produce_numbers(&kafka, topic, 0, 10);
    start(topic, COMPACT_ON);
    check_numbers(1, 10);
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket), 10);
}

static void a_log_that_is_shorter_than_it_was_is_read_anew(void **state)
{
    (void)state;
    start_with_ten("cut");
    all_ends = 9;
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* It ended before `next` when that was fetched, and has grown since. */
static void an_offset_out_of_range_that_is_not_below_the_log_means_that_it_was_cut(void **state)
{
    (void)state;
    start_with_ten("grown");
    told.n = 0;
    rd_kafka_mock_push_request_errors(kafka.cluster, FETCH, 1,
                                      RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* A leader that was deposed and does not know it. */
static int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool is_known(void)
{
    return consumer_end(consumer, 0) >= 0;
}

/* By the time of the question: the answer may have waited while we were stopped. */
static void each_answer_tells_that_everything_was_read(void **state)
{
    (void)state;
    start_with_ten("read");
    int64_t before_ms = clock_ms();
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_in_range(ends_ms[0], before_ms, clock_ms());
    all_ends = 11; /* there is more */
    before_ms = ends_ms[0];
    ticket = consumer_ask(consumer);
    wait_until(is_surveyed);
    assert_int_equal(ends_ms[0], before_ms);
}

/* What was known is of before: there may be more by now, or another topic. */
static void who_was_stopped_knows_no_end_until_it_is_told_again(void **state)
{
    (void)state;
    start_with_ten("stopped");
    assert_int_equal(consumer_end(consumer, 0), 10);
    all_ends = 11;
    fake_loop_stop(60000);
    assert_int_equal(consumer_end(consumer, 0), -1);
    fake_loop_pass(0); /* the look that was due meanwhile, and perhaps the answer to its question */
    assert_int_not_equal(consumer_end(consumer, 0), 10);
    wait_until(is_known);
    assert_int_equal(consumer_end(consumer, 0), 11);
}

static void a_topic_is_read_anew_if_told_so(void **state)
{
    (void)state;
    start_with_ten("doubted");
    told.n = 0;
    consumer_read_anew(consumer, "so says the test");
    assert_false(consumer_ready(consumer));
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

static void an_end_that_the_next_answer_does_not_confirm_is_nothing(void **state)
{
    (void)state;
    start_with_ten("deposed");
    wrong_answers = 1;
    all_ends = 9;
    while (wrong_answers > 0)
        fake_loop_wait();
    for (int i = 0; i < 3; i++) {
        ticket = consumer_ask(consumer);
        wait_until(is_surveyed);
    }
    assert_int_equal(topics, 1);
}

static void a_topic_of_another_cluster_is_read_anew(void **state)
{
    (void)state;
    a_cluster = "a";
    start_with_ten("elsewhere");
    assert_int_equal(topics, 1);
    a_cluster = "b";
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

/* Nothing else tells: its log is as long as that of before. */
static void a_topic_of_another_id_is_read_anew(void **state)
{
    (void)state;
    an_id = (struct topic_id){.high = 1, .low = 2};
    start_with_ten("other-id");
    assert_int_equal(topics, 1);
    an_id.low = 3;
    told.n = 0;
    wait_until(is_told_twice);
    check_numbers(1, 10);
}

static void reading_starts_at_the_first_offset_that_the_broker_holds(void **state)
{
    static uint8_t value[900000];

    (void)state;
    mock_kafka_create(&kafka, "origin", 1);
    for (int i = 0; i < 8; i++) /* the mock keeps 5 MB */
        mock_kafka_produce(&kafka, "origin", 0, BYTES("k"), slice_of(value, sizeof value), NULL);
    start("origin", COMPACT_ON);
    wait_for_records(1);
    assert_in_range(origins[0], 1, 7);
    assert_int_equal(consumer_surveyed_end(consumer, 0, 0), 8);
    assert_true(consumer_passed(consumer, 0, origins[0] + 1, UINT64_MAX));
}

static void a_broker_that_goes_and_comes_is_survived_without_loss(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "outage", 1);
    mock_kafka_produce_numbers(&kafka, "outage", 0, 3);
    start("outage", COMPACT_ON);
    wait_for_records(3);
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    for (int i = 0; i < 5; i++) {
        fake_loop_wait();
        fake_loop_turn();
    }
    assert_true(consumer_ready(consumer));
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    mock_kafka_produce(&kafka, "outage", 0, BYTES("k"), BYTES("3"), NULL);
    check_numbers(1, 4);
}

/* -- questions -- */

static uint64_t ticket;

static bool is_answered(void)
{
    for (int32_t i = 0; i < consumer_stats(consumer).partitions; i++)
        if (i != silent && consumer_surveyed_end(consumer, i, ticket) < 0)
            return false;
    return answered >= ticket;
}

static void a_question_is_answered_with_its_ticket(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "ask", 1);
    start("ask", COMPACT_ON);
    wait_until(ready);
    mock_kafka_produce_numbers(&kafka, "ask", 0, 3);
    ticket = consumer_ask(consumer);
    wait_until(is_answered);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket), 3);
    assert_int_equal(consumer_surveyed_end(consumer, 0, ticket + 1), -1);
    assert_true(consumer_end(consumer, 0) >= 3);
}

static void without_a_broker_it_can_be_freed(void **state)
{
    (void)state;
    start_with("127.0.0.1:1", "none", COMPACT_ON, &handler);
    fake_loop_wait();
    fake_loop_turn();
    assert_false(consumer_ready(consumer));
}

/* -- how it fares -- */

enum { STUCK_MS = 10000, KEEP_FAILING = 1000 };

static void fail_questions(int16_t api, rd_kafka_resp_err_t error)
{
    rd_kafka_resp_err_t errors[KEEP_FAILING];

    for (int i = 0; i < KEEP_FAILING; i++)
        errors[i] = error;
    rd_kafka_mock_push_request_errors_array(kafka.cluster, api, KEEP_FAILING, errors);
}

/* The broker answers all but fetches. */
static void stop_fetches(void)
{
    fail_questions(FETCH, RD_KAFKA_RESP_ERR_UNKNOWN);
}

static void let_fetch(void)
{
    rd_kafka_mock_clear_request_errors(kafka.cluster, FETCH);
}

static struct consumer_stats survey(void)
{
    ticket = consumer_ask(consumer);
    wait_until(is_answered);
    return consumer_stats(consumer);
}

/* Once a second, as long as that. */
static struct consumer_stats survey_for(int64_t ms)
{
    for (; ms > 1000; ms -= 1000) {
        fake_loop_pass(1000);
        survey();
    }
    fake_loop_pass(ms);
    return survey();
}

/* Three records are there, and cannot be fetched. */
static void start_without_fetches(const char *topic)
{
    mock_kafka_create(&kafka, topic, 1);
    mock_kafka_produce_numbers(&kafka, topic, 0, 3);
    stop_fetches();
    start(topic, COMPACT_ON);
    wait_until(ready);
    survey();
    assert_int_equal(consumer_lag(consumer, 0), 3);
}

static bool at_position_3(void)
{
    return positions[0] == 3;
}

static void one_that_has_read_everything_has_no_lag(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "no-lag", 2);
    mock_kafka_produce_numbers(&kafka, "no-lag", 0, 3);
    start("no-lag", COMPACT_ON);
    wait_for_records(3);
    wait_until(at_position_3);
    struct consumer_stats stats = survey();
    assert_int_equal(stats.trouble, 0);
    assert_int_equal(stats.partitions, 2);
    assert_true(consumer_lag(consumer, 0) == 0 && consumer_lag(consumer, 1) == 0);
    assert_false(stats.stuck);
    stats = survey_for(2 * STUCK_MS); /* nothing comes because nothing is produced */
    assert_true(!stats.stuck && stats.stuck_ever == 0);
}

static bool lags(void)
{
    return consumer_stats(consumer).partitions == 2 && consumer_lag(consumer, 0) == 1200 &&
           consumer_lag(consumer, 1) == 800;
}

static void what_is_not_read_yet_is_the_lag(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "lag", 2);
    mock_kafka_produce_numbers(&kafka, "lag", 0, 1200);
    mock_kafka_produce_numbers(&kafka, "lag", 1, 800);
    start("lag", COMPACT_ON);
    consumer_hold(consumer, true);
    wait_until(lags);
    consumer_hold(consumer, false);
    wait_for_records(2000);
    survey();
    assert_true(consumer_lag(consumer, 0) == 0 && consumer_lag(consumer, 1) == 0);
}

static void a_partition_that_does_not_move_for_ten_seconds_is_stuck(void **state)
{
    (void)state;
    start_without_fetches("stuck");
    assert_false(survey().stuck);
    assert_false(survey_for(STUCK_MS).stuck); /* in the first second it was started */
    assert_false(consumer_given_up(consumer, 0));
    struct consumer_stats stats = survey_for(1000);
    assert_true(stats.stuck && given_up[0]);
    assert_int_equal(stats.stuck_ever, 1);
    assert_int_equal(survey_for(STUCK_MS).stuck_ever, 1); /* once each time */
    let_fetch();
    wait_for_records(3);
    stats = survey_for(1000);
    assert_false(stats.stuck || consumer_given_up(consumer, 0));
    assert_int_equal(stats.stuck_ever, 1);
}

/* Which is how most of them will get stuck: live, with everything read. */
static void one_that_has_been_at_the_end_may_be_stuck_later(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "was-at-end", 1);
    mock_kafka_produce_numbers(&kafka, "was-at-end", 0, 3);
    start("was-at-end", COMPACT_ON);
    wait_until(at_position_3);
    stop_fetches();
    for (int i = 0; i < 3; i++) { /* the fetch that is under way */
        fake_loop_wait();
        fake_loop_turn();
    }
    mock_kafka_produce_numbers(&kafka, "was-at-end", 0, 3);
    survey();
    assert_true(survey_for(STUCK_MS + 1000).stuck);
    let_fetch();
    wait_for_records(6);
    assert_false(survey_for(1000).stuck);
}

static void one_that_is_held_is_not_stuck(void **state)
{
    (void)state;
    start_without_fetches("held-back");
    consumer_hold(consumer, true);
    assert_false(survey_for(2 * STUCK_MS).stuck);
    consumer_hold(consumer, false);
    survey();
    assert_false(survey_for(STUCK_MS - 1).stuck);
    let_fetch();
    wait_for_records(3);
}

static void a_partition_without_a_leader_is_given_up_and_taken_up_again(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "leader", 2);
    rd_kafka_mock_partition_set_leader(kafka.cluster, "leader", 1, -1);
    start("leader", COMPACT_ON);
    wait_until(ready);
    silent = 1;
    assert_false(survey_for(8000).away);
    assert_int_equal(consumer_end(consumer, 1), -1);
    assert_false(consumer_given_up(consumer, 1));
    struct consumer_stats stats = survey_for(2000);
    assert_int_equal(stats.away, 1);
    assert_false(stats.stuck);
    assert_true(consumer_given_up(consumer, 1) && given_up[1]);
    assert_false(consumer_given_up(consumer, 0));
    rd_kafka_mock_partition_set_leader(kafka.cluster, "leader", 1, 1);
    mock_kafka_produce_numbers(&kafka, "leader", 1, 2);
    silent = -1;
    consumer_ask(consumer);
    wait_for_records(2);
    assert_int_equal(survey_for(1000).away, 0);
    assert_false(consumer_given_up(consumer, 1));
}

static void one_that_loses_its_leader_is_given_up_and_not_stuck(void **state)
{
    (void)state;
    start_without_fetches("headless");
    rd_kafka_mock_partition_set_leader(kafka.cluster, "headless", 0, -1);
    silent = 0;
    struct consumer_stats stats = survey_for(2 * STUCK_MS);
    assert_true(stats.away == 1 && !stats.stuck);
    assert_int_equal(stats.stuck_ever, 0);
}

/* Nobody knows whether there is more; that is no reason to say that there is. */
static void a_leader_that_says_nothing_about_the_end_makes_nothing_stuck(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "no-end", 2);
    mock_kafka_produce_numbers(&kafka, "no-end", 0, 3);
    start("no-end", COMPACT_ON);
    wait_for_records(3);
    survey();
    fail_questions(LIST_OFFSETS, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    fake_loop_pass(2 * STUCK_MS);
    struct consumer_stats stats = consumer_stats(consumer);
    assert_true(!stats.stuck && stats.stuck_ever == 0);
}

static bool in_trouble(void)
{
    return consumer_stats(consumer).trouble != 0;
}

/* For what is a matter of time. */
static void pass_until(bool (*condition)(void))
{
    for (int i = 0; i < 600 && !condition(); i++) {
        fake_loop_wait();
        fake_loop_pass(100);
    }
    assert_true(condition());
}

static bool out_of_trouble(void)
{
    return consumer_stats(consumer).trouble == 0;
}

/* There was nobody to read from: that is another trouble. */
static void an_outage_is_not_taken_for_being_stuck(void **state)
{
    (void)state;
    start_without_fetches("no-broker");
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    pass_until(in_trouble);
    assert_int_equal(consumer_stats(consumer).trouble, TROUBLE_AWAY);
    fake_loop_pass(2 * STUCK_MS);
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    wait_until(out_of_trouble);
    survey();
    assert_int_equal(consumer_stats(consumer).stuck_ever, 0);
    let_fetch();
    wait_for_records(3);
}

static void a_topic_that_is_missing_is_the_trouble(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "missing", 1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "missing",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start("missing", COMPACT_ON);
    wait_until(in_trouble);
    assert_int_equal(consumer_stats(consumer).trouble, TROUBLE_MISSING);
    assert_int_equal(consumer_stats(consumer).partitions, 0);
}

static bool is_ready(void)
{
    return consumer_ready(consumer);
}

static bool is_refused(void)
{
    return consumer_stats(consumer).refused > 0;
}

static void a_topic_with_more_partitions_than_ids_can_name_is_refused(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "wide", 3);
    mock_kafka_create(&kafka, "fits", 2);
    handler.partitions_max = 2;
    start("wide", COMPACT_ON);
    wait_until(is_refused);
    assert_int_equal(consumer_stats(consumer).refused, 3);
    assert_false(consumer_ready(consumer));
    assert_int_equal(told.n, 0);
    consumer_free(consumer);
    cluster_free(cluster);
    start("fits", COMPACT_ON);
    wait_until(is_ready);
    assert_false(is_refused());
}

/* -- configuration -- */

static void a_configuration_that_cannot_work_as_a_whole_is_refused(void **state)
{
    char error[256] = "";
    struct kafka_conf *conf = kafka_conf_new();

    (void)state;
    assert_int_equal(kafka_conf_set(conf, "security.protocol", "ssl", false), 0);
    assert_int_equal(kafka_conf_set(conf, "ssl.ca.location", "/no/such/file", false), 0);
    assert_null(cluster_new(loop, conf, kafka.brokers, error, sizeof error));
    kafka_conf_free(conf);
    assert_true(strlen(error) > 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(records_come_in_with_all_they_have),
        T(every_record_of_every_partition_comes_once_and_in_order),
        T(a_turn_that_takes_long_is_ended_and_goes_on_unwoken),
        T(what_is_produced_later_comes_too),
        T(the_end_of_a_partition_is_told),
        T(nothing_is_handed_on_while_it_is_held),
        T(a_handler_that_holds_gets_no_further_record_until_it_lets_go),
        T(a_topic_is_compacted_if_told_so),
        T(a_topic_is_not_compacted_if_told_so),
        T(a_topic_whose_settings_cannot_be_had_is_taken_as_not_compacted),
        T(a_topic_whose_policy_changes_is_read_anew),
        T(a_changed_retention_is_told_and_nothing_is_read_anew),
        T(settings_that_cannot_be_read_are_told_until_they_can),
        T(a_topic_that_is_missing_is_waited_for),
        T(a_topic_that_went_and_came_again_is_read_anew),
        T(what_was_taken_of_a_topic_goes_with_it),
        T(a_log_that_is_shorter_than_it_was_is_read_anew),
        T(each_answer_tells_that_everything_was_read),
        T(who_was_stopped_knows_no_end_until_it_is_told_again),
        T(a_topic_is_read_anew_if_told_so),
        T(an_offset_out_of_range_that_is_not_below_the_log_means_that_it_was_cut),
        T(an_end_that_the_next_answer_does_not_confirm_is_nothing),
        T(a_topic_of_another_cluster_is_read_anew),
        T(a_topic_of_another_id_is_read_anew),
        T(reading_starts_at_the_first_offset_that_the_broker_holds),
        T(a_broker_that_goes_and_comes_is_survived_without_loss),
        T(a_question_is_answered_with_its_ticket),
        T(a_partition_without_a_leader_is_given_up_and_taken_up_again),
        T(without_a_broker_it_can_be_freed),
        T(one_that_has_read_everything_has_no_lag),
        T(what_is_not_read_yet_is_the_lag),
        T(a_partition_that_does_not_move_for_ten_seconds_is_stuck),
        T(one_that_has_been_at_the_end_may_be_stuck_later),
        T(one_that_is_held_is_not_stuck),
        T(one_that_loses_its_leader_is_given_up_and_not_stuck),
        T(a_leader_that_says_nothing_about_the_end_makes_nothing_stuck),
        T(an_outage_is_not_taken_for_being_stuck),
        T(a_topic_that_is_missing_is_the_trouble),
        T(a_topic_with_more_partitions_than_ids_can_name_is_refused),
        T(a_configuration_that_cannot_work_as_a_whole_is_refused),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

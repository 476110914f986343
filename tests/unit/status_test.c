#include "front/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_loop.h"
#include "front/ledger.h"
#include "reason_bits.h"
#include "support.h"

enum { OURS = 1, OTHERS = 3, BEAT_MS = 1100, SILENT_MS = 5000 };

static char directory[] = "/tmp/status_test.XXXXXX";
static char error[256];
static struct loop *loop;
static struct status *status;
static struct ledger *others[OTHERS];
static struct metrics of_others[OTHERS];
static uint32_t reasons; /* ours */
static int64_t streams;
static int collected;
static struct buf out;

/* Several responders in one process. */
static pid_t pid = OURS;
pid_t __wrap_getpid(void);
pid_t __wrap_getpid(void)
{
    return pid;
}

/* As the responder does: some reasons are the process's, some the topic's. */
static void set_reasons(struct metrics *m, int topic, uint32_t bits)
{
    for (int i = 0; i < REASONS; i++)
        health_set(health_is_of_topic((enum reason)i) ? &m->topics[topic].health : &m->health,
                   (enum reason)i, bits >> i & 1);
}

static void collect(void *arg, struct metrics *m)
{
    assert_ptr_equal(arg, &reasons);
    collected++;
    strcpy(m->topics[0].name, "t");
    set_reasons(m, 0, reasons);
    m->guarded = true;
    m->topics[0].values[TOPIC_METRIC_STREAMS] = streams;
}

static void start(const char *where)
{
    const struct status_config config = {1, 0, where, "r1", collect, &reasons};

    pid = OURS;
    status = status_new(loop, &config, error, sizeof error);
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    error[0] = 0;
    reasons = 0;
    streams = 0;
    collected = 0;
    loop = loop_new();
    return mkdtemp(directory) == NULL;
}

static void leave(int i)
{
    ledger_free(others[i]);
    others[i] = NULL;
}

/* Fails if something is left in the directory. */
static int teardown(void **state)
{
    (void)state;
    status_free(status);
    status = NULL;
    for (int i = 0; i < OTHERS; i++) {
        leave(i);
        metrics_fini(&of_others[i]);
    }
    buf_fini(&out);
    loop_free(loop);
    return rmdir(directory);
}

/* Another responder, of so many topics: the first is `t`, the second `t2`, and so on. */
static struct metrics *join(int i, int topics)
{
    struct metrics *m = &of_others[i];

    metrics_fini(m);
    metrics_init(m, topics, 0);
    m->pid = pid = 10 + i;
    snprintf(m->responder, sizeof m->responder, "r%d", 10 + i);
    for (int t = 0; t < topics; t++)
        snprintf(m->topics[t].name, sizeof m->topics[t].name, t ? "t%d" : "t", t + 1);
    others[i] = ledger_new(directory, m, error, sizeof error);
    assert_non_null(others[i]);
    pid = OURS;
    return m;
}

static void write_metrics(int i)
{
    of_others[i].beat_ms = loop_now_ms();
    ledger_write(others[i], &of_others[i]);
}

/* It writes how it is. */
static void beat(int i, uint32_t its_reasons)
{
    struct metrics *m = others[i] ? &of_others[i] : join(i, 1);

    set_reasons(m, 0, its_reasons);
    m->topics[0].values[TOPIC_METRIC_STREAMS] = 100 + i;
    write_metrics(i);
}

static void ask_with(const char *path, const char *query)
{
    out.n = 0;
    status_answer(status, slice_str(path), slice_str(query), true, &out);
    buf_add_byte(&out, 0);
    out.n--;
}

static void ask(const char *path)
{
    ask_with(path, NULL);
}

static bool says(const char *part)
{
    return memmem(out.p, out.n, part, strlen(part)) != NULL;
}

static bool is_ready(void)
{
    ask("/health/ready");
    bool ready = says("{\"ready\":true,");
    assert_true(ready || says("{\"ready\":false,"));
    assert_memory_equal(out.p, ready ? "Status: 200 OK\r\n" : "Status: 503 Service", 16);
    return ready;
}

/* -- the answers -- */

static void broken_keys_are_told_by_issuer(void **state)
{
    static const struct metrics_issuer issuers[] = {
        {"https://a.example", 1, 0}, {"https://b.example", 0, 0}, {"https://c.example", 1, 0}};

    (void)state;
    start(directory);
    struct metrics *m = join(0, 1);
    m->issuer_count = 3;
    memcpy(m->issuers, issuers, sizeof issuers);
    beat(0, BIT(KEYS_BROKEN));
    ask("/health/ready");
    assert_true(
        says("\"keys_broken\":\"a JWKS file is broken; its keys of before are in use: issuer "
             "https://a.example, https://c.example\""));
}

static void whoever_answers_lives(void **state)
{
    (void)state;
    reasons = BIT(KAFKA_AWAY) | BIT(DRAINING);
    start(NULL);
    ask("/health/live");
    assert_text(buf_slice(&out), "Status: 200 OK\r\nCache-Control: no-store\r\n"
                                 "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n"
                                 "{\"live\":true}\n");
}

static void a_responder_alone_answers_for_itself_and_says_so(void **state)
{
    (void)state;
    start(NULL);
    ask("/health/ready");
    assert_text(
        buf_slice(&out),
        "Status: 200 OK\r\nCache-Control: no-store\r\n"
        "Content-Type: application/json\r\nContent-Length: 145\r\n\r\n"
        "{\"ready\":true,\"scope\":\"responder\",\"responders\":[{\"responder\":\"r1\",\"pid\":1,"
        "\"topic\":\"t\",\"pool\":\"guarded\",\"ready\":true,\"reasons\":[],\"details\":{}}]}\n");
    reasons = BIT(KAFKA_AWAY) | BIT(CATCHING_UP);
    assert_false(is_ready());
    assert_true(says("\"ready\":false,\"reasons\":[\"kafka_away\",\"catching_up\"],\"details\":{"));
}

static void one_responder_answers_for_the_pool(void **state)
{
    (void)state;
    start(directory);
    beat(0, 0);
    beat(1, BIT(CACHE_FULL));
    assert_false(is_ready());
    assert_true(says("\"scope\":\"pool\""));
    assert_true(says("{\"responder\":\"r1\",\"pid\":1,\"topic\":\"t\",\"pool\":\"guarded\","
                     "\"ready\":true,\"reasons\":[]"));
    assert_true(says("{\"responder\":\"r10\",\"pid\":10,\"topic\":\"t\",\"pool\":\"open\","
                     "\"ready\":true,\"reasons\":[]"));
    assert_true(says("{\"responder\":\"r11\",\"pid\":11,\"topic\":\"t\",\"pool\":\"open\","
                     "\"ready\":false,\"reasons\":["
                     "\"cache_full\"],"));
}

static void check_sum(uint32_t bits, const char *expected)
{
    reasons = bits;
    out.n = 0;
    assert_int_equal(status_sum_up(status, &out), bits == 0);
    buf_add_byte(&out, 0);
    assert_string_equal(out.p, expected);
}

static void collect_many(void *arg, struct metrics *m)
{
    (void)arg;
    for (int i = 0; i < m->topic_count; i++) {
        m->topics[i].name[0] = (char)('a' + i);
        set_reasons(m, i, reasons);
    }
}

static void its_own_health_is_not_that_of_the_pool(void **state)
{
    (void)state;
    start(directory);
    beat(0, BIT(CACHE_FULL));
    check_sum(0, "ready");
    check_sum(BIT(KAFKA_AWAY), "not ready: topic t: kafka_away");
    check_sum(BIT(LOOP_SLOW) | BIT(KEYS_BROKEN) | BIT(CACHE_FULL) | BIT(CATCHING_UP),
              "not ready: keys_broken, loop_slow; topic t: catching_up, cache_full");
}

static void of_many_topics_some_are_named_and_the_others_counted(void **state)
{
    const struct status_config config = {7, 0, NULL, "r1", collect_many, &reasons};

    (void)state;
    status = status_new(loop, &config, error, sizeof error);
    check_sum(BIT(TOPIC_MISSING), "not ready: topic a: topic_missing; topic b: topic_missing; "
                                  "topic c: topic_missing; topic d: topic_missing; 3 more topics");
}

static void metrics_are_those_of_the_moment_and_of_all(void **state)
{
    (void)state;
    start(directory);
    beat(0, 0);
    streams = 7;
    ask("/metrics");
    assert_memory_equal(out.p, "Status: 200 OK\r\n", 16);
    assert_true(says("\r\nContent-Type: text/plain; version=0.0.4\r\n"));
    assert_true(
        says("\nsse_kafka_fanout_streams{responder=\"r1\",pool=\"guarded\",topic=\"t\"} 7\n"));
    assert_true(
        says("\nsse_kafka_fanout_streams{responder=\"r10\",pool=\"open\",topic=\"t\"} 100\n"));
    assert_true(
        says("\nsse_kafka_fanout_ready{responder=\"r1\",pool=\"guarded\",topic=\"t\"} 1\n"));
}

static void the_length_is_that_of_the_body(void **state)
{
    static const char *const paths[] = {"/health/live", "/health/ready", "/metrics"};

    (void)state;
    start(directory);
    beat(0, 0);
    for (size_t i = 0; i < 3; i++) {
        ask(paths[i]);
        const char *body = strstr((const char *)out.p, "\r\n\r\n") + 4;
        const char *length = strstr((const char *)out.p, "Content-Length: ") + 16;
        assert_int_equal(strtol(length, NULL, 10), strlen(body));
    }
}

static void head_gets_the_same_head_and_no_body(void **state)
{
    static const char *const paths[] = {"/health/live", "/health/ready", "/metrics", "/other"};

    (void)state;
    start(NULL);
    for (size_t i = 0; i < 4; i++) {
        ask(paths[i]);
        struct slice head = buf_slice(&out);
        struct buf without = {0};
        head.n = (size_t)(strstr((const char *)out.p, "\r\n\r\n") + 4 - (const char *)out.p);
        status_answer(status, slice_str(paths[i]), slice_of(NULL, 0), false, &without);
        assert_bytes(buf_slice(&without), head);
        buf_fini(&without);
    }
}

static void there_is_nothing_at_another_path(void **state)
{
    static const char *const paths[] = {
        "",          "/",       "/health",    "/health/", "/health/liveness", "/health/read",
        "/metrics/", "/events", "health/live"};

    (void)state;
    start(NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(paths[i]);
        assert_memory_equal(out.p, "Status: 404 Not Found\r\n", 23);
    }
    out.n = 0;
    status_answer(status, slice_of(NULL, 0), slice_of(NULL, 0), true, &out);
    assert_memory_equal(out.p, "Status: 404 Not Found\r\n", 23);
}

/* -- when a pool is ready -- */

static void a_pool_is_ready_if_all_that_stay_are(void **state)
{
    enum { DRAINS = BIT(DRAINING), BUSY = BIT(CATCHING_UP) };
    static const struct {
        uint32_t ours, first, second;
        bool ready;
    } pools[] = {
        {0, 0, 0, true},           {0, 0, BUSY, false},
        {BUSY, 0, 0, false},       {0, 0, DRAINS, true},
        {DRAINS, 0, DRAINS, true}, {0, 0, DRAINS | BIT(KAFKA_AWAY), true},
        {DRAINS, BUSY, 0, false},  {DRAINS, DRAINS, DRAINS, false},
        {BUSY, BUSY, BUSY, false},
    };

    (void)state;
    start(directory);
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        reasons = pools[i].ours;
        beat(0, pools[i].first);
        beat(1, pools[i].second);
        assert_int_equal(is_ready(), pools[i].ready);
    }
}

static void each_reason_keeps_a_pool_from_being_ready(void **state)
{
    (void)state;
    start(directory);
    for (int i = 0; i < REASONS; i++) {
        const struct health only = health_of(1u << i);
        beat(0, 1u << i);
        assert_int_equal(is_ready(), i == REASON_DRAINING || health_ready(&only));
        beat(0, 0);
        assert_true(is_ready());
    }
}

static bool topic_is_ready(const char *query)
{
    ask_with("/health/ready", query);
    return says("{\"ready\":true,");
}

static void the_health_of_one_topic_is_not_that_of_another(void **state)
{
    (void)state;
    start(directory);
    struct metrics *other = join(0, 1);
    strcpy(other->topics[0].name, "other");
    beat(0, BIT(TOPIC_MISSING));
    assert_false(is_ready());
    assert_true(topic_is_ready("topic=t"));
    assert_false(says("other"));
    assert_true(topic_is_ready("x=y&topic=%74&topic=other"));
    assert_false(topic_is_ready("topic=other"));
    assert_true(says("\"topic\":\"other\"") && !says("\"topic\":\"t\""));
}

/* Each responder and topic has a member of the array, as if they were responders of one topic. */
static void a_topic_that_is_missing_is_told_beside_the_others(void **state)
{
    (void)state;
    start(directory);
    struct metrics *m = join(0, 3);
    set_reasons(m, 1, BIT(TOPIC_MISSING));
    write_metrics(0);
    assert_false(is_ready());
    assert_true(says("{\"responder\":\"r10\",\"pid\":10,\"topic\":\"t\",\"pool\":\"open\","
                     "\"ready\":true,\"reasons\":["));
    assert_true(says("{\"responder\":\"r10\",\"pid\":10,\"topic\":\"t2\",\"pool\":\"open\","
                     "\"ready\":false,\"reasons\":["
                     "\"topic_missing\"]"));
    assert_true(says(
        "{\"responder\":\"r10\",\"pid\":10,\"topic\":\"t3\",\"pool\":\"open\",\"ready\":true"));
    assert_true(topic_is_ready("topic=t"));
    assert_true(topic_is_ready("topic=t3") && !says("\"t2\"") && !says("\"pid\":1,"));
    assert_false(topic_is_ready("topic=t2"));
}

static void what_is_wrong_with_a_process_is_so_for_all_its_topics(void **state)
{
    (void)state;
    start(directory);
    struct metrics *m = join(0, 2);
    health_set(&m->health, REASON_LOOP_SLOW, 1);
    write_metrics(0);
    assert_false(topic_is_ready("topic=t"));
    assert_false(topic_is_ready("topic=t2"));
    assert_true(says("\"reasons\":[\"loop_slow\"]"));
    health_set(&m->health, REASON_LOOP_SLOW, 0);
    health_set(&m->health, REASON_DRAINING, 1);
    write_metrics(0);
    assert_true(topic_is_ready("topic=t")); /* ours stays */
    assert_false(topic_is_ready("topic=t2"));
}

/* PROTOCOL 10.5. */
static void a_topic_that_nobody_serves_is_not_ready(void **state)
{
    static const char *const queries[] = {"topic=nobody", "topic=", "topic", "topic=%", "topic=T"};

    (void)state;
    start(directory);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        assert_false(topic_is_ready(queries[i]));
        assert_true(says("{\"ready\":false,\"scope\":\"pool\",\"responders\":[],"
                         "\"reasons\":[\"topic_unknown\"],"
                         "\"details\":{\"topic_unknown\":\"nobody serves such a topic\"}}\n"));
    }
}

static void one_that_is_silent_for_over_five_seconds_is_not_ready(void **state)
{
    (void)state;
    start(directory);
    beat(0, 0);
    fake_loop_pass(SILENT_MS);
    assert_true(is_ready());
    fake_loop_pass(1);
    assert_false(is_ready());
    assert_true(says(
        "\"pid\":10,\"topic\":\"t\",\"pool\":\"open\",\"ready\":false,\"reasons\":[\"silent\"]"));
    assert_true(says("\"pid\":1,\"topic\":\"t\",\"pool\":\"guarded\",\"ready\":true"));
    beat(0, 0);
    assert_true(is_ready());
}

static void one_that_has_gone_is_not_missed(void **state)
{
    (void)state;
    start(directory);
    beat(0, BIT(CATCHING_UP));
    assert_false(is_ready());
    leave(0);
    assert_true(is_ready());
}

/* -- what the others see of us -- */

static int64_t seen_streams(void)
{
    static struct metrics all[LEDGER_MAX];
    size_t n = ledger_read(others[0], all);
    int64_t seen = -1;

    for (size_t i = 0; i < n; i++) {
        if (all[i].pid == OURS)
            seen = all[i].topics[0].values[TOPIC_METRIC_STREAMS];
        metrics_fini(&all[i]);
    }
    return seen;
}

static void the_others_see_us_at_once_and_then_every_second(void **state)
{
    (void)state;
    beat(0, 0);
    streams = 1;
    start(directory);
    assert_int_equal(seen_streams(), 1);
    streams = 2;
    fake_loop_pass(BEAT_MS - 1);
    assert_int_equal(seen_streams(), 1);
    fake_loop_pass(1);
    assert_int_equal(seen_streams(), 2);
    collected = 0;
    fake_loop_pass(10 * BEAT_MS);
    assert_int_equal(collected, 10);
    status_free(status);
    status = NULL;
    assert_int_equal(seen_streams(), -1);
}

static void questions_do_not_multiply_the_beats(void **state)
{
    (void)state;
    start(directory);
    for (int i = 0; i < 20; i++)
        ask("/health/ready");
    collected = 0;
    fake_loop_pass(3 * BEAT_MS);
    assert_int_equal(collected, 3);
}

/* The service manager is told each second. */
static void a_line_for_people_is_a_beat(void **state)
{
    struct buf line = {0};

    (void)state;
    start(directory);
    join(0, 1);
    collected = 0;
    for (int i = 0; i < 10; i++) {
        fake_loop_pass(1000);
        streams = i;
        assert_true(status_sum_up(status, &line));
        assert_int_equal(seen_streams(), i);
    }
    assert_int_equal(collected, 10);
    buf_fini(&line);
}

static void the_next_at_a_socket_has_the_series_of_the_one_that_stops(void **state)
{
    (void)state;
    start(directory);
    strcpy(join(0, 1)->responder, "r1");
    of_others[0].guarded = true;
    beat(0, 0);
    reasons = 1u << REASON_DRAINING;
    ask("/metrics");
    assert_true(
        says("\nsse_kafka_fanout_streams{responder=\"r1\",pool=\"guarded\",topic=\"t\"} 100\n"));
    assert_true(says("_info{responder=\"r1#2\",pool=\"guarded\",pid=\"1\","));
}

static void without_a_directory_nothing_is_collected_unasked(void **state)
{
    (void)state;
    start(NULL);
    fake_loop_pass(10 * BEAT_MS);
    assert_int_equal(collected, 0);
}

static void a_directory_that_cannot_be_used_is_told(void **state)
{
    (void)state;
    start("/no/such/directory");
    assert_null(status);
    assert_string_equal(error, "peer directory /no/such/directory: No such file or directory");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(broken_keys_are_told_by_issuer),
        T(whoever_answers_lives),
        T(a_responder_alone_answers_for_itself_and_says_so),
        T(one_responder_answers_for_the_pool),
        T(its_own_health_is_not_that_of_the_pool),
        T(of_many_topics_some_are_named_and_the_others_counted),
        T(metrics_are_those_of_the_moment_and_of_all),
        T(the_length_is_that_of_the_body),
        T(head_gets_the_same_head_and_no_body),
        T(there_is_nothing_at_another_path),
        T(a_pool_is_ready_if_all_that_stay_are),
        T(each_reason_keeps_a_pool_from_being_ready),
        T(the_health_of_one_topic_is_not_that_of_another),
        T(a_topic_that_is_missing_is_told_beside_the_others),
        T(what_is_wrong_with_a_process_is_so_for_all_its_topics),
        T(a_topic_that_nobody_serves_is_not_ready),
        T(one_that_is_silent_for_over_five_seconds_is_not_ready),
        T(one_that_has_gone_is_not_missed),
        T(the_others_see_us_at_once_and_then_every_second),
        T(questions_do_not_multiply_the_beats),
        T(a_line_for_people_is_a_beat),
        T(the_next_at_a_socket_has_the_series_of_the_one_that_stops),
        T(without_a_directory_nothing_is_collected_unasked),
        T(a_directory_that_cannot_be_used_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

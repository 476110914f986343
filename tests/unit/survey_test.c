#include "kafka/survey.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "mock_kafka.h"
#include "support.h"

static struct mock_kafka kafka;
static int wake_fd;
static struct survey *survey;
static struct survey_topic *surveyed;
static rd_kafka_t *reader, *asker;

enum { TOPICS = 3 };
static rd_kafka_topic_t *asked[TOPICS]; /* NULL behind the last one */
static sem_t ended;

enum { BROKERS = 3 };
static atomic_int hangs_when_moved; /* partition 2 of that broker's, to another one; 0: none does */

static int group_setup(void **state)
{
    (void)state;
    sem_init(&ended, 0, 0);
    mock_kafka_start_brokers(&kafka, BROKERS);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mock_kafka_stop(&kafka);
    return 0;
}

/* Returns it as the survey's. */
static struct survey_topic *add(const char *topic)
{
    int n = 0;

    while (asked[n] != NULL)
        n++;
    asked[n] = rd_kafka_topic_new(reader, topic, NULL);
    return survey_add(survey, asked[n]);
}

static rd_kafka_t *handle_new(void)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "bootstrap.servers", kafka.brokers, error, sizeof error);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", error, sizeof error);
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof error);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    assert_non_null(rk);
    return rk;
}

static void start(const char *topic)
{
    wake_fd = eventfd(0, EFD_NONBLOCK);
    reader = handle_new();
    asker = handle_new();
    survey = survey_start(reader, asker, wake_fd, 0);
    surveyed = add(topic);
}

struct borrowed {
    rd_kafka_t *reader, *asker;
    rd_kafka_topic_t *topics[TOPICS];
};

static void give_back(void *arg)
{
    struct borrowed *b = arg;

    for (int i = 0; i < TOPICS && b->topics[i] != NULL; i++)
        rd_kafka_topic_destroy(b->topics[i]);
    rd_kafka_destroy(b->reader);
    rd_kafka_destroy(b->asker);
    free(b);
    sem_post(&ended);
}

static void stop(void)
{
    struct borrowed *b = malloc(sizeof *b);

    *b = (struct borrowed){.reader = reader, .asker = asker};
    memcpy(b->topics, asked, sizeof asked);
    memset(asked, 0, sizeof asked);
    survey_stop(survey, give_back, b);
}

static int teardown(void **state)
{
    struct timespec until;

    (void)state;
    hangs_when_moved = 0;
    for (int32_t i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_rtt(kafka.cluster, i, 0);
    stop();
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    sem_timedwait(&ended, &until); /* a question that nobody answers goes on for longer */
    close(wake_fd);
    return 0;
}

/* The next result about the topic, when it has woken us. */
static struct survey_result take_of(struct survey_topic *topic)
{
    struct pollfd p = {.fd = wake_fd, .events = POLLIN};
    struct survey_result r;
    uint64_t n;

    for (;;) {
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_int_equal(read(wake_fd, &n, sizeof n), sizeof n);
        if (survey_take(topic, &r))
            return r;
    }
}

static struct survey_result take(void)
{
    return take_of(surveyed);
}

static bool has_answers(const struct survey_result *r, uint64_t ticket, int32_t silent)
{
    if (r->ticket < ticket || (r->n == 0 && !r->error))
        return false;
    for (int32_t i = 0; i < r->n; i++)
        if (i != silent && (r->partitions[i].end < 0 || r->partitions[i].ticket < ticket))
            return false;
    return true;
}

/* What is known when all have answered a question that is asked now, but for the leader of one
 * partition (-1: none). */
static struct survey_result ask_of(struct survey_topic *topic, int32_t silent)
{
    uint64_t ticket = survey_ask(survey);

    for (;;) {
        struct survey_result r = take_of(topic);
        if (has_answers(&r, ticket, silent))
            return r;
        survey_result_fini(&r);
    }
}

static struct survey_result ask_but(int32_t silent)
{
    return ask_of(surveyed, silent);
}

static struct survey_result ask(void)
{
    return ask_but(-1);
}

static void the_first_survey_is_made_unasked(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "first", 3);
    start("first");
    struct survey_result r = take();
    assert_int_equal(r.error, 0);
    assert_int_equal(r.ticket, 0);
    assert_true(r.told);
    assert_int_equal(r.n, 3);
    survey_result_fini(&r);
    while (r = take(), !has_answers(&r, 0, -1))
        survey_result_fini(&r);
    survey_result_fini(&r);
}

static void each_partition_has_its_leader_and_its_offsets(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "offsets", 2);
    mock_kafka_produce_numbers(&kafka, "offsets", 1, 5);
    start("offsets");
    struct survey_result r = ask();
    assert_int_equal(r.n, 2);
    for (int i = 0; i < 2; i++) {
        assert_in_range(r.partitions[i].leader, 1, BROKERS);
        assert_int_equal(r.partitions[i].first, 0);
        assert_int_equal(r.partitions[i].end, i ? 5 : 0);
    }
    survey_result_fini(&r);
}

static void a_question_is_answered_by_what_is_true_after_it(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "after", 1);
    start("after");
    for (int i = 1; i <= 3; i++) {
        mock_kafka_produce_numbers(&kafka, "after", 0, 1);
        struct survey_result r = ask();
        assert_int_equal(r.partitions[0].end, i);
        survey_result_fini(&r);
    }
}

static void tickets_rise(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "tickets", 1);
    start("tickets");
    uint64_t first = survey_ask(survey), second = survey_ask(survey);
    assert_true(second > first);
    struct survey_result r = ask();
    assert_true(r.ticket > second);
    survey_result_fini(&r);
}

static void a_result_is_taken_once(void **state)
{
    struct survey_result r;

    (void)state;
    mock_kafka_create(&kafka, "once", 1);
    start("once");
    r = take();
    survey_result_fini(&r);
    assert_false(survey_take(surveyed, &r));
}

static void what_the_broker_dropped_is_below_the_first_offset(void **state)
{
    static uint8_t value[900000];

    (void)state;
    mock_kafka_create(&kafka, "dropped", 1);
    for (int i = 0; i < 8; i++) /* the mock keeps 5 MB */
        mock_kafka_produce(&kafka, "dropped", 0, BYTES("k"), slice_of(value, sizeof value), NULL);
    start("dropped");
    struct survey_result r = ask();
    assert_in_range(r.partitions[0].first, 1, 7);
    assert_int_equal(r.partitions[0].end, 8);
    survey_result_fini(&r);
}

static void a_partition_without_a_leader_hides_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "leaderless", 2);
    mock_kafka_produce_numbers(&kafka, "leaderless", 1, 5);
    rd_kafka_mock_partition_set_leader(kafka.cluster, "leaderless", 0, -1);
    start("leaderless");
    struct survey_result r = ask_but(0);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.partitions[0].leader, -1);
    assert_int_equal(r.partitions[0].end, -1);
    assert_true(r.partitions[1].leader > 0);
    assert_int_equal(r.partitions[1].end, 5);
    survey_result_fini(&r);
}

static void a_missing_topic_is_told(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "missing", 1);
    rd_kafka_mock_topic_set_error(kafka.cluster, "missing",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start("missing");
    struct survey_result r = ask();
    assert_int_equal(r.error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(r.n, 0);
    survey_result_fini(&r);
    rd_kafka_mock_topic_set_error(kafka.cluster, "missing", RD_KAFKA_RESP_ERR_NO_ERROR);
    r = ask();
    assert_int_equal(r.error, 0);
    assert_int_equal(r.n, 1);
    survey_result_fini(&r);
}

/* One partition at each broker; broker 3 needs so long for an answer. */
static void make_slow(const char *topic, int rtt_ms)
{
    mock_kafka_create(&kafka, topic, BROKERS);
    for (int32_t i = 0; i < BROKERS; i++)
        rd_kafka_mock_partition_set_leader(kafka.cluster, topic, i, i + 1);
    rd_kafka_mock_broker_set_rtt(kafka.cluster, BROKERS, rtt_ms);
}

enum { FOR_EVER = 600000 };

static void a_leader_that_does_not_answer_hides_no_other(void **state)
{
    (void)state;
    make_slow("hung", FOR_EVER);
    start("hung");
    for (int i = 0; i < 3; i++) { /* also when the question about the topic may come to it */
        struct survey_result r = ask_but(2);
        assert_int_equal(r.partitions[2].leader, 3);
        assert_int_equal(r.partitions[2].end, -1);
        survey_result_fini(&r);
    }
}

rd_kafka_resp_err_t __real_question_layout(rd_kafka_t *rk, const char *const *topics, int32_t n,
                                           int timeout_ms, struct layout *out);
rd_kafka_resp_err_t __wrap_question_layout(rd_kafka_t *rk, const char *const *topics, int32_t n,
                                           int timeout_ms, struct layout *out);
rd_kafka_resp_err_t __wrap_question_layout(rd_kafka_t *rk, const char *const *topics, int32_t n,
                                           int timeout_ms, struct layout *out)
{
    rd_kafka_resp_err_t err = __real_question_layout(rk, topics, n, timeout_ms, out);

    if (!err && hangs_when_moved > 0 && out->topics[0].partitions[2].leader != hangs_when_moved)
        rd_kafka_mock_broker_set_rtt(kafka.cluster, hangs_when_moved, FOR_EVER);
    return err;
}

/* The asker takes it for the leader for a while longer. */
static void a_leader_that_hangs_when_it_is_none_any_more_keeps_nothing_back(void **state)
{
    (void)state;
    make_slow("moved", 0);
    start("moved");
    struct survey_result r = ask();
    survey_result_fini(&r);
    hangs_when_moved = 3;
    rd_kafka_mock_partition_set_leader(kafka.cluster, "moved", 2, 1);
    for (int answers = 0; answers < 4;) {
        r = take();
        assert_int_equal(r.partitions[0].error, 0);
        answers += r.partitions[2].leader == 1 && r.partitions[0].fresh;
        survey_result_fini(&r);
    }
}

static void a_link_that_needs_longer_than_questions_are_apart_works(void **state)
{
    (void)state;
    make_slow("slow", 1300);
    start("slow");
    struct survey_result r = ask();
    assert_int_equal(r.partitions[2].end, 0);
    survey_result_fini(&r);
}

/* It would be waited for by whoever stops the process. */
static void the_pause_after_a_slow_answer_has_a_bound(void **state)
{
    (void)state;
    assert_int_equal(survey_due_ms(1000, 1010), 2000);
    assert_int_equal(survey_due_ms(1000, 2500), 4000);
    assert_int_equal(survey_due_ms(1000, 31000), 33000);
    assert_int_equal(survey_due_ms(1000, 801000), 803000); /* we were stopped */
}

static void it_ends_at_once_though_a_leader_does_not_answer(void **state)
{
    struct timespec began, stopped;

    (void)state;
    make_slow("stopped", FOR_EVER);
    start("stopped");
    struct survey_result r = ask_but(2);
    survey_result_fini(&r);
    clock_gettime(CLOCK_MONOTONIC, &began);
    stop();
    clock_gettime(CLOCK_MONOTONIC, &stopped);
    assert_in_range(stopped.tv_sec - began.tv_sec, 0, 5); /* an answer has 30 */
    start("stopped");
}

static void each_broker_has_its_address(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "addresses", 1);
    start("addresses");
    struct survey_result r = ask();
    assert_int_equal(r.brokers_n, BROKERS);
    for (int i = 0; i < r.brokers_n; i++) {
        assert_in_range(r.brokers[i].id, 1, BROKERS);
        assert_non_null(strstr(kafka.brokers, r.brokers[i].address));
    }
    survey_result_fini(&r);
}

/* librdkafka gives up all answers of a broker for one bad one among them. */
static void a_partition_that_its_leader_refuses_hides_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "refused", 4);
    for (int32_t i = 0; i < 4; i++)
        rd_kafka_mock_partition_set_leader(kafka.cluster, "refused", i, 1);
    start("refused");
    struct survey_result r = ask();
    survey_result_fini(&r);
    /* The mock refuses a partition that it does not lead; what the survey knows is old by then. */
    rd_kafka_mock_broker_set_rtt(kafka.cluster, 2, 3000);
    rd_kafka_mock_partition_set_leader(kafka.cluster, "refused", 2, 2);
    r = ask_but(2);
    survey_result_fini(&r);
}

static void a_broker_that_is_away_answers_when_it_is_back(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "away", 1);
    start("away");
    struct survey_result r = ask();
    uint64_t answers = r.answers;
    survey_result_fini(&r);
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    survey_ask(survey);
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    r = ask();
    assert_true(r.answers > answers);
    survey_result_fini(&r);
}

/* -- several topics -- */

static void each_topic_has_its_own_partitions_and_offsets(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "three", 3);
    mock_kafka_create(&kafka, "five", 5);
    mock_kafka_produce_numbers(&kafka, "three", 2, 7);
    mock_kafka_produce_numbers(&kafka, "five", 4, 9);
    start("three");
    struct survey_topic *other = add("five");
    struct survey_result r = ask();
    assert_int_equal(r.n, 3);
    assert_int_equal(r.partitions[2].end, 7);
    survey_result_fini(&r);
    r = ask_of(other, -1);
    assert_int_equal(r.n, 5);
    assert_int_equal(r.partitions[2].end, 0);
    assert_int_equal(r.partitions[4].end, 9);
    survey_result_fini(&r);
}

static void a_topic_that_is_added_later_is_asked_for_at_once(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "old", 1);
    mock_kafka_create(&kafka, "new", 2);
    start("old");
    struct survey_result r = ask();
    survey_result_fini(&r);
    struct survey_topic *added = add("new");
    r = take_of(added);
    assert_int_equal(r.n, 2);
    survey_result_fini(&r);
}

static void a_topic_that_is_missing_or_refused_hides_no_other(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "there", 2);
    mock_kafka_create(&kafka, "gone", 2);
    mock_kafka_create(&kafka, "forbidden", 2);
    start("gone");
    struct survey_topic *there = add("there"), *forbidden = add("forbidden");
    struct survey_result r = ask();
    survey_result_fini(&r);
    rd_kafka_mock_topic_set_error(kafka.cluster, "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    rd_kafka_mock_topic_set_error(kafka.cluster, "forbidden",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    mock_kafka_produce_numbers(&kafka, "there", 1, 3);
    r = ask_of(there, -1);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.partitions[1].end, 3);
    survey_result_fini(&r);
    r = ask();
    assert_int_equal(r.error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    survey_result_fini(&r);
    r = ask_of(forbidden, -1);
    assert_int_equal(r.error, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    survey_result_fini(&r);
}

static void of_a_topic_that_was_dropped_nothing_is_told(void **state)
{
    struct survey_result r;

    (void)state;
    mock_kafka_create(&kafka, "dropped-one", 2);
    mock_kafka_create(&kafka, "kept", 2);
    start("dropped-one");
    struct survey_topic *kept = add("kept");
    r = ask();
    survey_result_fini(&r);
    survey_drop(surveyed);
    if (survey_take(surveyed, &r)) /* from before */
        survey_result_fini(&r);
    r = ask_of(kept, -1);
    survey_result_fini(&r);
    r = ask_of(kept, -1);
    survey_result_fini(&r);
    assert_false(survey_take(surveyed, &r));
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_survey_is_made_unasked),
        T(each_partition_has_its_leader_and_its_offsets),
        T(a_question_is_answered_by_what_is_true_after_it),
        T(tickets_rise),
        T(a_result_is_taken_once),
        T(what_the_broker_dropped_is_below_the_first_offset),
        T(a_partition_without_a_leader_hides_no_other),
        T(a_missing_topic_is_told),
        T(a_leader_that_does_not_answer_hides_no_other),
        T(a_leader_that_hangs_when_it_is_none_any_more_keeps_nothing_back),
        T(a_link_that_needs_longer_than_questions_are_apart_works),
        cmocka_unit_test(the_pause_after_a_slow_answer_has_a_bound),
        T(it_ends_at_once_though_a_leader_does_not_answer),
        T(each_broker_has_its_address),
        T(a_partition_that_its_leader_refuses_hides_no_other),
        T(a_broker_that_is_away_answers_when_it_is_back),
        T(each_topic_has_its_own_partitions_and_offsets),
        T(a_topic_that_is_added_later_is_asked_for_at_once),
        T(a_topic_that_is_missing_or_refused_hides_no_other),
        T(of_a_topic_that_was_dropped_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

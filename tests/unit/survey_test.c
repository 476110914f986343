#include "kafka/survey.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mock_kafka.h"
#include "support.h"

static struct mock_kafka kafka;
static rd_kafka_t *rk;
static int wake_fd;
static struct survey *survey;

static int group_setup(void **state)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    (void)state;
    mock_kafka_start(&kafka);
    rd_kafka_conf_set(conf, "bootstrap.servers", kafka.brokers, error, sizeof error);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", error, sizeof error);
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof error);
    rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    return rk == NULL;
}

static int group_teardown(void **state)
{
    (void)state;
    rd_kafka_destroy(rk);
    mock_kafka_stop(&kafka);
    return 0;
}

static void start(const char *topic)
{
    wake_fd = eventfd(0, EFD_NONBLOCK);
    survey = survey_start(rk, topic, wake_fd);
}

static int teardown(void **state)
{
    (void)state;
    survey_stop(survey);
    close(wake_fd);
    return 0;
}

/* The next result, when it has woken us. */
static struct survey_result take(void)
{
    struct pollfd p = {.fd = wake_fd, .events = POLLIN};
    struct survey_result r;
    uint64_t n;

    for (;;) {
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_int_equal(read(wake_fd, &n, sizeof n), sizeof n);
        if (survey_take(survey, &r))
            return r;
    }
}

/* The result of a question asked now. */
static struct survey_result ask(void)
{
    uint64_t ticket = survey_ask(survey);

    for (;;) {
        struct survey_result r = take();
        if (r.ticket >= ticket)
            return r;
        survey_result_fini(&r);
    }
}

static void the_first_survey_is_made_unasked(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "first", 3);
    start("first");
    struct survey_result r = take();
    assert_int_equal(r.error, 0);
    assert_int_equal(r.ticket, 0);
    assert_int_equal(r.n, 3);
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
        assert_true(r.partitions[i].has_leader && r.partitions[i].has_offsets);
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
    assert_false(survey_take(survey, &r));
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
    struct survey_result r = ask();
    assert_int_equal(r.error, 0);
    assert_int_equal(r.n, 2);
    assert_false(r.partitions[0].has_leader || r.partitions[0].has_offsets);
    assert_true(r.partitions[1].has_leader && r.partitions[1].has_offsets);
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

static void a_broker_that_is_away_is_told_and_so_is_its_return(void **state)
{
    (void)state;
    mock_kafka_create(&kafka, "away", 1);
    start("away");
    rd_kafka_mock_broker_set_down(kafka.cluster, -1);
    struct survey_result r = ask();
    assert_int_not_equal(r.error, 0);
    survey_result_fini(&r);
    rd_kafka_mock_broker_set_up(kafka.cluster, -1);
    do {
        survey_result_fini(&r);
        r = ask();
    } while (r.error);
    assert_true(r.partitions[0].has_offsets);
    survey_result_fini(&r);
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
        T(a_broker_that_is_away_is_told_and_so_is_its_return),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

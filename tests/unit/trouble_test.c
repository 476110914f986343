#include "kafka/trouble.h"

#include <librdkafka/rdkafka.h>

#include "kafka/tick.h"
#include "lines.h"
#include "support.h"

static struct contact contact;
static struct trouble t, other; /* of two topics */
static struct tick tick;
static int64_t now_ms;

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    contact_init(&contact, now_ms);
    trouble_init(&t, "events", &contact);
    trouble_init(&other, "other", &contact);
    tick = tick_new(now_ms);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&lines);
    return 0;
}

/* The lines since the last time, and the trouble now. */
static void check(enum trouble_kind kind, const char *expected)
{
    assert_text(buf_slice(&lines), expected);
    assert_int_equal(trouble_now(&t), kind);
    lines.n = 0;
}

static void look_for(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        now_ms += 1000;
        tick_look(&tick, now_ms);
        contact_look(&contact, &tick);
        trouble_look(&t);
        trouble_look(&other);
    }
}

static void answer(int error)
{
    contact_answered(&contact, now_ms);
    trouble_told(&t, error);
}

static void a_topic_that_is_there_is_no_trouble(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        answer(0);
        look_for(1);
    }
    check(TROUBLE_NONE, "");
}

static void a_topic_is_missing_when_that_was_said_twice(void **state)
{
    (void)state;
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    check(TROUBLE_NONE, "");
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    check(TROUBLE_MISSING, "warn kafka: topic events does not exist, waiting for it\n");
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    check(TROUBLE_MISSING, "");
    answer(0);
    check(TROUBLE_NONE, "info kafka: topic events is there\n");
}

static void the_right_that_is_missing_is_named(void **state)
{
    (void)state;
    answer(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    answer(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    check(TROUBLE_REFUSED,
          "error kafka: the right DESCRIBE on topic events is missing (Broker: Topic authorization "
          "failed), waiting for it\n");
    answer(0);
    check(TROUBLE_NONE, "info kafka: topic events is there\n");
    trouble_read(&t, true);
    trouble_read(&t, true);
    check(TROUBLE_REFUSED, "error kafka: the right READ on topic events is missing, waiting for "
                           "it\n");
    trouble_read(&t, false);
    trouble_read(&t, false);
    check(TROUBLE_NONE, "info kafka: topic events may be read\n");
}

static void the_end_of_a_silence_is_told_whatever_the_topic(void **state)
{
    (void)state;
    answer(0);
    look_for(9);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on\n");
    answer(0);
    check(TROUBLE_NONE, "info kafka: connected\n");
    look_for(9);
    lines.n = 0;
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    check(TROUBLE_NONE, "info kafka: connected\n");
}

static void a_topic_that_was_missing_before_a_silence_is_told_again(void **state)
{
    (void)state;
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    lines.n = 0;
    look_for(9);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on\n");
    answer(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    check(TROUBLE_MISSING, "info kafka: connected\n"
                           "warn kafka: topic events does not exist, waiting for it\n");
    look_for(9);
    lines.n = 0;
    answer(0); /* it has come in the silence */
    check(TROUBLE_NONE, "info kafka: connected\ninfo kafka: topic events is there\n");
}

static void refused_credentials_are_no_broker_that_does_not_answer(void **state)
{
    (void)state;
    contact_hear(&contact, RD_KAFKA_RESP_ERR__SSL, "h:1/1: certificate verify failed");
    look_for(2);
    assert_int_equal(trouble_now(&t), TROUBLE_REFUSED);
}

static void of_two_topics_one_may_be_missing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        answer(0);
        trouble_told(&other, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    }
    assert_int_equal(trouble_now(&other), TROUBLE_MISSING);
    check(TROUBLE_NONE, "warn kafka: topic other does not exist, waiting for it\n");
}

static void a_silence_is_told_once_for_all_topics(void **state)
{
    (void)state;
    answer(0);
    look_for(9);
    assert_int_equal(trouble_now(&other), TROUBLE_AWAY);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on\n");
    answer(0);
    trouble_told(&other, 0);
    assert_int_equal(trouble_now(&other), TROUBLE_NONE);
    check(TROUBLE_NONE, "info kafka: connected\n");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_topic_that_is_there_is_no_trouble),
        T(a_topic_is_missing_when_that_was_said_twice),
        T(the_right_that_is_missing_is_named),
        T(the_end_of_a_silence_is_told_whatever_the_topic),
        T(a_topic_that_was_missing_before_a_silence_is_told_again),
        T(refused_credentials_are_no_broker_that_does_not_answer),
        T(of_two_topics_one_may_be_missing),
        T(a_silence_is_told_once_for_all_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

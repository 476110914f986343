#include "kafka/trouble.h"

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "kafka/tick.h"
#include "support.h"

/* -- what is logged -- */

static struct buf lines;

static void note(const char *level, const char *format, va_list ap)
{
    char line[2048];

    vsnprintf(line, sizeof line, format, ap);
    buf_printf(&lines, "%s %s\n", level, line);
}

#define WRAP(level)                                                                                \
    void __wrap_log_##level(const char *format, ...);                                              \
    void __wrap_log_##level(const char *format, ...)                                               \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, format);                                                                      \
        note(#level, format, ap);                                                                  \
        va_end(ap);                                                                                \
    }
WRAP(error)
WRAP(warn)
WRAP(info)

/* -- */

static int librdkafka;

int __wrap_rd_kafka_version(void);
int __wrap_rd_kafka_version(void)
{
    return librdkafka;
}

static struct trouble t;
static struct tick tick;
static int64_t now_ms;

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    trouble_init(&t, "events", now_ms);
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
        trouble_look(&t, &tick);
    }
}

static void answer(int error)
{
    trouble_told(&t, error);
    trouble_answered(&t, now_ms);
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
    check(TROUBLE_NONE, "info kafka: connected, topic events is there\n");
}

static void without_any_answer_kafka_is_away_after_nine_seconds(void **state)
{
    (void)state;
    look_for(8);
    check(TROUBLE_NONE, "");
    look_for(1);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on\n");
    look_for(100);
    check(TROUBLE_AWAY, "");
    answer(0);
    check(TROUBLE_NONE, "info kafka: connected, topic events is there\n");
}

static void if_all_connections_are_down_after_two(void **state)
{
    (void)state;
    answer(0);
    trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, "h:1/1: Connection refused");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    check(TROUBLE_NONE, ""); /* it may be back by then */
    look_for(1);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on: 1/1 brokers are down\n");
}

static void one_that_is_back_soon_was_not_away(void **state)
{
    (void)state;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    trouble_answered(&t, now_ms);
    look_for(5);
    check(TROUBLE_NONE, "");
}

/* A Fetch that is too large ends the connection again and again. */
static void a_broker_whose_answer_cannot_be_taken_is_there(void **state)
{
    (void)state;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__BAD_MSG, "h:1/1: Invalid response size");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(5);
    check(TROUBLE_NONE, "");
    assert_string_equal(trouble_words(&t, WORDS_ANSWER, 1), "Invalid response size");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, "h:1/1: Connection refused");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on: 1/1 brokers are down\n");
}

/* librdkafka repeats it each half minute, and has no connection in between. */
static void refused_credentials_are_told_once_and_are_no_broker_that_does_not_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        trouble_hear(&t, RD_KAFKA_RESP_ERR__AUTHENTICATION, "h:1/bootstrap: SASL: wrong password");
        trouble_hear(&t, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
        look_for(30);
    }
    check(TROUBLE_REFUSED, "error kafka: the brokers refuse our credentials: h:1/bootstrap: SASL: "
                           "wrong password\n");
    answer(0);
    check(TROUBLE_NONE, "info kafka: connected, topic events is there\n");
}

static void scram_that_kafka_4_cannot_take_is_named(void **state)
{
#define REFUSED                                                                                    \
    "h:1/1: SASL authentication error: invalid credentials with SASL mechanism SCRAM-SHA-256"
    (void)state;
    librdkafka = 0x020600ff;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__AUTHENTICATION, REFUSED);
    look_for(2);
    check(TROUBLE_REFUSED, "error kafka: the brokers refuse our credentials: " REFUSED
                           "; with Kafka 4, SCRAM needs librdkafka 2.6.1\n");
    librdkafka = 0x020601ff;
    answer(0);
    lines.n = 0;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__AUTHENTICATION, REFUSED);
    look_for(2);
    check(TROUBLE_REFUSED, "error kafka: the brokers refuse our credentials: " REFUSED "\n");
}

static void one_broker_that_refuses_is_no_trouble_while_others_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        trouble_hear(&t, RD_KAFKA_RESP_ERR__AUTHENTICATION, "h:3/3: SASL: wrong password");
        answer(0);
        look_for(1);
    }
    check(TROUBLE_NONE, "");
    assert_string_equal(trouble_words(&t, WORDS_BROKER, 3), "SASL: wrong password");
}

static void a_certificate_is_not_a_password(void **state)
{
    (void)state;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__SSL, "h:1/1: certificate verify failed");
    look_for(2);
    check(TROUBLE_REFUSED, "error kafka: no TLS connection to the brokers: h:1/1: certificate "
                           "verify failed\n");
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
    check(TROUBLE_NONE, "info kafka: connected, topic events is there\n");
    trouble_read(&t, true);
    trouble_read(&t, true);
    check(TROUBLE_REFUSED, "error kafka: the right READ on topic events is missing, waiting for "
                           "it\n");
    trouble_read(&t, false);
    trouble_read(&t, false);
    check(TROUBLE_NONE, "info kafka: topic events may be read\n");
}

static void a_leader_that_answers_ends_the_silence_too(void **state)
{
    (void)state;
    look_for(9);
    lines.n = 0;
    trouble_answered(&t, now_ms);
    check(TROUBLE_NONE, "info kafka: connected\n");
}

/* Nobody could answer a process that was stopped. */
static void a_time_in_which_we_did_not_run_is_no_silence(void **state)
{
    (void)state;
    answer(0);
    now_ms += 60000;
    tick_look(&tick, now_ms);
    trouble_look(&t, &tick);
    check(TROUBLE_NONE, "");
    look_for(7);
    check(TROUBLE_NONE, "");
    look_for(1);
    check(TROUBLE_AWAY, "warn kafka: no broker answers, trying on\n");
}

static void words_are_kept_for_each_broker(void **state)
{
    (void)state;
    trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, "ssl://h:9092/7: one");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, "h:9092/8: two: three");
    trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, "h:9092/7: four");
    assert_string_equal(trouble_words(&t, WORDS_BROKER, 7), "four");
    assert_string_equal(trouble_words(&t, WORDS_BROKER, 8), "two: three");
    assert_null(trouble_words(&t, WORDS_PARTITION, 7));
    trouble_forget(&t, WORDS_BROKER, 7);
    assert_null(trouble_words(&t, WORDS_BROKER, 7));
    assert_non_null(trouble_words(&t, WORDS_BROKER, 8));
}

static void words_without_a_broker_are_of_none(void **state)
{
    static const char *const texts[] = {
        "", ": ", "/: x", "h:1/bootstrap: x", "h:1/: x", "7: x", "2/3 brokers are down", "h/1x: y"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        trouble_hear(&t, RD_KAFKA_RESP_ERR__TRANSPORT, texts[i]);
    for (int32_t id = 0; id < 10; id++)
        assert_null(trouble_words(&t, WORDS_BROKER, id));
}

static void of_too_many_words_the_oldest_are_forgotten(void **state)
{
    (void)state;
    for (int32_t i = 0; i < TROUBLE_WORDS; i++)
        trouble_note(&t, WORDS_PARTITION, i, "x");
    trouble_note(&t, WORDS_PARTITION, 0, "renewed");
    trouble_note(&t, WORDS_PARTITION, 1000, "one more");
    assert_string_equal(trouble_words(&t, WORDS_PARTITION, 0), "renewed");
    assert_null(trouble_words(&t, WORDS_PARTITION, 1));
    assert_non_null(trouble_words(&t, WORDS_PARTITION, 2));
    assert_non_null(trouble_words(&t, WORDS_PARTITION, 1000));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_topic_that_is_there_is_no_trouble),
        T(a_topic_is_missing_when_that_was_said_twice),
        T(without_any_answer_kafka_is_away_after_nine_seconds),
        T(if_all_connections_are_down_after_two),
        T(one_that_is_back_soon_was_not_away),
        T(a_broker_whose_answer_cannot_be_taken_is_there),
        T(refused_credentials_are_told_once_and_are_no_broker_that_does_not_answer),
        T(scram_that_kafka_4_cannot_take_is_named),
        T(one_broker_that_refuses_is_no_trouble_while_others_answer),
        T(a_certificate_is_not_a_password),
        T(the_right_that_is_missing_is_named),
        T(a_leader_that_answers_ends_the_silence_too),
        T(a_time_in_which_we_did_not_run_is_no_silence),
        T(words_are_kept_for_each_broker),
        T(words_without_a_broker_are_of_none),
        T(of_too_many_words_the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

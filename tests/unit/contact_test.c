#include "kafka/contact.h"

#include <librdkafka/rdkafka.h>

#include "kafka/tick.h"
#include "lines.h"
#include "support.h"

static int librdkafka;

int __wrap_rd_kafka_version(void);
int __wrap_rd_kafka_version(void)
{
    return librdkafka;
}

static struct contact c;
static struct tick tick;
static int64_t now_ms;

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    contact_init(&c, now_ms);
    tick = tick_new(now_ms);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&lines);
    return 0;
}

/* The lines since the last time, and the error now. */
static void check(int error, const char *expected)
{
    assert_text(buf_slice(&lines), expected);
    assert_int_equal(c.error, error);
    lines.n = 0;
}

static void look_for(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        now_ms += 1000;
        tick_look(&tick, now_ms);
        contact_look(&c, &tick);
    }
}

static void without_any_answer_kafka_is_away_after_nine_seconds(void **state)
{
    (void)state;
    contact_answered(&c, now_ms);
    look_for(8);
    check(0, "");
    look_for(1);
    check(RD_KAFKA_RESP_ERR__TRANSPORT, "warn kafka: no broker answers, trying on\n");
    look_for(100);
    check(RD_KAFKA_RESP_ERR__TRANSPORT, "");
    contact_answered(&c, now_ms);
    check(0, "info kafka: connected\n");
}

static void a_broker_that_has_never_answered_may_be_a_controller(void **state)
{
    (void)state;
    look_for(9);
    check(RD_KAFKA_RESP_ERR__TRANSPORT,
          "warn kafka: no broker answers, trying on: neither an answer nor "
          "a refusal; is it a controller's port?\n");
    contact_answered(&c, now_ms);
    check(0, "info kafka: connected\n");
    contact_hear(&c, RD_KAFKA_RESP_ERR__FAIL, "h:1/1: Required feature not supported by broker");
    look_for(9);
    check(RD_KAFKA_RESP_ERR__TRANSPORT,
          "warn kafka: no broker answers, trying on: h:1/1: Required feature "
          "not supported by broker; is it a controller's port?\n");
}

static void if_all_connections_are_down_after_two(void **state)
{
    (void)state;
    contact_answered(&c, now_ms);
    contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, "h:1/1: Connection refused");
    contact_hear(&c, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    check(0, ""); /* it may be back by then */
    look_for(1);
    check(RD_KAFKA_RESP_ERR__TRANSPORT,
          "warn kafka: no broker answers, trying on: h:1/1: Connection refused\n");
}

static void one_that_is_back_soon_was_not_away(void **state)
{
    (void)state;
    contact_hear(&c, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    contact_answered(&c, now_ms);
    look_for(5);
    check(0, "");
}

/* A Fetch that is too large ends the connection again and again. */
static void a_broker_whose_answer_cannot_be_taken_is_there(void **state)
{
    (void)state;
    contact_hear(&c, RD_KAFKA_RESP_ERR__BAD_MSG, "h:1/1: Invalid response size");
    contact_hear(&c, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(5);
    check(0, "");
    assert_string_equal(words_find(&c.words, WORDS_ANSWER, 1), "Invalid response size");
    contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, "h:1/1: Connection refused");
    contact_hear(&c, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    look_for(1);
    check(RD_KAFKA_RESP_ERR__TRANSPORT,
          "warn kafka: no broker answers, trying on: h:1/1: Connection refused\n");
}

/* librdkafka repeats it each half minute, and has no connection in between. */
static void refused_credentials_are_told_once_and_are_no_broker_that_does_not_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        contact_hear(&c, RD_KAFKA_RESP_ERR__AUTHENTICATION, "h:1/bootstrap: SASL: wrong password");
        contact_hear(&c, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
        look_for(30);
    }
    check(RD_KAFKA_RESP_ERR__AUTHENTICATION,
          "error kafka: the brokers refuse our credentials: h:1/bootstrap: SASL: "
          "wrong password\n");
    contact_answered(&c, now_ms);
    check(0, "info kafka: connected\n");
}

static void scram_that_kafka_4_cannot_take_is_named(void **state)
{
#define REFUSED                                                                                    \
    "h:1/1: SASL authentication error: invalid credentials with SASL mechanism SCRAM-SHA-256"
    (void)state;
    librdkafka = 0x020600ff;
    contact_hear(&c, RD_KAFKA_RESP_ERR__AUTHENTICATION, REFUSED);
    look_for(2);
    check(RD_KAFKA_RESP_ERR__AUTHENTICATION,
          "error kafka: the brokers refuse our credentials: " REFUSED
          "; with Kafka 4, SCRAM needs librdkafka 2.6.1\n");
    librdkafka = 0x020601ff;
    contact_answered(&c, now_ms);
    lines.n = 0;
    contact_hear(&c, RD_KAFKA_RESP_ERR__AUTHENTICATION, REFUSED);
    look_for(2);
    check(RD_KAFKA_RESP_ERR__AUTHENTICATION,
          "error kafka: the brokers refuse our credentials: " REFUSED "\n");
}

static void one_broker_that_refuses_is_no_trouble_while_others_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        contact_hear(&c, RD_KAFKA_RESP_ERR__AUTHENTICATION, "h:3/3: SASL: wrong password");
        contact_answered(&c, now_ms);
        look_for(1);
    }
    check(0, "");
    assert_string_equal(words_find(&c.words, WORDS_BROKER, 3), "SASL: wrong password");
}

static void a_certificate_is_not_a_password(void **state)
{
    (void)state;
    contact_hear(&c, RD_KAFKA_RESP_ERR__SSL, "h:1/1: certificate verify failed");
    look_for(2);
    check(RD_KAFKA_RESP_ERR__SSL,
          "error kafka: no TLS connection to the brokers: h:1/1: certificate "
          "verify failed\n");
}

static void a_leader_that_answers_ends_the_silence_too(void **state)
{
    (void)state;
    look_for(9);
    lines.n = 0;
    contact_answered(&c, now_ms);
    check(0, "info kafka: connected\n");
}

/* Nobody could answer a process that was stopped. */
static void a_time_in_which_we_did_not_run_is_no_silence(void **state)
{
    (void)state;
    contact_answered(&c, now_ms);
    now_ms += 60000;
    tick_look(&tick, now_ms);
    contact_look(&c, &tick);
    check(0, "");
    look_for(7);
    check(0, "");
    look_for(1);
    check(RD_KAFKA_RESP_ERR__TRANSPORT, "warn kafka: no broker answers, trying on\n");
}

static void words_are_kept_for_each_broker(void **state)
{
    (void)state;
    contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, "ssl://h:9092/7: one");
    contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, "h:9092/8: two: three");
    contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, "h:9092/7: four");
    assert_string_equal(words_find(&c.words, WORDS_BROKER, 7), "four");
    assert_string_equal(words_find(&c.words, WORDS_BROKER, 8), "two: three");
    assert_null(words_find(&c.words, WORDS_PARTITION, 7));
    words_forget(&c.words, WORDS_BROKER, 7);
    assert_null(words_find(&c.words, WORDS_BROKER, 7));
    assert_non_null(words_find(&c.words, WORDS_BROKER, 8));
}

static void words_without_a_broker_are_of_none(void **state)
{
    static const char *const texts[] = {
        "", ": ", "/: x", "h:1/bootstrap: x", "h:1/: x", "7: x", "2/3 brokers are down", "h/1x: y"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        contact_hear(&c, RD_KAFKA_RESP_ERR__TRANSPORT, texts[i]);
    for (int32_t id = 0; id < 10; id++)
        assert_null(words_find(&c.words, WORDS_BROKER, id));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(without_any_answer_kafka_is_away_after_nine_seconds),
        T(a_broker_that_has_never_answered_may_be_a_controller),
        T(if_all_connections_are_down_after_two),
        T(one_that_is_back_soon_was_not_away),
        T(a_broker_whose_answer_cannot_be_taken_is_there),
        T(refused_credentials_are_told_once_and_are_no_broker_that_does_not_answer),
        T(scram_that_kafka_4_cannot_take_is_named),
        T(one_broker_that_refuses_is_no_trouble_while_others_answer),
        T(a_certificate_is_not_a_password),
        T(a_leader_that_answers_ends_the_silence_too),
        T(a_time_in_which_we_did_not_run_is_no_silence),
        T(words_are_kept_for_each_broker),
        T(words_without_a_broker_are_of_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

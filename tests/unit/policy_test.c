#include "kafka/policy.h"

#include <librdkafka/rdkafka.h>

#include "support.h"

enum {
    NOW = 1000000,
    ANSWERED_MS = 15000,
    UNANSWERED_MS = 60000,
    PATIENCE_MS = 5000,
    NOBODY_MS = 2000
};

static const struct settings log_settings = {.delete_retention_ms = 86400000},
                             table = {.compacted = true, .delete_retention_ms = 86400000},
                             hasty = {.compacted = true, .delete_retention_ms = 1000};

/* A broker's answer, two ways of not having one, and one that is none yet. */
static const rd_kafka_resp_err_t REFUSED = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                 CLOSED = RD_KAFKA_RESP_ERR__TRANSPORT,
                                 LATE = RD_KAFKA_RESP_ERR__TIMED_OUT,
                                 UNHEARD = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

static struct policy policy;
static int64_t now;

static void begin(enum compact compact)
{
    policy = policy_new("t", compact);
    now = NOW;
}

static void refuse(rd_kafka_resp_err_t err, enum policy_change expected)
{
    assert_true(policy_ask(&policy, true, now));
    assert_int_equal(policy_answered(&policy, err, NULL, now), expected);
}

static void answer(const struct settings *settings, enum policy_change expected)
{
    assert_true(policy_ask(&policy, true, now));
    assert_int_equal(policy_answered(&policy, RD_KAFKA_RESP_ERR_NO_ERROR, settings, now), expected);
}

static void check(bool compacted, int64_t delete_retention_ms)
{
    assert_true(policy.decided);
    assert_int_equal(policy.settings.compacted, compacted);
    assert_int_equal(policy.settings.delete_retention_ms, delete_retention_ms);
}

static void the_clusters_word_decides(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    assert_false(policy.decided);
    answer(&hasty, POLICY_DECIDED);
    check(true, 1000);
    assert_false(policy_is_assumed(&policy));
}

static void one_question_is_under_way_at_a_time(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    assert_true(policy_ask(&policy, true, now));
    assert_false(policy_ask(&policy, true, now + 10 * UNANSWERED_MS));
    policy_answered(&policy, RD_KAFKA_RESP_ERR_NO_ERROR, &table, now);
    assert_false(policy_ask(&policy, true, now + ANSWERED_MS - 1));
    assert_true(policy_ask(&policy, true, now + ANSWERED_MS));
}

static void what_was_told_to_be_off_is_never_asked_for(void **state)
{
    (void)state;
    begin(COMPACT_OFF);
    check(false, 86400000);
    assert_false(policy_ask(&policy, true, now));
    assert_false(policy_ask(&policy, true, now + 10 * UNANSWERED_MS));
    policy_forget(&policy);
    check(false, 86400000);
}

static void what_was_told_to_be_on_waits_for_nobody(void **state)
{
    const rd_kafka_resp_err_t errors[] = {REFUSED, CLOSED, LATE};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin(COMPACT_ON);
        check(true, 86400000);
        refuse(errors[i], POLICY_AS_BEFORE);
        check(true, 86400000);
        assert_false(policy_is_assumed(&policy));
        assert_false(policy_ask(&policy, true, now + ANSWERED_MS - 1));
    }
}

static void what_was_told_to_be_on_still_gets_the_clusters_retention(void **state)
{
    (void)state;
    begin(COMPACT_ON);
    answer(&(struct settings){.compacted = false, .delete_retention_ms = 1000}, POLICY_RETENTION);
    check(true, 1000);
}

static void a_refusal_decides_at_once_and_is_asked_again(void **state)
{
    const rd_kafka_resp_err_t errors[] = {
        REFUSED, RD_KAFKA_RESP_ERR_INVALID_REQUEST, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
        RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin(COMPACT_AUTO);
        refuse(errors[i], POLICY_DECIDED);
        check(false, 86400000);
        assert_true(policy_is_assumed(&policy));
        now += ANSWERED_MS;
        answer(&table, POLICY_OTHER);
        check(true, 86400000);
        assert_false(policy_is_assumed(&policy));
    }
}

static void a_broken_connection_is_tried_again_before_it_decides(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    for (; now < NOW + PATIENCE_MS; now += 1000) {
        refuse(CLOSED, POLICY_AS_BEFORE);
        assert_false(policy.decided);
        assert_false(policy_ask(&policy, true, now + 999));
    }
    refuse(CLOSED, POLICY_DECIDED);
    check(false, 86400000);
    assert_false(policy_ask(&policy, true, now + UNANSWERED_MS - 1));
    now += UNANSWERED_MS;
    refuse(LATE, POLICY_AS_BEFORE);
    now += UNANSWERED_MS;
    answer(&table, POLICY_OTHER);
}

static void silence_decides_when_it_has_lasted(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    assert_true(policy_ask(&policy, true, now));
    assert_int_equal(policy_answered(&policy, LATE, NULL, now + PATIENCE_MS), POLICY_DECIDED);
}

/* One that does not answer would decide by its silence. */
static void who_answers_is_asked(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    assert_false(policy_ask(&policy, false, now));
    assert_false(policy_ask(&policy, false, now + NOBODY_MS - 1));
    assert_true(policy_ask(&policy, true, now + NOBODY_MS - 1));
    begin(COMPACT_AUTO);
    assert_false(policy_ask(&policy, false, now));
    assert_true(policy_ask(&policy, false, now + NOBODY_MS));
    policy_answered(&policy, RD_KAFKA_RESP_ERR_NO_ERROR, &table, now);
    assert_false(policy_ask(&policy, false, now + 10 * UNANSWERED_MS));
    assert_true(policy_ask(&policy, true, now + 10 * UNANSWERED_MS));
}

static void a_change_is_noticed_once(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    answer(&log_settings, POLICY_DECIDED);
    now += ANSWERED_MS;
    answer(&log_settings, POLICY_AS_BEFORE);
    now += ANSWERED_MS;
    answer(&hasty, POLICY_OTHER);
    now += ANSWERED_MS;
    answer(&hasty, POLICY_AS_BEFORE);
    now += ANSWERED_MS;
    answer(&table, POLICY_RETENTION);
    check(true, 86400000);
    now += ANSWERED_MS;
    answer(&log_settings, POLICY_OTHER);
    check(false, 86400000);
}

static void what_was_read_stays_when_it_cannot_be_read_any_more(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    answer(&hasty, POLICY_DECIDED);
    now += ANSWERED_MS;
    refuse(REFUSED, POLICY_AS_BEFORE);
    check(true, 1000);
    assert_false(policy_is_assumed(&policy));
    now += ANSWERED_MS;
    refuse(CLOSED, POLICY_AS_BEFORE);
    check(true, 1000);
}

static void a_topic_made_again_is_asked_for_at_once(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    answer(&table, POLICY_DECIDED);
    policy_forget(&policy);
    assert_false(policy.decided);
    answer(&log_settings, POLICY_DECIDED);
    check(false, 86400000);
}

static void who_has_not_heard_of_the_topic_does_not_decide_at_once(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    refuse(UNHEARD, POLICY_AS_BEFORE);
    assert_false(policy.decided);
    now += PATIENCE_MS - 1;
    refuse(UNHEARD, POLICY_AS_BEFORE);
    policy_missing(&policy);
    now += PATIENCE_MS;
    refuse(UNHEARD, POLICY_AS_BEFORE);
    now += PATIENCE_MS;
    refuse(UNHEARD, POLICY_DECIDED);
    check(false, 86400000);
}

static void an_answer_of_one_that_has_gone_is_not_looked_at(void **state)
{
    (void)state;
    begin(COMPACT_AUTO);
    assert_true(policy_ask(&policy, true, now));
    policy_missing(&policy);
    policy_missing(&policy);
    assert_false(policy_ask(&policy, true, now));
    assert_int_equal(policy_answered(&policy, REFUSED, NULL, now), POLICY_AS_BEFORE);
    assert_false(policy.decided);
    answer(&table, POLICY_DECIDED);
    check(true, 86400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clusters_word_decides),
        cmocka_unit_test(one_question_is_under_way_at_a_time),
        cmocka_unit_test(what_was_told_to_be_off_is_never_asked_for),
        cmocka_unit_test(what_was_told_to_be_on_waits_for_nobody),
        cmocka_unit_test(what_was_told_to_be_on_still_gets_the_clusters_retention),
        cmocka_unit_test(a_refusal_decides_at_once_and_is_asked_again),
        cmocka_unit_test(a_broken_connection_is_tried_again_before_it_decides),
        cmocka_unit_test(silence_decides_when_it_has_lasted),
        cmocka_unit_test(who_answers_is_asked),
        cmocka_unit_test(a_change_is_noticed_once),
        cmocka_unit_test(what_was_read_stays_when_it_cannot_be_read_any_more),
        cmocka_unit_test(a_topic_made_again_is_asked_for_at_once),
        cmocka_unit_test(who_has_not_heard_of_the_topic_does_not_decide_at_once),
        cmocka_unit_test(an_answer_of_one_that_has_gone_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

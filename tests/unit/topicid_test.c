#include "kafka/topicid.h"

#include "mock_kafka.h"
#include "support.h"

enum { PATIENCE_MS = 60000 };

static struct mock_kafka kafka;

static int group_setup(void **state)
{
    (void)state;
    mock_kafka_start(&kafka);
    mock_kafka_create(&kafka, "one", 1);
    mock_kafka_create(&kafka, "other", 1);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mock_kafka_stop(&kafka);
    return 0;
}

static struct topic_id id_of(const char *topic)
{
    return topicid_take(topicid_ask(kafka.producer, topic, 1, PATIENCE_MS), PATIENCE_MS);
}

static void two_ids_differ_if_both_are_known(void **state)
{
    static const struct topic_id none = {0}, a = {1, 2}, b = {1, 3}, c = {2, 2};

    (void)state;
    assert_true(topicid_differ(a, b));
    assert_true(topicid_differ(a, c));
    assert_false(topicid_differ(a, a));
    assert_false(topicid_differ(a, none));
    assert_false(topicid_differ(none, a));
    assert_false(topicid_differ(none, none));
}

static void a_topic_keeps_its_id_and_another_has_another(void **state)
{
    (void)state;
    struct topic_id first = id_of("one"), again = id_of("one"), other = id_of("other");
    if (rd_kafka_version() < 0x02030000) {
        assert_false(topicid_known(first));
        return;
    }
    assert_true(topicid_known(first));
    assert_true(topicid_known(again));
    assert_false(topicid_differ(first, again));
    assert_true(topicid_differ(first, other));
}

static void of_a_broker_that_there_is_not_nothing_is_known(void **state)
{
    (void)state;
    assert_false(
        topicid_known(topicid_take(topicid_ask(kafka.producer, "one", 7, PATIENCE_MS), 20)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ids_differ_if_both_are_known),
        cmocka_unit_test(a_topic_keeps_its_id_and_another_has_another),
        cmocka_unit_test(of_a_broker_that_there_is_not_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

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

static void ids_of(const char **topics, int32_t n, struct topic_id *ids)
{
    rd_kafka_queue_t *answer = topicid_ask(kafka.producer, topics, n, 1, PATIENCE_MS);

    topicid_take(answer, PATIENCE_MS, topics, n, ids);
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
    const char *topics[] = {"one", "other"}, *turned[] = {"other", "one"};
    struct topic_id first[2], again[2];

    (void)state;
    ids_of(topics, 2, first);
    ids_of(turned, 2, again);
    if (rd_kafka_version() < 0x02030000) {
        assert_false(topicid_known(first[0]));
        return;
    }
    assert_true(topicid_known(first[0]));
    assert_true(topicid_known(again[0]));
    assert_false(topicid_differ(first[0], again[1]));
    assert_false(topicid_differ(first[1], again[0]));
    assert_true(topicid_differ(first[0], first[1]));
}

static void of_a_broker_that_there_is_not_nothing_is_known(void **state)
{
    const char *topics[] = {"one"};
    struct topic_id id = {1, 1};

    (void)state;
    topicid_take(topicid_ask(kafka.producer, topics, 1, 7, PATIENCE_MS), 20, topics, 1, &id);
    assert_false(topicid_known(id));
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

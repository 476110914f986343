#include "kafka/conf.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>

#include "support.h"

static void properties_are_set_or_refused_for_a_reason(void **state)
{
    struct kafka_conf *conf = kafka_conf_new();

    (void)state;
    assert_int_equal(kafka_conf_set(conf, "client.id", "c", false), 0);
    assert_int_equal(kafka_conf_set(conf, "group.id", "g", true), -EPERM);
    assert_int_equal(kafka_conf_set(conf, "topic.auto.offset.reset", "latest", true), -EPERM);
    assert_int_equal(kafka_conf_set(conf, "topic.request.timeout.ms", "1000", true), 0);
    assert_int_equal(kafka_conf_set(conf, "plugin.library.paths", "/x", false), -EACCES);
    assert_int_equal(kafka_conf_set(conf, "sasl.kerberos.kinit.cmd", "/x", true), 0);
    assert_int_equal(kafka_conf_set(conf, "no.such", "1", true), -ENOENT);
    assert_int_equal(kafka_conf_set(conf, "fetch.wait.max.ms", "x", true), -EINVAL);
    kafka_conf_free(conf);
}

static void check(const struct kafka_conf *conf, const char *name, const char *expected)
{
    char value[64];
    size_t n = sizeof value;

    assert_int_equal(rd_kafka_conf_get(kafka_conf_inside(conf), name, value, &n), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static void what_is_fetched_ahead_is_limited_for_all_topics_together(void **state)
{
    static const struct {
        size_t topics;
        const char *messages, *kbytes;
    } cases[] = {{1, "1000000", "131072"},
                 {2, "500000", "65536"},
                 {20, "50000", "6553"},
                 {256, "20000", "4096"}};
    struct kafka_conf *conf = kafka_conf_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kafka_conf_share(conf, cases[i].topics);
        check(conf, "queued.min.messages", cases[i].messages);
        check(conf, "queued.max.messages.kbytes", cases[i].kbytes);
    }
    kafka_conf_free(conf);
}

static void what_the_user_has_set_is_for_each_topic(void **state)
{
    struct kafka_conf *conf = kafka_conf_new();

    (void)state;
    check(conf, "queued.max.messages.kbytes", "131072");
    assert_int_equal(kafka_conf_set(conf, "queued.max.messages.kbytes", "9000", false), 0);
    kafka_conf_share(conf, 4);
    check(conf, "queued.max.messages.kbytes", "9000");
    check(conf, "queued.min.messages", "250000");
    kafka_conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_set_or_refused_for_a_reason),
        cmocka_unit_test(what_is_fetched_ahead_is_limited_for_all_topics_together),
        cmocka_unit_test(what_the_user_has_set_is_for_each_topic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

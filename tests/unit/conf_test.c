#include "kafka/conf.h"

#include <errno.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_set_or_refused_for_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "kafka/conf.h"

#include <assert.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What is fetched ahead.  librdkafka limits it by queue, which each topic has; above the first of
 * these it may stop fetching for a whole second. */
static const struct ahead {
    const char *name;
    size_t all, least; /* of all topics, and of one of many */
} ahead[] = {{"queued.min.messages", 1000000, 20000}, {"queued.max.messages.kbytes", 131072, 4096}};

enum { AHEAD = sizeof ahead / sizeof ahead[0] };

struct kafka_conf {
    rd_kafka_conf_t *inside;
    bool is_set[AHEAD]; /* by the user */
};

static const char *const defaults[][2] = {
    {"client.id", "sse-kafka-fanout"},
    {"enable.partition.eof", "true"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"}, /* we decide: the topic may have been made again */
    {"isolation.level", "read_committed"},
    {"allow.auto.create.topics", "false"},
    {"log.queue", "true"},  /* log lines come in the loop, not in librdkafka's threads */
    {"check.crcs", "true"}, /* some 2 % of loading a topic */
    {"fetch.wait.max.ms", "100"},
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "5000"},
};

static const char *const ours[] = {
    "bootstrap.servers",        "metadata.broker.list",     "group.id",
    "group.instance.id",        "enable.partition.eof",     "enable.auto.commit",
    "enable.auto.offset.store", "auto.commit.enable",       "auto.offset.reset",
    "isolation.level",          "allow.auto.create.topics", "log.queue",
    "offset.store.method",      "statistics.interval.ms",   "enabled_events",
    "test.mock.num.brokers",
};

static const char *const run_code[] = {"plugin.library.paths", "sasl.kerberos.kinit.cmd",
                                       "ssl.engine.location", "ssl.providers"};

struct kafka_conf *kafka_conf_new(void)
{
    struct kafka_conf *conf = mem_zero(sizeof *conf);
    char error[256];

    conf->inside = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        rd_kafka_conf_res_t r =
            rd_kafka_conf_set(conf->inside, defaults[i][0], defaults[i][1], error, sizeof error);
        assert(r == RD_KAFKA_CONF_OK);
        (void)r;
    }
    kafka_conf_share(conf, 1);
    return conf;
}

void kafka_conf_share(struct kafka_conf *conf, size_t topics)
{
    char value[32], error[256];

    for (size_t i = 0; i < AHEAD; i++) {
        size_t each = topics > 0 ? ahead[i].all / topics : ahead[i].all;
        if (conf->is_set[i])
            continue;
        snprintf(value, sizeof value, "%zu", each > ahead[i].least ? each : ahead[i].least);
        rd_kafka_conf_set(conf->inside, ahead[i].name, value, error, sizeof error);
    }
}

void kafka_conf_free(struct kafka_conf *conf)
{
    if (conf == NULL)
        return;
    rd_kafka_conf_destroy(conf->inside);
    free(conf);
}

static bool listed(const char *name, const char *const *list, size_t n)
{
    if (strncmp(name, "topic.", 6) == 0) /* librdkafka knows some properties by both names */
        name += 6;
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

int kafka_conf_set(struct kafka_conf *conf, const char *name, const char *value, bool trusted)
{
    char error[256];

    if (listed(name, ours, sizeof ours / sizeof ours[0]))
        return -EPERM;
    if (!trusted && listed(name, run_code, sizeof run_code / sizeof run_code[0]))
        return -EACCES;
    switch (rd_kafka_conf_set(conf->inside, name, value, error, sizeof error)) {
    case RD_KAFKA_CONF_OK:
        for (size_t i = 0; i < AHEAD; i++)
            conf->is_set[i] |= strcmp(name, ahead[i].name) == 0;
        return 0;
    case RD_KAFKA_CONF_UNKNOWN:
        return -ENOENT;
    default:
        return -EINVAL;
    }
}

const rd_kafka_conf_t *kafka_conf_inside(const struct kafka_conf *conf)
{
    return conf->inside;
}

const char *kafka_version(void)
{
    return rd_kafka_version_str();
}

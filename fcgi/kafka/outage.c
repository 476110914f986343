#include "kafka/outage.h"

#include <librdkafka/rdkafka.h>

#include "base/log.h"
#include "kafka/names.h"

/* Who should give it: its leader, or whoever will be it. */
static int32_t broker_of(const struct partition *p)
{
    return p->leader >= 0 ? p->leader : p->home;
}

static bool is_meant(const struct partition *p, enum partition_state state,
                     const struct partition *example)
{
    return p->told != state && p->state == state && broker_of(p) == broker_of(example) &&
           (p->leader < 0) == (example->leader < 0);
}

/* Words of its own: what is said of it is true of no other one. */
static bool is_alone(const struct trouble *t, enum partition_state state, int32_t partition)
{
    return state == PARTITION_STUCK && words_find(&t->words, WORDS_PARTITION, partition) != NULL;
}

/* All that are as the one of that number is; marks them as told. */
static struct names take_names(const struct trouble *t, struct partition *partitions, int32_t n,
                               int32_t that)
{
    const struct partition example = partitions[that];
    enum partition_state state = example.state;
    struct names names = names_new(t->topic);

    if (is_alone(t, state, that))
        n = that + 1;
    for (int32_t i = that; i < n; i++) {
        if (!is_meant(&partitions[i], state, &example) || (i != that && is_alone(t, state, i)))
            continue;
        partitions[i].told = state;
        names_add(&names, i);
    }
    names_end(&names);
    return names;
}

static const char *address_of(const struct broker *brokers, int32_t n, int32_t id)
{
    for (int32_t i = 0; i < n; i++)
        if (brokers[i].id == id)
            return brokers[i].address;
    return "an unknown address";
}

static const char *why_away(const struct trouble *t, const struct partition *p)
{
    const char *words = words_find(&t->contact->words, WORDS_BROKER, broker_of(p));

    if (p->leader < 0)
        return words ? words : "the cluster has no leader for it";
    if (p->error > 0) /* the broker's own */
        return rd_kafka_err2str(p->error);
    return words ? words : "it does not answer";
}

static void tell_away(const struct trouble *t, const struct broker *brokers, int32_t brokers_n,
                      const struct names *names, const struct partition *p)
{
    log_error("kafka: broker %d at %s gives nothing of %s, the other partitions go on: %s",
              broker_of(p), address_of(brokers, brokers_n, broker_of(p)), names->text,
              why_away(t, p));
}

static void tell_stuck(const struct trouble *t, const struct names *names,
                       const struct partition *p)
{
    const char *words = words_find(&t->words, WORDS_PARTITION, names->first);

    if (words == NULL)
        words = words_find(&t->contact->words, WORDS_ANSWER, p->leader);
    log_error("kafka: %s is stuck at %lld though its broker answers%s%s", names->text,
              (long long)p->next, words ? ": " : "", words ? words : "");
}

void outage_tell(const struct trouble *t, const struct broker *brokers, int32_t brokers_n,
                 struct partition *partitions, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        struct partition *p = &partitions[i];
        enum partition_state state = p->state;
        if (p->told == state)
            continue;
        struct names names = take_names(t, partitions, n, i);
        if (state == PARTITION_AWAY)
            tell_away(t, brokers, brokers_n, &names, p);
        else if (state == PARTITION_STUCK)
            tell_stuck(t, &names, p);
        else
            log_info("kafka: %s goes on at %lld", names.text, (long long)p->next);
    }
}

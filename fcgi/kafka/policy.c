#include "kafka/policy.h"

#include <librdkafka/rdkafka.h>

#include "base/log.h"

enum {
    ANSWERED_MS = 15000,   /* the responders of a pool differ for so long at most */
    UNANSWERED_MS = 60000, /* the question may have cost the connection */
    AGAIN_MS = 1000,
    PATIENCE_MS = 5000, /* for a first answer */
    NOBODY_MS = 2000,   /* the same, before a broker is asked of which nothing is known */
};

struct settings settings_default(void)
{
    return (struct settings){.compacted = false, .delete_retention_ms = 86400000};
}

struct policy policy_new(const char *topic, enum compact compact)
{
    struct policy p = {.topic = topic, .compact = compact};

    policy_forget(&p);
    return p;
}

void policy_forget(struct policy *p)
{
    p->decided = p->compact != COMPACT_AUTO;
    p->settings = settings_default();
    p->settings.compacted = p->compact == COMPACT_ON;
    p->read = p->asking = p->astray = false;
    p->due_ms = 0;
    p->undecided_ms = 0;
}

void policy_missing(struct policy *p)
{
    bool asking = p->asking;

    policy_forget(p);
    p->asking = p->astray = asking;
}

bool policy_ask(struct policy *p, bool answers, int64_t now_ms)
{
    if (p->compact == COMPACT_OFF || p->asking || now_ms < p->due_ms)
        return false;
    if (!p->decided && p->undecided_ms == 0)
        p->undecided_ms = now_ms;
    if (!answers && (p->decided || now_ms - p->undecided_ms < NOBODY_MS))
        return false;
    p->asking = true;
    return true;
}

/* librdkafka's own errors mean that nobody has answered, but for the one by which it knows that the
 * broker would not. */
static bool is_answer(int err)
{
    return err >= RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
}

/* That nobody answers has several names. */
static int class_of(int err)
{
    return is_answer(err) ? err : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

static const char *name_of(const struct policy *p)
{
    return p->settings.compacted ? "compacted" : "not compacted";
}

static void policy_tell(struct policy *p, int err)
{
    int before = p->unread;

    if (err == before)
        return;
    p->unread = err;
    if (err && p->read)
        log_warn("kafka: the settings of topic %s cannot be read any more (%s): it is still taken "
                 "as %s",
                 p->topic, rd_kafka_err2str(err), name_of(p));
    else if (err && p->compact == COMPACT_AUTO)
        log_warn("kafka: the settings of topic %s cannot be read (%s): it is taken as not "
                 "compacted; allow DESCRIBE_CONFIGS on it or give --compact",
                 p->topic, rd_kafka_err2str(err));
    else if (err)
        log_info("kafka: delete.retention.ms of topic %s cannot be read (%s), it is taken as %lld",
                 p->topic, rd_kafka_err2str(err), (long long)p->settings.delete_retention_ms);
    else if (before)
        log_info("kafka: the settings of topic %s can be read", p->topic);
}

static enum policy_change policy_compare(struct policy *p, const struct settings *now)
{
    struct settings before = p->settings;

    p->settings.delete_retention_ms = now->delete_retention_ms;
    if (p->compact == COMPACT_AUTO)
        p->settings.compacted = now->compacted;
    if (p->settings.compacted != before.compacted) {
        log_warn("kafka: topic %s is %s now, starting anew", p->topic, name_of(p));
        return POLICY_OTHER;
    }
    if (p->settings.delete_retention_ms != before.delete_retention_ms) {
        log_info("kafka: topic %s keeps its deletes for %lld ms now", p->topic,
                 (long long)p->settings.delete_retention_ms);
        return POLICY_RETENTION;
    }
    return POLICY_AS_BEFORE;
}

/* A connection that breaks under the question does not decide at once; nor does a broker that has
 * not heard of the topic yet, or of its end sooner than whoever said that it is there. */
static bool may_wait(const struct policy *p, int err, int64_t now_ms)
{
    bool later = !is_answer(err) || err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

    return later && !p->decided && now_ms - p->undecided_ms < PATIENCE_MS;
}

enum policy_change policy_answered(struct policy *p, int err, const struct settings *settings,
                                   int64_t now_ms)
{
    bool decided = p->decided, astray = p->astray;

    p->asking = p->astray = false;
    if (astray)
        return POLICY_AS_BEFORE;
    if (may_wait(p, err, now_ms)) {
        p->due_ms = now_ms + AGAIN_MS;
        return POLICY_AS_BEFORE;
    }
    p->due_ms = now_ms + (is_answer(err) ? ANSWERED_MS : UNANSWERED_MS);
    policy_tell(p, class_of(err));
    p->decided = true;
    if (!decided && !err)
        p->settings = *settings;
    p->read = p->read || !err;
    if (!decided)
        return POLICY_DECIDED;
    return err ? POLICY_AS_BEFORE : policy_compare(p, settings);
}

bool policy_is_assumed(const struct policy *p)
{
    return p->compact == COMPACT_AUTO && p->unread != 0 && !p->read;
}

#include "fake_consumer.h"

const char *consumer_topic(const struct consumer *c)
{
    (void)c;
    return "events";
}

void consumer_hold(struct consumer *c, bool hold)
{
    c->held = hold;
}

uint64_t consumer_ask(struct consumer *c)
{
    return ++c->asked;
}

void consumer_read_anew(struct consumer *c, const char *why)
{
    (void)why;
    c->ready = false;
    c->read_anew = true;
}

bool consumer_ready(const struct consumer *c)
{
    return c->ready;
}

uint64_t fake_consumer_questions;

int64_t consumer_end(const struct consumer *c, int32_t partition)
{
    fake_consumer_questions++;
    return c->p[partition].end;
}

int64_t consumer_surveyed_end(const struct consumer *c, int32_t partition, uint64_t ticket)
{
    return c->answered >= ticket ? c->p[partition].surveyed_end : -1;
}

bool consumer_given_up(const struct consumer *c, int32_t partition)
{
    return c->p[partition].given_up;
}

bool consumer_passed(const struct consumer *c, int32_t partition, int64_t end, uint64_t ticket)
{
    return c->p[partition].next >= end || (c->p[partition].at_end && c->asked >= ticket);
}

struct consumer_stats consumer_stats(const struct consumer *c)
{
    return (struct consumer_stats){.trouble = c->missing ? TROUBLE_MISSING : TROUBLE_NONE};
}

#include "front/health.h"

enum reason_scope { REASON_OF_TOPIC, REASON_OF_PROCESS };

#define REASON_ROW(name, text, scope, kind, meaning)                                               \
    {text, REASON_OF_##scope, REASON_##kind, meaning},
static const struct {
    const char *name;
    enum reason_scope scope;
    enum reason_kind kind;
    const char *meaning;
} reasons[REASONS] = {REASON_TABLE(REASON_ROW)};

void health_set(struct health *h, enum reason reason, int64_t count)
{
    h->count[reason] = count < 0 ? 0 : count > INT32_MAX ? INT32_MAX : (int32_t)count;
}

struct health health_join(const struct health *a, const struct health *b)
{
    struct health both = *a;

    for (int i = 0; i < REASONS; i++)
        if (b->count[i] > both.count[i])
            both.count[i] = b->count[i];
    return both;
}

static bool fails(const struct health *h, int reason)
{
    return h->count[reason] != 0 && reasons[reason].kind != REASON_TELLS;
}

bool health_ready(const struct health *h)
{
    for (int i = 0; i < REASONS; i++)
        if (fails(h, i))
            return false;
    return true;
}

const char *health_name(enum reason reason)
{
    return reasons[reason].name;
}

bool health_is_of_topic(enum reason reason)
{
    return reasons[reason].scope == REASON_OF_TOPIC;
}

void health_add_reasons(struct buf *out, const struct health *h)
{
    const char *separator = "";

    for (int i = 0; i < REASONS; i++) {
        if (!fails(h, i))
            continue;
        buf_printf(out, "%s%s", separator, reasons[i].name);
        separator = ", ";
    }
}

json_t *health_reasons(const struct health *h)
{
    json_t *array = json_array();

    for (int i = 0; i < REASONS; i++)
        if (fails(h, i))
            json_array_append_new(array, json_string(reasons[i].name));
    return array;
}

json_t *health_details(const struct health *h)
{
    json_t *object = json_object();

    for (int i = 0; i < REASONS; i++) {
        if (h->count[i] == 0)
            continue;
        json_t *text = reasons[i].kind == REASON_COUNTS
                           ? json_sprintf("%s: %d", reasons[i].meaning, (int)h->count[i])
                           : json_string(reasons[i].meaning);
        json_object_set_new(object, reasons[i].name, text);
    }
    return object;
}

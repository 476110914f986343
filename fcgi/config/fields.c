#include "config/fields.h"

#include <string.h>

#include "config/row.h"

static bool list_has(const struct config_list *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list->at[i], text) == 0)
            return true;
    return false;
}

/* What holds for both lists; `name`: of a header or field, in the text of that number. */
static enum config_result check_one(const struct config_topic *topic, const char *list,
                                    const struct config_list *texts, size_t i, const char *name)
{
    if (strlen(name) > FIELD_NAME_MAX)
        return config_fail("topics: %s: %s: a name has more than %d bytes", topic->name, list,
                           FIELD_NAME_MAX);
    if (list_has(texts, i, texts->at[i]))
        return config_fail("topics: %s: %s: %s is there twice", topic->name, list, texts->at[i]);
    return CONFIG_OK;
}

static void keep(struct config_topic *topic, const char *header)
{
    for (size_t i = 0; i < topic->kept_count; i++)
        if (strcmp(topic->kept[i], header) == 0)
            return;
    topic->kept[topic->kept_count++] = header;
}

static enum config_result check_headers(struct config_topic *topic)
{
    const struct config_list *headers = &topic->headers;

    if (headers->n > FIELDS_MAX)
        return config_fail("topics: %s: headers: more than %d", topic->name, FIELDS_MAX);
    for (size_t i = 0; i < headers->n; i++) {
        if (check_one(topic, "headers", headers, i, headers->at[i]) != CONFIG_OK)
            return CONFIG_ERROR;
        keep(topic, headers->at[i]);
    }
    return CONFIG_OK;
}

static enum config_result check_filters(struct config_topic *topic)
{
    const struct config_list *filters = &topic->filters;
    struct naming filter;

    if (filters->n > FIELDS_MAX)
        return config_fail("topics: %s: filters: more than %d", topic->name, FIELDS_MAX);
    for (size_t i = 0; i < filters->n; i++) {
        if (!naming_parse(filters->at[i], &filter) || filter.by == NAMING_TOPIC)
            return config_fail("topics: %s: filters: %s: must be header:NAME or field:PATH",
                               topic->name, filters->at[i]);
        if (check_one(topic, "filters", filters, i, filter.of) != CONFIG_OK)
            return CONFIG_ERROR;
        if (filter.by == NAMING_HEADER)
            keep(topic, filter.of);
    }
    return CONFIG_OK;
}

enum config_result fields_check(struct config_topic *topic)
{
    if (check_headers(topic) != CONFIG_OK)
        return CONFIG_ERROR;
    return check_filters(topic);
}

bool fields_declare(const struct config_topic *topic, const struct naming *rule)
{
    struct naming filter;

    if (rule->by == NAMING_HEADER)
        for (size_t i = 0; i < topic->kept_count; i++)
            if (strcmp(topic->kept[i], rule->of) == 0)
                return true;
    for (size_t i = 0; rule->by == NAMING_FIELD && i < topic->filters.n; i++)
        if (naming_parse(topic->filters.at[i], &filter) && naming_equal(&filter, rule))
            return true;
    return rule->by <= NAMING_TOPIC;
}

#include "config/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "config/issuers.h"
#include "config/routes.h"
#include "front/cors.h"
#include "route/pattern.h"

enum { GUARDED_STREAM_AGE_S = 43200 }; /* a stolen token must not be renewed for ever */

static bool is_port(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n <= 5 && s[n] == 0 && atoi(s) > 0 && atoi(s) <= 65535;
}

/* HOST, HOST:PORT or [ADDRESS]:PORT, perhaps with librdkafka's PROTOCOL:// before it. */
static bool is_broker(const char *s)
{
    static const char *const protocols[] = {"plaintext://", "ssl://", "sasl_plaintext://",
                                            "sasl_ssl://"};

    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (strncasecmp(s, protocols[i], strlen(protocols[i])) == 0) {
            s += strlen(protocols[i]);
            break;
        }
    }
    const char *end = s[0] == '[' ? strchr(s, ']') : s + strcspn(s, ":/");
    if (end == NULL || end == s)
        return false;
    end += *end == ']';
    return *end == 0 || (*end == ':' && is_port(end + 1));
}

/* librdkafka would pass over what it does not understand, and cut a port that is too large. */
static bool are_brokers(const char *list)
{
    char *copy = mem_strdup(list), *rest = NULL;
    char *one = strtok_r(copy, ", ", &rest);
    bool good = one != NULL;

    for (; one != NULL && good; one = strtok_r(NULL, ", ", &rest))
        good = is_broker(one);
    free(copy);
    return good;
}

static enum config_result check_kafka(const struct config *c)
{
    if (c->brokers == NULL)
        return config_fail("no brokers given: -b HOST:PORT, or \"brokers\" in the file");
    if (!are_brokers(c->brokers))
        return config_fail("brokers: %s: must be HOST:PORT, or several with commas between",
                           c->brokers);
    if (c->topic_count == 0)
        return config_fail("no topic given: -t TOPIC, or \"topic\" in the file");
    if (c->topic != NULL && !topic_is_name(c->topic))
        return config_fail(
            "topic: must be up to 249 letters, digits, dots, underscores and hyphens");
    return CONFIG_OK;
}

enum config_result check_config(struct reading *r)
{
    struct config *c = r->config;
    const char *name;
    json_t *value;

    json_object_foreach (r->properties, name, value) {
        if (reading_set_property(r, name, json_string_value(value), false) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    if (c->stand_in_s > 0)
        c->standby = true;
    if (c->question.token_file != NULL && c->question.explain == NULL)
        return config_fail("token-file: only with --explain URL");
    if (c->path[0] != '/' || strpbrk(c->path, "?# "))
        return config_fail("path: must begin with / and hold no ?, # or blank");
    if (strlen(c->path) > PATTERN_MAX)
        return config_fail("path: must have at most %d bytes", PATTERN_MAX);
    struct cors *cors = cors_new(c->cors);
    if (cors == NULL)
        return config_fail("cors: must be cross-origin or origins like https://www.example.com");
    cors_free(cors);
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    if (c->peer_dir == NULL && runtime != NULL && *runtime != 0)
        c->peer_dir = mem_strdup(runtime);
    if (issuers_check(r) != CONFIG_OK || routes_check(r) != CONFIG_OK)
        return CONFIG_ERROR;
    if (!c->standby && check_kafka(c) != CONFIG_OK)
        return CONFIG_ERROR;
    if (c->issuer_count > 0 && !reading_is_set(r, "max-stream-age"))
        c->max_stream_age_s = GUARDED_STREAM_AGE_S;
    return CONFIG_OK;
}

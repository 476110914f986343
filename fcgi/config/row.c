#include "config/row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum config_result config_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_at_v(LOG_ERROR, format, args);
    va_end(args);
    return CONFIG_ERROR;
}

static const char *mismatch_string(const json_t *value)
{
    return json_is_string(value) ? NULL : "a string";
}

/* -- texts -- */

static enum config_result read_text(const struct row *row, void *to, const char *text)
{
    char **out = to;

    if (*text == 0)
        return config_fail("%s: must not be empty", row->name);
    free(*out);
    *out = mem_strdup(text);
    return CONFIG_OK;
}

static enum config_result take_text(const struct row *row, void *to, const json_t *value)
{
    return read_text(row, to, json_string_value(value));
}

static void fini_text(void *value)
{
    char **text = value;

    free(*text);
}

const struct row_kind kind_text = {
    .read = read_text, .mismatch = mismatch_string, .take = take_text, .fini = fini_text};

/* -- lists of texts -- */

static enum config_result read_list(const struct row *row, void *to, const char *text)
{
    struct config_list *list = to;

    if (*text == 0)
        return config_fail("%s: must not be empty", row->name);
    list->at = mem_resize_array(list->at, list->n + 1, sizeof *list->at);
    list->at[list->n++] = mem_strdup(text);
    return CONFIG_OK;
}

static const char *mismatch_list(const json_t *value)
{
    size_t i;
    json_t *one;

    json_array_foreach (value, i, one)
        if (!json_is_string(one))
            return "an array of strings";
    return json_is_array(value) || json_is_string(value) ? NULL : "a string or an array";
}

static enum config_result take_list(const struct row *row, void *to, const json_t *value)
{
    size_t i;
    json_t *one;
    enum config_result result = CONFIG_OK;

    if (json_is_string(value))
        return read_list(row, to, json_string_value(value));
    json_array_foreach (value, i, one)
        if (result == CONFIG_OK)
            result = read_list(row, to, json_string_value(one));
    return result;
}

static void fini_list(void *value)
{
    struct config_list *list = value;

    while (list->n > 0)
        free(list->at[--list->n]);
    free(list->at);
}

const struct row_kind kind_list = {
    .read = read_list, .mismatch = mismatch_list, .take = take_list, .fini = fini_list};

/* -- numbers -- */

static enum config_result set_number(const struct row *row, void *to, int64_t number)
{
    int64_t *out = to;

    if (number < row->min || number > row->max)
        return config_fail("%s: %" PRId64 " is not between %" PRId64 " and %" PRId64, row->name,
                           number, row->min, row->max);
    *out = number;
    return CONFIG_OK;
}

static bool parse_number(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == 0;
}

static enum config_result read_number(const struct row *row, void *to, const char *text)
{
    int64_t number;

    if (!parse_number(text, &number))
        return config_fail("%s: must be a whole number", row->name);
    return set_number(row, to, number);
}

static const char *mismatch_number(const json_t *value)
{
    return json_is_integer(value) ? NULL : "a whole number";
}

static enum config_result take_number(const struct row *row, void *to, const json_t *value)
{
    return set_number(row, to, json_integer_value(value));
}

const struct row_kind kind_number = {
    .read = read_number, .mismatch = mismatch_number, .take = take_number};

/* -- numbers that may be "auto", kept as -1 -- */

static enum config_result read_auto(const struct row *row, void *to, const char *text)
{
    int64_t *out = to, number;

    if (strcmp(text, "auto") == 0) {
        *out = -1;
        return CONFIG_OK;
    }
    if (!parse_number(text, &number))
        return config_fail("%s: must be a whole number or auto", row->name);
    return set_number(row, to, number);
}

static const char *mismatch_auto(const json_t *value)
{
    return json_is_integer(value) || json_is_string(value) ? NULL : "a whole number or auto";
}

static enum config_result take_auto(const struct row *row, void *to, const json_t *value)
{
    return json_is_string(value) ? read_auto(row, to, json_string_value(value))
                                 : set_number(row, to, json_integer_value(value));
}

static const struct row_kind kind_auto = {
    .read = read_auto, .mismatch = mismatch_auto, .take = take_auto};

/* -- choices -- */

static enum config_result read_choice(const struct row *row, void *to, const char *text)
{
    unsigned *out = to; /* an enum */
    size_t n = strlen(text);
    unsigned number = 0;

    for (const char *at = row->choices; n > 0; number++) {
        size_t len = strcspn(at, "|");
        if (len == n && memcmp(at, text, n) == 0) {
            *out = number;
            return CONFIG_OK;
        }
        if (at[len] == 0)
            break;
        at += len + 1;
    }
    return config_fail("%s: must be one of %s", row->name, row->choices);
}

static enum config_result take_choice(const struct row *row, void *to, const json_t *value)
{
    return read_choice(row, to, json_string_value(value));
}

const struct row_kind kind_choice = {
    .read = read_choice, .mismatch = mismatch_string, .take = take_choice};

/* -- flags -- */

static enum config_result read_flag(const struct row *row, void *to, const char *text)
{
    bool *out = to;

    (void)row, (void)text;
    *out = true;
    return CONFIG_OK;
}

static const char *mismatch_flag(const json_t *value)
{
    return json_is_boolean(value) ? NULL : "true or false";
}

static enum config_result take_flag(const struct row *row, void *to, const json_t *value)
{
    bool *out = to;

    (void)row;
    *out = json_is_true(value);
    return CONFIG_OK;
}

static const struct row_kind kind_flag = {
    .has_no_argument = true, .read = read_flag, .mismatch = mismatch_flag, .take = take_flag};

/* -- the table -- */

/* Releases of clang-format differ about it. */
/* clang-format off */
#define ROW(name_, argument_, member, type, kind_, ...)                                            \
    {                                                                                              \
        .name = (name_), .argument = (argument_), .kind = &(kind_),                                \
        .at = ROW_MEMBER(struct config, member, type), __VA_ARGS__                                 \
    }
/* clang-format on */
#define TEXT(name, argument, member, ...)                                                          \
    ROW(name, argument, member, char *, kind_text, __VA_ARGS__)
#define LIST(name, argument, member, ...)                                                          \
    ROW(name, argument, member, struct config_list, kind_list, __VA_ARGS__)
#define NUMBER(name, argument, member, ...)                                                        \
    ROW(name, argument, member, int64_t, kind_number, __VA_ARGS__)
#define AUTO(name, argument, member, ...)                                                          \
    ROW(name, argument, member, int64_t, kind_auto, __VA_ARGS__)
#define CHOICE(name, argument, member, ...)                                                        \
    ROW(name, argument, member, unsigned, kind_choice, __VA_ARGS__)
#define FLAG(name, member, ...) ROW(name, NULL, member, bool, kind_flag, __VA_ARGS__)

const struct row rows[] = {
    TEXT("brokers", "HOST:PORT,...", brokers, .letter = 'b', .help = "Kafka brokers to start from"),
    TEXT("topic", "TOPIC", topic, .letter = 't', .help = "topic to stream"),
    TEXT("listen", "PATH|HOST:PORT", listen,
         .help = "FastCGI socket, loopback only; without it descriptor 0 must be one"),
    FLAG("standby", standby,
         .help = "no Kafka: tell clients to come back, for the front while the pool is away"),
    NUMBER("stand-in", "SECONDS", stand_in_s, .min = 0, .max = 3600, .preset = "0",
           .help =
               "the same, at the socket of a responder that cannot start; ends after that; 0: no"),
    TEXT("path", "PATH", path, .preset = "/events", .help = "request path of the events"),
    TEXT("from", "START", from, .preset = "earliest",
         .help = "where a stream without an event id starts: earliest, latest, a time, -N"),
    TEXT("cors", "POLICY", cors, .preset = "cross-origin",
         .help = "cross-origin, or the origins allowed, separated by commas"),
    CHOICE("event-id", "FORM", event_id, .choices = "progress|key", .preset = "progress",
           .help = "form of the event ids: progress, or key for [key, progress]"),
    NUMBER("keepalive", "SECONDS", keepalive_s, .min = 1, .max = 3600, .preset = "15",
           .help = "a comment after that much silence"),
    NUMBER("retry", "MS", retry_ms, .min = 100, .max = 600000, .preset = "2000",
           .help = "what clients wait before they come back, times 0.5 to 1.5"),
    AUTO("flush-interval", "MS|auto", flush_ms, .min = 0, .max = 1000, .preset = "auto",
         .help = "at most one write per stream in that time; auto: on average 30 us per stream, up "
                 "to 100 ms"),
    CHOICE("compact", "WHEN", compact, .choices = "auto|on|off", .preset = "auto",
           .help = "newest record per key only: auto asks for the topic's policy"),
    NUMBER("cache-bytes", "BYTES", cache_bytes, .min = 1 << 16, .max = INT64_MAX,
           .preset = "1073741824", .help = "limit of the topic in memory, of all topics together"),
    NUMBER("max-streams", "N", max_streams, .min = 0, .max = 1000000, .preset = "0",
           .help = "streams at a time; 0: what the limit of open files allows"),
    NUMBER("max-streams-per-address", "N", max_streams_per_address, .min = 0, .max = 1000000,
           .preset = "0", .help = "of one client address, IPv6 by its /64; 0: no limit"),
    NUMBER("max-streams-per-subject", "N", max_streams_per_subject, .min = 0, .max = 1000000,
           .preset = "0", .help = "of one subject of tokens; 0: no limit"),
    NUMBER("max-opens-per-minute", "N", max_opens_per_minute, .min = 0, .max = 60000, .preset = "0",
           .help = "streams opened by an address, and by a subject; 0: no limit"),
    NUMBER("max-attempts-per-minute", "N", max_attempts_per_minute, .min = 0, .max = 60000,
           .preset = "0",
           .help = "requests of an address that are refused for their token; 0: no limit"),
    NUMBER("max-handles", "N", max_handles, .min = 0, .max = 1000000, .preset = "10000",
           .help =
               "streams that can be told what to select (?stream=), and those remembered; 0: none"),
    NUMBER("max-stream-age", "SECONDS", max_stream_age_s, .min = 0, .max = 31536000,
           .help = "end of a stream, after 0.9 to 1 of it; 0: none (43200 with --jwks, else 0)"),
    NUMBER("drain", "SECONDS", drain_s, .min = 0, .max = 3600, .preset = "5",
           .help = "over which the streams are ended after SIGTERM or SIGINT"),
    LIST("jwks", "FILE", jwks,
         .help = "keys of the tokens' issuer, repeatable; demands a token for every stream"),
    TEXT("issuer", "ISS", issuer, .help = "issuer of the tokens, with --jwks"),
    TEXT("audience", "AUD", audience, .help = "their audience, with --jwks"),
    LIST("scope", "SCOPE", scopes, .help = "scope that a token must hold, repeatable"),
    TEXT("scope-claim", "PATH", scope_claim, .preset = "scope",
         .help = "claim that holds the scopes, a dotted path"),
    TEXT("audience-claim", "PATH", audience_claim, .preset = "aud",
         .help = "claim that holds the audience, a dotted path"),
    TEXT("identity", "CLAIM", identity, .preset = "sub",
         .help = "claim that says who counts as the subject in limits and renewals, a dotted path"),
    NUMBER("challenge", "SECONDS", challenge_s, .min = 1, .max = 3600, .preset = "10",
           .help = "a challenge that long before a token's expiry"),
    NUMBER("leeway", "SECONDS", leeway_s, .min = 0, .max = 300, .preset = "0",
           .help = "for clocks that differ, in a token's times; for nbf 10 at least"),
    TEXT("peer-dir", "DIR", peer_dir,
         .help = "where a pool's responders meet, mode 0700 ($RUNTIME_DIRECTORY)"),
    FLAG("allow-demo-key", allow_demo_key,
         .help = "accept the demo page's key, whose private half is public"),
    CHOICE("log-level", "LEVEL", log_level, .choices = "error|warn|info|debug", .preset = "info",
           .help = "what is logged"),
    CHOICE("log-format", "FORMAT", log_format, .choices = "text|json", .preset = "text",
           .help = "of the lines on standard error"),
};

const size_t rows_count = sizeof rows / sizeof rows[0];
_Static_assert(sizeof rows / sizeof rows[0] <= ROWS_MAX, "what was given is kept by row");

const struct row *row_find(const struct row *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

void *row_value(const struct row *row, struct config *config)
{
    return (char *)config + row->at;
}

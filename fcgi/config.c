#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "front/cgi.h"
#include "front/cors.h"
#include "kafka/conf.h"

#ifndef SKF_VERSION
#define SKF_VERSION "0"
#endif

/* AUTO: a number that may be "auto", kept as -1. */
enum kind { TEXT, NUMBER, AUTO, CHOICE, LIST, FLAG };

/* One option: the command line, the file and --help are made from this table. */
struct option_def {
    const char *name, *argument;
    char letter; /* 0: none */
    enum kind kind;
    size_t at; /* in struct config */
    int64_t min, max;
    const char *choices; /* of a CHOICE, in the order of its enum */
    const char *preset;
    const char *help;
};

#define AT(member) offsetof(struct config, member)
static const struct option_def options[] = {
    {"brokers", "HOST:PORT,...", 'b', TEXT, AT(brokers), 0, 0, NULL, NULL,
     "Kafka brokers to start from"},
    {"topic", "TOPIC", 't', TEXT, AT(topic), 0, 0, NULL, NULL, "topic to stream"},
    {"listen", "PATH|HOST:PORT", 0, TEXT, AT(listen), 0, 0, NULL, NULL,
     "FastCGI socket, loopback only; without it descriptor 0 must be one"},
    {"standby", NULL, 0, FLAG, AT(standby), 0, 0, NULL, NULL,
     "no Kafka: tell clients to come back, for the front while the pool is away"},
    {"path", "PATH", 0, TEXT, AT(path), 0, 0, NULL, "/events", "request path of the events"},
    {"cors", "POLICY", 0, TEXT, AT(cors), 0, 0, NULL, "cross-origin",
     "cross-origin, or the origins allowed, separated by commas"},
    {"event-id", "FORM", 0, CHOICE, AT(event_id), 0, 0, "progress|key", "progress",
     "form of the event ids: progress, or key for [key, progress]"},
    {"keepalive", "SECONDS", 0, NUMBER, AT(keepalive_s), 1, 3600, NULL, "15",
     "a comment after that much silence"},
    {"retry", "MS", 0, NUMBER, AT(retry_ms), 100, 600000, NULL, "2000",
     "what clients wait before they come back, times 0.5 to 1.5"},
    {"flush-interval", "MS|auto", 0, AUTO, AT(flush_ms), 0, 1000, NULL, "auto",
     "at most one write per stream in that time; auto: on average 30 us per stream, up to 100 ms"},
    {"compact", "WHEN", 0, CHOICE, AT(compact), 0, 0, "auto|on|off", "auto",
     "newest record per key only: auto asks for the topic's policy"},
    {"cache-bytes", "BYTES", 0, NUMBER, AT(cache_bytes), 1 << 16, INT64_MAX, NULL, "1073741824",
     "limit of the topic in memory"},
    {"max-streams", "N", 0, NUMBER, AT(max_streams), 0, 1000000, NULL, "0",
     "streams at a time; 0: what the limit of open files allows"},
    {"max-streams-per-address", "N", 0, NUMBER, AT(max_streams_per_address), 0, 1000000, NULL, "0",
     "of one client address, IPv6 by its /64; 0: no limit"},
    {"max-streams-per-subject", "N", 0, NUMBER, AT(max_streams_per_subject), 0, 1000000, NULL, "0",
     "of one subject of tokens; 0: no limit"},
    {"max-opens-per-minute", "N", 0, NUMBER, AT(max_opens_per_minute), 0, 60000, NULL, "0",
     "streams opened by an address, and by a subject; 0: no limit"},
    {"max-attempts-per-minute", "N", 0, NUMBER, AT(max_attempts_per_minute), 0, 60000, NULL, "0",
     "requests of an address that are refused for their token; 0: no limit"},
    {"max-stream-age", "SECONDS", 0, NUMBER, AT(max_stream_age_s), 0, 31536000, NULL, NULL,
     "end of a stream, after 0.9 to 1 of it; 0: none (43200 with --jwks, else 0)"},
    {"drain", "SECONDS", 0, NUMBER, AT(drain_s), 0, 3600, NULL, "5",
     "over which the streams are ended after SIGTERM or SIGINT"},
    {"jwks", "FILE", 0, LIST, AT(jwks), 0, 0, NULL, NULL,
     "keys of the tokens' issuer, repeatable; demands a token for every stream"},
    {"issuer", "ISS", 0, TEXT, AT(issuer), 0, 0, NULL, NULL, "issuer of the tokens, with --jwks"},
    {"audience", "AUD", 0, TEXT, AT(audience), 0, 0, NULL, NULL, "their audience, with --jwks"},
    {"scope", "SCOPE", 0, LIST, AT(scopes), 0, 0, NULL, NULL,
     "scope that a token must hold, repeatable"},
    {"scope-claim", "PATH", 0, TEXT, AT(scope_claim), 0, 0, NULL, "scope",
     "claim that holds the scopes, a dotted path"},
    {"challenge", "SECONDS", 0, NUMBER, AT(challenge_s), 1, 3600, NULL, "10",
     "a challenge that long before a token's expiry"},
    {"leeway", "SECONDS", 0, NUMBER, AT(leeway_s), 0, 300, NULL, "0",
     "for clocks that differ, in a token's times; for nbf 10 at least"},
    {"peer-dir", "DIR", 0, TEXT, AT(peer_dir), 0, 0, NULL, NULL,
     "where a pool's responders meet, mode 0700 ($RUNTIME_DIRECTORY)"},
    {"allow-demo-key", NULL, 0, FLAG, AT(allow_demo_key), 0, 0, NULL, NULL,
     "accept the demo page's key, whose private half is public"},
    {"log-level", "LEVEL", 0, CHOICE, AT(log_level), 0, 0, "error|warn|info|debug", "info",
     "what is logged"},
    {"log-format", "FORMAT", 0, CHOICE, AT(log_format), 0, 0, "text|json", "text",
     "of the lines on standard error"},
};
enum {
    OPTIONS = sizeof options / sizeof options[0],
    GUARDED_STREAM_AGE_S = 43200, /* a stolen token must not be renewed for ever */
};

struct reading {
    struct config *config;
    bool given[OPTIONS]; /* on the command line */
    bool set[OPTIONS];   /* there or in the file */
    const char *file;
    json_t *properties; /* name: value, of the command line */
};

static enum config_result fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static enum config_result fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_at_v(LOG_ERROR, format, args);
    va_end(args);
    return CONFIG_ERROR;
}

static char **text_at(struct config *c, const struct option_def *o)
{
    return (char **)(void *)((char *)c + o->at);
}

static struct config_list *list_at(struct config *c, const struct option_def *o)
{
    return (struct config_list *)(void *)((char *)c + o->at);
}

static int64_t *number_at(struct config *c, const struct option_def *o)
{
    return (int64_t *)(void *)((char *)c + o->at);
}

/* -- values -- */

static bool read_choice(const char *choices, const char *value, int64_t *out)
{
    size_t n = strlen(value);
    int64_t i = 0;

    for (const char *at = choices; n > 0; i++) {
        size_t len = strcspn(at, "|");
        if (len == n && memcmp(at, value, n) == 0) {
            *out = i;
            return true;
        }
        if (at[len] == 0)
            return false;
        at += len + 1;
    }
    return false;
}

static enum config_result set_number(struct config *c, const struct option_def *o, int64_t value)
{
    if (value < o->min || value > o->max)
        return fail("%s: %" PRId64 " is not between %" PRId64 " and %" PRId64, o->name, value,
                    o->min, o->max);
    *number_at(c, o) = value;
    return CONFIG_OK;
}

static enum config_result read_number(struct config *c, const struct option_def *o,
                                      const char *value)
{
    char *end;

    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != 0)
        return fail("%s: must be a whole number%s", o->name, o->kind == AUTO ? " or auto" : "");
    return set_number(c, o, n);
}

static enum config_result set_value(struct config *c, const struct option_def *o, const char *value)
{
    if (*value == 0 && (o->kind == TEXT || o->kind == LIST))
        return fail("%s: must not be empty", o->name);
    switch (o->kind) {
    case FLAG:
        *number_at(c, o) = 1;
        return CONFIG_OK;
    case LIST: {
        struct config_list *list = list_at(c, o);
        list->at = mem_resize_array(list->at, list->n + 1, sizeof *list->at);
        list->at[list->n++] = mem_strdup(value);
        return CONFIG_OK;
    }
    case TEXT:
        free(*text_at(c, o));
        *text_at(c, o) = mem_strdup(value);
        return CONFIG_OK;
    case AUTO:
        if (strcmp(value, "auto") == 0) {
            *number_at(c, o) = -1;
            return CONFIG_OK;
        }
        return read_number(c, o, value);
    case CHOICE:
        if (!read_choice(o->choices, value, number_at(c, o)))
            return fail("%s: must be one of %s", o->name, o->choices);
        return CONFIG_OK;
    default:
        return read_number(c, o, value);
    }
}

/* The value itself is never printed: it may be a password. */
static enum config_result set_property(struct config *c, const char *name, const char *value,
                                       bool trusted)
{
    switch (kafka_conf_set(c->kafka, name, value, trusted)) {
    case 0:
        return CONFIG_OK;
    case -EPERM:
        return fail("kafka property %s: is set by the program itself", name);
    case -EACCES:
        return fail("kafka property %s: runs code, so only the configuration file may set it",
                    name);
    case -ENOENT:
        return fail("kafka property %s: librdkafka does not know it", name);
    default:
        return fail("kafka property %s: librdkafka refuses its value", name);
    }
}

/* -- the file -- */

static bool is_secret(const char *property)
{
    static const char *const words[] = {"password", "secret", ".pem", "jaas", "oauthbearer.config"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(property, words[i]) != NULL)
            return true;
    return false;
}

static enum config_result read_properties(struct config *c, const char *file, const json_t *kafka)
{
    const char *name;
    json_t *value;
    struct stat st;

    json_object_foreach ((json_t *)kafka, name, value) {
        char number[32];
        const char *text = json_string_value(value);
        if (json_is_integer(value)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            text = number;
        } else if (json_is_boolean(value)) {
            text = json_is_true(value) ? "true" : "false";
        }
        if (text == NULL)
            return fail("%s: kafka property %s: must be a string, number or boolean", file, name);
        if (is_secret(name) && (stat(file, &st) != 0 || (st.st_mode & S_IROTH)))
            return fail("%s: holds the secret %s, but everybody may read it: chmod o-r", file,
                        name);
        if (set_property(c, name, text, true) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

/* NULL if the value is of the option's kind, else what it must be. */
static const char *mismatch(const struct option_def *o, const json_t *value)
{
    size_t i;
    json_t *one;

    switch (o->kind) {
    case NUMBER:
        return json_is_integer(value) ? NULL : "a whole number";
    case AUTO:
        return json_is_integer(value) || json_is_string(value) ? NULL : "a whole number or auto";
    case FLAG:
        return json_is_boolean(value) ? NULL : "true or false";
    case LIST:
        json_array_foreach (value, i, one)
            if (!json_is_string(one))
                return "an array of strings";
        return json_is_array(value) || json_is_string(value) ? NULL : "a string or an array";
    default:
        return json_is_string(value) ? NULL : "a string";
    }
}

static enum config_result set_json(struct config *c, const struct option_def *o,
                                   const json_t *value)
{
    size_t i;
    json_t *one;
    enum config_result result = CONFIG_OK;

    if (json_is_integer(value))
        return set_number(c, o, json_integer_value(value));
    if (o->kind == FLAG)
        *number_at(c, o) = json_is_true(value);
    if (json_is_string(value))
        return set_value(c, o, json_string_value(value));
    json_array_foreach (value, i, one)
        if (result == CONFIG_OK)
            result = set_value(c, o, json_string_value(one));
    return result;
}

static enum config_result read_member(struct reading *r, const char *name, const json_t *value)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_def *o = &options[i];
        if (strcmp(name, o->name) != 0)
            continue;
        const char *wanted = mismatch(o, value);
        if (wanted != NULL)
            return fail("%s: %s: must be %s", r->file, name, wanted);
        r->set[i] = true;
        return r->given[i] ? CONFIG_OK /* an option wins */ : set_json(r->config, o, value);
    }
    return fail("%s: unknown member %s", r->file, name);
}

static enum config_result read_file(struct reading *r)
{
    json_error_t error;
    json_t *file, *value;
    const char *name;
    enum config_result result = CONFIG_OK;

    FILE *f = fopen(r->file, "re");
    if (f == NULL)
        return fail("%s: %s", r->file, strerror(errno));
    file = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    fclose(f);
    if (file == NULL)
        return fail("%s: line %d: %s", r->file, error.line, error.text);
    if (!json_is_object(file))
        result = fail("%s: must be a JSON object", r->file);
    json_object_foreach (file, name, value) {
        if (result != CONFIG_OK)
            break;
        if (strcmp(name, "kafka") != 0)
            result = read_member(r, name, value);
        else if (json_is_object(value))
            result = read_properties(r->config, r->file, value);
        else
            result = fail("%s: kafka: must be an object", r->file);
    }
    json_decref(file);
    return result;
}

/* -- the command line -- */

static void print_help(void)
{
    printf("Usage: sse-kafka-fanout -b HOST:PORT -t TOPIC [OPTION...]\n"
           "Streams a Kafka topic to browsers and curl as server-sent events, behind a web server\n"
           "that speaks FastCGI.\n\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option_def *o = &options[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c --%s %s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->name,
                 o->choices    ? o->choices
                 : o->argument ? o->argument
                               : "");
        printf("  %-40s %s", left, o->help);
        if (o->preset != NULL)
            printf(" (%s)", o->preset);
        putchar('\n');
    }
    printf("  %-40s %s\n", "-X NAME=VALUE", "property of librdkafka; repeatable");
    printf("  %-40s %s\n", "-F --config FILE",
           "JSON: the names above, and \"kafka\": {properties}");
    printf("  %-40s %s\n", "   --version", "print the version");
    printf("  %-40s %s\n", "   --help", "print this");
}

enum { HELP = 1000, VERSION, FIRST_OPTION };

static void make_getopt(struct option *longs, char *shorts)
{
    struct option *to = longs;

    strcpy(shorts, ":X:F:");
    for (size_t i = 0; i < OPTIONS; i++) {
        int argument = options[i].kind == FLAG ? no_argument : required_argument;
        *to++ = (struct option){options[i].name, argument, NULL, FIRST_OPTION + (int)i};
        if (options[i].letter)
            sprintf(shorts + strlen(shorts), "%c:", options[i].letter);
    }
    *to++ = (struct option){"config", required_argument, NULL, 'F'};
    *to++ = (struct option){"help", no_argument, NULL, HELP};
    *to++ = (struct option){"version", no_argument, NULL, VERSION};
    *to = (struct option){0};
}

static enum config_result keep_property(struct reading *r, const char *pair)
{
    const char *eq = strchr(pair, '=');

    if (eq == NULL || eq == pair)
        return fail("-X: must be NAME=VALUE");
    char *name = strndup(pair, (size_t)(eq - pair));
    int err = json_object_set_new(r->properties, name, json_string(eq + 1));
    free(name);
    return err == 0 ? CONFIG_OK : fail("-X: the value must be UTF-8");
}

static enum config_result take_option(struct reading *r, int c, char **argv)
{
    size_t i;

    switch (c) {
    case HELP:
        print_help();
        return CONFIG_DONE;
    case VERSION:
        printf("sse-kafka-fanout %s (librdkafka %s)\n", SKF_VERSION, kafka_version());
        return CONFIG_DONE;
    case 'X':
        return keep_property(r, optarg);
    case 'F':
        r->file = optarg;
        return CONFIG_OK;
    case ':':
        return fail("%s: needs a value", argv[optind - 1]);
    case '?':
        if (optopt > 0 && optopt < HELP)
            return fail("-%c: unknown option, see --help", optopt);
        return fail("%s: unknown option, see --help", argv[optind - 1]);
    default:
        for (i = 0; i < OPTIONS; i++)
            if (c == FIRST_OPTION + (int)i || c == options[i].letter)
                break;
        r->given[i] = r->set[i] = true;
        return set_value(r->config, &options[i], optarg ? optarg : "");
    }
}

static enum config_result read_command_line(struct reading *r, int argc, char **argv)
{
    struct option longs[OPTIONS + 4];
    char shorts[8 + 2 * OPTIONS];
    enum config_result result = CONFIG_OK;
    int c;

    make_getopt(longs, shorts);
    optind = 0; /* the unit tests read several */
    opterr = 0;
    while (result == CONFIG_OK && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
        result = take_option(r, c, argv);
    if (result == CONFIG_OK && optind < argc)
        return fail("%s: unexpected argument", argv[optind]);
    return result;
}

static bool is_set(const struct reading *r, const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (r->set[i] && strcmp(options[i].name, name) == 0)
            return true;
    return false;
}

/* A guard that is half there would be none. */
static enum config_result check_guard(struct reading *r)
{
    static const char *const guard[] = {"scope", "scope-claim", "challenge", "leeway",
                                        "allow-demo-key"};
    struct config *c = r->config;

    if (c->jwks.n > 0 && c->issuer != NULL && c->audience != NULL) {
        if (!is_set(r, "max-stream-age"))
            c->max_stream_age_s = GUARDED_STREAM_AGE_S;
        return CONFIG_OK;
    }
    if (c->jwks.n > 0 || c->issuer != NULL || c->audience != NULL)
        return fail("no %s given: jwks, issuer and audience come together", c->jwks.n == 0 ? "jwks"
                                                                            : c->issuer == NULL
                                                                                ? "issuer"
                                                                                : "audience");
    for (size_t i = 0; i < sizeof guard / sizeof guard[0]; i++)
        if (is_set(r, guard[i]))
            return fail("%s: only with jwks, issuer and audience", guard[i]);
    return CONFIG_OK;
}

/* What Kafka allows. */
static bool is_topic(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return name[n] == 0 && n <= 249 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum config_result check_kafka(const struct config *c)
{
    if (c->brokers == NULL)
        return fail("no brokers given: -b HOST:PORT");
    if (c->topic == NULL)
        return fail("no topic given: -t TOPIC");
    if (!is_topic(c->topic))
        return fail("topic: must be up to 249 letters, digits, dots, underscores and hyphens");
    return CONFIG_OK;
}

static enum config_result complete(struct reading *r)
{
    struct config *c = r->config;
    const char *name;
    json_t *value;

    json_object_foreach (r->properties, name, value) {
        if (set_property(c, name, json_string_value(value), false) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    if (!c->standby && check_kafka(c) != CONFIG_OK)
        return CONFIG_ERROR;
    if (c->path[0] != '/' || strpbrk(c->path, "?# "))
        return fail("path: must begin with / and hold no ?, # or blank");
    struct cors *cors = cors_new(c->cors);
    if (cors == NULL)
        return fail("cors: must be cross-origin or origins like https://www.example.com");
    cors_free(cors);
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    if (c->peer_dir == NULL && runtime != NULL && *runtime != 0)
        c->peer_dir = mem_strdup(runtime);
    return check_guard(r);
}

static enum config_result read_cgi(struct reading *r)
{
    r->file = getenv("SKF_CONFIG");
    return r->file != NULL ? CONFIG_OK : fail("as a CGI program it needs SKF_CONFIG=FILE");
}

enum config_result config_read(struct config *config, int argc, char **argv)
{
    struct reading r = {.config = config, .properties = json_object()};
    enum config_result result = CONFIG_OK;

    *config = (struct config){.kafka = kafka_conf_new()};
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].preset != NULL)
            set_value(config, &options[i], options[i].preset);
    result = cgi_is_one() ? read_cgi(&r) : read_command_line(&r, argc, argv);
    if (result == CONFIG_OK && r.file != NULL)
        result = read_file(&r);
    if (result == CONFIG_OK)
        result = complete(&r);
    json_decref(r.properties);
    return result;
}

void config_fini(struct config *config)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        struct config_list *list = list_at(config, &options[i]);
        if (options[i].kind == TEXT)
            free(*text_at(config, &options[i]));
        if (options[i].kind != LIST)
            continue;
        while (list->n > 0)
            free(list->at[--list->n]);
        free(list->at);
    }
    kafka_conf_free(config->kafka);
}

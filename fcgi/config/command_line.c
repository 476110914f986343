#include "config/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/conf.h"

#ifndef SKF_VERSION
#define SKF_VERSION "0"
#endif

static void print_help(void)
{
    printf("Usage: sse-kafka-fanout -b HOST:PORT -t TOPIC [OPTION...]\n"
           "Streams a Kafka topic to browsers and curl as server-sent events, behind a web server\n"
           "that speaks FastCGI.\n\n");
    for (size_t i = 0; i < rows_count; i++) {
        const struct row *row = &rows[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c --%s %s", row->letter ? '-' : ' ',
                 row->letter ? row->letter : ' ', row->name,
                 row->choices    ? row->choices
                 : row->argument ? row->argument
                                 : "");
        printf("  %-40s %s", left, row->help);
        if (row->preset != NULL)
            printf(" (%s)", row->preset);
        putchar('\n');
    }
    printf("  %-40s %s\n", "-X NAME=VALUE", "property of librdkafka; repeatable");
    printf("  %-40s %s\n", "-F --config FILE",
           "JSON: the names above, and \"kafka\": {properties}");
    printf("  %-40s %s\n", "   --check", "print what the configuration means, and end");
    printf("  %-40s %s\n", "   --explain URL", "print what a request would get and why, and end");
    printf("  %-40s %s\n", "   --token-file FILE", "its token, with --explain");
    printf("  %-40s %s\n", "   --check-jwks FILE",
           "print which keys of a JWKS file can be used, and end");
    printf("  %-40s %s\n", "   --version", "print the version");
    printf("  %-40s %s\n", "   --help", "print this");
}

enum { HELP = 1000, VERSION, CHECK, EXPLAIN, TOKEN_FILE, CHECK_JWKS, FIRST_OPTION };

static void make_getopt(struct option *longs, char *shorts)
{
    struct option *to = longs;

    strcpy(shorts, ":X:F:");
    for (size_t i = 0; i < rows_count; i++) {
        int argument = rows[i].kind->has_no_argument ? no_argument : required_argument;
        *to++ = (struct option){rows[i].name, argument, NULL, FIRST_OPTION + (int)i};
        if (rows[i].letter)
            sprintf(shorts + strlen(shorts), "%c:", rows[i].letter);
    }
    *to++ = (struct option){"config", required_argument, NULL, 'F'};
    *to++ = (struct option){"check", no_argument, NULL, CHECK};
    *to++ = (struct option){"explain", required_argument, NULL, EXPLAIN};
    *to++ = (struct option){"token-file", required_argument, NULL, TOKEN_FILE};
    *to++ = (struct option){"check-jwks", required_argument, NULL, CHECK_JWKS};
    *to++ = (struct option){"help", no_argument, NULL, HELP};
    *to++ = (struct option){"version", no_argument, NULL, VERSION};
    *to = (struct option){0};
}

static enum config_result keep_property(struct reading *r, const char *pair)
{
    const char *eq = strchr(pair, '=');

    if (eq == NULL || eq == pair)
        return config_fail("-X: must be NAME=VALUE");
    char *name = strndup(pair, (size_t)(eq - pair));
    int err = json_object_set_new(r->properties, name, json_string(eq + 1));
    free(name);
    return err == 0 ? CONFIG_OK : config_fail("-X: the value must be UTF-8");
}

static enum config_result keep_text(char **to, const char *text)
{
    free(*to);
    *to = mem_strdup(text);
    return CONFIG_OK;
}

/* Its value is not told: it may be a password. */
static enum config_result refuse_option(const char *given)
{
    int n = (int)strcspn(given, "=");

    if (optopt > 0 && optopt < HELP)
        return config_fail("-%c: unknown option, see --help", optopt);
    if (optopt > 0)
        return config_fail("%.*s: takes no value", n, given);
    return config_fail("%.*s: unknown option, see --help", n, given);
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
    case CHECK:
        r->config->question.check = true;
        return CONFIG_OK;
    case EXPLAIN:
        return keep_text(&r->config->question.explain, optarg);
    case TOKEN_FILE:
        return keep_text(&r->config->question.token_file, optarg);
    case CHECK_JWKS:
        return keep_text(&r->config->question.check_jwks, optarg);
    case 'X':
        return keep_property(r, optarg);
    case 'F':
        r->file = optarg;
        return CONFIG_OK;
    case ':':
        return config_fail("%s: needs a value", argv[optind - 1]);
    case '?':
        return refuse_option(argv[optind - 1]);
    default:
        for (i = 0; i < rows_count; i++)
            if (c == FIRST_OPTION + (int)i || c == rows[i].letter)
                break;
        r->given[i] = r->set[i] = true;
        return rows[i].kind->read(&rows[i], row_value(&rows[i], r->config), optarg ? optarg : "");
    }
}

enum config_result command_line_read(struct reading *r, int argc, char **argv)
{
    struct option longs[ROWS_MAX + 8];
    char shorts[8 + 2 * ROWS_MAX];
    enum config_result result = CONFIG_OK;
    int c;

    make_getopt(longs, shorts);
    optind = 0; /* the unit tests read several */
    opterr = 0;
    while (result == CONFIG_OK && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
        result = take_option(r, c, argv);
    if (result == CONFIG_OK && optind < argc)
        return config_fail("%s: unexpected argument", argv[optind]);
    return result;
}

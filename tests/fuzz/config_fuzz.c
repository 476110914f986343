/* The command line, an argument a line up to an empty one; then the file, `{}` if it is empty. */
#include "config/config.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "kafka/conf.h"
#include "route/routes.h"

enum { ARGUMENTS_MAX = 40 };

struct command_line {
    char *arguments[ARGUMENTS_MAX + 4]; /* the program's name, -F FILE, NULL */
    int n;
};

static void add_argument(struct command_line *line, char *argument)
{
    line->arguments[line->n++] = argument;
    line->arguments[line->n] = NULL;
}

static void read_arguments(struct slice *in, struct command_line *line)
{
    add_argument(line, strdup("sse-kafka-fanout"));
    while (in->n > 0 && *in->p != '\n' && line->n < ARGUMENTS_MAX)
        add_argument(line, take_string(in, '\n'));
    if (in->n > 0 && *in->p == '\n')
        take_byte(in);
}

/* What the user is told: descriptors, for a log line is one write(). */
struct output {
    int stream, before, file;
    char text[8192];
    size_t n;
};

static void catch (struct output *out, int stream)
{
    fflush(stdout);
    out->stream = stream;
    out->before = dup(stream);
    out->file = memfd_create("output", MFD_CLOEXEC);
    dup2(out->file, stream);
}

static void release(struct output *out)
{
    fflush(stdout);
    dup2(out->before, out->stream);
    close(out->before);
    ssize_t n = pread(out->file, out->text, sizeof out->text, 0);
    out->n = n > 0 ? (size_t)n : 0;
    close(out->file);
}

static void check_property(const struct kafka_conf *conf, const char *name, const char *expected)
{
    char value[512] = "";
    size_t n = sizeof value;

    rd_kafka_conf_get(kafka_conf_inside(conf), name, value, &n);
    assert(strcmp(value, expected) == 0);
}

static void check_good(const struct config *c, bool from_file)
{
    assert(c->standby || (c->brokers != NULL && *c->brokers && c->topic_count > 0));
    assert(c->path[0] == '/' && strpbrk(c->path, "?# ") == NULL);
    assert(c->retry_ms >= 100 && c->keepalive_s >= 1 && c->cache_bytes >= 1 << 16);
    assert(c->event_id <= EVENT_ID_KEY && c->log_level <= LOG_DEBUG);
    assert(routes_count(c->routes) > 0 && routes_topics(c->routes) == c->topic_count);
    for (size_t i = 0; i < routes_count(c->routes); i++)
        assert(c->issuer_count > 0 || routes_at(c->routes, i)->scopes == 0);
    for (size_t i = 0; i < c->issuer_count; i++) {
        const struct config_issuer *one = &c->issuers[i];
        assert(one->jwks.n > 0 && *one->issuer && *one->audience && *one->identity);
        for (size_t k = 0; k < i; k++)
            assert(strcmp(one->issuer, c->issuers[k].issuer) != 0);
    }
    assert(c->issuer_count > 0 || (c->scopes.n == 0 && !c->allow_demo_key));
    assert(c->issuer_count > 0 || (c->jwks.n == 0 && c->issuer == NULL && c->audience == NULL));
    check_property(c->kafka, "isolation.level", "read_committed");
    check_property(c->kafka, "auto.offset.reset", "error");
    check_property(c->kafka, "enable.partition.eof", "true");
    if (!from_file)
        check_property(c->kafka, "plugin.library.paths", "");
}

/* It ends by itself, and says one line about what is wrong, or nothing. */
static void check(struct command_line *line, bool from_file)
{
    struct output out = {0}, err = {0};
    struct config config;

    catch (&out, STDOUT_FILENO);
    catch (&err, STDERR_FILENO);
    enum config_result result = config_read(&config, line->n, line->arguments);
    release(&err);
    release(&out);
    if (result == CONFIG_ERROR)
        assert(err.n > 0 && memchr(err.text, '\n', err.n) == err.text + err.n - 1);
    else
        assert(err.n == 0);
    assert((out.n > 0) == (result == CONFIG_DONE));
    if (result == CONFIG_OK)
        check_good(&config, from_file);
    config_fini(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct command_line line = {0};
    char file[64];

    read_arguments(&in, &line);
    int fd = memfd_create("config", MFD_CLOEXEC);
    bool from_file = in.n > 0;
    if (!from_file)
        in = slice_str("{}");
    assert(pwrite(fd, in.p, in.n, 0) == (ssize_t)in.n && fchmod(fd, 0600) == 0);
    snprintf(file, sizeof file, "-F/proc/self/fd/%d", fd);
    add_argument(&line, strdup(file)); /* the last one counts */
    check(&line, from_file);
    close(fd);
    while (line.n > 0)
        free(line.arguments[--line.n]);
    return 0;
}

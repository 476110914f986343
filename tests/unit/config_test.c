#include "config/config.h"

#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kafka/conf.h"
#include "support.h"

static struct config config;
static bool read_before;
static char said[8192]; /* on standard error and output */
static char file[] = "/tmp/config_test.XXXXXX";

static int setup(void **state)
{
    (void)state;
    unsetenv("GATEWAY_INTERFACE");
    unsetenv("SKF_CONFIG");
    unsetenv("RUNTIME_DIRECTORY");
    strcpy(file + strlen(file) - 6, "XXXXXX");
    int fd = mkstemp(file); /* mode 0600 */
    close(fd);
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    if (read_before)
        config_fini(&config);
    read_before = false;
    return unlink(file);
}

static int to_tmpfile(int fd, FILE **kept)
{
    int real = dup(fd);

    *kept = tmpfile();
    dup2(fileno(*kept), fd);
    return real;
}

static void read_back(int fd, int real, FILE *kept)
{
    dup2(real, fd);
    close(real);
    rewind(kept);
    size_t had = strlen(said);
    size_t n = fread(said + had, 1, sizeof said - had - 1, kept);
    said[had + n] = 0;
    fclose(kept);
}

static enum config_result read_list(const char *const *args)
{
    char *argv[32] = {"sse-kafka-fanout"};
    int argc = 1;
    FILE *err, *out;

    for (; *args != NULL; args++)
        argv[argc++] = (char *)(uintptr_t)*args;
    if (read_before)
        config_fini(&config);
    read_before = true;
    said[0] = 0;
    fflush(stdout);
    int real_err = to_tmpfile(STDERR_FILENO, &err), real_out = to_tmpfile(STDOUT_FILENO, &out);
    enum config_result result = config_read(&config, argc, argv);
    fflush(stdout);
    read_back(STDERR_FILENO, real_err, err);
    read_back(STDOUT_FILENO, real_out, out);
    return result;
}

#define read_args(...) read_list((const char *const[]){__VA_ARGS__, NULL})
/* With what is never left out. */
#define read_with(...) read_args("-b", "k:9092", "-t", "events", __VA_ARGS__)
#define good(...) assert_int_equal(read_with(__VA_ARGS__), CONFIG_OK)

/* Refused with one line that has this in it. */
static void check_refused(enum config_result result, const char *part)
{
    const char *end = strchr(said, '\n');

    assert_int_equal(result, CONFIG_ERROR);
    if (strstr(said, part) == NULL || end == NULL || end[1] != 0 ||
        strncmp(said, "sse-kafka-fanout[", 17) != 0 || strstr(said, "] error: ") == NULL)
        fail_msg("no line with \"%s\": %s", part, said);
}
#define refused(part, ...) check_refused(read_with(__VA_ARGS__), part)

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");

    fputs(text, f);
    fclose(f);
}

#define good_file(text, ...) (write_file(text), good("-F", file, ##__VA_ARGS__))
#define refused_file(part, text) (write_file(text), refused(part, "-F", file))

static void check_property(const char *name, const char *expected)
{
    char value[256];
    size_t size = sizeof value;

    assert_int_equal(rd_kafka_conf_get(kafka_conf_inside(config.kafka), name, value, &size),
                     RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

/* -- the command line -- */

static void brokers_and_topic_are_enough(void **state)
{
    (void)state;
    good("--path", "/events");
    assert_string_equal(config.brokers, "k:9092");
    assert_string_equal(config.topic, "events");
    assert_null(config.listen);
    assert_string_equal(config.path, "/events");
    assert_string_equal(config.cors, "cross-origin");
    assert_int_equal(config.event_id, EVENT_ID_PROGRESS);
    assert_int_equal(config.compact, COMPACT_AUTO);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.log_format, LOG_TEXT);
    assert_int_equal(config.keepalive_s, 15);
    assert_int_equal(config.retry_ms, 2000);
    assert_int_equal(config.flush_ms, -1);
    assert_int_equal(config.cache_bytes, 1 << 30);
    assert_int_equal(config.standby, 0);
    assert_int_equal(config.drain_s, 5);
    assert_int_equal(config.max_streams, 0);
    assert_int_equal(config.max_streams_per_address, 0);
    assert_int_equal(config.max_streams_per_subject, 0);
    assert_int_equal(config.max_opens_per_minute, 0);
    assert_int_equal(config.max_attempts_per_minute, 0);
    assert_int_equal(config.max_stream_age_s, 0);
    assert_null(config.peer_dir);
    assert_string_equal(said, "");
}

static void each_option_has_its_place(void **state)
{
    (void)state;
    good("--listen", "/run/s", "--path", "/p", "--cors", "https://a.example", "--event-id", "key",
         "--keepalive", "1", "--retry", "100", "--flush-interval", "0", "--compact", "off",
         "--cache-bytes", "65536", "--log-level", "debug", "--log-format", "json", "--topic",
         "other", "--brokers=b:1");
    assert_string_equal(config.brokers, "b:1");
    assert_string_equal(config.topic, "other");
    assert_string_equal(config.listen, "/run/s");
    assert_string_equal(config.path, "/p");
    assert_string_equal(config.cors, "https://a.example");
    assert_int_equal(config.event_id, EVENT_ID_KEY);
    assert_int_equal(config.compact, COMPACT_OFF);
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_int_equal(config.keepalive_s, 1);
    assert_int_equal(config.retry_ms, 100);
    assert_int_equal(config.flush_ms, 0);
    assert_int_equal(config.cache_bytes, 65536);
    good("--drain", "1", "--max-streams", "2", "--max-streams-per-address", "3",
         "--max-streams-per-subject", "4", "--max-opens-per-minute", "5", "--max-stream-age", "6",
         "--peer-dir", "/run/p");
    assert_int_equal(config.drain_s, 1);
    assert_int_equal(config.max_streams, 2);
    assert_int_equal(config.max_streams_per_address, 3);
    assert_int_equal(config.max_streams_per_subject, 4);
    assert_int_equal(config.max_opens_per_minute, 5);
    assert_int_equal(config.max_stream_age_s, 6);
    assert_string_equal(config.peer_dir, "/run/p");
}

static void brokers_and_topic_are_demanded(void **state)
{
    (void)state;
    check_refused(read_args("-t", "events"), "no brokers");
    check_refused(read_args("-b", "k:9092"), "no topic");
    refused("topic: must not be empty", "-t", "");
}

/* librdkafka passes over what it does not understand, and takes 99999 for port 34463. */
static void a_broker_is_a_host_and_maybe_a_port(void **state)
{
    static const char *const right[] = {"k",          "k:1",    "k:65535",
                                        "a:1,b:2",    "a:1, b", "10.0.0.7:9092",
                                        "[::1]:9092", "[::1]",  "PLAINTEXT://k:9092",
                                        "ssl://k:1"};
    static const char *const wrong[] = {
        ",",      "kafka://k:9092", "http://k", "k:",       "k:x", "k:0",
        ":9092",  "k:65536",        "k:99999",  "k:100000", "::1", "[::1:9092",
        "[::1]9", "a:1,b:",         "a:1;b:2",  "ssl://"};

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        good("-b", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused("must be HOST:PORT", "-b", wrong[i]);
}

static void a_number_has_its_limits(void **state)
{
    static const struct {
        const char *name, *below, *least, *most, *above;
    } numbers[] = {
        {"--keepalive", "0", "1", "3600", "3601"},
        {"--retry", "99", "100", "600000", "600001"},
        {"--flush-interval", "-1", "0", "1000", "1001"},
        {"--cache-bytes", "65535", "65536", "9223372036854775807", "9223372036854775808"},
        {"--drain", "-1", "0", "3600", "3601"},
        {"--max-streams", "-1", "0", "1000000", "1000001"},
        {"--max-streams-per-address", "-1", "0", "1000000", "1000001"},
        {"--max-streams-per-subject", "-1", "0", "1000000", "1000001"},
        {"--max-opens-per-minute", "-1", "0", "60000", "60001"},
        {"--max-attempts-per-minute", "-1", "0", "60000", "60001"},
        {"--max-stream-age", "-1", "0", "31536000", "31536001"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        good(numbers[i].name, numbers[i].least);
        good(numbers[i].name, numbers[i].most);
        refused(numbers[i].name + 2, numbers[i].name, numbers[i].below);
        refused(numbers[i].name + 2, numbers[i].name, numbers[i].above);
    }
}

static void what_is_no_whole_number_is_refused(void **state)
{
    static const char *const bad[] = {"", "x", "5x", "1.5", "5 ", "0x10", "--"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused("keepalive: must be a whole number", "--keepalive", bad[i]);
    refused("flush-interval: must be a whole number or auto", "--flush-interval", "Auto");
}

static void a_choice_is_one_of_its_words(void **state)
{
    static const char *const bad[] = {"", "o", "on|off", "auto|", "ON", "of", "offf", "|"};

    (void)state;
    good("--compact", "auto");
    good("--compact", "on");
    good("--compact", "off");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused("compact: must be one of auto|on|off", "--compact", bad[i]);
}

static void a_path_begins_with_a_slash_and_ends_before_a_query(void **state)
{
    static const char *const bad[] = {"events", "?", "/events?x", "/events#x", "/a b"};

    (void)state;
    good("--path", "/");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused("path: ", "--path", bad[i]);
}

static void a_policy_that_cors_does_not_know_is_refused(void **state)
{
    (void)state;
    refused("cors: ", "--cors", "https://a.example/");
}

static void what_is_unknown_is_named(void **state)
{
    (void)state;
    refused("--nonsense", "--nonsense");
    refused("-Z", "-Z");
    refused("extra", "extra");
    refused("--topic", "--topic");
}

static void an_unknown_letter_before_another_is_named(void **state)
{
    (void)state;
    refused("Z", "-Zx");
}

static void help_and_version_are_printed(void **state)
{
    static const char *const names[] = {"--brokers",
                                        "--topic",
                                        "--listen",
                                        "--path",
                                        "--cors",
                                        "--event-id",
                                        "--keepalive",
                                        "--retry",
                                        "--flush-interval",
                                        "--compact",
                                        "--cache-bytes",
                                        "--log-level",
                                        "--log-format",
                                        "--config",
                                        "-X",
                                        "--version",
                                        "--help",
                                        "--standby",
                                        "--drain",
                                        "--max-streams",
                                        "--max-streams-per-address",
                                        "--max-streams-per-subject",
                                        "--max-opens-per-minute",
                                        "--max-stream-age",
                                        "--peer-dir"};

    (void)state;
    assert_int_equal(read_args("--help"), CONFIG_DONE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strstr(said, names[i]) == NULL)
            fail_msg("--help without %s", names[i]);
    assert_int_equal(read_args("--version"), CONFIG_DONE);
    assert_non_null(strstr(said, "librdkafka 2"));
}

/* -- properties of librdkafka -- */

static void a_property_is_set(void **state)
{
    (void)state;
    good("-X", "fetch.wait.max.ms=7", "-X", "client.id=a=b");
    check_property("fetch.wait.max.ms", "7");
    check_property("client.id", "a=b");
}

static void the_last_of_a_property_counts(void **state)
{
    (void)state;
    good("-X", "fetch.wait.max.ms=7", "-X", "fetch.wait.max.ms=8");
    check_property("fetch.wait.max.ms", "8");
}

static void a_property_needs_name_and_value(void **state)
{
    (void)state;
    refused("NAME=VALUE", "-X", "fetch.wait.max.ms");
    refused("NAME=VALUE", "-X", "=7");
    refused("NAME=VALUE", "-X", "");
}

static void an_unknown_property_is_refused(void **state)
{
    (void)state;
    refused("no.such.property", "-X", "no.such.property=1");
    refused_file("no.such.property", "{\"kafka\": {\"no.such.property\": 1}}");
}

static void the_value_of_a_property_is_never_said(void **state)
{
    (void)state;
    refused("fetch.wait.max.ms", "-X", "fetch.wait.max.ms=s3cret");
    assert_null(strstr(said, "s3cret"));
    refused("sasl.passwort", "-X", "sasl.passwort=s3cret");
    assert_null(strstr(said, "s3cret"));
}

/* librdkafka would say only that it failed, and not before it starts. */
static void a_file_that_a_property_names_must_be_readable(void **state)
{
    static const char ca[] = "{\"kafka\": {\"ssl.ca.location\": \"%s\"}}";
    char text[128];

    (void)state;
    refused("ssl.ca.location: the file cannot be read: No such file", "-X",
            "ssl.ca.location=/no/file");
    good("-X", "ssl.ca.location=probe");
    snprintf(text, sizeof text, ca, file);
    good_file(text);
    snprintf(text, sizeof text, ca, "/no/file");
    refused_file("ssl.ca.location: the file cannot be read: No such file", text);
}

static void what_the_program_must_set_itself_is_refused(void **state)
{
    static const char *const ours[] = {
        "bootstrap.servers=x",
        "metadata.broker.list=x",
        "group.id=g",
        "enable.partition.eof=false",
        "enable.auto.commit=true",
        "enable.auto.offset.store=true",
        "auto.offset.reset=latest",
        "isolation.level=read_uncommitted",
        "allow.auto.create.topics=true",
        "log.queue=false",
        "test.mock.num.brokers=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        refused("is set by the program itself", "-X", ours[i]);
    refused_file("group.id", "{\"kafka\": {\"group.id\": \"g\"}}");
}

static void what_runs_code_may_only_be_in_the_file(void **state)
{
    (void)state;
    refused("runs code", "-X", "plugin.library.paths=/x.so");
    refused("runs code", "-X", "sasl.kerberos.kinit.cmd=/x");
    good_file("{\"kafka\": {\"sasl.kerberos.kinit.cmd\": \"/x\"}}");
    check_property("sasl.kerberos.kinit.cmd", "/x");
}

static void a_library_for_tls_runs_code_too(void **state)
{
    (void)state;
    refused("runs code", "-X", "ssl.engine.location=/x.so");
}

/* -- the file -- */

static void a_name_brings_no_line_of_its_own(void **state)
{
    (void)state;
    refused_file("unknown member a?b", "{\"a\\nb\": 1}");
    refused_file("kafka property a?b", "{\"kafka\": {\"a\\u001bb\": \"1\"}}");
}

static void the_file_has_the_same_names(void **state)
{
    (void)state;
    write_file("{\"brokers\": \"b:1\", \"topic\": \"t\", \"listen\": \"/run/s\", \"path\": \"/p\","
               " \"cors\": \"https://a.example\", \"event-id\": \"key\", \"keepalive\": 1,"
               " \"retry\": 100, \"flush-interval\": 0, \"compact\": \"on\","
               " \"cache-bytes\": 65536, \"log-level\": \"error\","
               " \"kafka\": {\"client.id\": \"c\", \"fetch.wait.max.ms\": 7,"
               "             \"socket.keepalive.enable\": true}}");
    assert_int_equal(read_args("--config", file), CONFIG_OK);
    assert_string_equal(config.brokers, "b:1");
    assert_string_equal(config.topic, "t");
    assert_string_equal(config.listen, "/run/s");
    assert_string_equal(config.path, "/p");
    assert_string_equal(config.cors, "https://a.example");
    assert_int_equal(config.event_id, EVENT_ID_KEY);
    assert_int_equal(config.keepalive_s, 1);
    assert_int_equal(config.retry_ms, 100);
    assert_int_equal(config.flush_ms, 0);
    assert_int_equal(config.compact, COMPACT_ON);
    assert_int_equal(config.cache_bytes, 65536);
    assert_int_equal(config.log_level, LOG_ERROR);
    check_property("client.id", "c");
    check_property("fetch.wait.max.ms", "7");
    check_property("socket.keepalive.enable", "true");
}

static void an_option_wins_wherever_it_stands(void **state)
{
    (void)state;
    good_file("{\"topic\": \"t\", \"keepalive\": 7, \"retry\": 700,"
              " \"kafka\": {\"client.id\": \"file\"}}",
              "--keepalive", "8", "-X", "client.id=option");
    assert_string_equal(config.topic, "events");
    assert_int_equal(config.keepalive_s, 8);
    assert_int_equal(config.retry_ms, 700);
    check_property("client.id", "option");
}

static void what_is_wrong_in_the_file_is_named_with_the_file(void **state)
{
    static const char *const bad[][2] = {
        {"nonsense: --help has all names", "{\"nonsense\": 1}"},
        {"belong into \"kafka\": {...}", "{\"security.protocol\": \"ssl\"}"},
        {"help", "{\"help\": true}"},
        {"keepalive", "{\"keepalive\": \"15\"}"},
        {"keepalive", "{\"keepalive\": 1.5}"},
        {"listen", "{\"listen\": 1}"},
        {"compact", "{\"compact\": true}"},
        {"kafka: must be an object", "{\"kafka\": []}"},
        {"client.id", "{\"kafka\": {\"client.id\": null}}"},
        {"client.id", "{\"kafka\": {\"client.id\": [\"c\"]}}"},
        {"must be a JSON object", "[]"},
        {"line 2", "{\"retry\": 100,\n\"retry\": 200}"},
        {"line 2", "{\n"},
        {"line 1", "{} x"},
        {"line 1, column 0: not JSON", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused_file(bad[i][0], bad[i][1]);
        if (strstr(said, file) == NULL)
            fail_msg("the file is not named: %s", said);
    }
}

/* What stands there may be a password. */
static void of_a_file_that_is_not_json_the_place_is_told_and_not_what_stands_there(void **state)
{
    static const char *const bad[][2] = {
        {"line 2, column 24: not JSON", "{\n\"sasl.password\" \"s3cret\"}"},
        {"not JSON", "{\"sasl.password\":\"s3cret\\x\"}"},
        {"not JSON", "{\"sasl.password\":\"\\us3cret\"}"},
        {"not JSON", "{\"sasl.password\":s3cret}"},
        {"not JSON", "{\"sasl.password\":\"s3cret\n\"}"},
        {"not JSON", "{\"sasl.password\":\"x\" \"s3cret\"}"},
        {"a member comes twice", "{\"sasl.password\":\"x\",\"sasl.password\":\"s3cret\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused_file(bad[i][0], bad[i][1]);
        if (strstr(said, "s3c") != NULL)
            fail_msg("a secret is told: %s", said);
    }
}

static void of_an_unknown_option_the_value_is_not_told(void **state)
{
    (void)state;
    refused("--sasl.password: unknown option", "--sasl.password=s3cret");
    assert_null(strstr(said, "s3cret"));
}

static void values_in_the_file_have_the_same_limits(void **state)
{
    (void)state;
    refused_file("keepalive", "{\"keepalive\": 0}");
    refused_file("compact", "{\"compact\": \"maybe\"}");
    refused_file("listen: must not be empty", "{\"listen\": \"\"}");
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    refused("config: must not be empty", "-F", "");
    refused("/tmp: Is a directory", "-F", "/tmp");
    refused("/no/such/file", "-F", "/no/such/file");
    assert_null(strstr(said, "line -1"));
}

static void a_file_with_secrets_is_for_its_owner(void **state)
{
    static const char *const secrets[] = {
        "{\"kafka\": {\"sasl.password\": \"s3cret\"}}",
        "{\"kafka\": {\"ssl.key.password\": \"s3cret\"}}",
        "{\"kafka\": {\"ssl.key.pem\": \"s3cret\"}}",
        "{\"kafka\": {\"sasl.oauthbearer.client.secret\": \"s3cret\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        chmod(file, 0644);
        refused_file("chmod", secrets[i]);
        assert_null(strstr(said, "s3cret"));
    }
    chmod(file, 0640);
    good_file("{\"kafka\": {\"sasl.password\": \"s3cret\"}}");
    check_property("sasl.password", "s3cret");
}

static void a_file_without_secrets_may_be_read_by_everybody(void **state)
{
    (void)state;
    chmod(file, 0644);
    good_file("{\"kafka\": {\"ssl.key.location\": \"/dev/null\"}}");
}

/* -- standing by -- */

static void a_standby_needs_neither_brokers_nor_topic(void **state)
{
    (void)state;
    assert_int_equal(read_args("--standby"), CONFIG_OK);
    assert_int_equal(config.standby, 1);
    assert_null(config.brokers);
    assert_null(config.topic);
    assert_int_equal(read_args("--standby", "--listen", "/run/s", "--cors", "https://a.example"),
                     CONFIG_OK);
    assert_string_equal(config.listen, "/run/s");
    assert_string_equal(config.cors, "https://a.example");
}

static void one_that_stands_in_is_a_standby_for_a_time(void **state)
{
    (void)state;
    assert_int_equal(read_args("--standby"), CONFIG_OK);
    assert_int_equal(config.stand_in_s, 0);
    assert_int_equal(read_args("--stand-in", "5"), CONFIG_OK);
    assert_int_equal(config.standby, 1);
    assert_int_equal(config.stand_in_s, 5);
    check_refused(read_args("--stand-in", "3601"), "stand-in: 3601 is not between 0 and 3600");
}

static void a_standby_has_no_value(void **state)
{
    (void)state;
    check_refused(read_args("--standby=1"), "--standby: takes no value");
    check_refused(read_args("--standby", "1"), "1: unexpected argument");
    write_file("{\"standby\": 1}");
    check_refused(read_args("-F", file), "standby: must be true or false");
    write_file("{\"standby\": \"true\"}");
    check_refused(read_args("-F", file), "standby: must be true or false");
}

static void the_file_may_say_that_it_stands_by(void **state)
{
    (void)state;
    write_file("{\"standby\": true}");
    assert_int_equal(read_args("-F", file), CONFIG_OK);
    assert_int_equal(config.standby, 1);
    write_file("{\"standby\": false}");
    check_refused(read_args("-F", file), "no brokers");
    assert_int_equal(read_args("-F", file, "--standby"), CONFIG_OK);
    assert_int_equal(config.standby, 1);
}

static void a_standby_is_checked_in_all_else(void **state)
{
    (void)state;
    check_refused(read_args("--standby", "--cors", "nonsense"), "cors: ");
    check_refused(read_args("--standby", "--path", "x"), "path: ");
    check_refused(read_args("--standby", "--issuer", "i"), "come together");
}

/* -- the age of streams -- */

#define GUARD "--jwks", "/k", "--issuer", "i", "--audience", "a"

static void streams_have_an_age_where_there_are_tokens(void **state)
{
    (void)state;
    good(GUARD);
    assert_int_equal(config.max_stream_age_s, 43200);
    good(GUARD, "--max-stream-age", "60");
    assert_int_equal(config.max_stream_age_s, 60);
    good_file("{\"max-stream-age\": 70}", GUARD);
    assert_int_equal(config.max_stream_age_s, 70);
}

static void an_age_of_0_is_none_also_where_there_are_tokens(void **state)
{
    (void)state;
    good(GUARD, "--max-stream-age", "0");
    assert_int_equal(config.max_stream_age_s, 0);
    good_file("{\"max-stream-age\": 0}", GUARD);
    assert_int_equal(config.max_stream_age_s, 0);
}

/* -- the directory of the pool -- */

static void the_runtime_directory_is_taken_unless_another_is_given(void **state)
{
    (void)state;
    setenv("RUNTIME_DIRECTORY", "/run/r", 1);
    good("--retry", "100");
    assert_string_equal(config.peer_dir, "/run/r");
    good("--peer-dir", "/run/p");
    assert_string_equal(config.peer_dir, "/run/p");
    setenv("RUNTIME_DIRECTORY", "", 1);
    good("--retry", "100");
    assert_null(config.peer_dir);
}

/* -- as a CGI program -- */

static void be_cgi(const char *config_file)
{
    setenv("GATEWAY_INTERFACE", "CGI/1.1", 1);
    if (config_file != NULL)
        setenv("SKF_CONFIG", config_file, 1);
}

static void a_cgi_program_reads_the_file_of_its_environment(void **state)
{
    (void)state;
    be_cgi(file);
    write_file("{\"standby\": true, \"cors\": \"https://a.example\"}");
    assert_int_equal(read_args(NULL), CONFIG_OK);
    assert_int_equal(config.standby, 1);
    assert_string_equal(config.cors, "https://a.example");
    assert_string_equal(said, "");
}

/* A front may put the words of a query there (RFC 3875, section 4.4). */
static void a_cgi_program_does_not_read_its_command_line(void **state)
{
    static const char *const lines[] = {"--help",          "--version",       "--nonsense",
                                        "-F/no/such/file", "--cors=nonsense", "word",
                                        "-Xno.such=1",     "--path=/other"};

    (void)state;
    be_cgi(file);
    write_file("{\"standby\": true}");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_args(lines[i]), CONFIG_OK);
        assert_int_equal(config.standby, 1);
        assert_string_equal(config.path, "/events");
        assert_string_equal(said, "");
    }
}

static void a_cgi_program_needs_its_file(void **state)
{
    (void)state;
    be_cgi(NULL);
    check_refused(read_args("--standby"), "SKF_CONFIG");
    be_cgi("/no/such/file");
    check_refused(read_args("--standby"), "/no/such/file");
    be_cgi("");
    check_refused(read_args("--standby"), "needs SKF_CONFIG=FILE");
    be_cgi(file);
    write_file("{\"nonsense\": true}");
    check_refused(read_args("--standby"), "nonsense");
    write_file("{}");
    check_refused(read_args("--standby"), "no brokers");
}

static void only_a_cgi_program_reads_the_file_of_its_environment(void **state)
{
    (void)state;
    setenv("SKF_CONFIG", file, 1);
    write_file("{\"standby\": true, \"retry\": 700}");
    good("--path", "/p");
    assert_int_equal(config.standby, 0);
    assert_int_equal(config.retry_ms, 2000);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(brokers_and_topic_are_enough),
        T(each_option_has_its_place),
        T(brokers_and_topic_are_demanded),
        T(a_broker_is_a_host_and_maybe_a_port),
        T(a_number_has_its_limits),
        T(what_is_no_whole_number_is_refused),
        T(a_choice_is_one_of_its_words),
        T(a_path_begins_with_a_slash_and_ends_before_a_query),
        T(a_policy_that_cors_does_not_know_is_refused),
        T(what_is_unknown_is_named),
        T(an_unknown_letter_before_another_is_named),
        T(help_and_version_are_printed),
        T(a_property_is_set),
        T(the_last_of_a_property_counts),
        T(a_property_needs_name_and_value),
        T(an_unknown_property_is_refused),
        T(the_value_of_a_property_is_never_said),
        T(a_file_that_a_property_names_must_be_readable),
        T(what_the_program_must_set_itself_is_refused),
        T(what_runs_code_may_only_be_in_the_file),
        T(a_library_for_tls_runs_code_too),
        T(a_name_brings_no_line_of_its_own),
        T(the_file_has_the_same_names),
        T(an_option_wins_wherever_it_stands),
        T(what_is_wrong_in_the_file_is_named_with_the_file),
        T(of_a_file_that_is_not_json_the_place_is_told_and_not_what_stands_there),
        T(of_an_unknown_option_the_value_is_not_told),
        T(values_in_the_file_have_the_same_limits),
        T(a_missing_file_is_named),
        T(a_file_with_secrets_is_for_its_owner),
        T(a_file_without_secrets_may_be_read_by_everybody),
        T(a_standby_needs_neither_brokers_nor_topic),
        T(one_that_stands_in_is_a_standby_for_a_time),
        T(a_standby_has_no_value),
        T(the_file_may_say_that_it_stands_by),
        T(a_standby_is_checked_in_all_else),
        T(streams_have_an_age_where_there_are_tokens),
        T(an_age_of_0_is_none_also_where_there_are_tokens),
        T(the_runtime_directory_is_taken_unless_another_is_given),
        T(a_cgi_program_reads_the_file_of_its_environment),
        T(a_cgi_program_does_not_read_its_command_line),
        T(a_cgi_program_needs_its_file),
        T(only_a_cgi_program_reads_the_file_of_its_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

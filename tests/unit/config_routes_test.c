#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "logged.h"
#include "route/routes.h"
#include "support.h"

static struct config config;
static bool read_before;
static char file[64];

static int setup(void **state)
{
    (void)state;
    unsetenv("GATEWAY_INTERFACE");
    unsetenv("RUNTIME_DIRECTORY");
    strcpy(file, "/tmp/config_routes_test.XXXXXX");
    int fd = mkstemp(file);
    close(fd);
    log_capture();
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    log_release();
    if (read_before)
        config_fini(&config);
    read_before = false;
    return unlink(file);
}

/* Besides what else the file says, and these options. */
static bool reads(const char *members, const char *option, const char *value)
{
    char *argv[] = {"sse-kafka-fanout", "-b", "b:9092", "-F", file, NULL, NULL};
    FILE *f = fopen(file, "we");

    fprintf(f, "{%s}", members);
    fclose(f);
    argv[5] = (char *)(uintptr_t)option;
    argv[6] = (char *)(uintptr_t)value;
    if (read_before)
        config_fini(&config);
    read_before = true;
    return config_read(&config, option ? 7 : 5, argv) == CONFIG_OK;
}

#define TOPICS "\"topics\":{\"orders\":{\"compact\":\"on\",\"cache-bytes\":100000}}"
#define GUARD ",\"issuer\":\"i\",\"audience\":\"a\",\"jwks\":\"/k\""
#define ROUTE(members) TOPICS ",\"routes\":[{" members "}]"
#define GOOD "\"path\":\"/a\",\"topic\":\"orders\""

/* With one line that says `why`. */
static void refuses(const char *members, const char *why)
{
    log_release();
    log_capture();
    if (reads(members, NULL, NULL) || logged(why) != 1 || logged("") != 1)
        fail_msg("%s: not: %s", members, why);
}

static void routes_are_read(void **state)
{
    (void)state;
    assert_true(reads(TOPICS GUARD ",\"routes\":[{\"path\":\"/a/{x}\",\"topic\":\"orders\","
                                   "\"from\":\"earliest\",\"scopes\":[\"r\",\"w\"]},"
                                   "{\"path\":\"/raw/{topic}\",\"topic\":\"{topic}\"}]",
                      NULL, NULL));
    assert_int_equal(config.topic_count, 1);
    assert_string_equal(config.topics[0].name, "orders");
    assert_int_equal(config.topics[0].compact, COMPACT_ON);
    assert_int_equal(config.topics[0].cache_bytes, 100000);
    assert_int_equal(routes_count(config.routes), 2);
    assert_int_equal(routes_at(config.routes, 0)->scopes, 3);
    assert_string_equal(pattern_text(routes_at(config.routes, 1)->path), "/raw/{topic}");
}

static void what_a_topic_leaves_open_is_what_the_options_say(void **state)
{
    (void)state;
    assert_true(reads("\"topics\":{\"t\":{}},\"compact\":\"off\",\"cache-bytes\":70000,"
                      "\"routes\":[{\"path\":\"/a\",\"topic\":\"t\"}]",
                      NULL, NULL));
    assert_int_equal(config.topics[0].compact, COMPACT_OFF);
    assert_int_equal(config.topics[0].cache_bytes, 70000);
}

static int64_t cache_bytes(const char *topic)
{
    for (size_t i = 0; i < config.topic_count; i++)
        if (strcmp(config.topics[i].name, topic) == 0)
            return config.topics[i].cache_bytes;
    return -1;
}

#define TO_ALL "\"routes\":[{\"path\":\"/{t}\",\"topic\":\"{t}\"}]"

static void topics_have_their_own_share_or_a_part_of_the_rest(void **state)
{
    (void)state;
    assert_true(reads("\"cache-bytes\":1000000,\"topics\":{\"a\":{},\"b\":{\"cache-bytes\":400000,"
                      "\"compact\":\"off\"},\"c\":{}}," TO_ALL,
                      NULL, NULL));
    assert_int_equal(config.topic_count, 3);
    assert_int_equal(cache_bytes("a"), 300000);
    assert_int_equal(cache_bytes("b"), 400000);
    assert_int_equal(cache_bytes("c"), 300000);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(routes_topic(config.routes, i), config.topics[i].name);
    assert_true(reads("\"topics\":{\"a\":{},\"b\":{}}," TO_ALL, NULL, NULL));
    assert_int_equal(cache_bytes("a"), 1 << 29);
    refuses("\"cache-bytes\":1000000,\"topics\":{\"a\":{\"cache-bytes\":600000},"
            "\"b\":{\"cache-bytes\":400001}}," TO_ALL,
            "topics: b: cache-bytes: is more than what is left of the 1000000 of all topics");
    refuses("\"cache-bytes\":200000,\"topics\":{\"a\":{\"cache-bytes\":100000},\"b\":{},"
            "\"c\":{}}," TO_ALL,
            "cache-bytes: leaves less than 65536 for each of 2 topic(s)");
}

static void there_are_so_many_topics_at_most(void **state)
{
    struct buf text = {0};

    (void)state;
    buf_add_str(&text, "\"topics\":{");
    for (int i = 0; i < ROUTES_TOPICS; i++)
        buf_printf(&text, "%s\"t%d\":{}", i ? "," : "", i);
    size_t full = text.n;
    buf_printf(&text, "}," TO_ALL);
    buf_add_byte(&text, 0);
    assert_true(reads((const char *)text.p, NULL, NULL));
    assert_int_equal(config.topic_count, ROUTES_TOPICS);
    text.n = full;
    buf_printf(&text, ",\"more\":{}}," TO_ALL);
    buf_add_byte(&text, 0);
    refuses((const char *)text.p, ": topics: more than 256");
    buf_fini(&text);
}

static void without_routes_there_is_the_one_of_the_options(void **state)
{
    struct destination to;

    (void)state;
    assert_true(reads("\"path\":\"/p/{x}\"", "-t", "t"));
    assert_int_equal(routes_count(config.routes), 1);
    assert_int_equal(routes_find(config.routes, slice_str("/p/{x}"), &to), ROUTE_FOUND);
    assert_string_equal(routes_topic(config.routes, (size_t)to.topic), "t");
    assert_int_equal(config.topic_count, 1);
    assert_string_equal(config.topics[0].name, "t");
    assert_int_equal(config.topics[0].cache_bytes, 1073741824);
}

static void routes_stand_alone(void **state)
{
    static const char *const options[][2] = {{"-t", "t"}, {"--path", "/events"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_false(reads(ROUTE(GOOD), options[i][0], options[i][1]));
        assert_int_equal(
            logged(i ? "path: not together with routes" : "topic: not together with routes"), 1);
    }
    refuses(ROUTE(GOOD) ",\"topic\":\"t\"", "topic: not together with routes");
    refuses("\"routes\":[{" GOOD "}]", "routes: need topics");
    refuses(TOPICS, "topics: only with routes");
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    refuses(TOPICS ",\"routes\":[]", ": routes: must be an array of objects, one at least");
    refuses(TOPICS ",\"routes\":{}", ": routes: must be an array of objects, one at least");
    refuses(TOPICS ",\"routes\":[7]", ": routes[0]: must be an object");
    refuses("\"topics\":{},\"routes\":[{" GOOD "}]", ": topics: must be an object, of one");
    refuses("\"topics\":[],\"routes\":[{" GOOD "}]", ": topics: must be an object, of one");
    refuses("\"topics\":{\"a/b\":{}}", ": topics: a/b: must be up to 249 letters");
    refuses("\"topics\":{\"\":{}}", ": topics: : must be up to 249 letters");
    refuses("\"topics\":{\"..\":{}}", ": topics: ..: must be up to 249 letters");
    refuses("\"topics\":{\"a\":7}", ": topics: a: must be an object");
    refuses("\"topics\":{\"a\":{\"x\":7}}", ": topics: a: unknown member x");
    refuses("\"topics\":{\"a\":{\"compact\":\"x\"}}", ": topics: a: compact: must be one of auto");
    refuses("\"topics\":{\"a\":{\"cache-bytes\":7}}", ": topics: a: cache-bytes: 7 is not between");
    refuses(ROUTE("\"path\":\"/a\""), "routes[0]: no topic given");
    refuses(ROUTE("\"topic\":\"orders\""), "routes[0]: no path given");
    refuses(ROUTE("\"path\":\"/a\",\"topic\":\"x\""), "routes[0]: topic: is not in topics: x");
    refuses(ROUTE("\"path\":\"/a\",\"topic\":\"{x}\""), "routes[0]: topic: the path lacks {x}");
    refuses(ROUTE("\"path\":\"/{a*}/b\",\"topic\":\"orders\""),
            "routes[0]: path: a {name*} must be at the end");
    refuses(ROUTE(GOOD "},{" GOOD), "routes[1]: path: another route has it: /a");
    refuses(ROUTE(GOOD ",\"scopes\":[\"\"]"), ": routes[0]: scopes: must not be empty");
    refuses(ROUTE(GOOD ",\"claims\":7"), ": routes[0]: unknown member claims");
    refuses(ROUTE(GOOD) ",\"cache-bytes\":70000",
            "topics: orders: cache-bytes: is more than what is left of the 70000 of all topics");
}

static void scopes_need_the_guard(void **state)
{
    (void)state;
    refuses(ROUTE(GOOD ",\"scopes\":\"r\""),
            "routes[0]: scopes: only with jwks, issuer and audience");
    assert_true(reads(ROUTE(GOOD ",\"scopes\":\"r\"") GUARD, NULL, NULL));
}

static void what_a_route_selects_is_read(void **state)
{
    (void)state;
    assert_true(reads(ROUTE(GOOD ",\"select\":[{\"key\":\"a\"}]"), NULL, NULL));
    assert_non_null(routes_at(config.routes, 0)->select);
    assert_true(reads(ROUTE(GOOD ",\"select\":[{\"key\":\"{claim:sub}\"}]") GUARD, NULL, NULL));
    assert_int_equal(routes_claims(config.routes), 1);
    assert_string_equal(routes_claim(config.routes)[0], "sub");
    refuses(ROUTE(GOOD ",\"select\":[]"), "routes[0]: select: must be a list");
    refuses(ROUTE(GOOD ",\"select\":{}"), "routes[0]: select: must be a list");
    refuses(ROUTE(GOOD ",\"select\":[{\"key\":\"{x}\"}]"),
            "routes[0]: select[0]: key: the path lacks {x}");
    refuses(ROUTE(GOOD ",\"select\":[{\"key\":\"{claim:sub}\"}]"),
            "routes[0]: select: claims only with jwks, issuer and audience");
}

static void a_route_says_where_its_streams_start_or_the_option_does(void **state)
{
    (void)state;
    assert_true(reads(TOPICS ",\"from\":\"-5\",\"routes\":[{" GOOD ",\"from\":\"latest\"},{"
                             "\"path\":\"/b\",\"topic\":\"orders\"}]",
                      NULL, NULL));
    assert_int_equal(routes_at(config.routes, 0)->from.kind, FROM_LATEST);
    assert_int_equal(routes_at(config.routes, 1)->from.kind, FROM_LAST);
    assert_true(reads("\"topic\":\"t\"", "--from", "latest"));
    assert_int_equal(routes_at(config.routes, 0)->from.kind, FROM_LATEST);
    refuses(ROUTE(GOOD ",\"from\":\"newest\""),
            "routes[0]: from: must be earliest, latest, a time");
    refuses("\"topic\":\"t\",\"from\":\"-0\"", "from: must be earliest, latest, a time");
}

static void what_is_for_later_is_refused(void **state)
{
    (void)state;
    refuses(ROUTE(GOOD ",\"topics\":[]"),
            ": routes[0]: topics: must be left out: this version does not know it");
}

#define FIELDS(members) "\"topics\":{\"orders\":{" members "}},\"routes\":[{" GOOD
#define NINE "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]"

static void the_headers_of_either_list_are_kept_once(void **state)
{
    (void)state;
    assert_true(reads(FIELDS("\"headers\":[\"trace\",\"type\"],"
                             "\"filters\":[\"header:region\",\"header:trace\",\"field:a.b\"]") "}]",
                      NULL, NULL));
    const struct config_topic *t = &config.topics[0];
    assert_int_equal(t->kept_count, 3);
    assert_string_equal(t->kept[0], "trace");
    assert_string_equal(t->kept[1], "type");
    assert_string_equal(t->kept[2], "region");
}

static void what_is_wrong_with_headers_and_filters_is_named(void **state)
{
    char text[1024], name[300];

    (void)state;
    refuses("\"topics\":{\"a\":{\"headers\":" NINE "}}", "topics: a: headers: more than 8");
    refuses("\"topics\":{\"a\":{\"filters\":" NINE "}}", "topics: a: filters: more than 8");
    refuses("\"topics\":{\"a\":{\"headers\":[\"\"]}}", "headers: must not be empty");
    snprintf(name, sizeof name, "%0256d", 0);
    snprintf(text, sizeof text, "\"topics\":{\"a\":{\"headers\":[\"%s\"]}}", name);
    refuses(text, "a: headers: a name has more than 255 bytes");
    snprintf(text, sizeof text, "\"topics\":{\"a\":{\"filters\":[\"field:%s\"]}}", name);
    refuses(text, "a: filters: a name has more than 255 bytes");
    refuses("\"topics\":{\"a\":{\"headers\":[\"x\",\"y\",\"x\"]}}", "a: headers: x is there twice");
    refuses("\"topics\":{\"a\":{\"filters\":[\"field:x\",\"field:x\"]}}",
            "a: filters: field:x is there twice");
    refuses("\"topics\":{\"a\":{\"filters\":[\"x\"]}}",
            "a: filters: x: must be header:NAME or field:PATH");
    refuses("\"topics\":{\"a\":{\"filters\":[\"topic\"]}}",
            "a: filters: topic: must be header:NAME or field:PATH");
}

static void a_route_says_what_its_events_carry_and_are_called(void **state)
{
    (void)state;
    assert_true(reads(ROUTE(GOOD), NULL, NULL));
    assert_false(routes_at(config.routes, 0)->enveloped);
    assert_int_equal(routes_at(config.routes, 0)->naming.by, NAMING_NONE);
    assert_true(reads(ROUTE(GOOD ",\"data\":\"envelope\",\"event\":\"topic\""), NULL, NULL));
    assert_true(routes_at(config.routes, 0)->enveloped);
    assert_int_equal(routes_at(config.routes, 0)->naming.by, NAMING_TOPIC);
    assert_true(reads(FIELDS("\"headers\":[\"type\"]") ",\"event\":\"header:type\"}]", NULL, NULL));
    assert_string_equal(routes_at(config.routes, 0)->naming.of, "type");
    assert_true(
        reads(FIELDS("\"filters\":[\"field:a.b\"]") ",\"event\":\"field:a.b\"}]", NULL, NULL));
    assert_int_equal(routes_at(config.routes, 0)->naming.by, NAMING_FIELD);
    refuses(ROUTE(GOOD ",\"data\":\"all\""), ": routes[0]: data: must be one of value|envelope");
    refuses(ROUTE(GOOD ",\"event\":\"type\""),
            "routes[0]: event: must be topic, header:NAME or field:PATH");
    refuses(ROUTE(GOOD ",\"event\":\"header:type\""),
            "routes[0]: event: header:type must be in the filters or headers of topic orders");
    refuses(FIELDS("\"headers\":[\"a\"],\"filters\":[\"header:a\"]") ",\"event\":\"field:a\"}]",
            "routes[0]: event: field:a must be in the filters of topic orders");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(routes_are_read),
        T(what_a_topic_leaves_open_is_what_the_options_say),
        T(topics_have_their_own_share_or_a_part_of_the_rest),
        T(there_are_so_many_topics_at_most),
        T(without_routes_there_is_the_one_of_the_options),
        T(routes_stand_alone),
        T(what_is_wrong_is_named_with_its_place),
        T(scopes_need_the_guard),
        T(what_a_route_selects_is_read),
        T(a_route_says_where_its_streams_start_or_the_option_does),
        T(what_is_for_later_is_refused),
        T(the_headers_of_either_list_are_kept_once),
        T(what_is_wrong_with_headers_and_filters_is_named),
        T(a_route_says_what_its_events_carry_and_are_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "config/issuers.h"

#include <stdio.h>

#include "logged.h"
#include "support.h"

static struct config config;
static struct reading reading;

static int setup(void **state)
{
    (void)state;
    config = (struct config){.audience_claim = "aud", .scope_claim = "scope", .identity = "sub"};
    reading = (struct reading){.config = &config, .file = "c.json"};
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_release();
    issuers_fini(&config);
    return 0;
}

static bool reads(const char *json)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    enum config_result result = issuers_read(&reading, value);
    json_decref(value);
    if (result == CONFIG_OK)
        result = issuers_check(&reading);
    return result == CONFIG_OK;
}

/* With one line that says `why`. */
static void refuses(const char *json, const char *why)
{
    teardown(NULL);
    setup(NULL);
    assert_false(reads(json));
    if (logged(why) != 1 || logged("") != 1)
        fail_msg("%s: not: %s", json, why);
}

#define A "{\"issuer\":\"https://a.example\",\"audience\":\"events\",\"jwks\":\"/a\"}"
#define B                                                                                          \
    "{\"issuer\":\"https://b.example\",\"audience\":\"b\",\"jwks\":[\"/b\",\"/c\"],"               \
    "\"audience-claim\":\"client_id\",\"scope-claim\":\"scp\",\"scope\":[\"r\",\"w\"],"            \
    "\"identity\":\"uid\"}"

static void each_issuer_has_what_it_says_and_else_what_the_options_say(void **state)
{
    char *scopes[] = {"read:events"};

    (void)state;
    config.scopes = (struct config_list){scopes, 1};
    assert_true(reads("[" A "," B "]"));
    assert_int_equal(config.issuer_count, 2);
    const struct config_issuer *a = &config.issuers[0], *b = &config.issuers[1];
    assert_string_equal(a->issuer, "https://a.example");
    assert_string_equal(a->audience, "events");
    assert_string_equal(a->audience_claim, "aud");
    assert_string_equal(a->scope_claim, "scope");
    assert_string_equal(a->identity, "sub");
    assert_true(a->jwks.n == 1 && a->scopes.n == 1);
    assert_string_equal(a->scopes.at[0], "read:events");
    assert_string_equal(b->audience_claim, "client_id");
    assert_string_equal(b->scope_claim, "scp");
    assert_string_equal(b->identity, "uid");
    assert_true(b->jwks.n == 2 && b->scopes.n == 2);
    assert_string_equal(b->jwks.at[1], "/c");
    config.scopes = (struct config_list){0};
}

static void there_is_one_issuer_at_least(void **state)
{
    (void)state;
    refuses("[]", "c.json: issuers: must be an array of objects");
    refuses("{}", "c.json: issuers: must be an array of objects");
    refuses("\"https://a.example\"", "c.json: issuers: must be an array of objects");
    refuses("[" A ",7]", "c.json: issuers[1]: must be an object");
}

static void half_an_issuer_is_refused(void **state)
{
    (void)state;
    refuses("[{}]", "issuers[0]: no jwks given: jwks, issuer and audience come together");
    refuses("[" A ",{\"issuer\":\"b\",\"jwks\":\"/b\"}]", "issuers[1]: no audience given");
    refuses("[{\"audience\":\"b\",\"jwks\":\"/b\"}]", "issuers[0]: no issuer given");
    refuses("[{\"audience\":\"b\",\"issuer\":\"b\",\"jwks\":[]}]", "issuers[0]: no jwks given");
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    refuses("[" A ",{\"isuer\":\"b\"}]", "c.json: issuers[1]: unknown member isuer");
    refuses("[{\"issuer\":\"\"}]", "c.json: issuers[0]: issuer: must not be empty");
    refuses("[{\"issuer\":7}]", "c.json: issuers[0]: issuer: must be a string");
    refuses("[{\"jwks\":[7]}]", "c.json: issuers[0]: jwks: must be an array of strings");
    refuses("[{\"scope\":[\"\"]}]", "c.json: issuers[0]: scope: must not be empty");
    refuses("[{\"leeway\":7}]", "c.json: issuers[0]: unknown member leeway");
}

static void a_name_is_given_once(void **state)
{
    (void)state;
    refuses("[" A "," B "," A "]", "issuers[2]: https://a.example is named twice");
}

static void a_name_can_be_shown(void **state)
{
    char json[512], name[300];

    (void)state;
    refuses("[{\"issuer\":\"a\\nb\",\"audience\":\"a\",\"jwks\":\"/a\"}]",
            "issuers[0]: issuer: must be up to 255 bytes");
    memset(name, 'a', sizeof name);
    for (int n = 255; n <= 256; n++) {
        snprintf(json, sizeof json, "[{\"issuer\":\"%.*s\",\"audience\":\"a\",\"jwks\":\"/a\"}]", n,
                 name);
        teardown(NULL);
        setup(NULL);
        assert_int_equal(reads(json), n == 255);
    }
}

static void there_are_16_at_most(void **state)
{
    char json[4096] = "[";

    (void)state;
    for (int i = 0; i < 17; i++) {
        size_t n = strlen(json);
        snprintf(json + n, sizeof json - n,
                 "%s{\"issuer\":\"i%d\",\"audience\":\"a\",\"jwks\":\"/a\"}", i ? "," : "", i);
    }
    strcat(json, "]");
    refuses(json, "c.json: issuers: more than 16");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_issuer_has_what_it_says_and_else_what_the_options_say),
        T(there_is_one_issuer_at_least),
        T(half_an_issuer_is_refused),
        T(what_is_wrong_is_named_with_its_place),
        T(a_name_is_given_once),
        T(a_name_can_be_shown),
        T(there_are_16_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

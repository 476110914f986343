#include "config/row.h"

#include <stdio.h>

#include "logged.h"
#include "support.h"

static struct config config;

static int setup(void **state)
{
    (void)state;
    config = (struct config){.kafka = NULL};
    log_capture();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_release();
    config_fini(&config);
    return 0;
}

static const struct row *row(const char *name)
{
    for (size_t i = 0; i < rows_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static bool reads(const char *name, const char *text)
{
    return row(name)->kind->read(row(name), row_value(row(name), &config), text) == CONFIG_OK;
}

/* NULL: taken, or refused with a line in the log. */
static const char *takes(const char *name, const char *json)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    const char *wanted = row(name)->kind->mismatch(value);

    assert_non_null(value);
    if (wanted == NULL)
        row(name)->kind->take(row(name), row_value(row(name), &config), value);
    json_decref(value);
    return wanted;
}

static void each_row_is_named_once_and_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows_count; i++) {
        assert_ptr_equal(row(rows[i].name), &rows[i]);
        assert_non_null(rows[i].help);
        assert_int_equal(rows[i].argument == NULL, rows[i].kind->has_no_argument);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(rows[i].at, rows[k].at);
    }
}

static void each_preset_is_a_good_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows_count; i++)
        if (rows[i].preset != NULL)
            assert_true(reads(rows[i].name, rows[i].preset));
    assert_int_equal(logged("error"), 0);
}

static void bounds_are_good_and_what_is_beyond_is_not(void **state)
{
    (void)state;
    assert_true(reads("retry", "100") && config.retry_ms == 100);
    assert_true(reads("retry", "600000") && config.retry_ms == 600000);
    assert_false(reads("retry", "99"));
    assert_false(reads("retry", "600001"));
    assert_int_equal(config.retry_ms, 600000);
    assert_int_equal(logged("retry: 99 is not between 100 and 600000"), 1);
    assert_null(takes("retry", "99"));
    assert_int_equal(logged("retry: 99 is not between 100 and 600000"), 2);
}

static void a_number_is_whole(void **state)
{
    static const char *const bad[] = {"", "x", "1000x", "1e3", "99999999999999999999", "auto"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(reads("retry", bad[i]));
    assert_int_equal(logged("retry: must be a whole number\n"), sizeof bad / sizeof bad[0]);
    assert_false(reads("flush-interval", "x"));
    assert_int_equal(logged("flush-interval: must be a whole number or auto\n"), 1);
    assert_true(reads("flush-interval", "auto") && config.flush_ms == -1);
    assert_true(reads("flush-interval", "5") && config.flush_ms == 5);
}

static void choices_are_in_the_order_of_their_enum(void **state)
{
    static const char *const bad[] = {"", "Auto", "of", "offf", "auto|on", "|"};

    (void)state;
    assert_true(reads("compact", "auto") && config.compact == COMPACT_AUTO);
    assert_true(reads("compact", "on") && config.compact == COMPACT_ON);
    assert_true(reads("compact", "off") && config.compact == COMPACT_OFF);
    assert_true(reads("event-id", "key") && config.event_id == EVENT_ID_KEY);
    assert_true(reads("log-level", "debug") && config.log_level == LOG_DEBUG);
    assert_true(reads("log-format", "json") && config.log_format == LOG_JSON);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(reads("compact", bad[i]));
    assert_int_equal(logged("compact: must be one of auto|on|off\n"), sizeof bad / sizeof bad[0]);
}

static void a_text_is_replaced_and_a_list_grows(void **state)
{
    (void)state;
    assert_true(reads("topic", "a") && reads("topic", "b"));
    assert_string_equal(config.topic, "b");
    assert_true(reads("scope", "a") && reads("scope", "b"));
    assert_int_equal(config.scopes.n, 2);
    assert_false(reads("topic", "") || reads("scope", ""));
    assert_int_equal(logged("must not be empty\n"), 2);
}

static void the_file_is_told_what_a_value_must_be(void **state)
{
    static const struct {
        const char *row, *json, *wanted;
    } table[] = {
        {"topic", "1", "a string"},
        {"topic", "\"t\"", NULL},
        {"scope", "1", "a string or an array"},
        {"scope", "[\"a\", 1]", "an array of strings"},
        {"scope", "\"a\"", NULL},
        {"scope", "[\"b\", \"c\"]", NULL},
        {"retry", "\"1000\"", "a whole number"},
        {"retry", "1000", NULL},
        {"flush-interval", "true", "a whole number or auto"},
        {"flush-interval", "\"auto\"", NULL},
        {"flush-interval", "7", NULL},
        {"compact", "1", "a string"},
        {"compact", "\"off\"", NULL},
        {"standby", "1", "true or false"},
        {"standby", "true", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *wanted = takes(table[i].row, table[i].json);
        assert_int_equal(wanted == NULL, table[i].wanted == NULL);
        if (wanted != NULL)
            assert_string_equal(wanted, table[i].wanted);
    }
    assert_int_equal(config.scopes.n, 3);
    assert_int_equal(config.flush_ms, 7);
    assert_true(config.standby && config.compact == COMPACT_OFF);
    assert_null(takes("standby", "false"));
    assert_false(config.standby);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_row_is_named_once_and_says_what_it_is), T(each_preset_is_a_good_value),
        T(bounds_are_good_and_what_is_beyond_is_not),  T(a_number_is_whole),
        T(choices_are_in_the_order_of_their_enum),     T(a_text_is_replaced_and_a_list_grows),
        T(the_file_is_told_what_a_value_must_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

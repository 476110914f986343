#include "fanout_setup.h"

#include <stdio.h>

static const struct opening enveloped = {.enveloped = true};
static const struct opening lines = {.framing = FRAMING_NDJSON};
static const struct opening signs = {.keepalive_events = true};

/* The text, but for the timestamps and what all envelopes begin with. */
static void check_shaped(struct client *c, const char *expected)
{
    static const char *const common[] = {"\"topic\":\"t\",", "\"partition\":0,", "\"headers\":{},"};
    struct output out = receive(c);

    buf_add_byte(&out.text, 0);
    char *text = (char *)out.text.p, *at;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        while ((at = strstr(text, common[i])) != NULL)
            memmove(at, at + strlen(common[i]), strlen(at + strlen(common[i])) + 1);
    while ((at = strstr(text, "\"timestamp\":")) != NULL) {
        const char *end = strchr(at, ',') + 1;
        memmove(at, end, strlen(end) + 1);
    }
    assert_string_equal(text, expected);
    output_fini(&out);
}

static void each_stream_gets_its_shape(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client plain = open_client(NULL), e = open_as(&enveloped), l = open_as(&lines);
    produce_live(0, "a", NULL);
    check_text(&plain, "id:AQIAAg==\ndata:1\n\nid:AQIABA==\nevent:delete\ndata:YQ==\n\n");
    check_shaped(&e, "id:AQIAAg==\ndata:{\"offset\":0,\"key\":\"a\",\"value\":1}\n\n"
                     "id:AQIABA==\nevent:delete\n"
                     "data:{\"offset\":1,\"key\":\"a\",\"deleted\":true}\n\n");
    check_shaped(&l, "{\"id\":\"AQIAAg==\",\"offset\":0,\"key\":\"a\",\"value\":1}\n"
                     "{\"event\":\"delete\",\"id\":\"AQIABA==\",\"offset\":1,\"key\":\"a\","
                     "\"deleted\":true}\n");
    leave(&plain);
    leave(&e);
    leave(&l);
}

static void the_place_is_the_same_in_all_shapes(void **state)
{
    struct opening how = lines;

    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    produce(0, "b", "2");
    settle();
    how.last_event_id = BYTES("AQIAAg==");
    struct client l = open_as(&how);
    check_shaped(&l, "{\"id\":\"AQIABA==\",\"offset\":1,\"key\":\"b\",\"value\":2}\n");
    how.last_event_id = BYTES("nonsense");
    struct client other = open_as(&how);
    check_shaped(&other, "{\"event\":\"reset\",\"id\":\"AQIAAA==\",\"reason\":\"id_malformed\","
                         "\"detail\":\"the event id is malformed\"}\n"
                         "{\"id\":\"AQIAAg==\",\"offset\":0,\"key\":\"a\",\"value\":1}\n"
                         "{\"id\":\"AQIABA==\",\"offset\":1,\"key\":\"b\",\"value\":2}\n");
    leave(&l);
    leave(&other);
}

static void lines_have_ids_of_the_plain_form(void **state)
{
    (void)state;
    teardown(NULL);
    start_with(EVENT_ID_KEY, 1 << 30);
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client e = open_as(&enveloped), l = open_as(&lines);
    check_shaped(&e,
                 "id:[\"YQ==\",\"AQIAAg==\"]\ndata:{\"offset\":0,\"key\":\"a\",\"value\":1}\n\n");
    check_shaped(&l, "{\"id\":\"AQIAAg==\",\"offset\":0,\"key\":\"a\",\"value\":1}\n");
    leave(&e);
    leave(&l);
}

static void lines_that_select_carry_the_tag(void **state)
{
    struct opening how = lines;

    (void)state;
    make_topic(true, 1);
    how.selection = select_keys("a");
    struct client l = open_as(&how);
    struct slice tag = selection_tag(how.selection);
    produce_live(0, "a", "1");
    produce_live(0, "b", "2");
    fake_loop_pass(KEEPALIVE_MS);
    char expected[200];
    snprintf(expected, sizeof expected,
             "{\"id\":\"AQIAAg==~%.8s\",\"offset\":0,\"key\":\"a\",\"value\":1}\n"
             "{\"event\":\"keepalive\",\"id\":\"AQIABA==~%.8s\"}\n",
             (const char *)tag.p, (const char *)tag.p);
    check_shaped(&l, expected);
    selection_unref(how.selection);
    leave(&l);
}

static void a_silent_stream_of_lines_gets_an_empty_one(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client l = open_as(&lines);
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&l, "\n");
    leave(&l);
}

static void one_that_slept_gets_the_newest_of_each_key(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client l = open_as(&lines);
    for (int i = 0; i < 10; i++)
        produce_kilobytes(1000, 2);
    struct output out = receive(&l);
    assert_true(out.text.n < 4 << 20);
    buf_add_byte(&out.text, 0);
    for (char *line = strtok((char *)out.text.p, "\n"); line; line = strtok(NULL, "\n")) {
        assert_memory_equal(line, "{\"id\":\"", 7);
        assert_int_equal(line[strlen(line) - 1], '}');
    }
    output_fini(&out);
    leave(&l);
}

/* -- keep-alive as an event -- */

static void the_end_of_the_replay_is_told_where_it_is_asked_for(void **state)
{
    (void)state;
    make_topic(true, 1);
    produce(0, "a", "1");
    settle();
    struct client c = open_as(&signs);
    check_text(&c, "id:AQIAAg==\ndata:1\n\nid:AQIAAg==\nevent:keepalive\ndata:{}\n\n");
    produce_live(0, "b", "2");
    check_text(&c, "id:AQIABA==\ndata:2\n\n");
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&c, "id:AQIABA==\nevent:keepalive\ndata:{}\n\n");
    leave(&c);
}

static void an_empty_topic_has_been_replayed_too(void **state)
{
    struct opening how = lines;

    (void)state;
    make_topic(true, 1);
    how.keepalive_events = true;
    struct client c = open_as(&how);
    check_text(&c, "{\"event\":\"keepalive\",\"id\":\"AQIAAA==\"}\n");
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&c, "{\"event\":\"keepalive\",\"id\":\"AQIAAA==\"}\n");
    leave(&c);
}

static void one_that_selects_is_told_too(void **state)
{
    struct opening how = signs;

    (void)state;
    make_topic(true, 1);
    produce(0, "b", "1");
    settle();
    how.selection = select_keys("a");
    struct client c = open_as(&how);
    char expected[100];
    snprintf(expected, sizeof expected, "id:AQIAAg==~%.8s\nevent:keepalive\ndata:{}\n\n",
             (const char *)selection_tag(how.selection).p);
    check_text(&c, expected);
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&c, expected);
    selection_unref(how.selection);
    leave(&c);
}

static void after_a_reset_the_end_of_the_replay_is_told_again(void **state)
{
    (void)state;
    make_topic(true, 1);
    struct client c = open_as(&signs);
    check_text(&c, "id:AQIAAA==\nevent:keepalive\ndata:{}\n\n");
    make_topic(true, 1);
    struct output out = receive(&c);
    buf_add_byte(&out.text, 0);
    assert_non_null(strstr((char *)out.text.p, "event:reset\n"));
    assert_non_null(strstr((char *)out.text.p, "id:AQIAAA==\nevent:keepalive\ndata:{}\n\n"));
    output_fini(&out);
    leave(&c);
}

static void until_a_stream_has_begun_its_keepalive_is_a_comment(void **state)
{
    (void)state;
    struct client c = open_as(&signs);
    fake_loop_pass(KEEPALIVE_MS);
    check_text(&c, ":\n");
    leave(&c);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_stream_gets_its_shape),
        T(the_place_is_the_same_in_all_shapes),
        T(lines_have_ids_of_the_plain_form),
        T(lines_that_select_carry_the_tag),
        T(a_silent_stream_of_lines_gets_an_empty_one),
        T(one_that_slept_gets_the_newest_of_each_key),
        T(the_end_of_the_replay_is_told_where_it_is_asked_for),
        T(an_empty_topic_has_been_replayed_too),
        T(one_that_selects_is_told_too),
        T(after_a_reset_the_end_of_the_replay_is_told_again),
        T(until_a_stream_has_begun_its_keepalive_is_a_comment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/answer.h"

#include "support.h"

static void check(int status, const char *reason, const char *detail, bool with_body,
                  const char *expected)
{
    struct answer answer = {.status = status, .reason = reason, .detail = detail};
    struct buf records = {0};
    struct output out = {0};

    buf_add_str(&answer.headers, "Vary: Origin\r\n");
    answer_add(&records, 0x0102, &answer, with_body);
    output_read(&out, buf_slice(&records));
    assert_int_equal(out.id, 0x0102);
    assert_true(out.ended && out.status == 0 && out.rest == 0);
    assert_text(buf_slice(&out.text), expected);
    output_fini(&out);
    buf_fini(&records);
    buf_fini(&answer.headers);
}

static void an_answer_without_detail_is_a_head(void **state)
{
    (void)state;
    check(204, NULL, NULL, true,
          "Status: 204 No Content\r\nCache-Control: no-store\r\nVary: Origin\r\n\r\n");
}

static void a_refusal_has_a_problem_document(void **state)
{
    (void)state;
    check(404, "a_code", "there is \"nothing\"", true,
          "Status: 404 Not Found\r\nCache-Control: no-store\r\nVary: Origin\r\n"
          "Content-Type: application/problem+json\r\nContent-Length: 84\r\n\r\n"
          "{\"title\":\"Not Found\",\"status\":404,\"reason\":\"a_code\",\"detail\":\"there is "
          "\\\"nothing\\\"\"}");
}

static void the_answer_to_head_has_the_same_head_and_no_body(void **state)
{
    (void)state;
    check(404, "a_code", "there is \"nothing\"", false,
          "Status: 404 Not Found\r\nCache-Control: no-store\r\nVary: Origin\r\n"
          "Content-Type: application/problem+json\r\nContent-Length: 84\r\n\r\n");
}

static void each_status_in_use_has_its_phrase(void **state)
{
    static const struct {
        int status;
        const char *line;
    } phrases[] = {
        {200, "Status: 200 OK\r\n"},
        {400, "Status: 400 Bad Request\r\n"},
        {403, "Status: 403 Forbidden\r\n"},
        {405, "Status: 405 Method Not Allowed\r\n"},
        {413, "Status: 413 Content Too Large\r\n"},
        {415, "Status: 415 Unsupported Media Type\r\n"},
        {431, "Status: 431 Request Header Fields Too Large\r\n"},
        {500, "Status: 500 Internal Server Error\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        const struct answer answer = {.status = phrases[i].status};
        struct buf records = {0};
        answer_add(&records, 1, &answer, true);
        assert_memory_equal(records.p + FCGI_RECORD_HEADER, phrases[i].line,
                            strlen(phrases[i].line));
        buf_fini(&records);
    }
}

static void the_head_of_a_stream_lets_nobody_keep_or_hold_it(void **state)
{
    struct buf head = {0};

    (void)state;
    answer_add_stream_head(&head, ANSWER_EVENT_STREAM, slice_str("Vary: Origin\r\n"));
    assert_text(buf_slice(&head), "Status: 200 OK\r\n"
                                  "Content-Type: text/event-stream;charset=utf-8\r\n"
                                  "X-Content-Type-Options: nosniff\r\n"
                                  "Cache-Control: no-store, no-transform\r\n"
                                  "X-Accel-Buffering: no\r\n"
                                  "Incremental: ?1\r\n"
                                  "Vary: Origin\r\n"
                                  "\r\n");
    buf_fini(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_without_detail_is_a_head),
        cmocka_unit_test(a_refusal_has_a_problem_document),
        cmocka_unit_test(the_answer_to_head_has_the_same_head_and_no_body),
        cmocka_unit_test(each_status_in_use_has_its_phrase),
        cmocka_unit_test(the_head_of_a_stream_lets_nobody_keep_or_hold_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

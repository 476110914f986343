#include "front/credential.h"

#include <stdio.h>

#include "support.h"

/* -- the header -- */

static void check_header(const char *header, enum credential expected, const char *token)
{
    struct slice found = {0};
    enum credential got = credential_from_header(header, &found);

    if (got != expected)
        fail_msg("%s: %d", header ? header : "(none)", got);
    if (expected == CREDENTIAL_FOUND)
        assert_text(found, token);
}

static void no_header_carries_no_token(void **state)
{
    (void)state;
    check_header(NULL, CREDENTIAL_NONE, NULL);
    check_header("", CREDENTIAL_NONE, NULL);
    check_header("  ", CREDENTIAL_NONE, NULL);
}

static void the_scheme_is_bearer_in_any_case(void **state)
{
    static const char *const headers[] = {"Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c",
                                          "bEaReR a.b.c"};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_header(headers[i], CREDENTIAL_FOUND, "a.b.c");
}

static void another_scheme_counts_as_none(void **state)
{
    static const char *const headers[] = {"Basic YTpi",    "Beare a.b.c", "Bearers a.b.c",
                                          "Bearer2 a.b.c", "DPoP a.b.c",  "Bearer=a.b.c",
                                          "Bearer,a.b.c",  "xBearer a",   "a.b.c"};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_header(headers[i], CREDENTIAL_NONE, NULL);
}

static void blanks_around_the_token_do_not_matter(void **state)
{
    static const char *const headers[] = {"Bearer   a.b.c", "Bearer\ta.b.c",
                                          " Bearer a.b.c",  "Bearer a.b.c  ",
                                          "Bearer a.b.c\t", "\tBearer \t a.b.c \t"};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_header(headers[i], CREDENTIAL_FOUND, "a.b.c");
}

static void bearer_without_a_token_is_bad(void **state)
{
    (void)state;
    check_header("Bearer", CREDENTIAL_BAD, NULL);
    check_header("Bearer ", CREDENTIAL_BAD, NULL);
    check_header("bearer \t ", CREDENTIAL_BAD, NULL);
}

static void a_blank_or_comma_inside_the_header_s_token_is_bad(void **state)
{
    static const char *const headers[] = {
        "Bearer a b",       "Bearer a\tb",  "Bearer a,b",       "Bearer a, Bearer b",
        "Bearer ,",         "Bearer a,",    "Bearer ,a",        "Bearer a\nb",
        "Bearer a\r\nX: y", "Bearer a\x01", "Bearer a, Basic b"};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        check_header(headers[i], CREDENTIAL_BAD, NULL);
}

static void what_else_a_token_holds_is_not_judged_here(void **state)
{
    (void)state;
    check_header("Bearer !", CREDENTIAL_FOUND, "!");
    check_header("Bearer a.b.c==;\"\xff", CREDENTIAL_FOUND, "a.b.c==;\"\xff");
}

/* -- the query -- */

static void check_slice(struct slice query, enum credential expected, const char *token)
{
    struct buf found = {0};
    enum credential got = credential_from_query(query, &found);

    if (got != expected)
        fail_msg("%.*s: %d", (int)query.n, (const char *)query.p, got);
    if (expected == CREDENTIAL_FOUND)
        assert_text(buf_slice(&found), token);
    if (expected == CREDENTIAL_NONE)
        assert_int_equal(found.n, 0);
    buf_fini(&found);
}

static void check_query(const char *query, enum credential expected, const char *token)
{
    check_slice(slice_str(query), expected, token);
}

static void a_query_may_carry_no_token(void **state)
{
    (void)state;
    check_query(NULL, CREDENTIAL_NONE, NULL);
    check_query("", CREDENTIAL_NONE, NULL);
    check_query("lastEventId=AQIAAg%3D%3D&x", CREDENTIAL_NONE, NULL);
}

static void the_parameter_may_stand_anywhere(void **state)
{
    (void)state;
    check_query("access_token=a.b.c", CREDENTIAL_FOUND, "a.b.c");
    check_query("x=y&access_token=a.b.c", CREDENTIAL_FOUND, "a.b.c");
    check_query("access_token=a.b.c&x=y", CREDENTIAL_FOUND, "a.b.c");
    check_query("&&access_token=a.b.c&&", CREDENTIAL_FOUND, "a.b.c");
}

static void the_name_is_compared_as_it_stands(void **state)
{
    static const char *const queries[] = {
        "Access_Token=a",   "ACCESS_TOKEN=a",  "access%5Ftoken=a", "%61ccess_token=a",
        "access_token%3Da", "access-token=a",  "access_tokens=a",  "access_toke=a",
        "x=access_token=a", "token=a",         "access_token =a",  " access_token=a",
        "access_token[]=a", "?access_token=a", "x;access_token=a", "amp;access_token=a",
    };

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        check_query(queries[i], CREDENTIAL_NONE, NULL);
}

static void the_value_is_decoded_once(void **state)
{
    (void)state;
    check_query("access_token=%61%2Eb%2ec", CREDENTIAL_FOUND, "a.b.c");
    check_query("access_token=%2561", CREDENTIAL_FOUND, "%61");
    check_query("access_token=a+b", CREDENTIAL_FOUND, "a+b");
    check_query("access_token=a=b", CREDENTIAL_FOUND, "a=b");
    check_query("access_token=a%26access_token=b", CREDENTIAL_FOUND, "a&access_token=b");
}

static void two_of_the_parameter_are_bad(void **state)
{
    static const char *const queries[] = {
        "access_token=a&access_token=b",    "access_token=a&access_token=a",
        "access_token=a&access_token",      "access_token&access_token=a",
        "access_token=a&x=y&access_token=", "access_token=&access_token=a",
    };

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        check_query(queries[i], CREDENTIAL_BAD, NULL);
}

static void an_empty_one_is_bad(void **state)
{
    (void)state;
    check_query("access_token", CREDENTIAL_BAD, NULL);
    check_query("access_token=", CREDENTIAL_BAD, NULL);
    check_query("access_token&x=y", CREDENTIAL_BAD, NULL);
}

static void a_blank_or_comma_inside_the_query_s_token_is_bad(void **state)
{
    static const char *const queries[] = {
        "access_token=a,b",   "access_token=a%2Cb", "access_token=a%20b", "access_token=a b",
        "access_token=%20a",  "access_token=a%20",  "access_token=a%09b", "access_token=a%00",
        "access_token=a%0Ab", "access_token=a%0D",  "access_token=%00",   "access_token=a%2c",
    };

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        check_query(queries[i], CREDENTIAL_BAD, NULL);
    check_slice(BYTES("access_token=a\0b"), CREDENTIAL_BAD, NULL);
}

static void one_that_is_badly_encoded_is_bad(void **state)
{
    static const char *const queries[] = {"access_token=%",   "access_token=a%",
                                          "access_token=a%6", "access_token=%zz",
                                          "access_token=%6g", "access_token=%%61"};

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        check_query(queries[i], CREDENTIAL_BAD, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_header_carries_no_token),
        cmocka_unit_test(the_scheme_is_bearer_in_any_case),
        cmocka_unit_test(another_scheme_counts_as_none),
        cmocka_unit_test(blanks_around_the_token_do_not_matter),
        cmocka_unit_test(bearer_without_a_token_is_bad),
        cmocka_unit_test(a_blank_or_comma_inside_the_header_s_token_is_bad),
        cmocka_unit_test(what_else_a_token_holds_is_not_judged_here),
        cmocka_unit_test(a_query_may_carry_no_token),
        cmocka_unit_test(the_parameter_may_stand_anywhere),
        cmocka_unit_test(the_name_is_compared_as_it_stands),
        cmocka_unit_test(the_value_is_decoded_once),
        cmocka_unit_test(two_of_the_parameter_are_bad),
        cmocka_unit_test(an_empty_one_is_bad),
        cmocka_unit_test(a_blank_or_comma_inside_the_query_s_token_is_bad),
        cmocka_unit_test(one_that_is_badly_encoded_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/lastid.h"

#include <stdio.h>

#include "support.h"

static void check(const char *header, const char *query, const char *expected)
{
    struct buf id = {0};

    assert_int_equal(lastid_find(header, slice_str(query), &id), expected != NULL);
    assert_text(buf_slice(&id), expected ? expected : "");
    buf_fini(&id);
}

static void without_one_there_is_none(void **state)
{
    (void)state;
    check(NULL, NULL, NULL);
    check("", "", NULL);
    check(NULL, "a=b&=c&&", NULL);
}

static void the_header_wins_unless_it_is_empty(void **state)
{
    (void)state;
    check("a", "lastEventId=b", "a");
    check("", "lastEventId=b", "b");
    check(NULL, "lastEventId=b", "b");
}

static void each_spelling_that_clients_use_is_known(void **state)
{
    static const char *const names[] = {
        "lastEventId",   "last-event-id",   "last_event_id",     "lastEventID",     "LastEventId",
        "Last-Event-ID", "last-event-ID",   "evs_last_event_id", "lasteventid",     "LAST_EVENT_ID",
        "Last-event_Id", "evs_lastEventId", "EVS-Last-Event-ID", "_last-event-id_",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char query[64];
        snprintf(query, sizeof query, "x=y&%s=AQIAAg%%3D%%3D&z", names[i]);
        check(NULL, query, "AQIAAg==");
    }
}

static void no_other_name_will_do(void **state)
{
    static const char *const queries[] = {
        "lasteventi=a",
        "lasteventidd=a",
        "xlasteventid=a",
        "last.event.id=a",
        "last%2Devent%2Did=a",
        "last event id=a",
        "evslasteventidx=a",
        "evs_=a",
        "evs_evs_lasteventid=a",
        "-=a",
        "id=a",
        "lastEventId",
        "a=1;lastEventId=b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        check(NULL, queries[i], NULL);
}

static void of_several_the_last_counts(void **state)
{
    (void)state;
    check(NULL, "lastEventId=old&lastEventId=new", "new");
    check(NULL, "lastEventId=old&last-event-id=new&x", "new");
    check(NULL, "last_event_id=old&evs_last_event_id=new", "new");
    check(NULL, "lastEventId=old&lastEventId=", NULL);
}

static void what_is_badly_encoded_is_no_fresh_start(void **state)
{
    (void)state;
    check(NULL, "lastEventId=AQIAAg==%zz", "AQIAAg==%zz");
    check(NULL, "lastEventId=%", "%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_one_there_is_none),
        cmocka_unit_test(the_header_wins_unless_it_is_empty),
        cmocka_unit_test(each_spelling_that_clients_use_is_known),
        cmocka_unit_test(no_other_name_will_do),
        cmocka_unit_test(of_several_the_last_counts),
        cmocka_unit_test(what_is_badly_encoded_is_no_fresh_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "front/handler_inside.h"
#include "front/stay.h"
#include "front/subscriptions.h"
#include "guard/rate.h"
#include "support.h"

/* -- what comes of a request -- */

static int status; /* 0: nothing yet */
static enum refusal why;

void exchange_finish(struct exchange *x, struct answer *answer)
{
    (void)x;
    assert_int_equal(status, 0);
    status = answer->status;
}

void exchange_refuse(struct exchange *x, enum refusal refusal, const char *header)
{
    (void)x, (void)header;
    assert_int_equal(status, 0);
    why = refusal;
    status = refusal_row(refusal)->status;
}

enum refusal admission_destination(const struct destination *destination, const struct verdict *v)
{
    (void)destination, (void)v;
    return REFUSALS;
}

void handler_serve_again(struct exchange *x)
{
    (void)x;
    fail();
}

/* -- the peers: what they answer, one after the other -- */

static char some_subscriptions;
static const enum subscription_answer *answers;
static int asked;

struct subscriptions *subscriptions_new(struct loop *loop, struct handles *handles,
                                        struct rates *rates, const char *directory,
                                        struct slice agreement, char *error, size_t size)
{
    (void)loop, (void)handles, (void)rates, (void)directory, (void)agreement, (void)error;
    (void)size;
    return (struct subscriptions *)&some_subscriptions;
}

void subscriptions_free(struct subscriptions *s)
{
    (void)s;
}

void subscriptions_hear(struct subscriptions *s)
{
    (void)s;
}

void subscriptions_ask(struct subscriptions *s, const struct token_hash *key, struct slice form,
                       subscription_done *done, void *arg)
{
    (void)s, (void)key;
    assert_text(form, "key=1");
    done(arg, answers[asked++], NULL);
}

void subscriptions_opened(struct subscriptions *s, const struct token_hash *key,
                          const struct handle *handle)
{
    (void)s, (void)key, (void)handle;
}

bool subscriptions_told(struct subscriptions *s, const struct token_hash *key,
                        const struct handle *handle)
{
    (void)s, (void)key, (void)handle;
    return true;
}

uint64_t stay_clock(void)
{
    return 1;
}

void stay_narrow(struct stay *s, struct slice form)
{
    (void)s, (void)form;
}

/* -- a stream that is told something -- */

/* With these peers, or alone (NULL). */
static void tell(const enum subscription_answer *peers)
{
    struct handler handler = {.handles = handles_new(10), .rates = rates_new()};
    struct exchange x = {.handler = &handler, .handle = "a-handle-of-32-to-64-characters-"};

    handler.subscriptions = peers ? (struct subscriptions *)&some_subscriptions : NULL;
    answers = peers;
    asked = status = 0;
    buf_add_str(&x.form, "key=1");
    x.narrowing.why = REFUSALS;
    handler_subscribe(&x, NULL);
    buf_fini(&x.form);
    rates_free(handler.rates);
    handles_free(handler.handles);
}

static void who_has_it_is_told_once(void **state)
{
    (void)state;
    tell((const enum subscription_answer[]){SUBSCRIPTION_KNOWN});
    assert_int_equal(status, 204);
    assert_int_equal(asked, 1);
}

/* It may have moved from one responder to another while they were asked. */
static void what_nobody_knows_is_asked_for_once_more(void **state)
{
    (void)state;
    tell((const enum subscription_answer[]){SUBSCRIPTION_UNKNOWN, SUBSCRIPTION_KNOWN});
    assert_int_equal(status, 204);
    tell((const enum subscription_answer[]){SUBSCRIPTION_UNKNOWN, SUBSCRIPTION_UNKNOWN});
    assert_int_equal(status, 404);
    assert_int_equal(why, REFUSAL_STREAM_UNKNOWN);
    assert_int_equal(asked, 2);
}

static void a_pool_of_one_asks_nobody(void **state)
{
    (void)state;
    tell(NULL);
    assert_int_equal(status, 404);
    assert_int_equal(asked, 0);
}

static void whoever_cannot_be_asked_or_refuses_it_is_not_asked_again(void **state)
{
    (void)state;
    tell((const enum subscription_answer[]){SUBSCRIPTION_AWAY});
    assert_int_equal(why, REFUSAL_PEER_AWAY);
    tell((const enum subscription_answer[]){SUBSCRIPTION_LIMITED});
    assert_int_equal(why, REFUSAL_STREAM_RATE);
    assert_int_equal(asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_it_is_told_once),
        cmocka_unit_test(what_nobody_knows_is_asked_for_once_more),
        cmocka_unit_test(a_pool_of_one_asks_nobody),
        cmocka_unit_test(whoever_cannot_be_asked_or_refuses_it_is_not_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

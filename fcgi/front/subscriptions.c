#include "front/subscriptions.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/log_limit.h"
#include "base/mem.h"
#include "front/narrowing.h"
#include "front/stay.h"
#include "guard/peer.h"
#include "guard/rate.h"

enum { ASK_MS = 1000 }; /* a peer that has not answered then cannot be asked */

struct ask {
    TAILQ_ENTRY(ask) link; /* by time */
    uint64_t number;
    bool tells;
    size_t left; /* answers */
    int64_t until_ms;
    struct handle_message best; /* of those that have come; its form is: */
    struct buf form;
    subscription_done *done;
    void *arg;
};

struct subscriptions {
    struct loop *loop;
    struct handles *handles;
    struct rates *rates;
    struct peers *peers;
    struct timer *timer;
    struct log_limit *lines;
    uint64_t self, asked;
    bool passed_on; /* others remember all that this one does */
    TAILQ_HEAD(, ask) asks;
};

/* Tells all peers; false: one cannot be told now. */
static bool tell(struct subscriptions *s, const struct token_hash *key,
                 const struct handle_message *m)
{
    struct buf text = {0};

    handle_message_add(&text, m);
    const struct peer_message message = {.text = buf_slice(&text), .hash = key};
    bool told = peers_tell(s->peers, &message) == 0;
    buf_fini(&text);
    return told;
}

void subscriptions_hear(struct subscriptions *s)
{
    peers_drain(s->peers);
}

/* -- asking -- */

static void ask_end(struct subscriptions *s, struct ask *ask)
{
    enum subscription_answer answer = ask->best.answer;

    TAILQ_REMOVE(&s->asks, ask, link);
    if (answer == SUBSCRIPTION_UNKNOWN && ask->left > 0)
        answer = SUBSCRIPTION_AWAY;
    ask->best.form = buf_slice(&ask->form);
    ask->done(ask->arg, answer, &ask->best);
    buf_fini(&ask->form);
    free(ask);
}

static void set_timer(struct subscriptions *s)
{
    const struct ask *first = TAILQ_FIRST(&s->asks);

    if (first != NULL)
        timer_start(s->timer, first->until_ms - loop_now_ms());
}

static void on_timer(void *arg)
{
    struct subscriptions *s = arg;
    struct ask *ask;

    while ((ask = TAILQ_FIRST(&s->asks)) != NULL && ask->until_ms <= loop_now_ms())
        ask_end(s, ask);
    set_timer(s);
}

void subscriptions_ask(struct subscriptions *s, const struct token_hash *key, struct slice form,
                       subscription_done *done, void *arg)
{
    const struct handle_message m = {.type = form.p ? MESSAGE_TELL : MESSAGE_FIND,
                                     .asker = s->self,
                                     .number = ++s->asked,
                                     .told_at = stay_clock(),
                                     .form = form};

    bool told = tell(s, key, &m);
    size_t left = peers_told(s->peers);
    if (!told || left == 0) {
        done(arg, told ? SUBSCRIPTION_UNKNOWN : SUBSCRIPTION_AWAY, NULL);
        return;
    }
    struct ask *ask = mem_zero(sizeof *ask);
    ask->number = m.number;
    ask->tells = m.type == MESSAGE_TELL;
    ask->left = left;
    ask->until_ms = loop_now_ms() + ASK_MS;
    ask->done = done;
    ask->arg = arg;
    TAILQ_INSERT_TAIL(&s->asks, ask, link);
    if (!timer_running(s->timer))
        set_timer(s);
}

static bool knows(enum subscription_answer answer)
{
    return answer == SUBSCRIPTION_KNOWN || answer == SUBSCRIPTION_TOLD;
}

/* Several may remember it: who was told last knows best. */
static bool is_better(const struct handle_message *m, const struct handle_message *than)
{
    if (knows(m->answer) && knows(than->answer))
        return m->told_at > than->told_at;
    return knows(m->answer) || than->answer == SUBSCRIPTION_UNKNOWN;
}

static void take_answer(struct subscriptions *s, const struct handle_message *m)
{
    struct ask *ask;

    TAILQ_FOREACH(ask, &s->asks, link)
    {
        if (ask->number == m->number)
            break;
    }
    if (m->asker != s->self || ask == NULL)
        return;
    ask->left--;
    if (is_better(m, &ask->best)) {
        ask->best = *m;
        ask->form.n = 0;
        buf_add_slice(&ask->form, m->form);
    }
    bool is_taken = ask->tells && m->answer == SUBSCRIPTION_KNOWN;
    if (is_taken || ask->left == 0)
        ask_end(s, ask);
}

/* -- telling -- */

/* What the handle was told, if it was; false: a peer cannot be told now. */
static bool tell_form(struct subscriptions *s, const struct token_hash *key, enum message_type type,
                      const struct handle *handle)
{
    const struct handle_message m = {.type = type,
                                     .answer =
                                         handle->told ? SUBSCRIPTION_TOLD : SUBSCRIPTION_KNOWN,
                                     .number = handle->stamp,
                                     .told_at = handle->told_at,
                                     .form = buf_slice(&handle->form)};

    bool told = tell(s, key, &m);
    if (!told)
        log_limited(s->lines, LOG_WARN, "front: a peer could not be told what a stream was told");
    return told;
}

bool subscriptions_told(struct subscriptions *s, const struct token_hash *key,
                        const struct handle *handle)
{
    bool is_alone = handle->stay != NULL && !s->passed_on;

    return is_alone || tell_form(s, key, MESSAGE_TOLD, handle);
}

void subscriptions_opened(struct subscriptions *s, const struct token_hash *key,
                          const struct handle *handle)
{
    const struct handle_message m = {
        .type = MESSAGE_OPENED, .number = handle->stamp, .told_at = handle->told_at};

    if (!tell(s, key, &m))
        log_limited(s->lines, LOG_WARN, "front: a peer could not be told of a stream's handle");
}

static void pass_on(void *arg, const struct token_hash *key, const struct handle *handle)
{
    tell_form(arg, key, MESSAGE_PASSED, handle);
}

void subscriptions_pass_on(struct subscriptions *s)
{
    subscriptions_hear(s); /* one that has drained just now may have passed on its own */
    s->passed_on = true;
    handles_each(s->handles, loop_now_ms(), pass_on, s);
}

/* -- asked -- */

static bool is_form(struct slice form)
{
    struct narrowing n = {0};

    narrowing_read(&n, form, true);
    narrowing_fini(&n);
    return n.why == REFUSALS;
}

static void take_form(struct handle *handle, const struct handle_message *m)
{
    if (handle != NULL && handle_tell(handle, m->form, m->told_at) && handle->stay != NULL)
        stay_narrow(handle->stay, m->form);
}

static enum subscription_answer find(struct subscriptions *s, const struct token_hash *key,
                                     const struct handle_message *m, struct handle_message *a)
{
    struct handle *handle = handles_find(s->handles, key, loop_now_ms());

    if (handle == NULL)
        return SUBSCRIPTION_UNKNOWN;
    if (m->type == MESSAGE_FIND) {
        a->form = buf_slice(&handle->form);
        a->told_at = handle->told_at;
        return handle->told ? SUBSCRIPTION_TOLD : SUBSCRIPTION_KNOWN;
    }
    if (!rates_allow(s->rates, key, loop_now_ms()))
        return SUBSCRIPTION_LIMITED;
    take_form(handle, m);
    return SUBSCRIPTION_KNOWN;
}

static void answer(struct subscriptions *s, const struct token_hash *key,
                   const struct handle_message *m)
{
    struct handle_message a = {
        .type = MESSAGE_ANSWER, .asker = m->asker, .number = m->number, .form = {0}};

    a.answer = find(s, key, m, &a);
    tell(s, key, &a);
}

/* Of two that were opened at once, the later one stays, or is remembered: the other's responder may
 * have been told of it before it had a stream of that handle.  What was told here meanwhile is not
 * lost. */
static void let_go(struct subscriptions *s, const struct token_hash *key,
                   const struct handle_message *m)
{
    const struct handle *handle = handles_find(s->handles, key, loop_now_ms());
    struct stay *stay = handle ? handle->stay : NULL;

    if (handle == NULL)
        return;
    if (handle->stamp > m->number) {
        if (stay != NULL)
            subscriptions_opened(s, key, handle);
        return;
    }
    if (handle->told && handle->told_at > m->told_at)
        tell_form(s, key, MESSAGE_TOLD, handle);
    handles_forget(s->handles, key);
    if (stay != NULL)
        stay_give_way(stay);
}

/* One that passes on a handle whose stream was opened here since has not heard of that yet, and has
 * told others, too: they would remember what is out of date by the time that the stream comes to
 * them. */
static void take_over(struct subscriptions *s, const struct token_hash *key,
                      const struct handle_message *m)
{
    struct handle *handle = handles_remember(s->handles, key, loop_now_ms());

    bool is_late = handle->stay != NULL && handle->stamp > m->number;
    if (handle->stamp < m->number)
        handle->stamp = m->number;
    if (m->answer == SUBSCRIPTION_TOLD)
        take_form(handle, m);
    else if (handle->told_at < m->told_at)
        handle_untell(handle, m->told_at);
    if (is_late)
        subscriptions_opened(s, key, handle);
}

static void on_message(void *arg, const struct peer_message *message)
{
    struct subscriptions *s = arg;
    const struct token_hash *key = message->hash;
    struct handle_message m;

    if (key == NULL || !handle_message_parse(message->text, &m) ||
        (m.form.n > 0 && !is_form(m.form))) {
        log_limited(s->lines, LOG_WARN, "front: a peer's message about a stream is malformed");
        return;
    }
    if (m.type == MESSAGE_ANSWER)
        take_answer(s, &m);
    else if (m.type == MESSAGE_OPENED)
        let_go(s, key, &m);
    else if (m.type == MESSAGE_TOLD)
        take_form(handles_find(s->handles, key, loop_now_ms()), &m);
    else if (m.type == MESSAGE_PASSED)
        take_over(s, key, &m);
    else
        answer(s, key, &m);
}

static bool has_room(void *arg)
{
    (void)arg;
    return true;
}

/* -- life -- */

struct subscriptions *subscriptions_new(struct loop *loop, struct handles *handles,
                                        struct rates *rates, const char *directory,
                                        struct slice agreement, char *error, size_t size)
{
    struct subscriptions *s = mem_zero(sizeof *s);
    const struct peers_handler handler = {s, on_message, has_room};
    struct buf streams = {0};

    s->loop = loop;
    s->handles = handles;
    s->rates = rates;
    TAILQ_INIT(&s->asks);
    arc4random_buf(&s->self, sizeof s->self);
    s->timer = timer_new(loop, on_timer, s);
    s->lines = log_limit_new(loop, "front", "messages about streams' handles went wrong");
    buf_add_str(&streams, "streams\n");
    buf_add_slice(&streams, agreement);
    s->peers = peers_new(loop, directory, buf_slice(&streams), &handler, error, size);
    buf_fini(&streams);
    if (s->peers != NULL)
        return s;
    subscriptions_free(s);
    return NULL;
}

void subscriptions_free(struct subscriptions *s)
{
    if (s == NULL)
        return;
    if (s->passed_on)
        subscriptions_pass_on(s);
    while (!TAILQ_EMPTY(&s->asks))
        ask_end(s, TAILQ_FIRST(&s->asks));
    peers_free(s->peers);
    timer_free(s->timer);
    log_limit_free(s->lines);
    free(s);
}

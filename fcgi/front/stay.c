#include "front/stay.h"

#include <stdlib.h>
#include <time.h>

#include "base/loop.h"
#include "base/mem.h"
#include "front/handles.h"
#include "stream/stream.h"

enum { GIVE_WAY_RETRY_MS = 86400000 }; /* two tabs must not push each other out for ever */

/* Of one that may come to select otherwise. */
struct choice {
    struct stream *stream; /* NULL: there is none yet */
    struct destination destination;
    struct narrowing narrowing;
    struct selection *selection;
    struct selection *route; /* what its route selects; without a handle nobody asks for it */
    /* Of one that has a handle. */
    struct handles *handles; /* NULL: it has none */
    struct token_hash key;
    uint64_t stamp; /* of before its first bytes */
    bool resumes;
};

struct stay {
    struct stream_owner owner;
    struct guest guest;
    size_t *streams;
    struct session *session; /* NULL: it has none */
    struct snapshot *snapshot;
    struct choice *choice; /* NULL: it selects the same to its end */
};

static bool claims_select(const struct destination *destination)
{
    return destination->route->select != NULL && template_has_claims(destination->route->select);
}

static void selection_set(struct selection **at, struct selection *selection)
{
    selection_unref(*at);
    *at = selection_ref(selection);
}

/* A token is to renew the stream; false: it is left as it is.  One that selects otherwise may do
 * so only if it named the stream. */
static bool on_renewal(void *arg, const struct verdict *verdict, bool named)
{
    struct stay *s = arg;
    struct choice *c = s->choice;
    struct selection *route;
    int lacks;

    if (narrowing_route(&c->destination, verdict->claims, &route, &lacks) != REFUSALS)
        return false;
    struct selection *selection = narrowing_apply(&c->narrowing, route);
    bool same = selection_equal(selection, c->selection);
    if (same || named)
        selection_set(&c->route, route);
    if (!same && named) {
        selection_set(&c->selection, selection);
        stream_select(c->stream, selection);
    }
    selection_unref(selection);
    selection_unref(route);
    return same || named;
}

void stay_narrow(struct stay *s, struct slice form)
{
    struct choice *c = s->choice;

    narrowing_replace(&c->narrowing, form);
    struct selection *selection = narrowing_apply(&c->narrowing, c->route);
    selection_set(&c->selection, selection);
    stream_narrow(c->stream, selection);
    selection_unref(selection);
}

void stay_give_way(struct stay *s)
{
    struct stream *stream = s->choice->stream;
    struct buf retry = {0};

    if (stream_framing(stream) == FRAMING_SSE) {
        size_t mark = fcgi_stdout_begin(&retry);
        buf_printf(&retry, "retry:%d\n", GIVE_WAY_RETRY_MS);
        fcgi_stdout_end(&retry, mark, 1);
        stream_say(stream, buf_slice(&retry));
        buf_fini(&retry);
    }
    stream_finish(stream, STREAM_END_REPLACED); /* may free s */
}

/* Once its client has the first bytes it may open another, within the same millisecond. */
uint64_t stay_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct choice *choice_new(struct stay_config *config)
{
    struct choice *c = mem_zero(sizeof *c);

    c->destination = *config->destination;
    c->narrowing = *config->narrowing;
    config->destination->params = (struct values){0};
    config->narrowing->keys = (struct values){0};
    c->selection = selection_ref(config->selection);
    c->route = selection_ref(config->route);
    c->handles = config->handles;
    c->key = config->key;
    c->resumes = config->resumes;
    if (c->handles != NULL)
        c->stamp = stay_clock();
    return c;
}

static void choice_free(struct choice *c)
{
    if (c == NULL)
        return;
    destination_fini(&c->destination);
    narrowing_fini(&c->narrowing);
    selection_unref(c->selection);
    selection_unref(c->route);
    free(c);
}

static bool has_handle(const struct stay *s)
{
    return s->choice != NULL && s->choice->handles != NULL;
}

static struct stay *stay_of(struct stream_owner *owner)
{
    return (struct stay *)owner; /* its first member */
}

static void on_stream_end(struct stream_owner *owner)
{
    struct stay *s = stay_of(owner);

    if (has_handle(s))
        handles_close(s->choice->handles, &s->choice->key, s, loop_now_ms());
    if (s->session != NULL)
        session_close(s->session);
    admission_leave(&s->guest);
    --*s->streams;
    snapshot_free(s->snapshot);
    choice_free(s->choice);
    free(s);
}

struct stay *stay_new(struct stay_config *config)
{
    struct stay *s = mem_zero(sizeof *s);
    bool claims = claims_select(config->destination);

    s->owner.on_end = on_stream_end;
    s->guest = config->guest;
    s->session = config->session;
    s->streams = config->streams;
    s->snapshot = config->snapshot;
    ++*s->streams;
    if (claims || config->handles != NULL)
        s->choice = choice_new(config);
    if (claims)
        session_ask(s->session, on_renewal, s);
    return s;
}

/* A stream that has begun anew goes by its URL. */
static void stay_take_handle(struct stay *s)
{
    const struct choice *c = s->choice;
    int64_t now = loop_now_ms();
    const struct handle *had = handles_find(c->handles, &c->key, now);
    struct stay *before = had ? had->stay : NULL;
    struct handle *handle = handles_open(c->handles, &c->key, s, now);

    handle->stamp = c->stamp;
    if (!c->resumes)
        handle_untell(handle, c->stamp);
    if (before != NULL)
        stay_give_way(before);
}

void stay_attach(struct stay *s, struct stream *stream)
{
    if (s->choice != NULL)
        s->choice->stream = stream;
    if (s->session != NULL)
        session_attach(s->session, stream);
    if (has_handle(s))
        stay_take_handle(s);
}

void stay_on_outcome(struct stream_owner *owner, enum finite_outcome outcome, struct slice place,
                     struct buf *text)
{
    snapshot_add_head(stay_of(owner)->snapshot, outcome, place, text);
}

struct stream_owner *stay_owner(struct stay *s)
{
    return &s->owner;
}

#include "front/stay.h"

#include <stdlib.h>
#include <time.h>

#include "base/loop.h"
#include "base/mem.h"
#include "front/handles.h"
#include "stream/stream.h"

enum { GIVE_WAY_RETRY_MS = 86400000 }; /* two tabs must not push each other out for ever */

struct stay {
    struct admission *admission;
    struct guest guest;
    size_t *streams;
    struct session *session; /* NULL: it has none */
    struct stream *stream;
    struct snapshot *snapshot;
    /* Of one whose claims select. */
    struct destination destination;
    struct narrowing narrowing;
    struct selection *selection;
    /* Of one that has a handle. */
    struct handles *handles;
    struct token_hash key;
    uint64_t stamp; /* of before its first bytes */
    bool resumes;
    struct selection *route;
};

static bool claims_select(const struct destination *destination)
{
    return destination->route->select != NULL && template_has_claims(destination->route->select);
}

static void stay_set(struct selection **at, struct selection *selection)
{
    selection_unref(*at);
    *at = selection_ref(selection);
}

/* A token is to renew the stream; false: it is left as it is.  One that selects otherwise may do
 * so only if it named the stream. */
static bool on_renewal(void *arg, const struct verdict *verdict, bool named)
{
    struct stay *s = arg;
    struct selection *route;
    int lacks;

    if (narrowing_route(&s->destination, verdict->claims, &route, &lacks) != REFUSALS)
        return false;
    struct selection *selection = narrowing_apply(&s->narrowing, route);
    bool same = selection_equal(selection, s->selection);
    if (same || named)
        stay_set(&s->route, route);
    if (!same && named) {
        stay_set(&s->selection, selection);
        stream_select(s->stream, selection);
    }
    selection_unref(selection);
    selection_unref(route);
    return same || named;
}

void stay_narrow(struct stay *s, struct slice form)
{
    narrowing_replace(&s->narrowing, form);
    struct selection *selection = narrowing_apply(&s->narrowing, s->route);
    stay_set(&s->selection, selection);
    stream_narrow(s->stream, selection);
    selection_unref(selection);
}

void stay_give_way(struct stay *s)
{
    struct buf retry = {0};

    if (stream_framing(s->stream) == FRAMING_SSE) {
        size_t mark = fcgi_stdout_begin(&retry);
        buf_printf(&retry, "retry:%d\n", GIVE_WAY_RETRY_MS);
        fcgi_stdout_end(&retry, mark, 1);
        stream_say(s->stream, buf_slice(&retry));
        buf_fini(&retry);
    }
    stream_finish(s->stream, STREAM_END_REPLACED); /* may free s */
}

/* Once its client has the first bytes it may open another, within the same millisecond. */
uint64_t stay_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct stay *stay_new(struct stay_config *config)
{
    struct stay *s = mem_zero(sizeof *s);

    s->admission = config->admission;
    s->guest = config->guest;
    s->session = config->session;
    s->streams = config->streams;
    s->snapshot = config->snapshot;
    ++*s->streams;
    s->handles = config->handles;
    s->key = config->key;
    s->resumes = config->resumes;
    if (s->handles != NULL) {
        s->route = selection_ref(config->route);
        s->stamp = stay_clock();
    }
    bool claims = claims_select(config->destination);
    if (!claims && s->handles == NULL)
        return s;
    s->destination = *config->destination;
    s->narrowing = *config->narrowing;
    config->destination->params = (struct values){0};
    config->narrowing->keys = (struct values){0};
    s->selection = selection_ref(config->selection);
    if (claims)
        session_ask(s->session, on_renewal, s);
    return s;
}

/* A stream that has begun anew goes by its URL. */
static void stay_take_handle(struct stay *s)
{
    int64_t now = loop_now_ms();
    const struct handle *had = handles_find(s->handles, &s->key, now);
    struct stay *before = had ? had->stay : NULL;
    struct handle *handle = handles_open(s->handles, &s->key, s, now);

    handle->stamp = s->stamp;
    if (!s->resumes)
        handle_untell(handle, s->stamp);
    if (before != NULL)
        stay_give_way(before);
}

void stay_attach(struct stay *s, struct stream *stream)
{
    s->stream = stream;
    if (s->session != NULL)
        session_attach(s->session, stream);
    if (s->handles != NULL)
        stay_take_handle(s);
}

static void on_stream_end(void *arg)
{
    struct stay *s = arg;

    if (s->handles != NULL)
        handles_close(s->handles, &s->key, s, loop_now_ms());
    if (s->session != NULL)
        session_close(s->session);
    admission_leave(s->admission, &s->guest);
    --*s->streams;
    snapshot_free(s->snapshot);
    destination_fini(&s->destination);
    narrowing_fini(&s->narrowing);
    selection_unref(s->selection);
    selection_unref(s->route);
    free(s);
}

void stay_on_outcome(void *arg, enum finite_outcome outcome, struct slice place, struct buf *text)
{
    const struct stay *s = arg;

    snapshot_add_head(s->snapshot, outcome, place, text);
}

struct stream_owner stay_owner(struct stay *s)
{
    return (struct stream_owner){.on_end = on_stream_end, .arg = s};
}

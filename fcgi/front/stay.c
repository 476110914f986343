#include "front/stay.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stream/stream.h"

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
};

static bool claims_select(const struct destination *destination)
{
    return destination->route->select != NULL && template_has_claims(destination->route->select);
}

/* A token is to renew the stream; false: it is left as it is.  One that selects otherwise may do
 * so only if it named the stream. */
static bool on_renewal(void *arg, const struct verdict *verdict, bool named)
{
    struct stay *s = arg;
    struct selection *selection;
    int lacks;

    if (narrowing_select(&s->narrowing, &s->destination, verdict->claims, &selection, &lacks) !=
        REFUSALS)
        return false;
    bool same = selection_equal(selection, s->selection);
    if (!same && named) {
        selection_unref(s->selection);
        s->selection = selection_ref(selection);
        stream_select(s->stream, selection);
    }
    selection_unref(selection);
    return same || named;
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
    if (!claims_select(config->destination))
        return s;
    s->destination = *config->destination;
    s->narrowing = *config->narrowing;
    config->destination->params = (struct values){0};
    config->narrowing->keys = (struct values){0};
    s->selection = selection_ref(config->selection);
    session_ask(s->session, on_renewal, s);
    return s;
}

void stay_attach(struct stay *s, struct stream *stream)
{
    s->stream = stream;
    if (s->session != NULL)
        session_attach(s->session, stream);
}

static void on_stream_end(void *arg)
{
    struct stay *s = arg;

    if (s->session != NULL)
        session_close(s->session);
    admission_leave(s->admission, &s->guest);
    --*s->streams;
    snapshot_free(s->snapshot);
    destination_fini(&s->destination);
    narrowing_fini(&s->narrowing);
    selection_unref(s->selection);
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

#include "stream/fanout.h"

#include <stdlib.h>

#include "base/mem.h"
#include "stream/intake.h"
#include "stream/keepalive.h"
#include "stream/regroup.h"

struct fanout {
    enum event_id event_id;
    struct envelope envelope;
    struct sources sources;
    struct streams streams;
    struct flush flush;
    struct keepalive keepalive;
    struct intake intake;
};

static void on_backlog_drop(void *arg, struct source *source, struct block *block)
{
    regroup_drop(arg, source, block);
}

static void on_due(void *arg, struct reader *reader)
{
    (void)arg;
    streams_due(reader);
}

struct consumer_handler fanout_handler(struct fanout *f)
{
    struct consumer_handler handler = intake_handler(&f->intake);

    handler.headers = f->envelope.headers;
    handler.header_count = f->envelope.header_count;
    return handler;
}

void fanout_attach(struct fanout *f, struct consumer *consumer)
{
    intake_attach(&f->intake, consumer);
}

struct stream *fanout_open(struct fanout *f, int fd, uint16_t id, const struct opening *opening)
{
    const enum framing framing = opening->finite ? FRAMING_DOCUMENT : opening->framing;
    const struct shape shape = {
        .id = framing == FRAMING_SSE ? f->event_id : EVENT_ID_PROGRESS,
        .framing = framing,
        .enveloped = opening->enveloped && framing == FRAMING_SSE,
        .naming = framing == FRAMING_SSE ? opening->naming : (struct naming){.by = NAMING_NONE},
        .envelope = &f->envelope,
    };
    struct source *source = sources_get(&f->sources, &shape);
    struct stream *s = stream_open(&f->streams, source, fd, id, opening);

    if (s != NULL)
        intake_start(&f->intake);
    keepalive_schedule(&f->keepalive);
    return s;
}

size_t fanout_count(const struct fanout *f)
{
    return streams_count(&f->streams);
}

size_t fanout_staying(const struct fanout *f)
{
    return streams_staying(&f->streams);
}

struct stream *fanout_first(struct fanout *f)
{
    return streams_first(&f->streams);
}

struct fanout_stats fanout_stats(const struct fanout *f)
{
    const struct sources *sources = &f->sources;
    const struct source_counts counts = sources_counts(sources);
    struct fanout_stats stats = {
        .opened = f->streams.opened,
        .records = f->intake.records,
        .conflations = counts.conflations,
        .gaps = counts.gaps,
        .unwanted = sources->unwanted,
        .sent_events = counts.events,
        .sent_bytes = f->streams.bytes,
        .delays = f->flush.delays.counts,
        .cache_records = cache_count(sources->cache),
        .cache_keys = cache_keys(sources->cache),
        .cache_bytes = cache_bytes(sources->cache),
        .backlog_bytes = sources_backlog_bytes(sources),
        .index_keys = sources_index_keys(sources),
        .cache_overflowed = cache_overflowed(sources->cache),
        .caught_up = f->intake.caught_up,
    };

    for (int i = 0; i < SHAPE_KINDS; i++) {
        stats.opened_as[i] = f->streams.opened_as[i];
        stats.open_as[i] = f->streams.open_as[i];
    }
    for (int i = 0; i < STREAM_ENDS; i++)
        stats.ended[i] = f->streams.ended_by[i];
    for (int i = 0; i < RESETS; i++)
        stats.resets[i] = counts.resets[i];
    return stats;
}

struct fanout *fanout_new(struct loop *loop, const struct fanout_config *config)
{
    struct fanout *f = mem_zero(sizeof *f);
    const struct source_owner owner = {on_backlog_drop, on_due, &f->streams};

    const struct sources_config sources = {config->cache_bytes, INTAKE_BACKLOG_BYTES,
                                           config->backlogs};

    f->event_id = config->event_id;
    f->envelope = config->envelope;
    sources_init(&f->sources, &sources, &owner);
    streams_init(&f->streams, loop, &f->sources, &f->flush.replays);
    flush_init(&f->flush, &f->streams, config->flush_ms, intake_flushed, &f->intake);
    keepalive_init(&f->keepalive, &f->streams, config->keepalive_ms);
    intake_init(&f->intake, &f->streams, &f->flush);
    return f;
}

void fanout_free(struct fanout *f)
{
    if (f == NULL)
        return;
    for (int i = 0; i < STREAM_STATES; i++)
        while (!TAILQ_EMPTY(&f->streams.in[i]))
            stream_end(TAILQ_FIRST(&f->streams.in[i]));
    intake_fini(&f->intake);
    keepalive_fini(&f->keepalive);
    flush_fini(&f->flush);
    streams_fini(&f->streams);
    sources_fini(&f->sources);
    free(f);
}

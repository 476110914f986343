#include "stream/stream.h"

#include "base/mem.h"
#include "stream/streams.h"

enum { IOVECS = 16, LAST_CALL_MS = 2000 };

/* -- bytes -- */

static void stream_block(struct stream *s)
{
    if (s->state == STREAM_REPLAYING || s->state == STREAM_READY || s->state == STREAM_QUIET)
        streams_set_state(s, STREAM_BLOCKED);
    watch_change(s->watch, LOOP_READ | LOOP_WRITE);
}

/* Sends what the reader gave; false if the stream has blocked or ended. */
static bool stream_write(struct stream *s, struct iovec *iov, int n, int64_t now_ms)
{
    size_t want = 0;

    for (int i = 0; i < n; i++)
        want += iov[i].iov_len;
    ssize_t sent = sink_write(&s->sink, iov, n);
    if (sent < 0) {
        stream_end(s);
        return false;
    }
    s->all->bytes += (uint64_t)sent;
    reader_sent(&s->reader, s->source, (size_t)sent);
    streams_touch(s, now_ms);
    if ((size_t)sent == want)
        return true;
    stream_block(s);
    return false;
}

/* What may go out whatever the reader waits for: the rest of the event that is under way, then what
 * is the stream's own.  False if it has blocked or ended. */
static bool stream_send_owed(struct stream *s, int64_t now_ms)
{
    struct iovec rest = reader_rest(&s->reader);

    if (rest.iov_len > 0 && !stream_write(s, &rest, 1, now_ms))
        return false;
    if (!sink_has_own(&s->sink))
        return true;
    enum sink_result result = sink_flush(&s->sink, &s->all->bytes);
    if (result == SINK_GONE) {
        stream_end(s);
        return false;
    }
    streams_touch(s, now_ms);
    if (result == SINK_FULL)
        stream_block(s);
    return result == SINK_DONE;
}

bool stream_give(struct stream *s, struct iovec *iov, int64_t now_ms)
{
    return stream_write(s, iov, 1, now_ms);
}

void stream_pump(struct stream *s, int64_t now_ms)
{
    struct iovec iov[IOVECS];

    if ((sink_has_own(&s->sink) || reader_is_owed(&s->reader)) && !stream_send_owed(s, now_ms))
        return;
    if (s->reader.paused) {
        if (s->state != STREAM_BLOCKED)
            streams_set_state(s, STREAM_BLOCKED);
        return;
    }
    if (stream_is_finite(s)) {
        finite_pump(s, now_ms);
        return;
    }
    do {
        int n = reader_next(&s->reader, s->source, iov, IOVECS);
        if (n > 0 && !stream_write(s, iov, n, now_ms))
            return;
    } while (s->reader.more && reader_is_live(&s->reader));
    enum stream_state state = s->reader.more                   ? STREAM_REPLAYING
                              : s->reader.at == READER_PICKING ? STREAM_QUIET
                                                               : STREAM_READY;
    if (s->state != state) {
        s->all->mixed |= state == STREAM_READY;
        streams_set_state(s, state);
    }
    if (state == STREAM_REPLAYING)
        loop_defer(s->all->loop, s->all->replays);
}

void stream_serve(struct stream *s, int64_t now_ms)
{
    struct iovec *iov;

    if (s->state != STREAM_QUIET || stream_is_finite(s)) {
        reader_await_due(&s->reader, s->source);
        return;
    }
    int n = reader_next_due(&s->reader, s->source, &iov);
    if (n > 0)
        stream_write(s, iov, n, now_ms);
}

/* -- life -- */

static void on_io(void *arg, int what)
{
    struct stream *s = arg;

    if ((what & LOOP_READ) && sink_input_ends(&s->sink)) {
        stream_end(s);
        return;
    }
    if (!(what & LOOP_WRITE))
        return;
    watch_change(s->watch, LOOP_READ);
    if (s->state == STREAM_BLOCKED)
        stream_pump(s, loop_now_ms());
    else if (stream_send_owed(s, loop_now_ms()) && s->state == STREAM_FINISHING)
        stream_end(s);
}

/* Where it goes on.  One that is finite may not wish to, but waits until we are there, too. */
static struct slice stream_place(const struct opening *opening)
{
    if (opening->last_event_id.p == NULL && opening->finite != NULL)
        return opening->finite->unless;
    return opening->last_event_id;
}

struct stream *stream_open(struct streams *all, struct source *source, int fd, uint16_t id,
                           const struct opening *opening)
{
    struct stream *s = mem_zero(sizeof *s);
    enum shape_kind kind = shape_kind(&source->shape);

    all->opened++;
    all->opened_as[kind]++;
    all->open_as[kind]++;
    s->all = all;
    s->source = source;
    s->connection = opening->connection;
    s->owner = opening->owner;
    sink_init(&s->sink, fd);
    reader_init(&s->reader, id, stream_place(opening), opening->selection);
    reader_set_from(&s->reader, &opening->from);
    if (opening->keepalive_events)
        reader_set_keepalive(&s->reader);
    if (opening->tells_place)
        s->reader.tells |= READER_TELLS_START;
    s->watch = watch_new(all->loop, fd, LOOP_READ, on_io, s);
    s->state = STREAM_OPENED;
    TAILQ_INSERT_TAIL(&all->in[STREAM_OPENED], s, link);
    all->count[STREAM_OPENED]++;
    TAILQ_INSERT_TAIL(&all->quiet, s, quiet);
    sink_put(&s->sink, id, opening->head);
    if (opening->finite != NULL)
        finite_init(s, opening);
    stream_send_owed(s, loop_now_ms());
    return s->sink.fd < 0 ? NULL : s;
}

void stream_end(struct stream *s)
{
    struct source *source = s->source;
    bool said_end = false;

    if (s->sink.fd < 0)
        return;
    watch_free(s->watch);
    if (stream_is_finite(s))
        said_end = finite_fini(s);
    else if (s->state == STREAM_FINISHING)
        timer_free(s->last_call);
    reader_stop(&s->reader, source);
    struct iovec rest = reader_rest(&s->reader);
    if (rest.iov_len > 0) {
        ssize_t sent = sink_write(&s->sink, &rest, 1);
        size_t went = sent > 0 ? (size_t)sent : 0;
        s->all->bytes += went;
        reader_sent(&s->reader, source, went);
    }
    bool amid = said_end || reader_rest(&s->reader).iov_len > 0;
    sink_close(&s->sink, s->reader.request_id, amid, &s->all->bytes);
    reader_fini(&s->reader, source);
    streams_remove(s);
    if (s->owner != NULL)
        s->owner->on_end(s->owner);
}

/* -- what its owners ask -- */

void stream_set_input(struct stream *s, const struct fcgi_input *input)
{
    s->sink.input = *input;
}

enum framing stream_framing(const struct stream *s)
{
    return s->source->shape.framing;
}

void stream_put(struct stream *s, struct slice records)
{
    sink_put(&s->sink, s->reader.request_id, records);
    if (s->state != STREAM_BLOCKED)
        stream_send_owed(s, loop_now_ms());
}

void stream_say(struct stream *s, struct slice records)
{
    if (s->sink.fd >= 0 && s->state != STREAM_FINISHING && !stream_is_finite(s))
        stream_put(s, records);
}

void stream_comment(struct stream *s, int64_t now_ms)
{
    bool held = s->reader.paused && s->state != STREAM_FINISHING;
    bool slow =
        s->state >= STREAM_BLOCKED || sink_has_own(&s->sink) || reader_rest(&s->reader).iov_len > 0;

    streams_touch(s, now_ms);
    if (stream_is_finite(s))
        return;
    if (held)
        s->unsaid_at_ms = now_ms;
    if (held || slow)
        return;
    struct buf place = {0};
    bool added = reader_add_place(&s->reader, s->source, &place);
    sink_put(&s->sink, s->reader.request_id, buf_slice(added ? &place : &s->source->comment));
    buf_fini(&place);
    stream_send_owed(s, now_ms);
}

void stream_hold(struct stream *s, bool hold)
{
    if (s->sink.fd < 0 || s->state == STREAM_FINISHING || s->reader.paused == hold)
        return;
    reader_pause(&s->reader, hold);
    if (s->state == STREAM_BLOCKED ? !hold
                                   : s->state >= STREAM_REPLAYING && s->state <= STREAM_QUIET)
        stream_pump(s, loop_now_ms());
    if (!hold && s->sink.fd >= 0 && !stream_is_finite(s) && s->unsaid_at_ms != 0 &&
        s->unsaid_at_ms == s->wrote_at_ms)
        stream_comment(s, loop_now_ms());
}

void stream_select(struct stream *s, struct selection *selection)
{
    if (s->sink.fd < 0 || s->state == STREAM_FINISHING)
        return;
    reader_select(&s->reader, s->source, selection);
    if (s->state >= STREAM_REPLAYING)
        streams_replay(s);
}

void stream_narrow(struct stream *s, struct selection *selection)
{
    if (s->sink.fd < 0 || s->state == STREAM_FINISHING)
        return;
    reader_narrow(&s->reader, s->source, selection);
    if (s->state >= STREAM_REPLAYING)
        streams_replay(s);
}

static void on_last_call(void *arg)
{
    stream_end(arg);
}

void stream_finish(struct stream *s, enum stream_end why)
{
    if (s->sink.fd < 0 || s->state == STREAM_FINISHING)
        return;
    s->why = (uint8_t)why;
    reader_stop(&s->reader, s->source);
    if (stream_send_owed(s, loop_now_ms()))
        stream_end(s);
    if (s->sink.fd < 0)
        return;
    streams_set_state(s, STREAM_FINISHING);
    if (stream_is_finite(s)) {
        finite_call_last(s, LAST_CALL_MS);
        return;
    }
    s->last_call = timer_new(s->all->loop, on_last_call, s);
    timer_start(s->last_call, LAST_CALL_MS);
}

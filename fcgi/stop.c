#include "stop.h"

#include "base/log.h"
#include "front/handler.h"
#include "front/inlet.h"
#include "front/listener.h"
#include "front/status.h"
#include "service.h"
#include "stream/drain.h"

enum {
    STOP_MS = 2000, /* for requests that were accepted, when all streams have ended */
    STOP_STEP_MS = 10,
};

void stop_listening(struct program *p)
{
    if (p->listen_fd >= 0)
        listener_close(p->listen_fd, p->config->listen);
    p->listen_fd = -1;
}

/* Requests that were accepted are answered; a front that says no more is waited for a moment. */
static void stop_when_answered(void *arg)
{
    struct program *p = arg;
    bool waits = inlet_waiting(p->inlet) + handler_waiting(p->handler) > 0;

    if (waits && loop_now_ms() < p->stop_by_ms)
        timer_start(p->stop, STOP_STEP_MS);
    else
        loop_stop(p->loop);
}

static void on_drained(void *arg)
{
    struct program *p = arg;

    p->stop_by_ms = loop_now_ms() + STOP_MS;
    stop_when_answered(p);
}

/* Our listening socket goes first, so that the front turns to others at once. */
static void begin_to_stop(struct program *p)
{
    struct drain_config drain = {
        .drain_ms = p->config->drain_s * 1000,
        .retry_ms = p->config->retry_ms,
        .done = on_drained,
        .arg = p,
    };

    service_stop(p->service);
    p->stop = timer_new(p->loop, stop_when_answered, p);
    handler_drain(p->handler);
    inlet_close(p->inlet);
    stop_listening(p);
    if (p->status != NULL)
        status_beat(p->status);
    if (fanouts_count(&p->fanouts) == 0) {
        log_info("stopping");
        on_drained(p);
        return;
    }
    log_info("stopping: %zu stream(s) are ended within %lld s", fanouts_count(&p->fanouts),
             (long long)p->config->drain_s);
    p->drain = drain_new(p->loop, &p->fanouts, &drain);
}

void stop(struct program *p)
{
    if (p->stop == NULL && p->inlet != NULL) {
        begin_to_stop(p);
        return;
    }
    log_info("stopping at once");
    loop_stop(p->loop);
}

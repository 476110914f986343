#include "service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/notify.h"

enum {
    STEP_MS = 100,    /* while somebody waits for us */
    PERIOD_MS = 1000, /* else, or half the watchdog's time */
};

enum service_state { SERVICE_STARTS, SERVICE_RUNS, SERVICE_RELOADS, SERVICE_STOPS };

struct service {
    struct service_config config;
    struct notify *notify;
    struct timer *timer;
    enum service_state state;
    int64_t ready_by_ms;
    int64_t period_ms;
    struct buf told; /* the status that was told last */
};

/* Asks what it lacks, and tells it if that is news.  True: nothing. */
static bool tell_status(struct service *s)
{
    struct buf message = {0};

    buf_add_str(&message, "STATUS=");
    bool ready = s->config.is_ready(s->config.arg, &message);
    buf_add_byte(&message, 0);
    if (slice_equal(buf_slice(&message), buf_slice(&s->told))) {
        buf_fini(&message);
        return ready;
    }
    notify_send(s->notify, (const char *)message.p);
    buf_fini(&s->told);
    s->told = message;
    return ready;
}

static bool is_waited_for(const struct service *s)
{
    return s->state == SERVICE_STARTS || s->state == SERVICE_RELOADS;
}

static bool has_finished(const struct service *s, bool ready)
{
    if (s->state == SERVICE_RELOADS)
        return !s->config.is_reloading(s->config.arg);
    return ready || loop_now_ms() >= s->ready_by_ms;
}

static void on_timer(void *arg)
{
    struct service *s = arg;

    notify_send(s->notify, "WATCHDOG=1");
    bool ready = tell_status(s);
    if (is_waited_for(s) && has_finished(s, ready)) {
        s->state = SERVICE_RUNS;
        notify_send(s->notify, "READY=1");
    }
    timer_start(s->timer, is_waited_for(s) ? STEP_MS : s->period_ms);
}

static int64_t period_ms(int64_t watchdog_ms)
{
    if (watchdog_ms == 0 || watchdog_ms / 2 > PERIOD_MS)
        return PERIOD_MS;
    return watchdog_ms / 2 > STEP_MS ? watchdog_ms / 2 : STEP_MS;
}

struct service *service_new(struct loop *loop, const struct service_config *config)
{
    struct notify *notify = notify_new();

    if (notify == NULL)
        return NULL;
    struct service *s = mem_zero(sizeof *s);
    s->config = *config;
    s->notify = notify;
    s->ready_by_ms = loop_now_ms() + SERVICE_READY_MS;
    s->period_ms = period_ms(notify_watchdog_ms(notify));
    s->timer = timer_new(loop, on_timer, s);
    timer_start(s->timer, 0);
    return s;
}

void service_free(struct service *s)
{
    if (s == NULL)
        return;
    timer_free(s->timer);
    notify_free(s->notify);
    buf_fini(&s->told);
    free(s);
}

void service_reload(struct service *s)
{
    char message[64];

    if (s == NULL || s->state != SERVICE_RUNS)
        return;
    s->state = SERVICE_RELOADS;
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)loop_now_ms() * 1000);
    notify_send(s->notify, message);
    timer_start(s->timer, STEP_MS);
}

void service_stop(struct service *s)
{
    if (s == NULL || s->state == SERVICE_STOPS)
        return;
    s->state = SERVICE_STOPS;
    notify_send(s->notify, "STOPPING=1");
}

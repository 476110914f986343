#include "play.h"

#include <string.h>
#include <sys/time.h>

#include "keys.h"
#include "memory.h"
#include "model.h"
#include "port.h"
#include "sockets.h"
#include "steps.h"
#include "subscription.h"
#include "threads.h"
#include "world.h"

enum {
    ERRAND_LATE_MS = 10,
    HEARD_MS = 2000,    /* in which a responder that nothing disturbs hears its peers */
    SERVED_MS = 60000,  /* within this every client that nothing disturbs knows of a record */
    QUIET_MS = 150000,  /* at the end, when all is whole again */
    TURNS_MAX = 200000, /* from one look at the clients to the next ... */
    CPU_S = 120,        /* ... and of the processor: thousands of clients may want megabytes each */
};

static struct {
    struct pool pool;
    const struct story *story;
    size_t step; /* the next one */
    struct errand next_step, look, heal;
    int64_t began_ms, served_since_ms[PARTITIONS_MAX];
    unsigned turns;
    int64_t streams_ms;
} game;

/* -- for clients -- */

int pool_pick(struct pool *pool, struct dice *d, unsigned *responder)
{
    unsigned n = 0;
    int fd = -1;

    for (unsigned i = 0; i < RESPONDERS_MAX; i++) {
        struct responder *r = pool->responders[i];
        if (r == NULL || responder_listens(r) < 0 || dice_below(d, ++n) != 0)
            continue;
        *responder = i;
        fd = responder_listens(r);
    }
    return fd;
}

int64_t pool_runs_since_ms(const struct pool *pool, unsigned responder)
{
    const struct responder *r = pool->responders[responder];

    return r ? responder_runs_since_ms(r) : INT64_MAX;
}

int64_t pool_served_since_ms(int32_t partition)
{
    return game.served_since_ms[partition];
}

int64_t pool_answers_since_ms(const struct pool *pool)
{
    int64_t since = pool->silent_ms;
    bool any = false;

    for (unsigned i = 0; i < RESPONDERS_MAX; i++) {
        if (pool->responders[i] == NULL)
            continue;
        int64_t its = responder_answers_since_ms(pool->responders[i]);
        since = its > since ? its : since;
        any = true;
    }
    return any ? since : INT64_MAX;
}

bool pool_hears(const struct pool *pool)
{
    return pool_answers_since_ms(pool) <= world_now_ms() - HEARD_MS;
}

int64_t pool_lost_ms(const struct pool *pool)
{
    return pool->lost_ms;
}

unsigned pool_routes(const struct pool *pool, unsigned responder)
{
    return responder_routes(pool->responders[responder]);
}

/* -- for steps -- */

void pool_drain_responder(struct pool *pool, unsigned responder)
{
    if (responder_listens(pool->responders[responder]) < 0)
        return; /* it does already */
    for (unsigned i = 0; i < RESPONDERS_MAX; i++)
        pool->passed_on[responder] |= i != responder && pool->responders[i] != NULL &&
                                      responder_listens(pool->responders[i]) >= 0;
    pool->handle_uses += pool->handles; /* all that it knows */
    responder_drain(pool->responders[responder]);
}

void pool_free_responder(struct pool *pool, unsigned responder)
{
    struct responder *r = pool->responders[responder];

    pool->handle_uses += pool->handles; /* once more, if it has drained */
    if (!pool->passed_on[responder])
        pool->lost_ms = world_now_ms();
    if (responder_answers_since_ms(r) == INT64_MAX)
        pool->silent_ms = world_now_ms();
    pool->passed_on[responder] = false;
    pool->responders[responder] = NULL; /* time passes while it ends */
    responder_free(r);
}

void pool_step_wall(struct pool *pool, int64_t by_ms)
{
    world_step_wall(by_ms);
    threads_wall_stepped();
    for (unsigned i = 0; i < RESPONDERS_MAX; i++)
        if (pool->responders[i] != NULL)
            responder_wall_stepped(pool->responders[i]);
}

static void start_responder(unsigned n)
{
    struct responder_config config = game.story->responder;

    config.routes = game.pool.routes;
    world_tell("responder %u starts", n);
    game.pool.responders[n] = responder_start(n, &config);
}

/* As the front, or the system, does. */
static void start_those_that_ended(void)
{
    for (unsigned i = 0; i < game.story->responders; i++) {
        struct responder *r = game.pool.responders[i];
        if (r != NULL && responder_done(r)) {
            world_tell("responder %u has ended", i);
            pool_free_responder(&game.pool, i);
        } else if (r == NULL && dice_chance(world_dice(WHO_STORY), 70)) {
            start_responder(i);
        }
    }
}

/* -- what happens -- */

static void on_cluster_change(void)
{
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) {
        bool served = cluster_served(p);
        if (served && game.served_since_ms[p] == INT64_MAX)
            game.served_since_ms[p] = world_now_ms();
        if (!served)
            game.served_since_ms[p] = INT64_MAX;
    }
    port_changed();
}

static void start_next_step(void)
{
    const struct story *s = game.story;

    if (game.step < s->n)
        errand_start(&game.next_step, game.began_ms + s->steps[game.step].at_ms - world_now_ms());
}

static void do_step(void *arg)
{
    const struct step *step = &game.story->steps[game.step++];

    (void)arg;
    if (game.pool.quiet)
        return; /* time has passed meanwhile, in the end of a responder */
    step_kinds[step->kind].run(&game.pool, step);
    start_next_step();
}

static void check_clients(int64_t since_ms)
{
    for (unsigned i = 0; i < game.pool.n; i++)
        if (game.pool.clients[i] != NULL && client_owed_since_ms(game.pool.clients[i]) <= since_ms)
            client_check(game.pool.clients[i], since_ms);
}

static void check_that_all_are_there(void)
{
    if (game.story->responder.max_age_ms > 0)
        return; /* none lasts long */
    for (unsigned i = 0; i < game.pool.n; i++)
        if (game.pool.clients[i] != NULL && !client_has_no_stream(game.pool.clients[i]) &&
            client_owed_since_ms(game.pool.clients[i]) > world_now_ms() - QUIET_MS / 3)
            world_breach("away", "client %u has no stream that lasts, though all is well", i);
}

/* SIGPROF then ends a story that hangs. */
static void limit_cpu(void)
{
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = CPU_S}, NULL);
}

static void look(void *arg)
{
    (void)arg;
    limit_cpu();
    memory_check(&game.pool);
    game.turns = 0;
    start_those_that_ended();
    check_clients(world_now_ms() - SERVED_MS - cluster_load_ms());
    for (unsigned i = 0; i < game.pool.n; i++)
        if (game.pool.clients[i] != NULL) {
            client_look(game.pool.clients[i]);
            game.streams_ms += game.story->look_ms;
        }
    errand_start(&game.look, game.story->look_ms);
}

static void heal(void *arg)
{
    (void)arg;
    world_tell("from now on nothing happens");
    game.pool.quiet = true;
    steps_heal(&game.pool);
}

/* -- the play -- */

/* Of the responders that have something to do now, any. */
static struct responder *pick_responder(void)
{
    struct responder *picked = NULL;
    uint32_t n = 0;

    for (unsigned i = 0; i < RESPONDERS_MAX; i++) {
        struct responder *r = game.pool.responders[i];
        if (r != NULL && responder_due_ms(r) <= world_now_ms() &&
            dice_below(world_dice(WHO_STORY), ++n) == 0)
            picked = r;
    }
    return picked;
}

static void pass_to_next(void)
{
    int64_t next = world_next_ms();

    for (unsigned i = 0; i < RESPONDERS_MAX; i++)
        if (game.pool.responders[i] != NULL) {
            int64_t due = responder_due_ms(game.pool.responders[i]);
            next = due < next ? due : next;
        }
    if (next > world_now_ms())
        world_pass(next - world_now_ms());
}

/* Turns may take tens of milliseconds, and clients do not wait for them. */
static bool errand_is_late(void)
{
    return world_next_ms() < world_now_ms() - ERRAND_LATE_MS;
}

/* Errands and turns in any order. */
static void go_on(void)
{
    struct responder *r = errand_is_late() ? NULL : pick_responder();

    if (r != NULL && (world_next_ms() > world_now_ms() || dice_chance(world_dice(WHO_STORY), 50))) {
        if (++game.turns > TURNS_MAX)
            world_breach("spins", "a loop has had %u turns from one look to the next", game.turns);
        responder_turn(r);
    } else if (!world_run_errand()) {
        pass_to_next();
    }
}

static void begin(const struct story *story)
{
    memset(&game, 0, sizeof game);
    game.story = game.pool.story = story;
    game.pool.n = GROUPS * story->crowd;
    game.began_ms = world_now_ms();
    memory_begin();
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        game.served_since_ms[p] = INT64_MAX;
    game.next_step = (struct errand){.run = do_step};
    game.look = (struct errand){.run = look};
    game.heal = (struct errand){.run = heal};
    model_begin(&(struct model_config){.small_cache = story->small_cache});
    keys_begin(story->verify_ms);
    cluster_begin(&story->cluster, on_cluster_change);
    for (unsigned i = 0; i < story->responders; i++)
        start_responder(i);
    start_next_step();
    limit_cpu();
    errand_start(&game.look, game.story->look_ms);
    errand_start(&game.heal, story->length_ms);
}

static void end(void)
{
    for (unsigned i = 0; i < game.pool.n; i++)
        client_free(game.pool.clients[i]);
    subscription_free(game.pool.shared);
    for (unsigned i = 0; i < RESPONDERS_MAX; i++)
        if (game.pool.responders[i] != NULL)
            responder_free(game.pool.responders[i]);
    errand_stop(&game.next_step);
    errand_stop(&game.look);
    errand_stop(&game.heal);
    threads_end();
    sockets_end();
    cluster_end();
}

double play(const struct story *story)
{
    world_begin(story->seed);
    begin(story);
    while (world_now_ms() < game.began_ms + story->length_ms + QUIET_MS)
        go_on();
    check_that_all_are_there();
    check_clients(world_now_ms() - QUIET_MS / 3);
    memory_check_quiet(&game.pool);
    end();
    world_end();
    return (double)game.streams_ms / 3600000;
}

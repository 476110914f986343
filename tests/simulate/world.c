#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { START_MS = 1000000, RESPONDERS = 8 };
static const int64_t START_WALL_MS = INT64_C(1800000000000);

static struct {
    uint64_t seed;
    int64_t now_ms, wall_ms; /* wall_ms: what is to be added to now_ms */
    int64_t wall_step_ms, wall_stepped_ms;
    unsigned wall_steps;
    unsigned responder;
    bool stopped[RESPONDERS], slow[RESPONDERS];
    int64_t stood_ms[RESPONDERS]; /* while it stands, world_ran_ms(); else now less that */
    struct heap agenda, amid;     /* errands, and those that may be run amid a turn */
    struct thrower {
        int64_t at_ms;
        struct dice dice;
    } throwers[WHO_ALL];
    FILE *told_to;
    char list[64]; /* the head of the one that the last line is; empty: it is none */
    struct breach *report;
} world;

void world_begin(uint64_t seed)
{
    world.seed = seed;
    world.now_ms = START_MS;
    world.wall_ms = START_WALL_MS;
    world.wall_step_ms = 0;
    world.wall_steps = 0;
    world.wall_stepped_ms = 0;
    memset(world.stopped, 0, sizeof world.stopped);
    memset(world.slow, 0, sizeof world.slow);
    memset(world.stood_ms, 0, sizeof world.stood_ms);
    memset(world.throwers, 0, sizeof world.throwers);
}

void world_end(void)
{
    heap_fini(&world.agenda);
    heap_fini(&world.amid);
}

int64_t world_now_ms(void)
{
    return world.now_ms;
}

int64_t world_wall_ms(void)
{
    return world.now_ms + world.wall_ms;
}

void world_step_wall(int64_t by_ms)
{
    world.wall_ms += by_ms;
    world.wall_step_ms += by_ms;
    world.wall_steps++;
    world.wall_stepped_ms = world.now_ms;
}

int64_t world_wall_calm_ms(void)
{
    return world.now_ms - world.wall_stepped_ms;
}

int64_t world_wall_step_ms(void)
{
    return world.wall_step_ms;
}

unsigned world_wall_steps(void)
{
    return world.wall_steps;
}

void world_pass(int64_t ms)
{
    world.now_ms += ms;
}

void world_set_responder(unsigned number)
{
    world.responder = number;
}

unsigned world_responder(void)
{
    return world.responder;
}

static bool stands(unsigned number)
{
    return world.stopped[number] || world.slow[number];
}

void world_stop_responder(unsigned number, bool stopped)
{
    bool stood = stands(number);

    world.stopped[number] = stopped;
    if (stands(number) != stood)
        world.stood_ms[number] = world.now_ms - world.stood_ms[number];
}

void world_slow_responder(unsigned number, bool slow)
{
    bool stood = stands(number);

    world.slow[number] = slow;
    if (stands(number) != stood)
        world.stood_ms[number] = world.now_ms - world.stood_ms[number];
}

int64_t world_ran_ms(unsigned number)
{
    return stands(number) ? world.stood_ms[number] : world.now_ms - world.stood_ms[number];
}

bool world_responder_stopped(unsigned number)
{
    return world.stopped[number];
}

struct dice *world_dice(uint64_t who)
{
    struct thrower *t = &world.throwers[who];

    assert(who < WHO_ALL);
    if (t->at_ms != world.now_ms) {
        t->at_ms = world.now_ms;
        t->dice = dice_of(world.seed, who, (uint64_t)world.now_ms);
    }
    return &t->dice;
}

static struct heap *agenda_of(const struct errand *e)
{
    return e->amid ? &world.amid : &world.agenda;
}

void errand_start(struct errand *e, int64_t delay_ms)
{
    errand_stop(e);
    e->node.at_ms = world.now_ms + (delay_ms > 0 ? delay_ms : 0);
    e->node.order = dice_throw(world_dice(WHO_AGENDA));
    heap_add(agenda_of(e), &e->node);
}

void errand_stop(struct errand *e)
{
    heap_remove(agenda_of(e), &e->node);
}

bool errand_started(const struct errand *e)
{
    return e->node.place != 0;
}

int64_t world_next_ms(void)
{
    const struct heap_node *first = heap_before(heap_first(&world.agenda), heap_first(&world.amid));

    return first ? first->at_ms : INT64_MAX;
}

static bool run_errand(struct heap_node *first)
{
    struct errand *e = (struct errand *)first; /* its first member */

    if (e == NULL || e->node.at_ms > world.now_ms)
        return false;
    errand_stop(e);
    e->run(e->arg);
    return true;
}

bool world_run_errand(void)
{
    return run_errand(heap_before(heap_first(&world.agenda), heap_first(&world.amid)));
}

bool world_run_errand_amid(void)
{
    unsigned responder = world.responder;
    bool some = run_errand(heap_first(&world.amid));

    world.responder = responder;
    return some;
}

/* -- memory -- */

void *world_grow(void *p, size_t old_bytes, size_t bytes)
{
    void *grown =
        p == NULL ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                  : mremap(p, old_bytes, bytes, MREMAP_MAYMOVE);

    if (grown == MAP_FAILED)
        abort();
    return grown;
}

void world_give_back(void *p, size_t bytes)
{
    if (p != NULL)
        munmap(p, bytes);
}

/* -- what went wrong -- */

void world_report_to(struct breach *breach)
{
    world.report = breach;
}

void world_breach(const char *rule, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(world.report->text, sizeof world.report->text, format, args);
    va_end(args);
    snprintf(world.report->rule, sizeof world.report->rule, "%s", rule);
    world_tell("BROKEN RULE \"%s\": %s", rule, world.report->text);
    fflush(NULL);
    _exit(1);
}

/* -- the telling -- */

void world_tell_to(FILE *out)
{
    world.told_to = out;
}

bool world_is_told(void)
{
    return world.told_to != NULL;
}

static void end_list(void)
{
    if (world.list[0])
        fputc('\n', world.told_to);
    world.list[0] = 0;
}

static void tell_time(void)
{
    fprintf(world.told_to, "%9.3f  ", (double)(world.now_ms - START_MS) / 1000);
}

void world_tell(const char *format, ...)
{
    va_list args;

    if (world.told_to == NULL)
        return;
    end_list();
    tell_time();
    va_start(args, format);
    vfprintf(world.told_to, format, args);
    va_end(args);
    fputc('\n', world.told_to);
}

void world_tell_item(const char *head, const char *item)
{
    if (world.told_to == NULL)
        return;
    if (strcmp(head, world.list) != 0) {
        end_list();
        tell_time();
        fputs(head, world.told_to);
        snprintf(world.list, sizeof world.list, "%s", head);
    }
    fputs(item, world.told_to);
}

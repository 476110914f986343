/* world - what all parts of a story share: its time, its chance, what is to be done when, and what
 * went wrong.  There is one at a time: the functions that the program calls (loop_now_ms(), recv())
 * have no argument that could lead to it. */
#ifndef SKF_SIMULATE_WORLD_H
#define SKF_SIMULATE_WORLD_H

#include <stdio.h>

#include "dice.h"
#include "heap.h"

/* Names for those who throw dice; a number below 4096 is added where there are several of a kind.
 */
enum who {
    WHO_AGENDA = 1 << 12,
    WHO_LOOP = 2 << 12,
    WHO_SOCKET = 3 << 12,
    WHO_KAFKA = 4 << 12,
    WHO_CLIENT = 5 << 12,
    WHO_RANDOM = 6 << 12, /* arc4random() */
    WHO_THREAD = 7 << 12,
    WHO_STORY = 8 << 12,
    WHO_PEER = 9 << 12,
    WHO_ALL = 10 << 12,
};

void world_begin(uint64_t seed);
void world_end(void);

/* CLOCK_MONOTONIC and CLOCK_REALTIME, in milliseconds. */
int64_t world_now_ms(void);
int64_t world_wall_ms(void);
/* The wall clock is set. */
void world_step_wall(int64_t by_ms);
int64_t world_wall_step_ms(void); /* all steps together */
unsigned world_wall_steps(void);  /* how many there were */
int64_t world_wall_calm_ms(void); /* since the last one */
void world_pass(int64_t ms);

/* Which responder's code runs now, or is begun: loops, threads and handles of librdkafka that it
 * makes are its own. */
void world_set_responder(unsigned number);
unsigned world_responder(void);
/* Its process is stopped, with all its threads, or goes on. */
void world_stop_responder(unsigned number, bool stopped);
/* Its turns take time, so that nobody knows how far it is. */
void world_slow_responder(unsigned number, bool slow);
bool world_responder_stopped(unsigned number);
/* A clock that stands while it is stopped. */
int64_t world_ran_ms(unsigned number);

/* The dice of `who` at this moment. */
struct dice *world_dice(uint64_t who);

/* Something to be done later; the struct is the caller's. */
struct errand {
    struct heap_node node;
    void (*run)(void *arg);
    void *arg;
    bool amid; /* it may be run amid a loop's turn: it is of another thread */
};
void errand_start(struct errand *e, int64_t delay_ms); /* anew, if it was started before */
void errand_stop(struct errand *e);
bool errand_started(const struct errand *e);

/* When the first errand is due; INT64_MAX: there is none. */
int64_t world_next_ms(void);
/* Runs the first errand that is due now; false if none is. */
bool world_run_errand(void);
/* Likewise, amid a turn. */
bool world_run_errand_amid(void);

/* A rule was broken: says which (in a word or two) and how in `breach`, and ends the process. */
struct breach {
    char rule[32]; /* empty: none was */
    char text[512];
};
void world_report_to(struct breach *breach);
void world_breach(const char *rule, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Memory that is not the program's, and does not count as such; never given back within a story. */
void *world_grow(void *p, size_t old_bytes, size_t bytes);
void world_give_back(void *p, size_t bytes);

/* A line of the story as it is told, if it is; with the time in front. */
void world_tell_to(FILE *out); /* NULL: it is not told */
bool world_is_told(void);
void world_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One more of a list, on the line of the last one if it has the same head. */
void world_tell_item(const char *head, const char *item);

#endif

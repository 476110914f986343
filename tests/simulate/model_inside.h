/* model_inside - what the files of the model share: model.c has the client's place, moves.c what it
 * selects, given.c records and deletes, told.c resets and gaps, owed.c what it must know in the
 * end. */
#ifndef SKF_SIMULATE_MODEL_INSIDE_H
#define SKF_SIMULATE_MODEL_INSIDE_H

#include "model.h"

extern struct model_config model_config;

/* The lives of the topic that it may be in, by what it was given so far. */
uint64_t model_possible_lives(const struct view *v);
/* And those that a log was cut to, behind its place: they are the same to it. */
uint64_t model_lives_by_place(const struct view *v);
/* The one that it is in; NULL: that is not sure, for its responder may not have seen yet that the
 * topic is another, and then gives something of both. */
const struct topic *model_life(const struct view *v);
/* It is given what there is in these lives only. */
void model_narrow(struct view *v, uint64_t to);

/* It opens a stream: what that may select. */
void model_select(struct view *v, const struct picked *route, const struct picked *url);
/* An event comes, with an id that ends in this; or was taken. */
void model_take_tag(struct view *v, const char *tag, bool moving, bool resets);
void model_arrive(struct view *v);
/* What it was told before that must be what it selects by now. */
void model_check_told(const struct view *v, int64_t since_ms);
/* To select by the route that a renewal offers changes nothing. */
bool model_is_renewed(const struct view *v);
/* Nothing has been away from its responder since some time before it came. */
bool model_is_calm(const struct view *v);
/* Amid a move, the key may be new to it, or leave. */
bool model_is_moving(const struct view *v, int32_t p, int key);
/* A small cache may have nothing left of a key that the stream was told to select. */
bool model_may_be_dropped(const struct view *v, int32_t p, int key);
/* What consumers see of the key now, if it is before `to`: the client must know it. */
void model_check_key(const struct view *v, const struct topic *t, int32_t p, int k, int64_t to);

/* Consumers can see it, or could, and it is due to the client. */
bool model_shows(const struct view *v, const struct topic *t, int32_t p, int64_t offset);

/* It has nothing, and begins there. */
void model_begin_at(struct view *v, const struct from *from);
/* It is from before the stream's start: not for it. */
bool model_is_early(const struct view *v, int32_t p, const struct written *e, int64_t offset);

/* The client's place moves in a partition; of what lies between it was given `given` only. */
void model_move(struct view *v, int32_t p, int64_t to, int64_t given);
void model_move_all(struct view *v, const int64_t to[PARTITIONS_MAX], int32_t partition,
                    int64_t given);

/* An event came, with an id that stands for `to`. */
void model_take_value(struct view *v, struct slice data, const char *id,
                      const int64_t to[PARTITIONS_MAX]);
void model_take_delete(struct view *v, struct slice data, const char *id,
                       const int64_t to[PARTITIONS_MAX]);
void model_take_reset(struct view *v, struct slice data, const char *id,
                      const int64_t to[PARTITIONS_MAX]);
void model_take_gap(struct view *v, struct slice data, const int64_t to[PARTITIONS_MAX]);

#endif

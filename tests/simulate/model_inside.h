/* model_inside - what the files of the model share: model.c has the client's place, given.c records
 * and deletes, told.c resets and gaps, owed.c what it must know in the end. */
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

/* Consumers can see it, or could, and the client selects it. */
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

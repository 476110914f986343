/* client - those who read: each opens a stream, reads at its own pace, and comes back when it ends.
 *
 * What a client is like is a row of the table in kinds.c: a new kind is a new row there. */
#ifndef SKF_SIMULATE_CLIENT_H
#define SKF_SIMULATE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "responder.h"

struct client;
struct pool; /* play.h */

/* How many kinds there are, and their names. */
unsigned client_kinds(void);
const char *client_kind_name(unsigned kind);

/* Comes at once. */
struct client *client_new(unsigned number, unsigned kind, struct pool *pool);
void client_free(struct client *c);
size_t client_heap_bytes(const struct client *c);

/* Its connection breaks; it comes back, in `most_ms` at the latest; 0: soon. */
void client_break(struct client *c, int64_t most_ms);
/* It reads no more than so many bytes a second; 0: nothing; UINT32_MAX: all that comes. */
void client_set_pace(struct client *c, uint32_t bytes);

/* It has a handle, by which its stream can be told what to select; NULL: it has not.  It does so,
 * so many times. */
bool client_is_told(const struct client *c);
void client_tell(struct client *c, uint32_t times);
/* Another stream has its handle, and it stays away; or it asks for documents. */
bool client_has_no_stream(const struct client *c);

/* Nothing disturbs it: since when it is owed what comes; INT64_MAX: it is not. */
int64_t client_owed_since_ms(const struct client *c);
/* The steps are over: it reads all, and its stream lasts. */
void client_calm_down(struct client *c);
/* Now and then: its stream must have ended, or been challenged, in time. */
void client_look(const struct client *c);
/* It must know what consumers could see at `since_ms`. */
void client_check(const struct client *c, int64_t since_ms);

#endif

/* client_inside - what the files of a client share: client.c has its coming, reading and going,
 * client_asks.c what it asks for, and how it renews that. */
#ifndef SKF_SIMULATE_CLIENT_INSIDE_H
#define SKF_SIMULATE_CLIENT_INSIDE_H

#include "client.h"
#include "kinds.h"
#include "lease.h"
#include "line.h"
#include "model.h"
#include "play.h"
#include "post.h"
#include "teller.h"
#include "world.h"

struct client {
    unsigned number;
    const struct kind *kind;
    struct pool *pool;
    unsigned responder;
    struct view view;
    bool has_wish;
    struct wish wish;
    unsigned routes;     /* of its responder, by their version */
    struct picked claim; /* of the last token that it was given */
    bool astray; /* the renewal under way would make its stream select otherwise: left alone */
    struct line *line; /* NULL: it is away */
    struct response response;
    struct lease lease;
    struct buf token; /* of the stream; empty: it needs none */
    struct buf etag;  /* of the last document; empty: none */
    char subject[16];
    struct post renewal;
    struct teller teller;
    int64_t renewing_ms; /* the expiry of the token that it renews with */
    int64_t renewed_ms;  /* when that was accepted and not all responders heard; INT64_MAX: not */
    struct errand come, read;
    uint32_t pace;
    int64_t paced_ms;                   /* since when */
    bool may_be_refused;                /* when it came */
    bool retry_told, told_to_come_back; /* by a second one, before the end */
    int64_t heard_ms;                   /* when it was sent the last bytes */
    int64_t retry_ms, undisturbed_since_ms;
};

static inline struct dice *client_dice(const struct client *c)
{
    return world_dice(WHO_CLIENT + c->number);
}

/* The partition could be read since then; arg: const int64_t *. */
bool client_is_owed(void *arg, int32_t partition);

/* When a token ends that it is given now. */
int64_t client_new_expiry(struct client *c);
/* What it asks for: what it has asked for before, mostly. */
void client_draw_wish(struct client *c);
enum wish_way client_way(const struct client *c);
/* What the route of that selects. */
struct picked client_route(const struct client *c);
/* The request is sent. */
void client_ask(struct client *c);

/* Headers of a request for a document; and what has come instead of a stream, at its end. */
void client_ask_for_document(struct client *c, struct buf *params);
void client_take_document(struct client *c);
/* Until it asks for the next one. */
int64_t client_document_pause_ms(struct client *c);
/* Its status has come; now and then. */
void client_check_document(const struct client *c);
void client_look_for_document(const struct client *c);

/* A new token is brought, mostly in time, and mostly at all. */
void client_renew(struct client *c);
void client_init_renewal(struct client *c);

#endif

/* wish - what a client asks for: keys by query, path, claim or route, and where it starts; and what
 * it is to see of the topic by that.
 *
 * The routes that each responder has stand here, too: what "/fixed" selects changes with their
 * version, from one start of a responder to the next. */
#ifndef SKF_SIMULATE_WISH_H
#define SKF_SIMULATE_WISH_H

#include "cluster.h"
#include "dice.h"
#include "route/routes.h"
#include "topic/progress.h"

/* Keys of the topic, as bits by partition. */
struct picked {
    bool all; /* everything, records without a key too: nothing is selected */
    uint16_t keys[PARTITIONS_MAX];
};
bool picked_has(const struct picked *s, int32_t partition, int key);
bool picked_equal(const struct picked *a, const struct picked *b);
/* The keys of both. */
struct picked picked_both(const struct picked *a, const struct picked *b);
/* Those of either. */
struct picked picked_any(const struct picked *a, const struct picked *b);
/* What ends the ids of a stream that selects them; empty: nothing does. */
void picked_tag(const struct picked *s, char tag[PROGRESS_TAG + 1]);

enum wish_way {
    WISH_ALL,
    WISH_LATE, /* all from some place on; others begin so now and then */
    WISH_BY_QUERY,
    WISH_BY_CLAIM, /* without a guard: by query */
    WISH_BY_PATH,
    WISH_BY_ROUTE, /* and half of them by query besides */
};

struct wish {
    enum wish_way way;
    struct picked named; /* by its path or query; all: it names none */
    struct from from;
};

/* Names up to so many keys. */
void wish_draw(struct wish *w, enum wish_way way, struct dice *d, uint32_t most);
/* Keys for a token's claim. */
void wish_draw_claim(struct picked *claim, struct dice *d, uint32_t most);
const char *wish_path(const struct wish *w); /* not of WISH_BY_PATH */
/* The request's path, and its query: appended. */
void wish_put(const struct wish *w, struct dice *d, struct buf *path, struct buf *query);
/* What its route selects, with that claim, by routes of that version; of that it sees what it
 * names. */
struct picked wish_route(const struct wish *w, const struct picked *claim, unsigned version);

/* What an open stream is told, as keys that it names; none now and then: all that its route
 * selects.
 */
struct picked wish_draw_form(struct dice *d, uint32_t most);
void wish_put_form(const struct picked *named, struct dice *d, struct buf *body);

/* Appends the claim's member to a token's payload. */
void wish_add_claim(struct buf *payload, const struct picked *claim);
void wish_add_routes(struct routes *routes, unsigned version, bool guarded);

#endif

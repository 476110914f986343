/* admission - may this request come in?  All reasons to turn one away: its method, path and origin,
 * where it has its token, how much its address and its subject have already, and how much room
 * there is.
 *
 * Every question is answered with a refusal, or with REFUSALS: it may. */
#ifndef SKF_FRONT_ADMISSION_H
#define SKF_FRONT_ADMISSION_H

#include "base/buf.h"
#include "front/cors.h"
#include "front/limits.h"
#include "front/refusal.h"
#include "front/request.h"
#include "guard/guard.h"
#include "guard/renewals.h"
#include "guard/session.h"
#include "route/routes.h"

struct admission;
struct fanouts;

/* What stands between requests and streams. */
struct gate {
    struct guard *guard;       /* NULL: all may come in */
    struct sessions *sessions; /* NULL: streams go on for as long as they like */
    struct renewals *renewals; /* NULL: no stream is to be reached from here */
};

/* Whatever is pointed to is borrowed and must outlive it. */
struct admission_config {
    const struct routes *routes;
    const struct cors *cors;
    const struct fanouts *fanouts;
    const struct gate *gate;
    int64_t max_streams;
    struct limits_config address, subject;
    int64_t max_attempts; /* tokens of one address that are refused, in a minute; 0: no limit */
    bool tells_streams;   /* what to select */
};

struct admission *admission_new(const struct admission_config *config);
/* All guests must have left. */
void admission_free(struct admission *a);

/* From now on nobody gets a stream. */
void admission_drain(struct admission *a);

/* By what the request, which has a method and a URI, says of itself; if it may, *destination is
 * where its path leads. */
enum refusal admission_judge(const struct admission *a, const struct request *r,
                             const struct cors_request *origin, struct destination *destination);
/* What is wrong with the token, for where it is to be good. */
enum token_error admission_token_error(const struct destination *destination,
                                       const struct verdict *verdict);
/* With a token that is good for a stream of ours, or NULL: none is needed, may it go there? */
enum refusal admission_destination(const struct destination *destination,
                                   const struct verdict *verdict);
/* A header line: which methods there are. */
const char *admission_allowed(const struct admission *a);

/* The tokens in the header and in the URL, each appended to its buffer if there is one. */
enum refusal admission_credentials(const struct request *r, struct buf *in_header,
                                   struct buf *in_url);

/* Addresses are names of limits_address_name(). */

/* Would there be room for a stream?  Asked before its token is looked at, which costs more: counts
 * nothing. */
enum refusal admission_ask(const struct admission *a, const char *address);

/* Before its signature is checked, a token counts as one that is refused; *counted: it does. */
enum refusal admission_try_token(struct admission *a, const char *address, struct slice token,
                                 bool *counted);
/* Then this was said of it, or is said again: what was counted is taken back once. */
void admission_token_tried(struct admission *a, const char *address, enum token_error error,
                           bool *counted);

/* Who has a stream. */
struct guest {
    struct visitor *address, *subject; /* NULL: not limited */
};

/* Counts a stream of that address, and of the subject of that token; verdict NULL: there is none.
 */
enum refusal admission_enter(struct admission *a, const char *address, struct slice token,
                             const struct verdict *verdict, struct guest *guest);
/* Its stream has ended. */
void admission_leave(const struct guest *guest);

#endif

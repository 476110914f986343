/* session - which streams a token has opened, and until when they may go on.
 *
 * Each guarded stream has one session, and others if their age is limited.  A window before its
 * token's expiry the stream is sent a challenge; at the expiry it ends, unless a renewal has come.
 * The wall clock rules. */
#ifndef SKF_GUARD_SESSION_H
#define SKF_GUARD_SESSION_H

#include "guard/guard.h"

struct sessions;
struct session;
struct stream;

struct session_config {
    int64_t challenge_ms; /* before the expiry */
    int64_t leeway_ms;    /* after it */
    int64_t max_age_ms;   /* of a stream, however often it is renewed; each draws 0.9 to 1 of it; 0:
                             any */
};

struct sessions *sessions_new(struct loop *loop, const struct session_config *config);
/* All sessions must be closed. */
void sessions_free(struct sessions *ss);
/* settled(arg) is asked before a stream is ended: have all renewals been seen to that have come by
 * now?  After this process was stopped for a while they may still wait. */
void sessions_ask_before_end(struct sessions *ss, bool (*settled)(void *arg), void *arg);

/* A session for a stream that a good token has opened; or, with verdict NULL, for one that needs
 * none and has no end but its age.  scopes: those that its route demands, also of a token that
 * renews it (bits as in a verdict).  in_url: the token in the stream's URL, which selects it for
 * renewals, together with the subject; NULL: there is none, and the subject does. */
struct session *session_open(struct sessions *ss, const struct verdict *verdict, uint64_t scopes,
                             const struct token_hash *in_url);
/* It has a handle, too, by which a renewal can select it: that of its token's subject alone, so one
 * without a subject is not selected so.  Once for a session, with the verdict that has opened it.
 */
void session_name(struct session *s, const struct verdict *verdict,
                  const struct token_hash *handle);
/* Its stream, once there is one; to be closed when that ends. */
void session_attach(struct session *s, struct stream *stream);
/* Before a good token renews the stream renews(arg, verdict, named) is asked: may it?  named: the
 * renewal has a selector. */
void session_ask(struct session *s,
                 bool (*renews)(void *arg, const struct verdict *verdict, bool named), void *arg);
/* What is wrong with its token, if that has ended the stream. */
enum token_error session_error(const struct session *s);
void session_close(struct session *s);

/* A good token renews the streams of its subject that it could open and that have `selector` (a
 * token or a handle) in their URL, or (NULL) no token there. */
void sessions_renew(struct sessions *ss, const struct token_hash *selector,
                    const struct verdict *verdict);

/* Challenges sent since the start. */
uint64_t sessions_challenges(const struct sessions *ss);

/* The key set was replaced: challenges the streams whose keys are gone, and ends them after the
 * challenge window. */
void sessions_check_keys(struct sessions *ss, const struct guard *guard);

#endif

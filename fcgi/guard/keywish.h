/* keywish - asks for the issuers' keys to be fetched anew, when a token names one that is unknown.
 *
 * The responders read files and ask no issuer.  Who fetches these files (systemd/
 * sse-kafka-fanout-jwks@.path) watches a file in the directory in which the responders meet: to
 * wish is to write to it, at most once a minute for all of them together. */
#ifndef SKF_GUARD_KEYWISH_H
#define SKF_GUARD_KEYWISH_H

#include <stddef.h>

#define KEYWISH_FILE "keys-wanted"

struct keywish;

/* In that directory (base/rundir.h).  NULL, and one line in `error`, if it cannot be used. */
struct keywish *keywish_new(const char *directory, char *error, size_t size);
void keywish_free(struct keywish *w);

/* For guard_on_unknown_kid(); the argument is the struct keywish. */
void keywish_ask(void *arg);

#endif

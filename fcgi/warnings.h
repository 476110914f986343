/* warnings - what --check warns of: a valid configuration that may be a mistake.
 *
 * A route that nobody reaches, a name in its path that decides nothing, a topic of which one path
 * shows to each user their own records and another shows all, events without a name, a scope with a
 * blank. */
#ifndef SKF_WARNINGS_H
#define SKF_WARNINGS_H

struct config;

/* Logs a warning for each. */
void warnings_log(const struct config *config);

#endif

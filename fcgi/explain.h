/* explain - what the configuration means: --check, --explain and --check-jwks.  No broker is asked.
 */
#ifndef SKF_EXPLAIN_H
#define SKF_EXPLAIN_H

#include "config/config.h"

/* Prints each route and what it demands, and what is worth a second look.  False: the keys cannot
 * be read, and one line was logged. */
bool explain_configuration(const struct config *config);
/* Prints what a request for that URL would get, with the token of the file (NULL: the one in the
 * URL), and why.  False, and one line was logged, if that cannot be said. */
bool explain_request(const struct config *config, const char *url, const char *token_file);

/* Prints the keys of a JWKS file that can be used, and logs why others cannot.  False, and one line
 * was logged, if there is none. */
bool explain_keys(const char *file);

#endif

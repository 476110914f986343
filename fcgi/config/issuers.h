/* issuers - who signs tokens: several of them in the configuration file, or the one of the options.
 */
#ifndef SKF_CONFIG_ISSUERS_H
#define SKF_CONFIG_ISSUERS_H

#include "config/reading.h"

/* Reads the file's "issuers". */
enum config_result issuers_read(struct reading *r, const json_t *value);
/* When all was read: the one of the options, if there is one, is the only one then, and what an
 * issuer leaves open is what the options say.  A guard that is half there would be none: it is
 * refused. */
enum config_result issuers_check(struct reading *r);
void issuers_fini(struct config *config);

#endif

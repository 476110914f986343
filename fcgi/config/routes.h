/* routes - what is served where: "topics" and "routes" of the configuration file, or the one topic
 * and path of the options. */
#ifndef SKF_CONFIG_ROUTES_H
#define SKF_CONFIG_ROUTES_H

#include "config/reading.h"

enum config_result topics_read(struct reading *r, const json_t *value);
enum config_result routes_read(struct reading *r, const json_t *value);
/* When all was read, the issuers too: makes config->routes. */
enum config_result routes_check(struct reading *r);
bool topic_is_name(const char *name); /* as Kafka allows it */
/* Frees what they own. */
void routes_fini(struct config *config);

#endif

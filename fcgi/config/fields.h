/* fields - which headers of a topic's records, and which fields of their values, are made use of.
 */
#ifndef SKF_CONFIG_FIELDS_H
#define SKF_CONFIG_FIELDS_H

#include "config/config.h"
#include "topic/naming.h"

enum { FIELDS_MAX = 8, FIELD_NAME_MAX = 255 /* bytes */ };

/* Checks what the topic's `headers` and `filters` say, and sets which headers are kept.  On
 * CONFIG_ERROR one line was logged. */
enum config_result fields_check(struct config_topic *topic);

/* What the rule takes is declared: a header in either, a field in `filters`. */
bool fields_declare(const struct config_topic *topic, const struct naming *rule);

#endif

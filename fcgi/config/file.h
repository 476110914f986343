/* file - the configuration file: a JSON object of the rows' names, "issuers" (config/issuers.h),
 * "topics" and "routes" (config/routes.h), and "kafka", librdkafka's properties. */
#ifndef SKF_CONFIG_FILE_H
#define SKF_CONFIG_FILE_H

#include "config/reading.h"

/* Reads r->file; what was given on the command line stays. */
enum config_result file_read(struct reading *r);

#endif

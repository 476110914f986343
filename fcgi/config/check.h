/* check - what must be there, and what only goes together. */
#ifndef SKF_CONFIG_CHECK_H
#define SKF_CONFIG_CHECK_H

#include "config/reading.h"

/* When all was read.  Fills in what follows from other options or the environment. */
enum config_result check_config(struct reading *r);

#endif

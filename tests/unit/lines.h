/* lines - what is logged, but for debug's, as "LEVEL TEXT" and a newline each, instead of on
 * stderr. */
#ifndef SKF_UNIT_LINES_H
#define SKF_UNIT_LINES_H

#include "base/buf.h"

extern struct buf lines;

#endif

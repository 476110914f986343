/* command_line - the options, --help and --version. */
#ifndef SKF_CONFIG_COMMAND_LINE_H
#define SKF_CONFIG_COMMAND_LINE_H

#include "config/reading.h"

/* Properties of librdkafka are kept: the file is to be read first. */
enum config_result command_line_read(struct reading *r, int argc, char **argv);

#endif

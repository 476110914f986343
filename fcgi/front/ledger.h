/* ledger - the metrics of all responders of a pool: each keeps its own in a small mapped file of
 * the directory in which they meet, so that the one that is asked can answer for all.
 *
 * A lock on its file says that a responder lives: the kernel takes it away when it dies. */
#ifndef SKF_FRONT_LEDGER_H
#define SKF_FRONT_LEDGER_H

#include "front/metrics.h"

struct ledger;

enum { LEDGER_MAX = 256 }; /* responders */

/* Makes a file of our own in that directory (base/rundir.h), for metrics of as many topics and
 * routes as those have, and removes the files of the dead.  NULL, and one line in `error`, if that
 * cannot be. */
struct ledger *ledger_new(const char *directory, const struct metrics *like, char *error,
                          size_t size);
/* Removes the file. */
void ledger_free(struct ledger *l);

void ledger_write(struct ledger *l, const struct metrics *m);

/* What the living have written last, ours included; returns how many, each to be given to
 * metrics_fini().  Files of another version of the program are left out. */
size_t ledger_read(const struct ledger *l, struct metrics all[LEDGER_MAX]);

#endif

/* order - streams of one client connection stand together among those that are ready.
 *
 * A browser with several tabs, or a proxy, has many streams on one HTTP/2 connection.  If what came
 * for them is written one behind the other, the front finds it together and sends it in one TLS
 * record, with one system call. */
#ifndef SKF_STREAM_ORDER_H
#define SKF_STREAM_ORDER_H

#include <stdint.h>

struct streams;

/* Between two rounds: if streams have become ready that were not, sorts all of them; once a second
 * at most. */
void order_ready(struct streams *all, int64_t now_ms);

#endif

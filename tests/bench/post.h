/* post - records by HTTP, for systems that do not read Kafka. */
#ifndef BENCH_POST_H
#define BENCH_POST_H

#include <stddef.h>

struct post;

/* Connects to http://HOST:PORT/PATH, HOST being an address; dies if it is none. */
struct post *post_open(const char *url);

/* One request, and its answer, on the one connection; dies unless that is a 2xx. */
void post_send(struct post *p, const char *body, size_t n);

void post_close(struct post *p);

#endif

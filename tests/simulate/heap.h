/* heap - what is to be done next: a binary heap whose nodes lie in their owners. */
#ifndef SKF_SIMULATE_HEAP_H
#define SKF_SIMULATE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t at_ms;
    uint64_t order; /* among those of one moment */
    size_t place;   /* 0: in no heap */
};

struct heap {
    struct heap_node **nodes; /* from 1 on */
    size_t n, cap;
};

void heap_add(struct heap *h, struct heap_node *node);
void heap_remove(struct heap *h, struct heap_node *node); /* if it is in it */
struct heap_node *heap_first(const struct heap *h);       /* NULL: it is empty */
/* The earlier one; NULL: there is none. */
struct heap_node *heap_before(struct heap_node *a, struct heap_node *b);
void heap_fini(struct heap *h);

#endif

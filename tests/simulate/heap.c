#include "heap.h"

#include <stdlib.h>

#include "base/mem.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void put(struct heap *h, size_t place, struct heap_node *node)
{
    h->nodes[place] = node;
    node->place = place;
}

static void rise(struct heap *h, size_t place, struct heap_node *node)
{
    for (; place > 1 && before(node, h->nodes[place / 2]); place /= 2)
        put(h, place, h->nodes[place / 2]);
    put(h, place, node);
}

static void sink(struct heap *h, size_t place, struct heap_node *node)
{
    for (size_t child; (child = 2 * place) <= h->n; place = child) {
        if (child < h->n && before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], node))
            break;
        put(h, place, h->nodes[child]);
    }
    put(h, place, node);
}

void heap_add(struct heap *h, struct heap_node *node)
{
    if (h->n + 1 >= h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->nodes = mem_resize_array(h->nodes, h->cap, sizeof *h->nodes);
    }
    rise(h, ++h->n, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t place = node->place;

    if (place == 0)
        return;
    node->place = 0;
    struct heap_node *last = h->nodes[h->n--];
    if (last == node)
        return;
    if (place > 1 && before(last, h->nodes[place / 2]))
        rise(h, place, last);
    else
        sink(h, place, last);
}

struct heap_node *heap_before(struct heap_node *a, struct heap_node *b)
{
    return a == NULL || (b != NULL && before(b, a)) ? b : a;
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->n > 0 ? h->nodes[1] : NULL;
}

void heap_fini(struct heap *h)
{
    free(h->nodes);
    *h = (struct heap){0};
}

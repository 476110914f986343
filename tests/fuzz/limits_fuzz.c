/* A REMOTE_ADDR in the first line; then what three visitors do, a byte each: who, whether one comes
 * or leaves, and after how long. */
#include "front/limits.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "fuzz.h"

enum { VISITORS = 3, STREAMS = 2, OPENS = 4, MINUTE_MS = 60000 };

/* A name is an address, and its own name: whoever comes from it is counted together. */
static void check_name(const char *address)
{
    char name[LIMITS_NAME], again[LIMITS_NAME];
    struct in6_addr v6;
    struct in_addr v4;

    limits_address_name(address, name);
    limits_address_name(name, again);
    assert(strcmp(name, again) == 0);
    if (inet_pton(AF_INET6, name, &v6) == 1)
        for (int i = 8; i < 16; i++)
            assert(v6.s6_addr[i] == 0);
    else
        assert(*name == 0 || inet_pton(AF_INET, name, &v4) == 1);
}

struct client {
    struct visitor *streams[STREAMS];
    int count;
    int64_t opened_ms[OPENS]; /* the last ones, in a ring */
    int opens;
};

/* At most so many streams, and openings as if evenly spread, once those of a minute are spent. */
static void come(struct limits *l, struct client *c, struct slice name, int64_t now_ms)
{
    struct visitor *v = NULL;
    enum limit limit = limits_enter(l, name, now_ms, &v);

    assert((limit == LIMIT_NONE) == (v != NULL));
    assert((limit == LIMIT_STREAMS) == (c->count == STREAMS));
    if (c->opens < OPENS && c->count < STREAMS)
        assert(limit == LIMIT_NONE); /* the first ones are free */
    if (limit != LIMIT_NONE)
        return;
    int64_t *oldest = &c->opened_ms[c->opens % OPENS];
    if (c->opens >= OPENS) /* one more than a minute's has waited for its share of one */
        assert(now_ms - *oldest >= MINUTE_MS / OPENS);
    *oldest = now_ms;
    c->opens++;
    c->streams[c->count++] = v;
}

static void check_visits(struct slice visits)
{
    const struct limits_config config = {.streams = STREAMS, .opens = OPENS};
    struct limits *l = limits_new(&config);
    struct client clients[VISITORS] = {0};
    int64_t now_ms = 0;

    while (visits.n > 0) {
        uint8_t what = take_byte(&visits);
        uint8_t who = what % VISITORS;
        struct client *c = &clients[who];
        now_ms += what / 8 * 1000;
        if (what / VISITORS % 2 == 0)
            come(l, c, slice_of(&who, 1), now_ms);
        else if (c->count > 0)
            limits_leave(c->streams[--c->count]);
    }
    for (int i = 0; i < VISITORS; i++)
        while (clients[i].count > 0)
            limits_leave(clients[i].streams[--clients[i].count]);
    limits_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    char *address = take_string(&in, '\n');

    check_name(address);
    check_visits(in);
    free(address);
    return 0;
}

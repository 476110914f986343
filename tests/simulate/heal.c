/* The end of all steps. */
#include "steps.h"

static void heal_cluster(const struct pool *pool)
{
    for (int b = 0; b < BROKERS; b++)
        *cluster_broker(b) = (struct broker){.state = BROKER_ANSWERS};
    if (cluster_topic() == NULL)
        cluster_make_topic(&pool->story->cluster);
    for (int32_t p = 0; p < cluster_topic()->n; p++) {
        cluster_topic()->partitions[p].leader = p % BROKERS;
        cluster_end_transaction(p, true);
    }
    cluster_changed();
}

void steps_heal(struct pool *pool)
{
    heal_cluster(pool);
    for (unsigned i = 0; i < pool->story->responders; i++) {
        struct responder *r = pool->responders[i];
        if (r == NULL)
            continue;
        responder_stop(r, false);
        responder_burden(r, 0);
        responder_exhaust(r, false);
    }
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->clients[i] != NULL)
            client_calm_down(pool->clients[i]);
}

/* port - librdkafka as the consumer uses it, above the simulated cluster.
 *
 * port.c has handles, queues and messages, fetch.c what librdkafka's threads bring from the
 * leaders, ask.c the questions (metadata, offsets, settings), heard.c what a responder can know
 * from the answers.  What the program calls is declared by librdkafka's own header. */
#ifndef SKF_SIMULATE_PORT_H
#define SKF_SIMULATE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Consumers may find something new. */
void port_changed(void);

/* What the responder has been told of a partition by any answer: consumers see it up to there.
 * -1: nothing, in the topic's present life. */
int64_t port_told(unsigned responder, int32_t partition);
/* The first life of the topic that it can still have taken for the present one at that moment: by
 * then it was shown, by an answer that cannot be mistaken, that the former ones are over. */
int port_first_life(unsigned responder, int64_t at_ms);
/* The last life that there was when a broker has told it of what kind the topic is, or that there
 * is none, and it has acted on that; 0: none has. */
int port_heard_life(unsigned responder);
/* No broker has told it of what kind the topic is when it asked last: then it takes it for one that
 * is not compacted. */
bool port_assumes_policy(unsigned responder);
/* That was so once, so it may have found another kind of topic than it took it for. */
bool port_has_assumed_policy(unsigned responder);
/* It has taken the record since it was started anew, or found another topic. */
struct written;
bool port_has_read(unsigned responder, const struct written *e);
/* For how long it believes that deletes are kept, or has believed a moment ago; 0: nobody has told
 * it. */
int64_t port_retention_ms(unsigned responder);
/* When it was started. */
int64_t port_started_ms(unsigned responder);
/* It has begun to read the partition another time since then. */
bool port_read_again_since(unsigned responder, int32_t partition, int64_t since_ms);
/* Bytes of memory that its messages take. */
size_t port_heap_bytes(void);
/* It was started anew: nobody has told it anything. */
void port_forget(unsigned responder);

#endif

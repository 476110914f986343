/* survey - asks the cluster, in threads of its own, for some topics' partitions and their leaders,
 * and each leader for the first and last offsets of its partitions.
 *
 * Each leader has threads, so one that does not answer silences nobody but itself, and may take its
 * time: an answer is waited for much longer than questions are apart.  Every question is asked once
 * a second, about all topics together, and at once when survey_ask() says so; one that is not
 * answered is asked again meanwhile, every three seconds, up to three times.  Partitions that have
 * another leader than before are asked for by themselves until it has answered: librdkafka may
 * still ask the one before, which may hang.  The loop never waits for an answer. */
#ifndef SKF_KAFKA_SURVEY_H
#define SKF_KAFKA_SURVEY_H

#include "kafka/findings.h"

struct survey;
/* One of its topics; it is there as long as the survey. */
struct survey_topic;

/* The reader is asked about topics, the asker about offsets; both are borrowed.  The first
 * questions are of that ticket.  wake_fd is an eventfd to write to when there is a result. */
struct survey *survey_start(rd_kafka_t *reader, rd_kafka_t *asker, int wake_fd, uint64_t ticket);
/* From now on it is asked about that topic, too; `topic` is a handle of the reader's, borrowed. */
struct survey_topic *survey_add(struct survey *survey, rd_kafka_topic_t *topic);
/* Leaders are not asked about it any more. */
void survey_drop(struct survey_topic *topic);
/* Nothing is asked any more and wake_fd is left alone.  When the last question under way has ended,
 * gone(arg) is called, by a thread of the survey's if there was a topic; it may give back what was
 * borrowed; the survey is no more by then. */
void survey_stop(struct survey *survey, void (*gone)(void *arg), void *arg);

/* When to ask again after an answer: a link that is slow is not asked all the time.  But what took
 * minutes may have been us: a process that is stopped finds its clock far ahead. */
int64_t survey_due_ms(int64_t began_ms, int64_t now_ms);

/* Asks for answers to questions that begin after this call; returns their ticket. */
uint64_t survey_ask(struct survey *survey);

/* Likewise, with a ticket that is higher than that one, which another survey gave. */
uint64_t survey_ask_beyond(struct survey *survey, uint64_t ticket);

/* Takes what is known now of the topic; false if nothing has come since the last time.
 * survey_result_fini() it. */
bool survey_take(struct survey_topic *topic, struct survey_result *out);

#endif

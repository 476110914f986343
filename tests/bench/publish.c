/* publish - writes numbered records, each stamped with its time, to a topic, or posts them by HTTP:
 *
 *   key k17, value {"seq":17,"at":1700000000000000000,"pad":"......"} */
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "post.h"
#include "tool.h"

enum { VALUE_MIN = 80, VALUE_MAX = 900000, FLUSH_MS = 60000, FULL_WAIT_MS = 10 };

struct job {
    const char *brokers, *topic; /* or: */
    const char *url;
    int64_t count, keys, rate;
    size_t size;
};

static void usage(void)
{
    puts("usage: publish -b HOST:PORT -t TOPIC [-n COUNT] [-k KEYS] [-r RATE] [-s BYTES]\n"
         "       publish -u http://ADDRESS:PORT/PATH [-n COUNT] [-r RATE] [-s BYTES]\n"
         "  -n  records (1)\n"
         "  -k  different keys, taken in turn (as many as records)\n"
         "  -r  records a second (0: as fast as it goes)\n"
         "  -s  bytes of a value (200)");
}

static struct job read_options(int argc, char **argv)
{
    struct job job = {.count = 1, .size = 200};
    int option;

    while ((option = getopt(argc, argv, "b:t:u:n:k:r:s:h")) != -1) {
        switch (option) {
        case 'b':
            job.brokers = optarg;
            break;
        case 't':
            job.topic = optarg;
            break;
        case 'u':
            job.url = optarg;
            break;
        case 'n':
            job.count = number("-n", optarg, 1, INT64_MAX);
            break;
        case 'k':
            job.keys = number("-k", optarg, 1, INT64_MAX);
            break;
        case 'r':
            job.rate = number("-r", optarg, 0, 10000000);
            break;
        case 's':
            job.size = (size_t)number("-s", optarg, VALUE_MIN, VALUE_MAX);
            break;
        case 'h':
            usage();
            exit(0);
        default:
            exit(2);
        }
    }
    bool to_kafka = job.brokers != NULL && job.topic != NULL;
    if (to_kafka == (job.url != NULL) || optind < argc) {
        usage();
        exit(2);
    }
    if (job.keys == 0)
        job.keys = job.count;
    return job;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *arg)
{
    (void)kafka;
    (void)arg;
    if (message->err)
        die("record not delivered: %s", rd_kafka_err2str(message->err));
}

static rd_kafka_t *new_producer(const struct job *job)
{
    /* At a rate each record goes at once, for its time counts; without one they go in batches. */
    const char *const settings[][2] = {
        {"bootstrap.servers", job->brokers},
        {"linger.ms", job->rate > 0 ? "0" : "5"},
        {"queue.buffering.max.messages", "1000000"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], error, sizeof error) !=
            RD_KAFKA_CONF_OK)
            die("%s", error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (kafka == NULL)
        die("%s", error);
    return kafka;
}

/* Absolute times, so that no delay adds up. */
static void wait_for_turn(const struct job *job, int64_t began_ns, int64_t seq)
{
    if (job->rate == 0)
        return;
    int64_t due = began_ns + seq * 1000000000 / job->rate;
    struct timespec at = {due / 1000000000, due % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void fill_value(char *value, size_t size, int64_t seq)
{
    static const char pad[] = ",\"pad\":\"";
    size_t n = stamp_write(value, (struct stamp){seq, wall_ns()});

    memcpy(value + n, pad, sizeof pad - 1);
    n += sizeof pad - 1;
    memset(value + n, 'x', size - n - 2);
    memcpy(value + size - 2, "\"}", 2);
}

static void produce(rd_kafka_t *kafka, const struct job *job, const char *value, int64_t seq)
{
    char key[32];
    int key_len = snprintf(key, sizeof key, "k%lld", (long long)(seq % job->keys));
    rd_kafka_resp_err_t err;

    while ((err = rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(job->topic),
                                    RD_KAFKA_V_KEY(key, (size_t)key_len),
                                    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, job->size),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(kafka, FULL_WAIT_MS);
    if (err)
        die("%s", rd_kafka_err2str(err));
    rd_kafka_poll(kafka, 0);
}

static void publish(const struct job *job, rd_kafka_t *kafka, struct post *post)
{
    char *value = allocate(job->size, 1);
    int64_t began_ns = steady_ns();

    for (int64_t seq = 0; seq < job->count; seq++) {
        wait_for_turn(job, began_ns, seq);
        fill_value(value, job->size, seq);
        if (post != NULL)
            post_send(post, value, job->size);
        else
            produce(kafka, job, value, seq);
    }
    free(value);
}

int main(int argc, char **argv)
{
    struct job job = read_options(argc, argv);

    if (job.url != NULL) {
        struct post *post = post_open(job.url);
        publish(&job, NULL, post);
        post_close(post);
        return 0;
    }
    rd_kafka_t *kafka = new_producer(&job);
    publish(&job, kafka, NULL);
    if (rd_kafka_flush(kafka, FLUSH_MS))
        die("records not delivered within %d s", FLUSH_MS / 1000);
    rd_kafka_destroy(kafka);
}

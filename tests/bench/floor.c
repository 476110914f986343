/* floor - the least a program can do to fan a topic out over HTTP: one write of a socket for each
 * stream and batch, no front, no cache, no patience (a stream that does not read stops all).  What
 * others cost is told in multiples of it. */
#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum { BATCH = 1000, EVENT_MAX = 1 << 20, REQUEST_MAX = 32 * 1024, STREAMS_MAX = 65536 };

static int streams[STREAMS_MAX];
static size_t stream_count;

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return; /* its client has gone: the measurement is over */
        p += sent > 0 ? sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
    }
}

static void open_stream(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-cache\r\nConnection: close\r\n\r\n";
    char request[REQUEST_MAX];
    size_t n = 0;

    while (memmem(request, n, "\r\n\r\n", 4) == NULL) {
        ssize_t got = recv(fd, request + n, sizeof request - n, 0);
        if (got <= 0) {
            close(fd);
            return;
        }
        n += (size_t)got;
    }
    write_all(fd, head, sizeof head - 1);
    if (stream_count == STREAMS_MAX)
        die("more than %d streams", STREAMS_MAX);
    streams[stream_count++] = fd;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0)
        die("port %d: %s", port, strerror(errno));
    return fd;
}

static rd_kafka_queue_t *consume(const char *brokers, const char *topic, int wake)
{
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];

    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error) !=
        RD_KAFKA_CONF_OK)
        die("%s", error);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (kafka == NULL)
        die("%s", error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_queue_io_event_enable(queue, wake, &one, sizeof one);
    if (rd_kafka_consume_start_queue(rd_kafka_topic_new(kafka, topic, NULL), 0,
                                     RD_KAFKA_OFFSET_BEGINNING, queue) != 0)
        die("topic %s: %s", topic, rd_kafka_err2str(rd_kafka_last_error()));
    return queue;
}

static size_t add_event(char *out, size_t room, const rd_kafka_message_t *m)
{
    int n = 0;

    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        n = snprintf(out, room, "id:%lld\ndata:%.*s\n\n", (long long)m->offset, (int)m->len,
                     (const char *)m->payload);
    return (size_t)n < room ? (size_t)n : 0;
}

/* Everything that has come, to everybody, in one write each. */
static void fan_out(rd_kafka_queue_t *queue)
{
    static char events[EVENT_MAX];
    static rd_kafka_message_t *batch[BATCH];
    ssize_t got = rd_kafka_consume_batch_queue(queue, 0, batch, BATCH);
    size_t n = 0;

    for (ssize_t i = 0; i < got; i++) {
        n += add_event(events + n, sizeof events - n, batch[i]);
        rd_kafka_message_destroy(batch[i]);
    }
    for (size_t i = 0; i < stream_count && n > 0; i++)
        write_all(streams[i], events, n);
    if (got == BATCH)
        fan_out(queue);
}

int main(int argc, char **argv)
{
    const char *brokers = NULL, *topic = NULL;
    uint16_t port = 0;
    int option;

    while ((option = getopt(argc, argv, "b:t:p:")) != -1) {
        if (option == 'b')
            brokers = optarg;
        else if (option == 't')
            topic = optarg;
        else if (option == 'p')
            port = (uint16_t)number("-p", optarg, 1, UINT16_MAX);
        else
            exit(2);
    }
    if (brokers == NULL || topic == NULL || port == 0)
        die("usage: floor -b HOST:PORT -t TOPIC -p PORT");
    int wake = eventfd(0, EFD_NONBLOCK);
    struct pollfd wait[] = {{.fd = listen_on(port), .events = POLLIN},
                            {.fd = wake, .events = POLLIN}};
    rd_kafka_queue_t *queue = consume(brokers, topic, wake);
    for (;;) {
        uint64_t woken;
        int fd;
        poll(wait, 2, -1);
        while ((fd = accept(wait[0].fd, NULL, NULL)) >= 0)
            open_stream(fd);
        if (wait[1].revents && read(wake, &woken, sizeof woken) > 0)
            fan_out(queue);
    }
}

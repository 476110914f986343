/* sse-load - opens N event streams over HTTP/1.1 from one loop and reports what comes: how late by
 * the stamps that publish puts into the values, what is missing, what comes twice.
 *
 * Says two lines of JSON: the first when all streams have been answered, the second at the end. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"
#include "response.h"
#include "tool.h"

enum {
    READ_BYTES = 256 * 1024,
    REQUEST_MAX = 32 * 1024,
    DESCRIPTORS_ELSEWHERE = 32,
    US = 1000, /* nanoseconds */
};

struct options {
    struct sockaddr_storage address;
    int address_len;
    const char *host;
    char **paths;
    size_t path_count;
    char *header; /* lines with their ends */
    int64_t streams, expect, timeout_s, opening;
};

struct stream {
    struct load *load;
    struct event *event;
    const char *path;
    struct response response;
    bool complete;
    int64_t events;
    int64_t last_seq;
};

struct load {
    const struct options *options;
    struct event_base *base;
    struct stream *streams;
    int64_t opened;        /* begun so far; the others follow as answers come */
    int64_t answered;      /* with status 200 */
    int64_t refused, lost; /* not answered so; ended before they were complete */
    int64_t complete;
    int64_t events, gaps, repeats, bytes;
    int64_t began_ns, ready_ns, first_ns, last_ns;
    struct histogram late_us;
    int64_t now_ns; /* of the read under way */
};

/* -- what comes -- */

static bool over(const struct load *l)
{
    return l->options->expect > 0 && l->complete + l->refused + l->lost == l->options->streams;
}

static void end_if_over(struct load *l)
{
    if (over(l))
        event_base_loopbreak(l->base);
}

/* In a topic of one partition the numbers rise by one. */
static void check_order(struct stream *s, int64_t seq)
{
    if (s->events > 0 && seq <= s->last_seq) {
        s->load->repeats++;
        return;
    }
    if (s->events > 0)
        s->load->gaps += seq - s->last_seq - 1;
    s->last_seq = seq;
}

static void on_line(void *arg, const char *line, size_t n)
{
    static const char data[] = "data:";
    size_t skip = sizeof data - 1;
    struct stream *s = arg;
    struct load *l = s->load;
    struct stamp stamp;

    if (n <= skip || memcmp(line, data, skip) != 0)
        return;
    skip += line[skip] == ' ';
    if (!stamp_read(line + skip, n - skip, &stamp))
        return;
    check_order(s, stamp.seq);
    s->events++;
    l->events++;
    histogram_add(&l->late_us, (l->now_ns - stamp.at_ns) / US);
    if (l->first_ns == 0)
        l->first_ns = l->now_ns;
    l->last_ns = l->now_ns;
    if (s->events == l->options->expect) {
        s->complete = true;
        l->complete++;
    }
}

/* -- streams -- */

static void open_more(struct load *l);

static void print_ready(struct load *l)
{
    l->ready_ns = wall_ns();
    printf("{\"answered\": %lld, \"seconds\": %.3f}\n", (long long)l->answered,
           (double)(l->ready_ns - l->began_ns) / 1e9);
    fflush(stdout);
}

/* A stream has had its answer, or will have none: the next ones may be opened. */
static void on_answered(struct load *l)
{
    open_more(l);
    if (l->answered + l->refused == l->options->streams && l->ready_ns == 0)
        print_ready(l);
}

static void stream_close(struct stream *s)
{
    evutil_socket_t fd = event_get_fd(s->event);

    event_free(s->event);
    s->event = NULL;
    close(fd);
}

static void stream_lost(struct stream *s)
{
    struct load *l = s->load;

    stream_close(s);
    if (!response_begun(&s->response) || s->response.status != 200) {
        l->refused++;
        on_answered(l);
    } else if (!s->complete) {
        l->lost++;
    }
    end_if_over(l);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    static char bytes[READ_BYTES];
    struct stream *s = arg;
    struct load *l = s->load;
    bool had_begun = response_begun(&s->response);

    (void)what;
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    l->now_ns = wall_ns();
    if (n <= 0 || !response_take(&s->response, bytes, (size_t)n, on_line, s)) {
        stream_lost(s);
        return;
    }
    l->bytes += n;
    if (!had_begun && response_begun(&s->response)) {
        if (s->response.status != 200) {
            stream_lost(s);
            return;
        }
        l->answered++;
        on_answered(l);
    }
    if (s->response.part == RESPONSE_DONE)
        stream_lost(s);
    else
        end_if_over(l);
}

static bool send_request(const struct stream *s, evutil_socket_t fd)
{
    static char request[REQUEST_MAX];
    const struct options *o = s->load->options;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", s->path,
                     o->host, o->header);

    if (n >= (int)sizeof request)
        die("the request for %s is too long", s->path);
    return send(fd, request, (size_t)n, MSG_NOSIGNAL) == n;
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)what;
    if (!send_request(s, fd)) {
        stream_lost(s);
        return;
    }
    event_del(s->event);
    event_assign(s->event, s->load->base, fd, EV_READ | EV_PERSIST, on_readable, s);
    event_add(s->event, NULL);
}

static void stream_open(struct stream *s, struct load *l, const char *path)
{
    const struct options *o = l->options;
    int fd = socket(o->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&o->address, (socklen_t)o->address_len) < 0 &&
        errno != EINPROGRESS)
        die("connect to %s: %s", o->host, strerror(errno));
    s->load = l;
    s->path = path;
    s->event = event_new(l->base, fd, EV_WRITE, on_connected, s);
    event_add(s->event, NULL);
}

/* Not all at once: the front's backlog is not what is measured. */
static void open_more(struct load *l)
{
    const struct options *o = l->options;

    while (l->opened < o->streams && l->opened - l->answered - l->refused < o->opening) {
        size_t n = (size_t)l->opened++;
        stream_open(&l->streams[n], l, o->paths[n % o->path_count]);
    }
}

/* -- the report -- */

static double seconds(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / 1e9;
}

static double late_ms(const struct load *l, double share)
{
    return (double)histogram_quantile(&l->late_us, share) / 1000;
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_report(const struct load *l)
{
    json_t *report = json_pack("{sI sI sI sI sI sI sI sI sI sf sf sf sf sf sf sf}",              //
                               "streams", (json_int_t)l->options->streams,                       //
                               "answered", (json_int_t)l->answered,                              //
                               "refused", (json_int_t)l->refused,                                //
                               "lost", (json_int_t)l->lost,                                      //
                               "complete", (json_int_t)l->complete,                              //
                               "events", (json_int_t)l->events,                                  //
                               "gaps", (json_int_t)l->gaps,                                      //
                               "repeats", (json_int_t)l->repeats,                                //
                               "bytes", (json_int_t)l->bytes,                                    //
                               "open_s", l->ready_ns ? seconds(l->began_ns, l->ready_ns) : -1.0, //
                               "span_s", seconds(l->first_ns, l->last_ns),                       //
                               "p50_ms", late_ms(l, 0.5),                                        //
                               "p99_ms", late_ms(l, 0.99),                                       //
                               "p999_ms", late_ms(l, 0.999),                                     //
                               "max_ms", (double)l->late_us.max / 1000,                          //
                               "client_cpu_s", cpu_seconds());

    json_dumpf(report, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(report);
}

/* -- options -- */

static void usage(void)
{
    puts("usage: sse-load [OPTION...] ADDRESS:PORT\n"
         "  -n  streams (1)\n"
         "  -e  events with a stamp that each stream gets before it is complete (0: no end)\n"
         "  -t  ends after so many seconds, whatever came (60); SIGTERM ends it, too\n"
         "  -p  path (/events); given several times, the streams take them in turn\n"
         "  -f  a file with a path on each line, as -p\n"
         "  -H  a line for the head of each request, for instance 'Last-Event-ID: AQIAAg=='\n"
         "  -o  streams that may be opening at the same time (256)");
}

static void add_path(struct options *o, const char *path)
{
    if (path[0] != '/')
        die("a path begins with /: %s", path);
    o->paths = realloc(o->paths, (o->path_count + 1) * sizeof *o->paths);
    char *copy = strdup(path);
    if (o->paths == NULL || copy == NULL)
        die("out of memory");
    o->paths[o->path_count++] = copy;
}

static void add_paths_of(struct options *o, const char *name)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t size = 0;

    if (file == NULL)
        die("%s: %s", name, strerror(errno));
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        add_path(o, line);
    }
    free(line);
    fclose(file);
}

static void add_header(struct options *o, const char *line)
{
    char *header;

    if (asprintf(&header, "%s%s\r\n", o->header, line) < 0)
        die("out of memory");
    free(o->header);
    o->header = header;
}

static void read_address(struct options *o, const char *text)
{
    o->host = text;
    o->address_len = sizeof o->address;
    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&o->address, &o->address_len) < 0)
        die("not an address and port: %s", text);
}

static struct options read_options(int argc, char **argv)
{
    struct options o = {.streams = 1, .timeout_s = 60, .opening = 256, .header = strdup("")};
    int option;

    while ((option = getopt(argc, argv, "n:e:t:p:f:H:o:h")) != -1) {
        switch (option) {
        case 'n':
            o.streams = number("-n", optarg, 1, 1000000);
            break;
        case 'e':
            o.expect = number("-e", optarg, 0, INT64_MAX);
            break;
        case 't':
            o.timeout_s = number("-t", optarg, 1, 1000000);
            break;
        case 'p':
            add_path(&o, optarg);
            break;
        case 'f':
            add_paths_of(&o, optarg);
            break;
        case 'H':
            add_header(&o, optarg);
            break;
        case 'o':
            o.opening = number("-o", optarg, 1, 1000000);
            break;
        case 'h':
            usage();
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind != argc - 1) {
        usage();
        exit(2);
    }
    read_address(&o, argv[optind]);
    if (o.path_count == 0)
        add_path(&o, "/events");
    return o;
}

static void options_fini(struct options *o)
{
    for (size_t i = 0; i < o->path_count; i++)
        free(o->paths[i]);
    free(o->paths);
    free(o->header);
}

static void raise_descriptor_limit(int64_t streams)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if ((rlim_t)streams + DESCRIPTORS_ELSEWHERE > limit.rlim_max)
        die("%lld streams, but no more than %llu descriptors (ulimit -Hn)", (long long)streams,
            (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* -- the whole -- */

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;

    (void)fd;
    (void)what;
    event_base_loopbreak(l->base);
}

static void run(struct load *l)
{
    struct timeval timeout = {.tv_sec = l->options->timeout_s};
    struct event *ends[] = {
        evsignal_new(l->base, SIGTERM, on_end, l),
        evsignal_new(l->base, SIGINT, on_end, l),
        evtimer_new(l->base, on_end, l),
    };
    const size_t n = sizeof ends / sizeof ends[0];

    for (size_t i = 0; i < n; i++)
        event_add(ends[i], i == n - 1 ? &timeout : NULL);
    l->began_ns = wall_ns();
    open_more(l);
    event_base_dispatch(l->base);
    for (size_t i = 0; i < n; i++)
        event_free(ends[i]);
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    raise_descriptor_limit(options.streams);
    struct load load = {
        .options = &options,
        .base = event_base_new(),
        .streams = allocate((size_t)options.streams, sizeof *load.streams),
    };
    if (load.base == NULL)
        die("no event loop");

    run(&load);
    print_report(&load);

    for (int64_t i = 0; i < options.streams; i++)
        if (load.streams[i].event != NULL)
            stream_close(&load.streams[i]);
    event_base_free(load.base);
    free(load.streams);
    options_fini(&options);
}

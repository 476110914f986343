/* sse-load - opens N event streams from one loop and reports what comes: how late by the stamps
 * that publish puts into the values, what is missing, what comes twice.  Over plain HTTP/1.1, or as
 * browsers do, over TLS.
 *
 * Says two lines of JSON: the first when all streams have been answered, the second at the end. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <jansson.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "connection.h"
#include "histogram.h"
#include "tool.h"

enum {
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
    int64_t streams, expect, timeout_s, opening, step;
    int64_t per_connection; /* HTTP/2; 0: HTTP/1.1 */
    bool tls, in_turn;
};

struct stream {
    struct load *load;
    struct http2_stream asked;
    bool answered, complete, over;
    int64_t events;
    int64_t last_seq;
};

/* With its streams, which lie one behind the other. */
struct client {
    struct load *load;
    struct connection *connection;
    struct stream *streams;
    int64_t count, asked;
};

struct load {
    const struct options *options;
    struct server server;
    struct stream *streams;
    struct client *clients;
    int64_t client_count;
    int64_t opened;        /* clients that were begun; the others follow as answers come */
    int64_t round;         /* so many streams each client may ask for by now */
    int64_t asked;         /* streams, also those whose connection is not there yet */
    int64_t answered;      /* with status 200 */
    int64_t refused, lost; /* not answered so; ended before they were complete */
    int64_t complete;
    int64_t events, gaps, repeats;
    int64_t began_ns, ready_ns, first_ns, last_ns;
    int64_t records_ready; /* of TLS, when all were answered */
    char tls[64];          /* version and cipher */
    struct histogram late_us;
};

/* -- what comes -- */

static bool over(const struct load *l)
{
    return l->options->expect > 0 && l->complete + l->refused + l->lost == l->options->streams;
}

static void end_if_over(struct load *l)
{
    if (over(l))
        event_base_loopbreak(l->server.base);
}

/* In a topic of one partition the numbers rise by one; those of a key by as many as there are keys.
 */
static void check_order(struct stream *s, int64_t seq)
{
    if (s->events > 0 && seq <= s->last_seq) {
        s->load->repeats++;
        return;
    }
    if (s->events > 0)
        s->load->gaps += (seq - s->last_seq - 1) / s->load->options->step;
    s->last_seq = seq;
}

static void take_line(void *arg, const char *line, size_t n)
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
    histogram_add(&l->late_us, (l->server.traffic.now_ns - stamp.at_ns) / US);
    if (l->first_ns == 0)
        l->first_ns = l->server.traffic.now_ns;
    l->last_ns = l->server.traffic.now_ns;
    if (s->events == l->options->expect) {
        s->complete = true;
        l->complete++;
        end_if_over(l);
    }
}

/* -- streams -- */

static void open_more(struct load *l);

static void print_ready(struct load *l)
{
    l->ready_ns = wall_ns();
    l->records_ready = l->server.traffic.records;
    printf("{\"answered\": %lld, \"seconds\": %.3f}\n", (long long)l->answered,
           (double)(l->ready_ns - l->began_ns) / 1e9);
    fflush(stdout);
}

static void client_ask(struct client *c)
{
    const struct options *o = c->load->options;
    struct stream *s = &c->streams[c->asked++];
    size_t n = (size_t)(s - c->load->streams);

    s->asked.arg = s;
    connection_ask(c->connection, o->paths[n % o->path_count], &s->asked);
}

/* All at once, or in turn one of each connection: what is open then stands in another order. */
static void client_ask_all(struct client *c)
{
    while (c->asked < c->count && c->asked < c->load->round && !c->streams[c->asked].over)
        client_ask(c);
}

static void next_round(struct load *l)
{
    l->round++;
    for (int64_t i = 0; i < l->client_count; i++)
        if (l->clients[i].count >= l->round)
            l->asked++;
    for (int64_t i = 0; i < l->client_count; i++)
        if (l->clients[i].connection != NULL)
            client_ask_all(&l->clients[i]);
}

/* A stream has had its answer, or will have none: the next ones may be opened. */
static void on_answered(struct load *l)
{
    int64_t answered = l->answered + l->refused;

    open_more(l);
    if (answered == l->options->streams && l->ready_ns == 0)
        print_ready(l);
    else if (answered >= l->asked && l->opened == l->client_count)
        next_round(l);
}

static void on_status(void *arg, int status)
{
    struct stream *s = arg;
    struct load *l = s->load;

    s->answered = true;
    s->over = status != 200;
    if (s->over)
        l->refused++;
    else
        l->answered++;
    on_answered(l);
    end_if_over(l);
}

static void on_end(void *arg)
{
    struct stream *s = arg;

    if (!s->answered)
        on_status(s, 0);
    else if (!s->over && !s->complete)
        s->load->lost++;
    s->over = true;
    end_if_over(s->load);
}

/* -- connections -- */

static void on_open(void *arg)
{
    struct client *c = arg;
    struct load *l = c->load;

    if (l->options->tls && l->tls[0] == 0)
        snprintf(l->tls, sizeof l->tls, "%s %s", connection_version(c->connection),
                 connection_cipher(c->connection));
    client_ask_all(c);
}

static void on_close(void *arg)
{
    struct client *c = arg;

    for (int64_t i = 0; i < c->count; i++)
        if (!c->streams[i].over)
            on_end(&c->streams[i]);
}

/* Not all at once: the front's backlog is not what is measured. */
static void open_more(struct load *l)
{
    const struct options *o = l->options;

    while (l->opened < l->client_count && l->asked - l->answered - l->refused < o->opening) {
        struct client *c = &l->clients[l->opened++];
        l->asked += c->count < l->round ? c->count : l->round;
        c->connection = connection_open(&l->server, c);
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
    const struct traffic *t = &l->server.traffic;
    json_t *report = json_pack("{sI sI sI sI sI sI sI sI sI sI sI sI sf sf sf sf sf sf sf ss}",  //
                               "streams", (json_int_t)l->options->streams,                       //
                               "connections", (json_int_t)l->client_count,                       //
                               "answered", (json_int_t)l->answered,                              //
                               "refused", (json_int_t)l->refused,                                //
                               "lost", (json_int_t)l->lost,                                      //
                               "complete", (json_int_t)l->complete,                              //
                               "events", (json_int_t)l->events,                                  //
                               "gaps", (json_int_t)l->gaps,                                      //
                               "repeats", (json_int_t)l->repeats,                                //
                               "bytes", (json_int_t)t->bytes,                                    //
                               "wire", (json_int_t)t->wire,                                      //
                               "records", (json_int_t)(t->records - l->records_ready),           //
                               "open_s", l->ready_ns ? seconds(l->began_ns, l->ready_ns) : -1.0, //
                               "span_s", seconds(l->first_ns, l->last_ns),                       //
                               "p50_ms", late_ms(l, 0.5),                                        //
                               "p99_ms", late_ms(l, 0.99),                                       //
                               "p999_ms", late_ms(l, 0.999),                                     //
                               "max_ms", (double)l->late_us.max / 1000,                          //
                               "client_cpu_s", cpu_seconds(),                                    //
                               "tls", l->tls);

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
         "  -s  by so much the numbers rise on a stream (1)\n"
         "  -t  ends after so many seconds, whatever came (60); SIGTERM ends it, too\n"
         "  -p  path (/events); given several times, the streams take them in turn\n"
         "  -f  a file with a path on each line, as -p\n"
         "  -H  a line for the head of each request, for instance 'Last-Event-ID: AQIAAg=='\n"
         "  -o  streams that may be opening at the same time (256)\n"
         "  -T  over TLS\n"
         "  -k  over HTTP/2, which wants TLS, so many streams on each connection\n"
         "  -i  then not all streams of a connection together, but in turn one of each connection");
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
    struct options o = {
        .streams = 1, .timeout_s = 60, .opening = 256, .step = 1, .header = strdup("")};
    int option;

    while ((option = getopt(argc, argv, "n:e:s:t:p:f:H:o:Tk:ih")) != -1) {
        switch (option) {
        case 'n':
            o.streams = number("-n", optarg, 1, 1000000);
            break;
        case 'e':
            o.expect = number("-e", optarg, 0, INT64_MAX);
            break;
        case 's':
            o.step = number("-s", optarg, 1, INT64_MAX);
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
        case 'T':
            o.tls = true;
            break;
        case 'k':
            o.per_connection = number("-k", optarg, 1, 1000);
            o.tls = true;
            break;
        case 'i':
            o.in_turn = true;
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

static void raise_descriptor_limit(int64_t connections)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if ((rlim_t)connections + DESCRIPTORS_ELSEWHERE > limit.rlim_max)
        die("%lld connections, but no more than %llu descriptors (ulimit -Hn)",
            (long long)connections, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* -- the whole -- */

static void load_init(struct load *l, const struct options *o)
{
    int64_t per = o->per_connection > 0 ? o->per_connection : 1;

    *l = (struct load){
        .options = o,
        .server = {.base = event_base_new(),
                   .address = o->address,
                   .address_len = o->address_len,
                   .host = o->host,
                   .header = o->header,
                   .tls = o->tls ? connection_tls(o->per_connection > 0) : NULL,
                   .http2 = o->per_connection > 0,
                   .handler = {on_open, on_close, {on_status, take_line, on_end}}},
        .client_count = (o->streams + per - 1) / per,
        .round = o->in_turn ? 1 : per,
        .streams = allocate((size_t)o->streams, sizeof *l->streams),
    };
    if (l->server.base == NULL)
        die("no event loop");
    l->clients = allocate((size_t)l->client_count, sizeof *l->clients);
    for (int64_t i = 0; i < o->streams; i++)
        l->streams[i].load = l;
    for (int64_t i = 0; i < l->client_count; i++) {
        int64_t left = o->streams - i * per;
        l->clients[i] = (struct client){
            .load = l, .streams = &l->streams[i * per], .count = left < per ? left : per};
    }
}

static void load_fini(struct load *l)
{
    for (int64_t i = 0; i < l->client_count; i++)
        connection_free(l->clients[i].connection);
    SSL_CTX_free(l->server.tls);
    event_base_free(l->server.base);
    free(l->clients);
    free(l->streams);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;

    (void)fd;
    (void)what;
    event_base_loopbreak(l->server.base);
}

static void run(struct load *l)
{
    struct event_base *base = l->server.base;
    struct timeval timeout = {.tv_sec = l->options->timeout_s};
    struct event *ends[] = {
        evsignal_new(base, SIGTERM, on_stop, l),
        evsignal_new(base, SIGINT, on_stop, l),
        evtimer_new(base, on_stop, l),
    };
    const size_t n = sizeof ends / sizeof ends[0];

    for (size_t i = 0; i < n; i++)
        event_add(ends[i], i == n - 1 ? &timeout : NULL);
    l->began_ns = wall_ns();
    open_more(l);
    event_base_dispatch(base);
    for (size_t i = 0; i < n; i++)
        event_free(ends[i]);
}

int main(int argc, char **argv)
{
    static struct load load;
    struct options options = read_options(argc, argv);
    int64_t per = options.per_connection > 0 ? options.per_connection : 1;

    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit((options.streams + per - 1) / per);
    load_init(&load, &options);
    run(&load);
    print_report(&load);
    load_fini(&load);
    options_fini(&options);
}

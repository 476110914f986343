#include "reader_setup.h"

#include <stdlib.h>

enum { READERS = 128 };

struct source source;
int due, unwanted;
static struct catchup catchup;
static struct chunk chunk;
static struct reader readers[READERS];
static size_t reader_count;

static void on_drop(void *arg, struct source *from, struct block *block)
{
    (void)arg, (void)from;
    for (size_t i = 0; i < reader_count; i++)
        reader_drop(&readers[i], &source, block);
}

static void on_due(void *arg, struct reader *r)
{
    (void)arg, (void)r;
    due++;
}

int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < reader_count; i++)
        reader_fini(&readers[i], &source);
    reader_count = 0;
    if (source.cache != NULL) {
        source_fini(&source);
        cache_free(source.cache);
    }
    chunk_fini(&chunk);
    chunk = (struct chunk){0};
    catchup_fini(&catchup);
    source = (struct source){0};
    return 0;
}

void make(bool compacted, int32_t partitions, size_t max_bytes)
{
    static const struct source_owner owner = {on_drop, on_due, NULL};

    teardown(NULL);
    const struct source_config config = {.cache = cache_new(max_bytes),
                                         .catchup = &catchup,
                                         .chunk = &chunk,
                                         .backlog_bytes = BACKLOG_BYTES};

    due = unwanted = 0;
    source_init(&source, &config, &owner);
    cache_reset(source.cache, compacted, RETENTION_MS);
    cache_set_partitions(source.cache, partitions);
    for (int32_t i = 0; i < partitions; i++)
        cache_set_origin(source.cache, i, 0);
    source_restart_backlog(&source);
}

void publish(uint64_t number, const struct record *r)
{
    bool shown = catchup.hidden == 0 || catchup_pass(&catchup, r->partition, record_next(r));

    unwanted += shown && source_publish(&source, number, r) == 0;
}

uint64_t append(int32_t partition, const char *key, const char *value)
{
    const struct record r = {.partition = partition,
                             .offset = cache_progress(source.cache)->next[partition],
                             .key = slice_str(key),
                             .value = slice_str(value)};
    uint64_t number = cache_append(source.cache, &r, 0, 0);

    publish(number, &r);
    return number;
}

void append_kilobyte(const char *key)
{
    char value[1025];

    memset(value, 'v', 1024);
    value[1024] = 0;
    append(0, key, value);
}

static void tidy(int64_t now_ms)
{
    uint64_t number = cache_end(source.cache);
    struct record r;

    while (cache_tidy(source.cache, now_ms))
        ;
    struct cache_walk aged = cache_walk(source.cache, number, cache_end(source.cache));
    while (cache_walk_next(&aged, &r, &number))
        publish(number, &r);
}

void set_origin(int32_t partition, int64_t origin)
{
    cache_ended(source.cache, partition, 0);
    cache_set_origin(source.cache, partition, origin);
    tidy(0);
}

void forget_deletes(void)
{
    tidy(RETENTION_MS);
}

struct reader *wait_keys(uint16_t request_id, const char *id, const char *keys)
{
    struct reader *r = &readers[reader_count++];
    struct selection *s = select_keys(keys);

    assert_in_range(reader_count, 1, READERS);
    reader_init(r, request_id, slice_str(id), s);
    selection_unref(s);
    return r;
}

struct reader *begin_keys(uint16_t request_id, const char *id, const char *keys)
{
    struct reader *r = wait_keys(request_id, id, keys);

    reader_begin(r, &source, NULL);
    return r;
}

struct reader *begin(uint16_t request_id, const char *id)
{
    return begin_keys(request_id, id, NULL);
}

struct reader *fresh(void)
{
    return begin(1, NULL);
}

struct reader *resumed(int64_t next0, int64_t next1)
{
    int64_t next[] = {next0, next1};
    const struct progress from = {cache_progress(source.cache)->n, next};
    struct buf id = {0};

    progress_add(&id, &from);
    buf_add_byte(&id, 0);
    struct reader *r = begin(1, (const char *)id.p);
    buf_fini(&id);
    return r;
}

bool pull(struct reader *r, size_t room, struct buf *bytes)
{
    struct iovec iov[3];
    size_t sent = 0;
    int n = reader_next(r, &source, iov, 3);

    for (int i = 0; i < n && sent < room; i++) {
        size_t some = iov[i].iov_len < room - sent ? iov[i].iov_len : room - sent;
        buf_add(bytes, iov[i].iov_base, some);
        sent += some;
    }
    if (n > 0)
        reader_sent(r, &source, sent);
    return n > 0 || r->more;
}

void pull_all(struct reader *r, struct buf *bytes)
{
    while (pull(r, SIZE_MAX, bytes))
        ;
}

void skip_all(struct reader *r)
{
    struct buf bytes = {0};

    pull_all(r, &bytes);
    buf_fini(&bytes);
}

static struct output pull_output(struct reader *r)
{
    struct buf bytes = {0};
    struct output out = {0};

    pull_all(r, &bytes);
    output_read(&out, buf_slice(&bytes));
    assert_int_equal(out.rest, 0);
    buf_fini(&bytes);
    return out;
}

void check_text(struct reader *r, const char *expected)
{
    struct output out = pull_output(r);

    assert_text(buf_slice(&out.text), expected);
    output_fini(&out);
}

void check_events(struct reader *r, const char *expected)
{
    struct output out = pull_output(r);
    struct buf text = {0};

    buf_add_byte(&out.text, 0);
    for (char *line = strtok((char *)out.text.p, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "id:", 3) == 0)
            buf_add_str(&text, text.n ? " " : "");
        else if (strncmp(line, "event:", 6) == 0)
            buf_printf(&text, "%s:", line + 6);
        else
            buf_add_str(&text, line + 5);
    }
    assert_text(buf_slice(&text), expected);
    buf_fini(&text);
    output_fini(&out);
}

#include "fanout_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/base64.h"

struct page pages[PAGES];
struct page_rules page_rules;

static void page_reset(struct page *p)
{
    memset(p->table, 0, sizeof p->table);
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        p->next[i] = 0;
}

/* The id goes forward, never back; by one record if none may be missing.  A delete of a key that
 * has aged moves it not at all. */
static void page_take_id(struct page *p, const char *id, const char *type)
{
    bool reset = type != NULL && strcmp(type, "reset") == 0;
    struct progress_id now;
    int64_t moved = 0;

    assert_int_equal(progress_id_parse(slice_str(id), &now), 0);
    for (int32_t i = 0; i < now.n; i++) {
        int64_t *next = &p->next[now.at[i].partition];
        if (now.at[i].next < 0)
            now.at[i].next = 0; /* nothing was seen of it, and where it begins is not known */
        if (!reset && now.at[i].next < *next)
            fail_msg("page %d: partition %d goes back from %lld to %lld, id %s after %s",
                     (int)(p - pages), now.at[i].partition, (long long)*next,
                     (long long)now.at[i].next, id, p->id);
        moved += now.at[i].next - *next;
        *next = now.at[i].next;
    }
    if (type == NULL && (page_rules.compacted ? moved <= 0 : moved != 1))
        fail_msg("page %d: id %s after %s", (int)(p - pages), id, p->id);
    progress_id_fini(&now);
    snprintf(p->id, sizeof p->id, "%s", id);
}

/* Values are `partition:key:offset`, padded; keys are of one letter. */
static void page_take_event(struct page *p, char *event)
{
    char *id = NULL, *type = NULL, *data = NULL;

    for (char *line = strtok(event, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "id:", 3) == 0)
            id = line + 3;
        else if (strncmp(line, "event:", 6) == 0)
            type = line + 6;
        else if (strncmp(line, "data:", 5) == 0)
            data = line + 5;
    }
    if (id == NULL) /* the comment */
        return;
    p->events++;
    if (type != NULL && strcmp(type, "reset") == 0) {
        page_reset(p);
        page_take_id(p, id, type);
        return;
    }
    int64_t before[FAKE_PARTITIONS];
    memcpy(before, p->next, sizeof before);
    page_take_id(p, id, type);
    if (type != NULL && strcmp(type, "gap") == 0) {
        assert_true(page_rules.gaps);
        return;
    }
    if (type != NULL) {
        assert_string_equal(type, "delete");
        struct buf key = {0};
        assert_true(base64url_decode(&key, slice_str(data)));
        /* Keys hold their partition, so that a delete is of one partition only. */
        int partition = key.p[0] - '0', k = key.p[1] - 'a';
        p->table[partition][k] = 0;
        buf_fini(&key);
        return;
    }
    int partition, k;
    long long offset;
    assert_int_equal(sscanf(data, "%d:%d:%lld", &partition, &k, &offset), 3);
    assert_true(offset >= before[partition]); /* nothing twice, nothing out of order */
    assert_int_equal(p->next[partition], offset + 1);
    p->table[partition][k] = offset + 1;
}

void page_read(struct page *p, size_t limit)
{
    struct output out = {0};
    size_t had = p->client.bytes.n;

    if (limit == SIZE_MAX) {
        out = receive(&p->client);
    } else {
        ssize_t n = recv(p->client.fd, buf_reserve(&p->client.bytes, limit), limit, MSG_DONTWAIT);
        p->client.bytes.n = had + (n > 0 ? (size_t)n : 0);
        output_read(&out, buf_slice(&p->client.bytes));
        memmove(p->client.bytes.p, p->client.bytes.p + p->client.bytes.n - out.rest, out.rest);
        p->client.bytes.n = out.rest;
        if (out.text.n >= 5 && memcmp(out.text.p, "head\n", 5) == 0)
            memcpy(out.text.p, ":\n\n\n\n", 5);
    }
    assert_false(p->client.closed);
    buf_add_slice(&p->text, buf_slice(&out.text));
    output_fini(&out);
    size_t at = 0;
    uint8_t *end;
    while ((end = p->text.n > at ? memmem(p->text.p + at, p->text.n - at, "\n\n", 2) : NULL)) {
        *end = 0;
        page_take_event(p, (char *)p->text.p + at);
        at = (size_t)(end - p->text.p) + 2;
    }
    if (at > 0)
        memmove(p->text.p, p->text.p + at, p->text.n - at);
    p->text.n -= at;
}

void page_hold(struct page *p, bool held)
{
    if (held)
        page_read(p, SIZE_MAX); /* but for what is sent while it reads */
    p->held = held;
    stream_hold(p->client.stream, held);
    page_read(p, SIZE_MAX);
    p->events = 0;
}

void page_connect(struct page *p)
{
    p->held = false;
    p->client = open_unsettled((uint16_t)(1 + (p - pages) % 2), p->id[0] ? p->id : NULL);
    if (!p->id[0])
        page_reset(p);
    p->connected = true;
}

void page_disconnect(struct page *p)
{
    leave(&p->client);
    buf_fini(&p->text);
    p->client = (struct client){0};
    p->connected = false;
}

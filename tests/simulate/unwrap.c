#include "unwrap.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/base64.h"
#include "cluster.h"
#include "topic/progress.h"
#include "world.h"

const char *form_query(enum form form)
{
    static const char *const queries[FORMS] = {[FORM_PLAIN] = "",
                                               [FORM_ENVELOPE] = "data=envelope",
                                               [FORM_LINES] = "format=ndjson",
                                               [FORM_DOCUMENT] = "format=json",
                                               [FORM_CHANGES] = "format=json"};

    return queries[form];
}

static json_t *parse(struct slice text)
{
    json_t *json = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL, NULL);

    if (!json_is_object(json))
        world_breach("format", "no JSON object: %.*s", (int)(text.n < 60 ? text.n : 60),
                     (const char *)text.p);
    return json;
}

static struct slice text_of(const json_t *json)
{
    return json_is_string(json) ? slice_of(json_string_value(json), json_string_length(json))
                                : slice_of(NULL, 0);
}

static struct slice member(const json_t *json, const char *name)
{
    return text_of(json_object_get(json, name));
}

/* The standard alphabet's; base64url is what events are in. */
static void add_base64(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_add_byte(out, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
}

static void add_key(const json_t *json, struct buf *out)
{
    struct slice key = member(json, "key");

    if (key.p != NULL)
        base64url_add(out, key);
    else
        add_base64(out, member(json, "keyBase64"));
}

/* An envelope says where its record is, and of what key: as the value does. */
static void check_envelope(const json_t *json, struct slice value)
{
    int64_t partition = json_integer_value(json_object_get(json, "partition"));
    int64_t offset = json_integer_value(json_object_get(json, "offset")), o = offset;
    int32_t p = (int32_t)partition, of = p;
    int born, key;
    struct buf text = {0}, bytes = {0};

    if (value.p != NULL && (!cluster_parse_value(value, &born, &p, &o) || o != offset))
        world_breach("envelope", "offset %lld is said to be %lld", (long long)o, (long long)offset);
    add_key(json, &text);
    bool named = json_object_get(json, "key") || json_object_get(json, "keyBase64");
    if (named && (!base64url_decode(&bytes, buf_slice(&text)) ||
                  !cluster_parse_key(buf_slice(&bytes), &of, &key)))
        world_breach("envelope", "offset %lld has no such key", (long long)offset);
    if (p != partition || of != partition || !slice_equal(member(json, "topic"), slice_str("t")))
        world_breach("envelope", "partition %d is said to be %d", (int)p, (int)partition);
    buf_fini(&text);
    buf_fini(&bytes);
}

/* A record's, or its delete's. */
static void take_envelope(const json_t *json, struct slice id, bool deletes,
                          const struct response_handler *handler)
{
    struct sse_event e = {.id = id, .type = deletes ? slice_str("delete") : slice_of(NULL, 0)};
    struct buf key = {0};

    if (deletes) {
        add_key(json, &key);
        e.data = slice_of(key.p ? key.p : (const uint8_t *)"", key.n);
    } else {
        e.data = member(json, "text");
    }
    if (deletes != json_is_true(json_object_get(json, "deleted")) || e.data.p == NULL)
        world_breach("envelope", "an envelope that says neither a value nor a delete");
    check_envelope(json, deletes ? slice_of(NULL, 0) : e.data);
    handler->on_event(handler->arg, &e);
    buf_fini(&key);
}

/* A notice of ours: its data are all members but the event's name and id. */
static void take_notice(json_t *json, struct slice id, const char *type,
                        const struct response_handler *handler)
{
    json_t *rest = json_copy(json);

    json_object_del(rest, "event");
    json_object_del(rest, "id");
    json_object_del(rest, "topic");
    char *data = json_dumps(rest, JSON_COMPACT);
    const struct sse_event e = {id, slice_str(type), slice_str(data)};
    handler->on_event(handler->arg, &e);
    free(data);
    json_decref(rest);
}

void unwrap_line(struct slice line, const struct response_handler *handler)
{
    json_t *json = parse(line);
    struct slice id = member(json, "id");
    const char *type = json_string_value(json_object_get(json, "event"));
    const struct sse_event place = {.id = id};

    if (type == NULL || strcmp(type, "delete") == 0)
        take_envelope(json, id, type != NULL, handler);
    else if (strcmp(type, "keepalive") == 0)
        handler->on_event(handler->arg, &place);
    else
        take_notice(json, id, type, handler);
    json_decref(json);
}

void unwrap_event(const struct sse_event *event, const struct response_handler *handler)
{
    bool deletes = event->type.p != NULL && slice_equal(event->type, slice_str("delete"));
    bool gap = event->type.p != NULL && slice_equal(event->type, slice_str("gap"));

    if (event->data.p == NULL || (event->type.p != NULL && !deletes && !gap)) {
        handler->on_event(handler->arg, event);
        return;
    }
    json_t *json = parse(event->data);
    if (gap)
        take_notice(json, event->id, "gap", handler);
    else
        take_envelope(json, event->id, deletes, handler);
    json_decref(json);
}

/* -- documents -- */

/* The id that a stream would give at that place. */
static void write_id(struct buf *out, int32_t partition, int64_t next, struct slice tag)
{
    struct progress at = {0};

    progress_resize(&at, partition + 1);
    if (partition >= 0)
        at.next[partition] = next;
    out->n = 0;
    progress_add_tagged(out, &at, tag);
    progress_fini(&at);
}

static void take_member(json_t *json, struct slice tag, const struct response_handler *handler)
{
    int32_t partition = (int32_t)json_integer_value(json_object_get(json, "partition"));
    int64_t offset = json_integer_value(json_object_get(json, "offset"));
    bool gap = json_object_get(json, "event") != NULL;
    struct buf id = {0};
    char etag[16];

    if (partition < 0 || partition >= PARTITIONS_MAX)
        world_breach("envelope", "partition %d", (int)partition);
    if (gap) {
        write_id(&id, partition, json_integer_value(json_object_get(json, "to")), tag);
        take_notice(json, buf_slice(&id), "gap", handler);
    } else {
        write_id(&id, partition, offset + 1, tag);
        cluster_etag(offset, etag); /* of which a document says nothing */
        buf_printf(&id, "%s%s", etag[0] ? "/" : "", etag);
        take_envelope(json, buf_slice(&id), json_is_true(json_object_get(json, "deleted")),
                      handler);
    }
    buf_fini(&id);
}

static void take_reset_code(const json_t *json, struct slice tag,
                            const struct response_handler *handler)
{
    const char *code = json_string_value(json_object_get(json, "reset"));
    struct buf id = {0};

    if (code == NULL)
        return;
    write_id(&id, -1, 0, tag);
    const struct sse_event e = {buf_slice(&id), slice_str("reset"), slice_str(code)};
    handler->on_event(handler->arg, &e);
    buf_fini(&id);
}

void unwrap_document(struct slice text, const struct response_handler *handler)
{
    json_t *json = parse(text), *record;
    struct slice id = member(json, "id");
    struct progress_id places;
    const struct sse_event place = {.id = id};
    size_t i;

    if (id.p == NULL || progress_id_parse(id, &places) < 0 ||
        !json_is_array(json_object_get(json, "records")))
        world_breach("format", "a document that is none");
    struct slice tag = slice_str(places.tag);
    take_reset_code(json, tag, handler);
    json_array_foreach (json_object_get(json, "records"), i, record)
        take_member(record, tag, handler);
    handler->on_event(handler->arg, &place);
    progress_id_fini(&places);
    json_decref(json);
}

#include "topic/document.h"

#include "base/fcgi_record.h"
#include "base/quote.h"

enum { SHARED_REQUEST_ID = 1 };

void document_add_begin(struct buf *out, const char *reset)
{
    size_t mark = fcgi_stdout_begin(out);

    if (reset != NULL)
        buf_printf(out, "{\"reset\":\"%s\",\"records\":[", reset);
    else
        buf_add_str(out, "{\"records\":[");
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

/* One in a line, for those who look at it. */
static void add_separator(struct buf *out, bool first)
{
    buf_add_str(out, first ? "\n" : ",\n");
}

void document_add_record(struct buf *out, const struct envelope *e, bool first,
                         const struct record *r)
{
    size_t mark = fcgi_stdout_begin(out);

    add_separator(out, first);
    envelope_add(out, e, r);
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void document_add_gap(struct buf *out, const struct envelope *e, bool first, const char *json)
{
    size_t mark = fcgi_stdout_begin(out);

    add_separator(out, first);
    buf_add_str(out, "{\"event\":\"gap\",\"topic\":");
    quote_add(out, slice_str(e->topic));
    buf_printf(out, ",%s", json + 1);
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

void document_add_end(struct buf *out, const struct progress *at, struct slice tag)
{
    size_t mark = fcgi_stdout_begin(out);

    buf_add_str(out, "],\"id\":\"");
    progress_add_tagged(out, at, tag);
    buf_add_str(out, "\"}\n");
    fcgi_stdout_end(out, mark, SHARED_REQUEST_ID);
}

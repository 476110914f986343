/* handles - the streams that can be told to select something else, by the handle that each was
 * opened with, and what they were told.
 *
 * A handle belongs to a path and, with a guard, to a token's issuer and identity: its key is a hash
 * of all of these, so that another's is another handle.  It is remembered for some time after its
 * stream has ended, maybe at several responders: of what these were told the newest counts.
 * Bounded: the handle that was used longest ago is forgotten first; its stream, if there is one,
 * goes on without it.  Pure. */
#ifndef SKF_FRONT_HANDLES_H
#define SKF_FRONT_HANDLES_H

#include "base/buf.h"
#include "guard/guard.h"

enum {
    HANDLE_MIN = 32, /* characters of A-Za-z0-9_- */
    HANDLE_MAX = 64,
    HANDLE_REMEMBERED_MS = 5 * 60 * 1000, /* after its stream's end */
};

struct handles;
struct stay;

/* The `stream` of a query, empty if it has none; false: it is no handle, or there are two. */
bool handle_in_query(struct slice query, char handle[HANDLE_MAX + 1]);
struct token_hash handle_key(struct slice path, const char *issuer, const char *subject,
                             struct slice handle);

/* `max` handles at most. */
struct handles *handles_new(size_t max);
void handles_free(struct handles *h);

/* How many there are, and how many were forgotten for others. */
size_t handles_count(const struct handles *h);
uint64_t handles_forgotten(const struct handles *h);

struct handle {
    struct stay *stay; /* whose stream it is; NULL: it has ended */
    uint64_t stamp;    /* when it was opened, in ns: a later stream has a larger one, at any
                          responder of the host */
    uint64_t told_at;  /* likewise, when it was told something; or was opened anew */
    bool passed;       /* from another responder, so that others may know something newer */
    bool told;         /* the stream was told another selection than its URL's: */
    struct buf form;   /* a query */
};

/* Borrowed until the next call; NULL: neither open nor remembered. */
struct handle *handles_find(struct handles *h, const struct token_hash *key, int64_t now_ms);
/* It is that stream's from now on; what was told before stays. */
struct handle *handles_open(struct handles *h, const struct token_hash *key, struct stay *stay,
                            int64_t now_ms);
/* That stream has ended.  No matter if the handle is another's by now, or forgotten. */
void handles_close(struct handles *h, const struct token_hash *key, const struct stay *stay,
                   int64_t now_ms);
/* From another responder: remembered as one whose stream has just ended, unless there is one. */
struct handle *handles_remember(struct handles *h, const struct token_hash *key, int64_t now_ms);
void handles_forget(struct handles *h, const struct token_hash *key);
/* Calls visit(arg, key, handle) with each that is open or remembered. */
void handles_each(struct handles *h, int64_t now_ms,
                  void (*visit)(void *arg, const struct token_hash *key,
                                const struct handle *handle),
                  void *arg);

/* What it was told (copied), and when; false if what it was told already is newer. */
bool handle_tell(struct handle *handle, struct slice form, uint64_t at);
/* It was opened anew then: by its URL. */
void handle_untell(struct handle *handle, uint64_t at);

#endif

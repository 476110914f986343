/* support - what the unit tests share: cmocka, bytes to compare, FastCGI as a front speaks it. */
#ifndef SKF_UNIT_SUPPORT_H
#define SKF_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fcgi_record.h"
#include "select/selection.h"

/* A literal as bytes, NULs in it included. */
#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

/* The bytes are exactly the expected ones. */
#define assert_bytes(actual, expected) check_bytes(actual, expected, __FILE__, __LINE__)
#define assert_text(actual, text) check_bytes(actual, slice_str(text), __FILE__, __LINE__)
void check_bytes(struct slice actual, struct slice expected, const char *file, int line);

/* The same numbers in each run: a failure can be looked at again. */
uint32_t random_below(uint64_t *seed, uint32_t n);

/* A selection of these keys, with blanks between; NULL: of everything. */
struct selection *select_keys(const char *keys);

/* -- what a front sends -- */

enum {
    FCGI_BEGIN = 1,
    FCGI_ABORT = 2,
    FCGI_END = 3,
    FCGI_PARAMS = 4,
    FCGI_STDIN = 5,
    FCGI_STDOUT = 6
};

void add_record(struct buf *out, uint8_t type, uint16_t id, struct slice content, uint8_t padding);
void add_begin(struct buf *out, uint16_t id, uint16_t role);
void add_pair(struct buf *params, const char *name, const char *value);
/* A whole request with these pairs of name and value, NULL behind the last. */
void add_request(struct buf *out, uint16_t id, const char *const *pairs);

/* -- what a front gets -- */

struct output {
    struct buf text; /* the content of STDOUT */
    size_t records;
    uint16_t id;    /* of all of them; 0: there was none */
    bool ended;     /* with END_REQUEST */
    uint8_t status; /* its protocol status */
    size_t rest;    /* bytes of a record that is not whole */
};
/* Takes records apart; fails on anything that is no output of a responder. */
void output_read(struct output *out, struct slice records);
void output_fini(struct output *out);

/* Appends what has arrived; true if the other side has closed. */
bool read_all(int fd, struct buf *out);

/* A pair of connected sockets, non-blocking; what [0] can send before [1] reads is small. */
void small_socketpair(int fds[2]);

#endif

/* fcgi_record - the framing of FastCGI 1.0, both ways: bytes in, bytes out.
 *
 * Reading: is a request whole, and may libfcgi see it?  libfcgi blocks on anything less than a
 * whole request and ends the process on a hostile length, so this is asked first.
 * Writing: STDOUT records and the end of a request. */
#ifndef SKF_BASE_FCGI_RECORD_H
#define SKF_BASE_FCGI_RECORD_H

#include "base/buf.h"

enum {
    FCGI_RECORD_HEADER = 8,
    FCGI_MAX_CONTENT = 65535,
    /* Limits of ours: name-value pairs and body of one request. */
    FCGI_MAX_PARAMS = 64 * 1024,
    FCGI_MAX_STDIN = 64 * 1024,
};

enum fcgi_state {
    FCGI_INCOMPLETE, /* more bytes must arrive first */
    FCGI_COMPLETE,   /* `length` bytes are a whole request */
    FCGI_BROKEN,     /* never a request: close */
    FCGI_BAD_ROLE,   /* not for a responder */
    FCGI_NUL,        /* in a value: the front has decoded a path with %00 */
    FCGI_LARGE_PARAMS,
    FCGI_LARGE_STDIN,
};

struct fcgi_request {
    uint16_t id;   /* valid in all states but INCOMPLETE and BROKEN */
    size_t length; /* if COMPLETE: up to and with the empty STDIN record */
};

/* What the bytes received so far are.  BEGIN_REQUEST, PARAMS ... to the empty one, STDIN ... to the
 * empty one, all of one id (FastCGI 1.0, 3.3, 5.1 to 5.3); name-value lengths inside the PARAMS, no
 * NUL in them and no '=' in a name, for libfcgi makes C strings "NAME=VALUE" of them.  Of these a
 * client can bring about only a NUL in a value, and is answered: BROKEN may look to the front like
 * a responder that has died. */
enum fcgi_state fcgi_request_parse(const uint8_t *bytes, size_t n, struct fcgi_request *out);

/* The id of a request that is INCOMPLETE; 0: it has not come yet. */
uint16_t fcgi_request_id(const uint8_t *bytes, size_t n);
/* Of one that is not decoded, in any state: does it have REQUEST_METHOD=HEAD?  It is not found in
 * two records, nor if it has not come; a client that sends these bytes itself gets no body. */
bool fcgi_request_is_head(const uint8_t *bytes, size_t n);

/* What arrives after the request: watched for the wish to end. */
struct fcgi_input {
    uint8_t header[FCGI_RECORD_HEADER - 1]; /* its last byte is reserved (3.3) */
    uint8_t have;
    uint32_t skip; /* of content and padding */
};
/* True if the front ends the request with these bytes: ABORT_REQUEST (5.4), a second
 * BEGIN_REQUEST, or anything that is not FastCGI.  Other records are ignored. */
bool fcgi_input_ends(struct fcgi_input *in, const uint8_t *bytes, size_t n);

/* Bytes appended to out between begin and end become STDOUT records of request `id`, as many as
 * they need.  begin returns the mark for end. */
size_t fcgi_stdout_begin(struct buf *out);
void fcgi_stdout_end(struct buf *out, size_t mark, uint16_t id);
/* The first `skipped` bytes of a STDOUT record's content, not all, are sent in another record:
 * appends the header for what is left of it. */
void fcgi_continue_add(struct buf *out, const uint8_t *record, size_t skipped);

/* The empty STDOUT record and END_REQUEST (5.5) with exit status 0. */
enum fcgi_protocol_status { FCGI_STATUS_COMPLETE = 0, FCGI_STATUS_UNKNOWN_ROLE = 3 };
void fcgi_end_add(struct buf *out, uint16_t id, enum fcgi_protocol_status status);

/* The other side of it, as a front speaks it: a name-value pair (3.4), a whole request of such
 * pairs and a body, and what a responder answers. */
void fcgi_param_add(struct buf *params, struct slice name, struct slice value);
void fcgi_request_add(struct buf *out, uint16_t id, struct slice params, struct slice body);
/* Moves the content of STDOUT in the whole records at the start of `records` to `text`; true if the
 * end of the request was among them. */
bool fcgi_output_take(struct buf *records, struct buf *text);

/* Gives another id to whole records that were made with id 1. */
void fcgi_set_id(uint8_t *records, size_t n, uint16_t id);

#endif

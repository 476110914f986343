/* cgi - one request of a front that knows no FastCGI (RFC 3875): taken from the environment, said
 * to the handler as a FastCGI front would, and its answer written to standard output.
 *
 * So a CGI program does all that a responder does, for one stream. */
#ifndef SKF_FRONT_CGI_H
#define SKF_FRONT_CGI_H

#include "front/inlet.h"

/* Was the process started as a CGI program?  Then its command line may come from the request. */
bool cgi_is_one(void);

/* Appends the request to `request` as FastCGI, and its path, undecoded, to `path`.  Waits for its
 * body, ten seconds at most: without all of it the request is not whole.  What the front has put
 * into the environment, and into the command line, is overwritten before: both can be read in
 * /proc, and may hold a token. */
void cgi_take_request(struct buf *request, struct buf *path, int argc, char **argv);

struct cgi;

/* Hands the request to the handler, and writes what it answers to standard output as that takes
 * it.  done(arg) is called in a later turn: all is written and standard output closed, or nobody
 * reads it any more. */
struct cgi *cgi_start(struct loop *loop, const struct inlet_handler *handler, struct slice request,
                      void (*done)(void *arg), void *arg);
void cgi_free(struct cgi *cgi);

/* Says on standard output that the program is not set up. */
void cgi_fail(void);

#endif

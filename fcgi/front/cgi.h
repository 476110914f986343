/* cgi - one request from the environment, for fronts that know no FastCGI (RFC 3875). */
#ifndef SKF_FRONT_CGI_H
#define SKF_FRONT_CGI_H

#include <stdbool.h>

/* Was the process started as a CGI program?  Then its command line may come from the request. */
bool cgi_is_one(void);

/* Answers as a standby responder (front/standby.h) on standard output.  `policy`: see cors_new(),
 * it was checked before.  0, or -errno if the front is gone. */
int cgi_stand_by(const char *policy);

/* Says on standard output that the program is not set up. */
void cgi_fail(void);

#endif

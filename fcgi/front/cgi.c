#include "front/cgi.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/answer.h"
#include "front/standby.h"

bool cgi_is_one(void)
{
    return getenv("GATEWAY_INTERFACE") != NULL;
}

static int write_out(const struct buf *out)
{
    for (size_t at = 0; at < out->n;) {
        ssize_t n = write(STDOUT_FILENO, out->p + at, out->n - at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int cgi_stand_by(const char *policy)
{
    struct cors *cors = cors_new(policy);
    struct request r;
    struct buf out = {0};

    request_from_environment(&r);
    standby_answer(&out, &r, cors);
    int err = write_out(&out);
    buf_fini(&out);
    cors_free(cors);
    return err;
}

void cgi_fail(void)
{
    struct answer answer = {.status = 500, .detail = "the program is not set up"};
    struct buf out = {0};

    answer_add_text(&out, &answer, true);
    write_out(&out);
    buf_fini(&out);
}

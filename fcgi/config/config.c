#include "config/config.h"

#include <stdlib.h>

#include "config/check.h"
#include "config/command_line.h"
#include "config/file.h"
#include "config/issuers.h"
#include "config/object.h"
#include "config/routes.h"
#include "front/cgi.h"
#include "kafka/conf.h"

static enum config_result read_cgi(struct reading *r)
{
    r->file = getenv("SKF_CONFIG");
    return r->file != NULL && *r->file != 0
               ? CONFIG_OK
               : config_fail("as a CGI program it needs SKF_CONFIG=FILE");
}

enum config_result config_read(struct config *config, int argc, char **argv)
{
    struct reading r = {.config = config, .properties = json_object()};
    enum config_result result = CONFIG_OK;

    *config = (struct config){.kafka = kafka_conf_new()};
    for (size_t i = 0; i < rows_count; i++)
        if (rows[i].preset != NULL)
            rows[i].kind->read(&rows[i], row_value(&rows[i], config), rows[i].preset);
    result = cgi_is_one() ? read_cgi(&r) : command_line_read(&r, argc, argv);
    bool is_whole = config->question.check_jwks == NULL; /* which needs nothing else */
    if (result == CONFIG_OK && is_whole && r.file != NULL)
        result = file_read(&r);
    if (result == CONFIG_OK && is_whole)
        result = check_config(&r);
    json_decref(r.properties);
    return result;
}

void config_fini(struct config *config)
{
    object_fini(rows, rows_count, config);
    issuers_fini(config);
    routes_fini(config);
    free(config->question.explain);
    free(config->question.token_file);
    free(config->question.check_jwks);
    kafka_conf_free(config->kafka);
}

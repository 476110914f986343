#include "config/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/access.h"
#include "config/issuers.h"
#include "config/routes.h"

static bool is_secret(const char *property)
{
    static const char *const words[] = {"password", "secret", ".pem", "jaas", "oauthbearer.config"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(property, words[i]) != NULL)
            return true;
    return false;
}

static enum config_result read_properties(struct reading *r, const json_t *kafka)
{
    const char *name;
    json_t *value;
    struct stat st;

    json_object_foreach ((json_t *)kafka, name, value) {
        char number[32];
        const char *text = json_string_value(value);
        if (json_is_integer(value)) {
            snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            text = number;
        } else if (json_is_boolean(value)) {
            text = json_is_true(value) ? "true" : "false";
        }
        if (text == NULL)
            return config_fail("%s: kafka property %s: must be a string, number or boolean",
                               r->file, name);
        if (is_secret(name) && (stat(r->file, &st) != 0 || (st.st_mode & S_IROTH)))
            return config_fail("%s: holds the secret %s, but everybody may read it: chmod o-r",
                               r->file, name);
        if (reading_set_property(r, name, text, true) != CONFIG_OK)
            return CONFIG_ERROR;
    }
    return CONFIG_OK;
}

static enum config_result read_member(struct reading *r, const char *name, const json_t *value)
{
    const struct row *row = row_find(rows, rows_count, name);

    if (row == NULL)
        return config_fail("%s: unknown member %s: --help has all names, and librdkafka's belong "
                           "into \"kafka\": {...}",
                           r->file, name);
    const char *wanted = row->kind->mismatch(value);
    if (wanted != NULL)
        return config_fail("%s: %s: must be %s", r->file, name, wanted);
    r->set[row - rows] = true;
    if (r->given[row - rows]) /* an option wins */
        return CONFIG_OK;
    return row->kind->take(row, row_value(row, r->config), value);
}

/* Most often an editor has given the file another owner. */
static enum config_result fail_to_open(const char *file, int err)
{
    char why[ACCESS_SIZE];

    access_say(why, sizeof why, file, err);
    return config_fail("%s: %s", file, why);
}

/* Not what stands there, as jansson would: it may be a password. */
static enum config_result fail_to_parse(const char *file, const json_error_t *error)
{
    bool twice = json_error_code(error) == json_error_duplicate_key;

    return config_fail("%s: line %d, column %d: %s", file, error->line, error->column,
                       twice ? "a member comes twice" : "not JSON");
}

static bool is_directory(FILE *f)
{
    struct stat st;

    return fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode);
}

enum config_result file_read(struct reading *r)
{
    json_error_t error;
    json_t *file, *value;
    const char *name;
    enum config_result result = CONFIG_OK;

    if (*r->file == 0)
        return config_fail("config: must not be empty");
    FILE *f = fopen(r->file, "re");
    if (f == NULL)
        return fail_to_open(r->file, errno);
    if (is_directory(f)) {
        fclose(f);
        return fail_to_open(r->file, EISDIR);
    }
    file = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    fclose(f);
    if (file == NULL)
        return fail_to_parse(r->file, &error);
    if (!json_is_object(file))
        result = config_fail("%s: must be a JSON object", r->file);
    json_object_foreach (file, name, value) {
        if (result != CONFIG_OK)
            break;
        if (strcmp(name, "issuers") == 0)
            result = issuers_read(r, value);
        else if (strcmp(name, "topics") == 0)
            result = topics_read(r, value);
        else if (strcmp(name, "routes") == 0)
            result = routes_read(r, value);
        else if (strcmp(name, "kafka") != 0)
            result = read_member(r, name, value);
        else if (json_is_object(value))
            result = read_properties(r, value);
        else
            result = config_fail("%s: kafka: must be an object", r->file);
    }
    json_decref(file);
    return result;
}

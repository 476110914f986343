/* What the path's {a} and {b} stand for, and what a claim says (texts with blanks between), in a
 * line each; then a route's "select".  A claim whose path begins with `-` is not there. */
#include "select/template.h"

#include "fuzz.h"

struct given {
    struct values params, claims[2];
};

static int param(void *arg, struct slice name)
{
    (void)arg;
    return slice_equal(name, slice_str("a")) ? 0 : slice_equal(name, slice_str("b")) ? 1 : -1;
}

static int claim(void *arg, const char *path)
{
    (void)arg;
    return path[0] == '-';
}

/* Has the text's place that key?  *there: it could be filled in. */
static bool text_has(const char *text, const struct given *g, struct slice key, bool *there)
{
    if (strcmp(text, "{a}") == 0 || strcmp(text, "{b}") == 0)
        return slice_equal(values_at(&g->params, text[1] == 'b'), key);
    if (text[0] != '{')
        return slice_equal(slice_str(text), key);
    const struct values *said = &g->claims[text[strlen("{claim:")] == '-'];
    *there = *there && said->n > 0;
    return values_has(said, key);
}

static bool member_has(const json_t *member, const struct given *g, struct slice key)
{
    bool has = false, there = true;

    if (json_is_string(member))
        return text_has(json_string_value(member), g, key, &there) && there;
    for (size_t i = 0; i < json_array_size(member); i++)
        has |= text_has(json_string_value(json_array_get(member, i)), g, key, &there);
    return has && there;
}

/* By the words of the contract: one entry of the list holds, and all its members do. */
static bool is_selected(const json_t *select, const struct given *g, struct slice key)
{
    for (size_t i = 0; i < json_array_size(select); i++) {
        const char *name;
        json_t *member;
        bool holds = true;
        json_object_foreach (json_array_get(select, i), name, member) {
            holds = holds && member_has(member, g, key);
        }
        if (holds)
            return true;
    }
    return false;
}

static void check_all(const json_t *select, const struct given *g, const struct values *candidates,
                      const struct values *keys)
{
    for (size_t i = 0; i < candidates->n; i++) {
        struct slice key = values_at(candidates, i);
        assert(values_has(keys, key) == is_selected(select, g, key));
    }
}

/* Only `key`: in "keyBase64" other texts stand for the same. */
static bool is_plain(const json_t *select)
{
    for (size_t i = 0; i < json_array_size(select); i++)
        if (json_object_get(json_array_get(select, i), "keyBase64") != NULL)
            return false;
    return true;
}

static void check(const json_t *select, const struct given *g)
{
    const struct template_names names = {param, claim, NULL};
    char wrong[512] = "";
    struct template *t = template_new(select, &names, wrong, sizeof wrong);
    struct values keys = {0};
    int lacks = -2;

    if (t == NULL) {
        assert(wrong[0] != 0);
        return;
    }
    enum template_result result = template_fill(t, &g->params, g->claims, &keys, &lacks);
    assert(result != TEMPLATE_LACKS || (keys.n == 0 && lacks >= 0 && template_has_claims(t)));
    assert(result != TEMPLATE_NOT_BASE64 || !is_plain(select));
    if (is_plain(select)) {
        check_all(select, g, &keys, &keys);
        check_all(select, g, &g->params, &keys);
        check_all(select, g, &g->claims[0], &keys);
    }
    values_fini(&keys);
    template_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct given g = {0};

    values_add(&g.params, take_until(&in, '\n'));
    values_add(&g.params, take_until(&in, '\n'));
    struct slice said = take_until(&in, '\n');
    while (said.n > 0)
        values_add(&g.claims[0], take_until(&said, ' '));
    values_sort(&g.claims[0]);
    json_t *select = json_loadb((const char *)in.p, in.n, 0, NULL);
    if (select != NULL)
        check(select, &g);
    json_decref(select);
    for (int i = 0; i < 2; i++)
        values_fini(&g.claims[i]);
    values_fini(&g.params);
    return 0;
}

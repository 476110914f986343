#include "kinds.h"

#include "client.h"

/* -- what they do before they come, and come back -- */

static void keep_id(struct view *v, struct dice *d)
{
    (void)v, (void)d;
}

static void forget_id(struct view *v, struct dice *d)
{
    (void)d;
    view_forget(v);
}

static void reload_now_and_then(struct view *v, struct dice *d)
{
    if (dice_chance(d, 30))
        view_forget(v);
}

/* Base64 of: version, one partition, its number, a place that is behind any end. */
static void forge(struct view *v, struct dice *d)
{
    static const char *const malformed[] = {"0", "AQ", "null", "[null,null]", "AQIAAgAA", "{"};
    static const char *const future[] = {"AQIAgJC8_QI=", "AQJkAg=="};
    uint32_t n = dice_below(d, 10);

    if (n < 6)
        view_forge(v, malformed[n], ID_MALFORMED);
    else if (n < 8)
        view_forge(v, future[n - 6], ID_FUTURE);
}

/* -- all of them -- */

static const struct kind kinds[] = {
    {"page", keep_id, UINT32_MAX, 64 * 1024, true, WISH_ALL, FORM_PLAIN, HANDLE_NONE},
    {"curl", forget_id, UINT32_MAX, 200 * 1024, false, WISH_ALL, FORM_PLAIN, HANDLE_NONE},
    {"tab", reload_now_and_then, UINT32_MAX, 8 * 1024, true, WISH_ALL, FORM_PLAIN, HANDLE_NONE},
    {"phone", keep_id, 3000, 2000, false, WISH_ALL, FORM_PLAIN, HANDLE_NONE},
    {"forger", forge, UINT32_MAX, 64 * 1024, false, WISH_ALL, FORM_PLAIN, HANDLE_NONE},
    {"watcher", keep_id, UINT32_MAX, 64 * 1024, true, WISH_BY_QUERY, FORM_PLAIN, HANDLE_NONE},
    {"owner", keep_id, UINT32_MAX, 64 * 1024, true, WISH_BY_CLAIM, FORM_PLAIN, HANDLE_NONE},
    {"member", reload_now_and_then, UINT32_MAX, 2000, false, WISH_BY_CLAIM, FORM_PLAIN,
     HANDLE_NONE},
    {"detail", keep_id, UINT32_MAX, 8 * 1024, false, WISH_BY_PATH, FORM_PLAIN, HANDLE_NONE},
    {"board", keep_id, 3000, 2000, true, WISH_BY_ROUTE, FORM_PLAIN, HANDLE_NONE},
    {"log", keep_id, UINT32_MAX, 64 * 1024, false, WISH_LATE, FORM_PLAIN, HANDLE_NONE},
    {"shipper", keep_id, UINT32_MAX, 64 * 1024, false, WISH_ALL, FORM_LINES, HANDLE_NONE},
    {"script", reload_now_and_then, UINT32_MAX, 2000, true, WISH_BY_QUERY, FORM_LINES, HANDLE_NONE},
    {"sheet", keep_id, 3000, 8 * 1024, true, WISH_BY_CLAIM, FORM_ENVELOPE, HANDLE_NONE},
    {"report", keep_id, UINT32_MAX, 64 * 1024, true, WISH_ALL, FORM_DOCUMENT, HANDLE_NONE},
    {"table", reload_now_and_then, 3000, 8 * 1024, false, WISH_BY_CLAIM, FORM_DOCUMENT,
     HANDLE_NONE},
    {"poller", keep_id, UINT32_MAX, 64 * 1024, false, WISH_ALL, FORM_CHANGES, HANDLE_NONE},
    {"mirror", reload_now_and_then, UINT32_MAX, 2000, true, WISH_BY_QUERY, FORM_CHANGES,
     HANDLE_NONE},
    {"grid", keep_id, UINT32_MAX, 8 * 1024, false, WISH_BY_QUERY, FORM_PLAIN, HANDLE_OWN},
    {"map", keep_id, 3000, 2000, true, WISH_BY_ROUTE, FORM_PLAIN, HANDLE_OWN},
    {"desk", reload_now_and_then, UINT32_MAX, 2000, false, WISH_BY_CLAIM, FORM_ENVELOPE,
     HANDLE_OWN},
    {"twin", keep_id, UINT32_MAX, 64 * 1024, true, WISH_BY_QUERY, FORM_PLAIN, HANDLE_SHARED},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

unsigned client_kinds(void)
{
    return KINDS;
}

const char *client_kind_name(unsigned kind)
{
    return kinds[kind].name;
}

const struct kind *kind_of(unsigned kind)
{
    return &kinds[kind];
}

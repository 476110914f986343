#include "select/from.h"

#include <ctype.h>
#include <time.h>

enum { TIME_MAX_DIGITS = 15, LAST_MAX_DIGITS = 5 };

/* Takes n digits; false: there are not so many. */
static bool take_digits(struct slice *text, size_t n, int64_t *out)
{
    int64_t value = 0;

    if (text->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit(text->p[i]))
            return false;
        value = value * 10 + text->p[i] - '0';
    }
    *text = slice_of(text->p + n, text->n - n);
    *out = value;
    return true;
}

/* One of these characters; 0: none. */
static uint8_t take_one_of(struct slice *text, const char *characters)
{
    if (text->n == 0 || text->p[0] == 0 || strchr(characters, text->p[0]) == NULL)
        return 0;
    *text = slice_of(text->p + 1, text->n - 1);
    return text->p[-1];
}

/* Of a second, beyond the third digit nothing counts. */
static bool take_fraction(struct slice *text, int64_t *ms)
{
    size_t digits = 0;

    *ms = 0;
    if (!take_one_of(text, "."))
        return true;
    for (; text->n > 0 && isdigit(text->p[0]); digits++) {
        if (digits < 3)
            *ms = *ms * 10 + text->p[0] - '0';
        *text = slice_of(text->p + 1, text->n - 1);
    }
    for (size_t i = digits; i < 3; i++)
        *ms *= 10;
    return digits > 0;
}

/* Minutes east of UTC. */
static bool take_zone(struct slice *text, int64_t *minutes)
{
    int64_t hour, minute;

    *minutes = 0;
    if (take_one_of(text, "Zz"))
        return true;
    uint8_t sign = take_one_of(text, "+- ");
    if (sign == 0 || !take_digits(text, 2, &hour) || !take_one_of(text, ":") ||
        !take_digits(text, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = (hour * 60 + minute) * (sign == '-' ? -1 : 1);
    return true;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool take_date(struct slice *text, struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;

    if (!take_digits(text, 4, &year) || !take_one_of(text, "-") || !take_digits(text, 2, &month) ||
        !take_one_of(text, "-") || !take_digits(text, 2, &day) || month < 1 || month > 12)
        return false;
    *tm = (struct tm){.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    return day >= 1 && day <= days[month - 1] + (month == 2 && is_leap(year));
}

static bool take_clock(struct slice *text, struct tm *tm)
{
    int64_t hour, minute, second;

    if (!take_digits(text, 2, &hour) || !take_one_of(text, ":") || !take_digits(text, 2, &minute) ||
        !take_one_of(text, ":") || !take_digits(text, 2, &second))
        return false;
    tm->tm_hour = (int)hour;
    tm->tm_min = (int)minute;
    tm->tm_sec = (int)second;
    return hour <= 23 && minute <= 59 && second <= 60; /* leap seconds (RFC 3339, 5.6) */
}

static bool parse_rfc3339(struct slice text, int64_t *ms)
{
    int64_t fraction, zone;
    struct tm tm;

    if (!take_date(&text, &tm) || !take_one_of(&text, "Tt ") || !take_clock(&text, &tm) ||
        !take_fraction(&text, &fraction) || !take_zone(&text, &zone) || text.n > 0)
        return false;
    *ms = ((int64_t)timegm(&tm) - zone * 60) * 1000 + fraction;
    return true;
}

static bool parse_last(struct slice text, int64_t *n)
{
    return text.n >= 1 && text.n <= LAST_MAX_DIGITS && take_digits(&text, text.n, n) && *n >= 1 &&
           *n <= FROM_LAST_MAX;
}

bool from_parse(struct slice text, struct from *out)
{
    struct slice rest = text;
    struct from from = {.kind = FROM_TIME};

    if (slice_equal(text, slice_str("earliest")))
        from.kind = FROM_EARLIEST;
    else if (slice_equal(text, slice_str("latest")))
        from.kind = FROM_LATEST;
    else if (take_one_of(&rest, "-") && parse_last(rest, &from.value))
        from.kind = FROM_LAST;
    else if (!(text.n >= 1 && text.n <= TIME_MAX_DIGITS &&
               take_digits(&text, text.n, &from.value)) &&
             !parse_rfc3339(text, &from.value))
        return false;
    *out = from;
    return true;
}

/* RFC 3339 has the years 0 to 9999; what is later stays a number. */
static void add_time(struct buf *out, int64_t ms)
{
    const int64_t year_0 = -INT64_C(62167219200000), year_10000 = INT64_C(253402300800000);
    struct tm tm;

    if (ms >= year_10000) {
        buf_printf(out, "%lld", (long long)ms);
        return;
    }
    int64_t since = ms > year_0 ? ms - year_0 : 0; /* no remainder is negative */
    time_t seconds = (time_t)(since / 1000 + year_0 / 1000);
    gmtime_r(&seconds, &tm);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(since % 1000));
}

void from_add(struct buf *out, const struct from *from)
{
    switch (from->kind) {
    case FROM_EARLIEST:
        buf_add_str(out, "earliest");
        break;
    case FROM_LATEST:
        buf_add_str(out, "latest");
        break;
    case FROM_TIME:
        add_time(out, from->value);
        break;
    case FROM_LAST:
        buf_printf(out, "-%lld", (long long)from->value);
        break;
    }
}

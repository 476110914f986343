#include "front/subscriptions.h"

enum { FIXED = 2 + 3 * sizeof(uint64_t) };

static bool has_form(const struct handle_message *m)
{
    return m->type == MESSAGE_TELL || m->type == MESSAGE_TOLD || m->answer == SUBSCRIPTION_TOLD;
}

void handle_message_add(struct buf *out, const struct handle_message *m)
{
    buf_add_byte(out, (uint8_t)m->type);
    buf_add_byte(out, (uint8_t)m->answer);
    buf_add(out, &m->asker, sizeof m->asker);
    buf_add(out, &m->number, sizeof m->number);
    buf_add(out, &m->told_at, sizeof m->told_at);
    if (has_form(m))
        buf_add_slice(out, m->form);
}

bool handle_message_parse(struct slice text, struct handle_message *out)
{
    struct handle_message m;

    if (text.n < FIXED || text.n > FIXED + SUBSCRIPTION_FORM_MAX)
        return false;
    if (text.p[0] < MESSAGE_FIND || text.p[0] > MESSAGE_PASSED || text.p[1] > SUBSCRIPTION_LIMITED)
        return false;
    m.type = (enum message_type)text.p[0];
    m.answer = (enum subscription_answer)text.p[1];
    memcpy(&m.asker, text.p + 2, sizeof m.asker);
    memcpy(&m.number, text.p + 2 + sizeof m.asker, sizeof m.number);
    memcpy(&m.told_at, text.p + 2 + sizeof m.asker + sizeof m.number, sizeof m.told_at);
    m.form = slice_of(text.p + FIXED, text.n - FIXED);
    if (!has_form(&m) && m.form.n > 0)
        return false;
    *out = m;
    return true;
}

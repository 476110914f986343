#include "keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "guard/keystore.h"
#include "guard/signature.h"
#include "world.h"

enum { LOOK_MS = 2000 };

static unsigned number; /* of the key in the file */
static int64_t changed_ms;
static uint32_t verify_ms;
static size_t tokens;

void keys_begin(uint32_t v)
{
    verify_ms = v;
    number = 1;
    tokens = 0;
}

void keys_change(void)
{
    number++;
    changed_ms = world_now_ms();
}

bool keys_are_known(void)
{
    return number == 1 || world_now_ms() - changed_ms > 2 * LOOK_MS;
}

unsigned keys_now(void)
{
    return number;
}

static void add_segment(struct buf *out, struct slice text)
{
    base64url_add(out, text);
    while (out->p[out->n - 1] == '=')
        out->n--;
}

size_t keys_signed(void)
{
    return tokens;
}

void keys_sign(struct buf *out, const char *sub, const char *client, int64_t exp_ms,
               const struct picked *claim)
{
    struct buf payload = {0};
    char header[64];

    tokens++;
    snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"%u\"}", number);
    buf_printf(
        &payload,
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"%s\",\"jti\":\"%s\",\"exp\":%lld", sub,
        client, (long long)exp_ms / 1000);
    wish_add_claim(&payload, claim);
    buf_add_byte(&payload, '}');
    add_segment(out, slice_str(header));
    buf_add_byte(out, '.');
    add_segment(out, buf_slice(&payload));
    buf_add_byte(out, '.');
    add_segment(out, slice_str("good"));
    buf_fini(&payload);
}

/* -- guard/keyset -- */

struct keyset {
    unsigned number;
    char kid[16];
    struct key key;
};

static struct keyset *keyset_of(unsigned n)
{
    struct keyset *set = mem_zero(sizeof *set);

    set->number = n;
    snprintf(set->kid, sizeof set->kid, "%u", n);
    set->key.kid = set->kid;
    set->key.algorithms = 1u << ALG_RS256;
    memcpy(set->key.thumbprint, set->kid, sizeof set->kid);
    return set;
}

bool keyset_has_kid(const struct keyset *set, const char *kid)
{
    return strcmp(set->kid, kid) == 0;
}

bool keyset_has(const struct keyset *set, const uint8_t thumbprint[KEY_THUMBPRINT])
{
    return memcmp(set->key.thumbprint, thumbprint, KEY_THUMBPRINT) == 0;
}

size_t keyset_count(const struct keyset *set)
{
    (void)set;
    return 1;
}

const struct key *keyset_at(const struct keyset *set, size_t i)
{
    (void)i;
    return &set->key;
}

/* The signature's text says what it is; to see that takes its time. */
enum token_error __wrap_signature_verify(const struct token *token, const struct keyset *keys,
                                         const struct key **key);
enum token_error __wrap_signature_verify(const struct token *token, const struct keyset *keys,
                                         const struct key **key)
{
    static const char good[] = ".Z29vZA";
    size_t n = sizeof good - 1;

    world_pass(dice_below(world_dice(WHO_KAFKA + 4095), verify_ms));
    if (token->kid == NULL || !keyset_has_kid(keys, token->kid))
        return TOKEN_KEY;
    *key = &keys->key;
    return token->text.n > n && memcmp(token->text.p + token->text.n - n, good, n) == 0
               ? TOKEN_OK
               : TOKEN_SIGNATURE;
}

/* -- guard/keystore -- */

struct keystore {
    struct keystore_config config;
    struct keyset *keys;
    struct timer *look;
};

static void take_keys(void *arg)
{
    struct keystore *store = arg;

    timer_start(store->look, LOOK_MS);
    if (store->keys->number == number)
        return;
    free(store->keys);
    store->keys = keyset_of(number);
    store->config.on_change(store->config.arg);
}

struct keystore *keystore_new(struct loop *loop, const struct keystore_config *config, char *error,
                              size_t size)
{
    struct keystore *store = mem_zero(sizeof *store);

    (void)error, (void)size;
    store->config = *config;
    store->keys = keyset_of(number);
    store->look = timer_new(loop, take_keys, store);
    timer_start(store->look, LOOK_MS);
    return store;
}

void keystore_free(struct keystore *store)
{
    if (store == NULL)
        return;
    timer_free(store->look);
    free(store->keys);
    free(store);
}

const struct keyset *keystore_keys(const struct keystore *store)
{
    return store->keys;
}

void keystore_reload(struct keystore *store)
{
    take_keys(store);
}

bool keystore_is_reading(const struct keystore *store)
{
    (void)store;
    return false;
}

bool keystore_broken(const struct keystore *store)
{
    (void)store;
    return false;
}

int64_t keystore_changed_ms(const struct keystore *store)
{
    (void)store;
    return 0;
}

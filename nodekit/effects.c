/* effects.c - a bounded list of effects and the text they carry. */
#include "nodekit/effects.h"

#include <assert.h>
#include <stdlib.h>

int effects_init(struct effects *fx, size_t items_max, size_t text_max)
{
    *fx = (struct effects){.max = items_max, .text_max = text_max};
    fx->items = calloc(items_max, sizeof *fx->items);
    fx->text = malloc(text_max);
    if (fx->items && fx->text)
        return 0;
    effects_fini(fx);
    return BERTH_ENOMEM;
}

void effects_fini(struct effects *fx)
{
    free(fx->items);
    free(fx->text);
    fx->items = NULL;
    fx->text = NULL;
}

void effects_clear(struct effects *fx)
{
    fx->count = 0;
    fx->text_len = 0;
}

static void effects_add(struct effects *fx, struct effect effect)
{
    assert(fx->count < fx->max);
    fx->items[fx->count++] = effect;
}

void effects_begin(struct effects *fx, struct message_out *ret_out)
{
    message_begin(ret_out, fx->text + fx->text_len, fx->text_max - fx->text_len);
}

struct span effects_end(struct effects *fx, struct message_out *out)
{
    struct span payload = message_end(out);
    assert(payload.ptr);
    fx->text_len += payload.len;
    return payload;
}

void effects_send(struct effects *fx, uint32_t peer, const char *event, struct span payload)
{
    effects_add(
        fx, (struct effect){.kind = EFFECT_SEND, .peer = peer, .event = event, .payload = payload});
}

void effects_send_state(struct effects *fx, uint32_t peer, const char *event, struct span payload)
{
    effects_add(fx,
                (struct effect){
                    .kind = EFFECT_SEND_STATE, .peer = peer, .event = event, .payload = payload});
}

void effects_result(struct effects *fx, struct span payload)
{
    effects_add(fx, (struct effect){.kind = EFFECT_RESULT, .payload = payload});
}

void effects_send_all(struct effects *fx, const char *event, struct span payload)
{
    effects_add(fx, (struct effect){.kind = EFFECT_SEND_ALL, .event = event, .payload = payload});
}

void effects_hold(struct effects *fx, uint32_t peer, const char *why)
{
    effects_add(fx, (struct effect){.kind = EFFECT_HOLD, .peer = peer, .why = why});
}

void effects_release(struct effects *fx, uint32_t peer)
{
    effects_add(fx, (struct effect){.kind = EFFECT_RELEASE, .peer = peer});
}

void effects_close(struct effects *fx, uint32_t peer, int code, const char *why)
{
    effects_add(fx, (struct effect){.kind = EFFECT_CLOSE, .peer = peer, .code = code, .why = why});
}

/* rx_value.c - values that live in the arena, and when two values are the same. */
#include "core/rx_internal.h"

static struct rx_value no_room(struct rx *rx)
{
    rx_throw(rx, rx_full_error());
    return rx_none();
}

/* Held by nobody: freed at the end of the present call unless someone keeps it. */
static void *loose(struct rx *rx, size_t size, enum rx_sort sort)
{
    void *payload = rx_alloc(rx, size, sort);
    if (payload)
        rx_unref(rx, payload);
    return payload;
}

static struct rx_value bytes(struct rx *rx, enum rx_kind kind, const void *from, size_t size)
{
    void *copy = size <= UINT32_MAX ? loose(rx, size, RX_RAW) : NULL;
    if (!copy)
        return no_room(rx);
    if (size > 0)
        memcpy(copy, from, size);
    return (struct rx_value){
        .kind = (uint16_t)kind, .counted = 1, .size = (uint32_t)size, .ptr = copy};
}

struct rx_value rx_box(struct rx *rx, const void *from, size_t size)
{
    return bytes(rx, RX_BOX, from, size);
}

struct rx_value rx_text_copy(struct rx *rx, struct span s)
{
    return bytes(rx, RX_TEXT, s.ptr, s.len);
}

struct rx_value rx_list(struct rx *rx, const struct rx_value *items, size_t count)
{
    struct rx_value *copy = NULL;
    if (count <= UINT32_MAX / sizeof *items)
        copy = loose(rx, count * sizeof *items, RX_VALUES);
    if (!copy)
        return no_room(rx);
    for (size_t i = 0; i < count; i++) {
        rx_keep(items[i]);
        copy[i] = items[i];
    }
    rx_head(copy)->count = (uint32_t)count;
    return (struct rx_value){.kind = RX_LIST, .counted = 1, .size = (uint32_t)count, .items = copy};
}

struct rx_value rx_stream_value(struct rx_stream *stream)
{
    return (struct rx_value){.kind = RX_STREAM, .counted = 1, .stream = stream};
}

void rx_keep(struct rx_value v)
{
    if (v.counted)
        rx_ref((void *)(uintptr_t)v.ptr);
}

void rx_drop(struct rx *rx, struct rx_value v)
{
    if (v.counted)
        rx_unref(rx, (void *)(uintptr_t)v.ptr);
}

bool rx_same(struct rx_value a, struct rx_value b)
{
    if (a.kind == RX_INT && b.kind == RX_REAL)
        return (double)a.integer == b.real;
    if (a.kind == RX_REAL && b.kind == RX_INT)
        return a.real == (double)b.integer;
    if (a.kind != b.kind)
        return false;
    switch ((enum rx_kind)a.kind) {
    case RX_NONE:
        return true;
    case RX_BOOL:
        return a.truth == b.truth;
    case RX_INT:
        return a.integer == b.integer;
    case RX_REAL:
        return a.real == b.real;
    case RX_TEXT:
        return span_eq(rx_span(a), rx_span(b));
    case RX_ERROR:
        return a.size == b.size && (a.text == b.text || span_eq(span_of(a.text), span_of(b.text)));
    case RX_PTR:
    case RX_LIST:
    case RX_BOX:
    case RX_STREAM:
        return a.ptr == b.ptr;
    }
    return false;
}

/* vec_value.c - values of the file and values of streams, one into the other. */
#include "vec.h"

#include <math.h>

const json_t *vec_tag(const json_t *json, const char *tag)
{
    return json_is_object(json) ? json_object_get(json, tag) : NULL;
}

bool vec_number(const json_t *json, double *ret)
{
    const json_t *num = vec_tag(json, "$num");
    if (json_is_number(json))
        *ret = json_number_value(json);
    else if (json_is_string(num))
        *ret = strtod(json_string_value(num), NULL); /* knows Infinity, -Infinity, NaN, -0 */
    else
        return false;
    return true;
}

/* Objects and arrays are one if they are equal, as the values of one marble letter are. */
static const json_t *pooled(struct vec *vec, const json_t *json)
{
    size_t i;
    json_t *known;
    json_array_foreach(vec->pool, i, known)
    {
        if (vec_same(known, json))
            return known;
    }
    json_t *copy = json_deep_copy(json);
    json_array_append_new(vec->pool, copy);
    return copy;
}

struct rx_value vec_value(struct vec *vec, const json_t *json)
{
    double number;
    if (!json || json_is_null(json))
        return rx_none();
    if (vec_tag(json, "$undef"))
        return (struct rx_value){.kind = RX_NONE, .size = 1, .integer = 0};
    if (json_is_boolean(json))
        return rx_bool(json_is_true(json));
    if (json_is_integer(json))
        return rx_int(json_integer_value(json));
    if (vec_number(json, &number))
        return rx_real(number);
    if (json_is_string(json)) {
        const json_t *kept = pooled(vec, json);
        return rx_text((struct span){json_string_value(kept), json_string_length(kept)});
    }
    if (vec_tag(json, "$ref")) {
        struct rx_stream *stream = vec_stream(vec, json);
        if (stream)
            return rx_stream_value(stream);
    }
    return rx_ptr(pooled(vec, json));
}

static json_t *error_json(struct rx_value v)
{
    const char *name = rx_error_code(v) == BERTH_ETIMEOUT ? "TimeoutError" : "Error";
    return json_pack("{s:s, s:s}", "$error", name, "message", v.text);
}

json_t *vec_json(struct vec *vec, struct rx_value v)
{
    json_t *list;
    switch ((enum rx_kind)v.kind) {
    case RX_NONE:
        return v.size == 1 ? json_pack("{s:i}", "$undef", 1) : json_null();
    case RX_BOOL:
        return json_boolean(v.truth);
    case RX_INT:
        return json_integer(v.integer);
    case RX_REAL:
        if (isinf(v.real))
            return json_pack("{s:s}", "$num", v.real > 0 ? "Infinity" : "-Infinity");
        return isnan(v.real) ? json_pack("{s:s}", "$num", "NaN") : json_real(v.real);
    case RX_TEXT:
        return json_stringn(v.text, v.size);
    case RX_PTR:
        return json_incref((json_t *)(uintptr_t)v.ptr);
    case RX_ERROR:
        return error_json(v);
    case RX_LIST:
        list = json_array();
        for (uint32_t i = 0; i < v.size; i++)
            json_array_append_new(list, vec_json(vec, v.items[i]));
        return list;
    case RX_STREAM:
        for (size_t i = 0; i < vec->inputs_count; i++)
            if (vec->inputs[i].input.stream == v.stream)
                return json_pack("{s:s}", "$ref", vec->inputs[i].name);
        return json_pack("{s:s}", "$stream", "made here");
    case RX_BOX:
        break;
    }
    return json_null();
}

static bool same_object(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        const json_t *other = json_object_get(b, key);
        if (!other || !vec_same(value, other))
            return false;
    }
    return true;
}

bool vec_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!vec_same(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    if (json_is_object(a))
        return same_object(a, b);
    return json_equal(a, b);
}

bool vec_truthy(const json_t *json)
{
    double number;
    if (!json || json_is_null(json) || json_is_false(json) || vec_tag(json, "$undef"))
        return false;
    if (vec_number(json, &number))
        return number != 0 && !isnan(number);
    if (json_is_string(json))
        return json_string_length(json) > 0;
    return true;
}

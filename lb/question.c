/* question.c - parameters of the endpoint API, and the JSON of its answers. */
#include "lb/question.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void question_init(struct question *q, size_t pool)
{
    q->ask = (struct lb_ask){.pool = pool};
    q->explain = false;
    q->answer_len = 0;
}

/* ---- reading ---- */

static int set_id(const char *name, struct span value, char *buf, size_t size, struct err *err)
{
    if (keys_id_ok(value) && span_copy(value, buf, size))
        return 0;
    return err_set(err, BERTH_EINVAL, "%s: must be 1..%d characters of A-Z a-z 0-9 . _ : ~ @ -",
                   name, KEYS_ID_MAX);
}

static int set_name(const char *name, struct span value, char *buf, size_t size, struct err *err)
{
    if (keys_name_ok(value) && span_copy(value, buf, size))
        return 0;
    return err_set(err, BERTH_EINVAL, "%s: must be 1..%d characters of A-Z a-z 0-9 . _ ~ -", name,
                   KEYS_NAME_MAX);
}

static int add_exclude(struct question *q, struct span name, struct err *err)
{
    if (!keys_name_ok(name) || q->ask.exclude_count == POOL_EXCLUDE_MAX)
        return err_set(err, BERTH_EINVAL, "exclude: must be at most %d names of nodes",
                       POOL_EXCLUDE_MAX);
    size_t at = 0;
    if (q->ask.exclude_count > 0) {
        struct span last = q->exclude[q->ask.exclude_count - 1];
        at = (size_t)(last.ptr - q->exclude_text) + last.len;
    }
    memcpy(q->exclude_text + at, name.ptr, name.len); /* 16 names of 63 bytes fit */
    q->exclude[q->ask.exclude_count++] = (struct span){q->exclude_text + at, name.len};
    q->ask.exclude = q->exclude;
    return 0;
}

static int set_exclude(struct question *q, struct span list, struct err *err)
{
    int code = 0;
    while (code == 0 && list.len > 0)
        code = add_exclude(q, span_cut(&list, ','), err);
    return code;
}

int question_add_player(struct question *q, struct span player, struct err *err)
{
    size_t i = q->ask.player_count;
    if (i == LB_SEATS_MAX)
        return err_set(err, BERTH_EINVAL, "players: must be at most %d", LB_SEATS_MAX);
    for (size_t j = 0; j < i; j++)
        if (span_eq(q->player_spans[j], player))
            return err_set(err, BERTH_EINVAL, "players: %.*s stands twice", SPAN_ARG(player));
    int code = set_id("player", player, q->players[i], sizeof q->players[i], err);
    if (code < 0)
        return code;
    q->player_spans[i] = (struct span){q->players[i], player.len};
    q->ask.players = q->player_spans;
    q->ask.player_count++;
    return 0;
}

int question_set(struct question *q, const char *name, struct span value, struct err *err)
{
    if (strcmp(name, "room") == 0) {
        int code = set_id("room", value, q->room, sizeof q->room, err);
        q->ask.room = code == 0 ? (struct span){q->room, value.len} : q->ask.room;
        return code;
    }
    if (strcmp(name, "player") == 0)
        return question_add_player(q, value, err);
    if (strcmp(name, "zone") == 0) {
        int code = set_name("zone", value, q->zone, sizeof q->zone, err);
        q->ask.zone = code == 0 ? (struct span){q->zone, value.len} : q->ask.zone;
        return code;
    }
    if (strcmp(name, "version") == 0) {
        int code = set_name("version", value, q->version, sizeof q->version, err);
        q->ask.version = code == 0 ? (struct span){q->version, value.len} : q->ask.version;
        return code;
    }
    if (strcmp(name, "exclude") == 0)
        return set_exclude(q, value, err);
    if (strcmp(name, "explain") == 0) {
        q->explain = span_is(value, "1");
        if (q->explain || span_is(value, "0"))
            return 0;
        return err_set(err, BERTH_EINVAL, "explain: must be 0 or 1");
    }
    return err_set(err, BERTH_ENOENT, "%s: unknown", name);
}

static int from_list(struct question *q, const char *name, const json_t *list, struct err *err)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct span text = {json_string_value(item), json_string_length(item)};
        if (!json_is_string(item))
            return err_set(err, BERTH_EINVAL, "%s: must be a list of texts", name);
        code = strcmp(name, "players") == 0 ? question_add_player(q, text, err)
                                            : add_exclude(q, text, err);
    }
    return code;
}

static bool is_list_name(const char *name)
{
    return strcmp(name, "players") == 0 || strcmp(name, "exclude") == 0;
}

/* Text is for all but `players`; what is of another type is told what it must be, or that nobody
 * knows it. */
static int from_member(struct question *q, const char *name, const json_t *value, struct err *err)
{
    struct span text = {"", 0};
    if (json_is_array(value) && is_list_name(name))
        return from_list(q, name, value, err);
    if (strcmp(name, "players") == 0)
        return err_set(err, BERTH_EINVAL, "players: must be a list of 1..%d ids", LB_SEATS_MAX);
    if (json_is_string(value)) {
        text = (struct span){json_string_value(value), json_string_length(value)};
        return question_set(q, name, text, err);
    }
    if (strcmp(name, "explain") == 0 && json_is_boolean(value)) {
        q->explain = json_is_true(value);
        return 0;
    }
    if (question_set(q, name, text, err) == BERTH_ENOENT)
        return BERTH_EINVAL;
    return err_set(err, BERTH_EINVAL, "%s: must be a %s", name,
                   strcmp(name, "explain") == 0   ? "boolean"
                   : strcmp(name, "exclude") == 0 ? "list of names"
                                                  : "text");
}

int question_from_json(struct question *q, struct span body, struct err *err)
{
    json_error_t where;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        return err_set(err, BERTH_EINVAL, "body: must be a JSON object (line %d: %s)", where.line,
                       where.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, BERTH_EINVAL, "body: must be a JSON object, not a list");
    }
    int code = 0;
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        code = from_member(q, name, value, err);
        if (code < 0)
            break;
    }
    json_decref(root);
    return code == BERTH_ENOENT ? BERTH_EINVAL : code;
}

/* ---- writing ---- */

static void put(struct question *q, const char *fmt, ...) BERTH_PRINTF(2, 3);
static void put(struct question *q, const char *fmt, ...)
{
    if (q->answer_len >= sizeof q->answer)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(q->answer + q->answer_len, sizeof q->answer - q->answer_len, fmt, args);
    va_end(args);
    q->answer_len += n > 0 ? (size_t)n : 0;
}

/* The hot path appends: an answer has a dozen pieces, and formatting them cost more than signing
 * the ticket. */
static void add(struct question *q, const char *text, size_t len)
{
    if (len < sizeof q->answer - q->answer_len) {
        memcpy(q->answer + q->answer_len, text, len);
        q->answer_len += len;
    } else {
        q->answer_len = sizeof q->answer; /* too much: question_answer() says so */
    }
}
#define ADD(q, literal) add((q), (literal), sizeof(literal) - 1)

static void add_text(struct question *q, const char *text)
{
    add(q, text, strlen(text));
}

static void add_number(struct question *q, int64_t value)
{
    char digits[20];
    size_t from = sizeof digits;
    uint64_t rest = (uint64_t)value;
    do
        digits[--from] = (char)('0' + rest % 10);
    while (rest /= 10);
    add(q, digits + from, sizeof digits - from);
}

/* A JSON string. Names and ids need no escapes; an endpoint may have anything. */
static void add_string(struct question *q, const char *text)
{
    ADD(q, "\"");
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        add(q, text, plain);
        text += plain;
        if (*text && (unsigned char)*text < 0x20)
            put(q, "\\u%04x", (unsigned char)*text++);
        else if (*text)
            put(q, "\\%c", *text++);
    }
    ADD(q, "\"");
}

void question_show(struct question *q, const struct ticket *ticket, struct span text)
{
    if (q->ask.player_count != 1 || !span_is(q->player_spans[0], ticket->player) ||
        !span_is(q->ask.room, ticket->room) ||
        !span_copy(span_of(ticket->node), q->shown_node, sizeof q->shown_node) ||
        !span_copy(text, q->shown_text, sizeof q->shown_text))
        return;
    q->ask.shown = (struct lb_shown){.node = span_of(q->shown_node),
                                     .node_epoch = ticket->node_epoch,
                                     .issued_s = ticket->issued_s,
                                     .expires_s = ticket->expires_s};
}

/* The ticket of seat i, or a negative code. A player without a name gets one from the ticket's id.
 */
static int sign(struct question *q, const struct question_signer *s, size_t i, char *player,
                size_t player_size, char ticket[TICKET_TEXT_MAX])
{
    const struct lb_placed *p = &q->placed;
    char jti[TICKET_JTI_SIZE];
    ticket_jti(jti, s->jti_start, p->seats[i].serial);
    (void)span_copy(span_of(i < q->ask.player_count ? q->players[i] : "p-"), player, player_size);
    if (i >= q->ask.player_count)
        (void)span_copy(span_of(jti), player + 2, player_size - 2);
    if (s->keys == NULL)
        return 0;
    if (p->seats[i].shown) {
        memcpy(ticket, q->shown_text, sizeof q->shown_text);
        return (int)strlen(ticket);
    }
    const struct ticket_grant grant = {
        .issuer = span_of(s->issuer),
        .node = span_of(p->node),
        .pool = span_of(s->pool),
        .room = q->ask.room,
        .player = span_of(player),
        .jti = span_of(jti),
        .issuer_epoch = p->issuer_epoch,
        .node_epoch = p->node_epoch,
        .issued_s = p->seats[i].issued_s,
        .expires_s = p->seats[i].expires_s,
    };
    return ticket_sign(s->keys, &grant, ticket, TICKET_TEXT_MAX);
}

static int put_one_ticket(struct question *q, const struct question_signer *s)
{
    char player[KEYS_ID_MAX + 1], ticket[TICKET_TEXT_MAX];
    int len = sign(q, s, 0, player, sizeof player, ticket);
    if (len < 0)
        return len;
    ADD(q, ",\"player\":\"");
    add_text(q, player);
    if (s->keys != NULL) {
        ADD(q, "\",\"ticket\":\"");
        add(q, ticket, (size_t)len);
    }
    ADD(q, "\"");
    return 0;
}

static int put_tickets(struct question *q, const struct question_signer *s)
{
    put(q, ",\"tickets\":{");
    for (size_t i = 0; i < q->placed.seat_count; i++) {
        char player[KEYS_ID_MAX + 1], ticket[TICKET_TEXT_MAX];
        int len = sign(q, s, i, player, sizeof player, ticket);
        if (len < 0)
            return len;
        if (s->keys != NULL)
            put(q, "%s\"%s\":\"%s\"", i ? "," : "", player, ticket);
        else
            put(q, "%s\"%s\":null", i ? "," : "", player);
    }
    put(q, "}");
    return 0;
}

int question_answer(struct question *q, const struct question_signer *s, bool match)
{
    const struct lb_placed *p = &q->placed;
    int64_t left_ms = p->seats[0].expires_s * 1000 - s->now.ms;
    q->answer_len = 0;
    ADD(q, "{\"pool\":\"");
    add_text(q, s->pool);
    ADD(q, "\",\"node\":\"");
    add_text(q, p->node);
    ADD(q, "\",\"endpoint\":");
    add_string(q, p->endpoint);
    if (q->ask.room.len > 0) {
        ADD(q, ",\"room\":\"");
        add_text(q, q->room);
        ADD(q, "\"");
    }
    int code = match ? put_tickets(q, s) : put_one_ticket(q, s);
    if (code < 0)
        return code;
    ADD(q, ",\"expires_in\":");
    add_number(q, left_ms > 0 ? left_ms / 1000 : 0);
    if (p->moved)
        ADD(q, ",\"moved\":true");
    if (s->view_age_ms >= 0) {
        ADD(q, ",\"view_age_ms\":");
        add_number(q, s->view_age_ms);
    }
    ADD(q, "}");
    return q->answer_len < sizeof q->answer ? 0 : BERTH_EFULL;
}

void question_explain(struct question *q, const struct question_candidate *list, size_t count)
{
    q->answer_len--; /* the closing brace */
    put(q, ",\"why\":\"%s\",\"est\":%lld,\"capacity\":%lld,\"candidates\":[", q->placed.why,
        (long long)q->placed.est, (long long)q->placed.capacity);
    for (size_t i = 0; i < count; i++)
        put(q,
            "%s{\"node\":\"%s\",\"est\":%lld,\"capacity\":%lld,\"verdict\":\"%s\",\"in_zone\":%s}",
            i ? "," : "", list[i].node, (long long)list[i].est, (long long)list[i].capacity,
            list[i].verdict, list[i].in_zone ? "true" : "false");
    put(q, "]}");
}

/* fuzz_session.c - any requests, packets and endings to Engine.IO sessions, in any order: effects
 * are about sessions that are there, a session ends once, and in the end every slot is free. Three
 * bytes are an act: what, slot, how. */
#include "socketio/session.h"
#include "tests/fuzz/need.h"

enum { SESSIONS = 4 };

struct world {
    struct sessions s;
    bool open[SESSIONS], get[SESSIONS], socket[SESSIONS], probe[SESSIONS];
    int64_t now;
};

static void done(struct world *w, const struct session_effect *e)
{
    char text[128];
    need(session_describe(e, text, sizeof text) > 0);
    need(e->slot < SESSIONS && w->open[e->slot]);
    if (e->kind == SESSION_DO_FLUSH) {
        need(w->get[e->slot]); /* there is a request to answer */
        w->get[e->slot] = false;
    } else if (e->kind == SESSION_DO_UPGRADE) {
        need(w->probe[e->slot]);
        w->probe[e->slot] = false;
        w->socket[e->slot] = true;
    } else if (e->kind == SESSION_DO_PROBE_ANSWER) {
        need(w->probe[e->slot]);
    } else if (e->kind == SESSION_DO_END) {
        need(e->why != NULL);
        w->open[e->slot] = w->get[e->slot] = w->socket[e->slot] = w->probe[e->slot] = false;
    }
}

static void step(struct world *w, struct session_event ev)
{
    struct session_effects fx;
    ev.now = (mono_ms_t){w->now};
    session_step(&w->s, &ev, &fx);
    need(fx.count <= SESSION_EFFECTS_MAX);
    for (size_t i = 0; i < fx.count; i++)
        done(w, &fx.items[i]);
    uint32_t live = 0;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        need(w->s.table[i].live == w->open[i]);
        live += w->open[i];
    }
    need(w->s.count == live && w->s.free_count == SESSIONS - live);
}

static void tick(struct world *w, int64_t ms)
{
    w->now += ms;
    for (int i = 0; i < 1000 && session_deadline(&w->s).ms <= w->now; i++)
        step(w, (struct session_event){.kind = SESSION_TICK});
    need(session_deadline(&w->s).ms > w->now);
}

static void open_one(struct world *w, uint8_t how)
{
    unsigned char random[SESSION_RANDOM] = {how, (unsigned char)w->now};
    uint32_t slot = session_open(&w->s, how % 2 ? SESSION_WEBSOCKET : SESSION_POLLING, random,
                                 (mono_ms_t){w->now});
    char id[SESSION_ID_LEN + 1];
    if (slot == SESSION_NONE) {
        need(w->s.free_count == 0);
        return;
    }
    need(!w->open[slot]);
    w->open[slot] = true;
    w->socket[slot] = how % 2;
    session_id(&w->s, slot, id);
    need(strlen(id) == SESSION_ID_LEN && session_find(&w->s, span_of(id)) == slot);
}

/* A packet by the way the session has: the shell tells of no other. */
static void packet(struct world *w, uint32_t slot, uint8_t how)
{
    static const char *const says[] = {"", "probe", "x"};
    enum session_via via = w->probe[slot] && how / 64 % 2 ? SESSION_PROBE
                           : w->socket[slot]              ? SESSION_WEBSOCKET
                                                          : SESSION_POLLING;
    if (how >= 240)
        step(w, (struct session_event){.kind = SESSION_MALFORMED, .slot = slot, .via = via});
    else
        step(w, (struct session_event){.kind = SESSION_PACKET,
                                       .slot = slot,
                                       .via = via,
                                       .packet = {.type = (enum eio_type)(how % 7),
                                                  .data = span_of(says[how / 7 % 3])}});
}

static void socket_gone(struct world *w, uint32_t slot, uint8_t how)
{
    bool *which = w->probe[slot] && how % 2 ? &w->probe[slot] : &w->socket[slot];
    if (!*which)
        return;
    enum session_via via = which == &w->probe[slot] ? SESSION_PROBE : SESSION_WEBSOCKET;
    *which = false;
    step(w, (struct session_event){
                .kind = SESSION_SOCKET_GONE, .slot = slot, .via = via, .why = "gone"});
}

static void act(struct world *w, uint8_t what, uint32_t slot, uint8_t how)
{
    if (what % 10 == 0) {
        open_one(w, how);
    } else if (what % 10 == 1) {
        tick(w, how * 50);
    } else if (!w->open[slot]) {
        return;
    } else if (what % 10 == 2) {
        if (w->socket[slot])
            return;
        bool had = w->get[slot];
        w->get[slot] = true;
        step(w, (struct session_event){.kind = SESSION_GET, .slot = slot, .queued = how % 2});
        if (had && w->open[slot])
            w->get[slot] = w->s.table[slot].get;
    } else if (what % 10 == 3) {
        if (w->get[slot]) {
            w->get[slot] = false;
            step(w, (struct session_event){.kind = SESSION_GET_GONE, .slot = slot});
        }
    } else if (what % 10 == 4) {
        if (!w->socket[slot] && !w->probe[slot]) {
            w->probe[slot] = true;
            step(w, (struct session_event){.kind = SESSION_PROBES, .slot = slot});
        }
    } else if (what % 10 == 5) {
        socket_gone(w, slot, how);
    } else if (what % 10 == 6) {
        step(w, (struct session_event){.kind = SESSION_QUEUED, .slot = slot, .queued = true});
    } else if (what % 10 == 7) {
        step(w, (struct session_event){.kind = SESSION_CONNECTED, .slot = slot});
    } else if (what % 10 == 8) {
        step(w, (struct session_event){
                    .kind = SESSION_ENDS, .slot = slot, .queued = how % 2, .why = "x"});
    } else {
        packet(w, slot, how);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct session_config config = {.sessions_max = SESSIONS,
                                          .ping_interval_ms = 2500,
                                          .ping_timeout_ms = 2000,
                                          .connect_timeout_ms = 4500,
                                          .upgrade_timeout_ms = 1000,
                                          .linger_ms = 3000};
    static struct world w;
    memset(&w, 0, sizeof w);
    w.now = 1000;
    need(sessions_init(&w.s, &config) == 0);
    for (size_t i = 0; i + 2 < size && i < 900; i += 3)
        act(&w, data[i], data[i + 1] % SESSIONS, data[i + 2]);
    for (uint32_t i = 0; i < SESSIONS; i++) { /* everybody hangs up and is silent */
        if (w.open[i] && w.get[i])
            act(&w, 3, i, 0);
        if (w.open[i])
            socket_gone(&w, i, 1);
        if (w.open[i])
            socket_gone(&w, i, 0);
    }
    for (int i = 0; i < 10; i++)
        tick(&w, 5000);
    need(w.s.count == 0);
    sessions_fini(&w.s);
    return 0;
}

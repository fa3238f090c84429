/* test_session.c - Engine.IO sessions in virtual time, as traces. */
#include "socketio/session.h"
#include "tests/support/cmocka.h"

#include <stdarg.h>
#include <stdio.h>

static const struct session_config config = {.sessions_max = 4,
                                             .ping_interval_ms = 300,
                                             .ping_timeout_ms = 200,
                                             .connect_timeout_ms = 1000,
                                             .upgrade_timeout_ms = 500,
                                             .linger_ms = 400};

/* A world: sessions, a clock, what was done so far as lines, what the shell holds. */
struct world {
    struct sessions s;
    int64_t now;
    bool queued[4]; /* packets for a GET */
    char trace[4096];
    size_t len;
};

static void begin(struct world *w)
{
    *w = (struct world){.now = 0};
    assert_int_equal(sessions_init(&w->s, &config), 0);
}

static void carry_out(struct world *w, const struct session_effects *fx)
{
    for (size_t i = 0; i < fx->count; i++) {
        const struct session_effect *e = &fx->items[i];
        char line[80];
        (void)session_describe(e, line, sizeof line);
        w->len += (size_t)snprintf(w->trace + w->len, sizeof w->trace - w->len, "[%4lld] %s\n",
                                   (long long)w->now, line);
        if (e->kind == SESSION_DO_SEND && !w->s.table[e->slot].websocket)
            w->queued[e->slot] = true;
        if (e->kind == SESSION_DO_FLUSH || e->kind == SESSION_DO_UPGRADE ||
            e->kind == SESSION_DO_END)
            w->queued[e->slot] = false;
    }
}

static void step(struct world *w, struct session_event ev)
{
    struct session_effects fx;
    ev.now = (mono_ms_t){w->now};
    ev.queued = ev.slot < 4 && w->queued[ev.slot];
    session_step(&w->s, &ev, &fx);
    carry_out(w, &fx);
}

/* Let time pass, ticking at each deadline. */
static void run_to(struct world *w, int64_t ms)
{
    mono_ms_t at;
    while ((at = session_deadline(&w->s)).ms <= ms) {
        w->now = at.ms > w->now ? at.ms : w->now;
        step(w, (struct session_event){.kind = SESSION_TICK, .slot = SESSION_NONE});
    }
    w->now = ms;
}

static uint32_t open_by(struct world *w, enum session_via via)
{
    unsigned char random[SESSION_RANDOM];
    memset(random, (int)(w->now % 251) + 1, sizeof random);
    uint32_t slot = session_open(&w->s, via, random, (mono_ms_t){w->now});
    w->queued[slot == SESSION_NONE ? 0 : slot] = false;
    return slot;
}

static void hear(struct world *w, uint32_t slot, enum session_via via, const char *text)
{
    struct eio_packet packet;
    assert_int_equal(eio_packet_read(span_of(text), &packet), 0);
    step(w, (struct session_event){
                .kind = SESSION_PACKET, .slot = slot, .via = via, .packet = packet});
}

static void happen(struct world *w, uint32_t slot, enum session_event_kind kind)
{
    step(w, (struct session_event){
                .kind = kind, .slot = slot, .via = SESSION_WEBSOCKET, .why = "test"});
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace, trace);
    w->len = 0;
    w->trace[0] = '\0';
}

static void end(struct world *w)
{
    expect(w, "");
    sessions_fini(&w->s);
}

static void test_heartbeat_keeps_a_session_that_answers(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_WEBSOCKET);
    happen(&w, a, SESSION_CONNECTED);
    run_to(&w, 350);
    hear(&w, a, SESSION_WEBSOCKET, "3");
    hear(&w, a, SESSION_WEBSOCKET, "3"); /* once more than asked: ignored */
    run_to(&w, 849);
    expect(&w, "[ 300] send slot=0 type=2\n"
               "[ 650] send slot=0 type=2\n");
    run_to(&w, 2000);
    expect(&w, "[ 850] socket_close slot=0 why=ping_timeout\n");
    happen(&w, a, SESSION_SOCKET_GONE);
    expect(&w, "[2000] end slot=0 why=ping_timeout\n");
    assert_int_equal(w.s.count, 0);
    end(&w);
}

static void test_stalled_server_does_not_take_the_clients_time(void **state)
{
    struct world w;
    begin(&w);
    (void)open_by(&w, SESSION_POLLING);
    w.now = 100;
    (void)open_by(&w, SESSION_POLLING);
    (void)open_by(&w, SESSION_POLLING);
    w.now = 401; /* the first ping is late, the others are as good as in time */
    step(&w, (struct session_event){.kind = SESSION_TICK, .slot = SESSION_NONE});
    run_to(&w, 1000);
    expect(&w, "[ 401] send slot=0 type=2\n"
               "[ 401] send slot=1 type=2\n"
               "[ 401] send slot=2 type=2\n"
               "[ 601] end slot=0 why=ping_timeout\n"
               "[ 601] end slot=1 why=ping_timeout\n"
               "[ 601] end slot=2 why=ping_timeout\n");
    (void)open_by(&w, SESSION_POLLING);
    w.now = 1305; /* a timer's usual lateness */
    step(&w, (struct session_event){.kind = SESSION_TICK, .slot = SESSION_NONE});
    run_to(&w, 2000);
    expect(&w, "[1305] send slot=2 type=2\n"
               "[1500] end slot=2 why=ping_timeout\n");
    end(&w);
}

static void test_polling_fetches_what_is_queued(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    happen(&w, a, SESSION_CONNECTED);
    happen(&w, a, SESSION_GET); /* nothing yet: it waits */
    expect(&w, "");
    happen(&w, a, SESSION_QUEUED); /* still nothing */
    expect(&w, "");
    w.queued[a] = true;
    happen(&w, a, SESSION_QUEUED);
    w.queued[a] = true;
    happen(&w, a, SESSION_QUEUED); /* no GET waits */
    happen(&w, a, SESSION_GET);
    happen(&w, a, SESSION_GET);
    run_to(&w, 300);
    expect(&w, "[   0] flush slot=0\n"
               "[   0] flush slot=0\n"
               "[ 300] send slot=0 type=2\n"
               "[ 300] flush slot=0\n");
    hear(&w, a, SESSION_POLLING, "3");
    hear(&w, a, SESSION_POLLING, "4hello");
    happen(&w, a, SESSION_GET);
    happen(&w, a, SESSION_GET_GONE);
    expect(&w, "[ 300] message slot=0\n"
               "[ 300] end slot=0 why=peer\n");
    end(&w);
}

static void test_second_get_ends_the_session(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    happen(&w, a, SESSION_GET);
    happen(&w, a, SESSION_GET);
    expect(&w, "[   0] refuse slot=0 error=3\n"
               "[   0] send slot=0 type=1\n"
               "[   0] flush slot=0\n"
               "[   0] end slot=0 why=two_polls\n");
    end(&w);
}

static void test_upgrade(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    happen(&w, a, SESSION_CONNECTED);
    happen(&w, a, SESSION_GET);
    happen(&w, a, SESSION_PROBES);
    hear(&w, a, SESSION_PROBE, "2probe");
    run_to(&w, 100); /* the GET ends, so that the client can pause */
    expect(&w, "[   0] probe_answer slot=0\n"
               "[ 100] send slot=0 type=6\n"
               "[ 100] flush slot=0\n");
    hear(&w, a, SESSION_POLLING, "4by post");
    w.queued[a] = true;
    hear(&w, a, SESSION_PROBE, "5");
    expect(&w, "[ 100] message slot=0\n"
               "[ 100] upgrade slot=0\n");
    run_to(&w, 499);
    expect(&w, "[ 300] send slot=0 type=2\n"); /* no limit of the probe's time holds any more */
    hear(&w, a, SESSION_WEBSOCKET, "3");
    hear(&w, a, SESSION_WEBSOCKET, "4x");
    hear(&w, a, SESSION_WEBSOCKET, "1");
    happen(&w, a, SESSION_SOCKET_GONE);
    expect(&w, "[ 499] message slot=0\n"
               "[ 499] socket_close slot=0 why=peer\n"
               "[ 499] end slot=0 why=peer\n");
    end(&w);
}

static void test_upgrade_while_a_get_waits_ends_it_first(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    happen(&w, a, SESSION_PROBES);
    hear(&w, a, SESSION_PROBE, "2probe");
    happen(&w, a, SESSION_GET);
    hear(&w, a, SESSION_PROBE, "5");
    expect(&w, "[   0] probe_answer slot=0\n"
               "[   0] send slot=0 type=6\n"
               "[   0] flush slot=0\n"
               "[   0] upgrade slot=0\n");
    sessions_fini(&w.s);
}

static void test_failed_probe_leaves_the_session_polling(void **state)
{
    static const char *const wrong[] = {"5", "2", "2other", "4x", "3"};
    struct world w;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin(&w);
        uint32_t a = open_by(&w, SESSION_POLLING);
        happen(&w, a, SESSION_PROBES);
        hear(&w, a, SESSION_PROBE, wrong[i]);
        expect(&w, "[   0] probe_close slot=0\n");
        happen(&w, a, SESSION_PROBES); /* another try */
        hear(&w, a, SESSION_PROBE, "2probe");
        step(&w,
             (struct session_event){.kind = SESSION_SOCKET_GONE, .slot = a, .via = SESSION_PROBE});
        hear(&w, a, SESSION_POLLING, "4x");
        expect(&w, "[   0] probe_answer slot=0\n[   0] message slot=0\n");
        sessions_fini(&w.s);
    }
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    w.now = 10;
    happen(&w, a, SESSION_PROBES);
    run_to(&w, 310);
    hear(&w, a, SESSION_POLLING, "3");
    w.trace[w.len = 0] = '\0';
    run_to(&w, 510); /* a probe that stays silent */
    expect(&w, "[ 510] probe_close slot=0\n");
    sessions_fini(&w.s);
}

static void test_what_breaks_the_protocol_ends(void **state)
{
    static const char *const wrong[] = {"0", "2", "5"};
    for (size_t i = 0; i < 2 * sizeof wrong / sizeof *wrong; i++) {
        struct world w;
        begin(&w);
        bool ws = i % 2;
        uint32_t a = open_by(&w, ws ? SESSION_WEBSOCKET : SESSION_POLLING);
        hear(&w, a, ws ? SESSION_WEBSOCKET : SESSION_POLLING, wrong[i / 2]);
        expect(&w, ws ? "[   0] socket_close slot=0 why=protocol\n"
                      : "[   0] end slot=0 why=protocol\n");
        if (ws) { /* until it is closed, it is not heard */
            hear(&w, a, SESSION_WEBSOCKET, "4x");
            happen(&w, a, SESSION_MALFORMED);
            happen(&w, a, SESSION_ENDS);
            expect(&w, "");
        }
        sessions_fini(&w.s);
    }
}

static void test_client_says_goodbye(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    happen(&w, a, SESSION_GET);
    hear(&w, a, SESSION_POLLING, "1");
    expect(&w, "[   0] send slot=0 type=6\n[   0] flush slot=0\n[   0] end slot=0 why=peer\n");
    a = open_by(&w, SESSION_POLLING); /* its GET comes just after */
    hear(&w, a, SESSION_POLLING, "1");
    happen(&w, a, SESSION_GET);
    expect(&w, "[   0] send slot=0 type=6\n[   0] flush slot=0\n[   0] end slot=0 why=peer\n");
    a = open_by(&w, SESSION_POLLING); /* or not at all */
    hear(&w, a, SESSION_POLLING, "1");
    run_to(&w, 1000);
    expect(&w, "[   0] send slot=0 type=6\n[ 100] end slot=0 why=peer\n");
    end(&w);
}

static void test_end_of_a_polling_session_waits_for_its_last_packets(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    w.queued[a] = true; /* the application's last words */
    happen(&w, a, SESSION_ENDS);
    happen(&w, a, SESSION_ENDS);
    assert_false(session_sends(&w.s, a));
    hear(&w, a, SESSION_POLLING, "4ignored");
    happen(&w, a, SESSION_GET); /* the words, alone */
    expect(&w, "[   0] flush slot=0\n");
    happen(&w, a, SESSION_GET);
    expect(&w, "[   0] send slot=0 type=1\n[   0] flush slot=0\n[   0] end slot=0 why=test\n");
    a = open_by(&w, SESSION_POLLING); /* nothing was queued: a GET that waits hears of it next */
    happen(&w, a, SESSION_GET);
    happen(&w, a, SESSION_ENDS);
    expect(&w, "[   0] send slot=0 type=1\n");
    happen(&w, a, SESSION_QUEUED);
    expect(&w, "[   0] flush slot=0\n[   0] end slot=0 why=test\n");
    a = open_by(&w, SESSION_POLLING); /* nobody ever asks */
    happen(&w, a, SESSION_ENDS);
    run_to(&w, 1000);
    expect(&w, "[   0] send slot=0 type=1\n[ 100] end slot=0 why=test\n");
    a = open_by(&w, SESSION_POLLING); /* nobody asks for the last words */
    w.queued[a] = true;
    happen(&w, a, SESSION_ENDS);
    run_to(&w, 2000);
    expect(&w, "[1400] end slot=0 why=test\n");
    a = open_by(&w, SESSION_POLLING); /* it says goodbye itself */
    w.queued[a] = true;
    happen(&w, a, SESSION_ENDS);
    hear(&w, a, SESSION_POLLING, "1");
    expect(&w, "[2000] end slot=0 why=test\n");
    end(&w);
}

static void test_connect_timeout(void **state)
{
    struct world w;
    begin(&w);
    uint32_t a = open_by(&w, SESSION_WEBSOCKET), b = open_by(&w, SESSION_WEBSOCKET);
    happen(&w, b, SESSION_CONNECTED);
    for (int64_t at = 310; at < 1000; at += 310) {
        run_to(&w, at);
        hear(&w, a, SESSION_WEBSOCKET, "3");
        hear(&w, b, SESSION_WEBSOCKET, "3");
    }
    w.trace[w.len = 0] = '\0';
    run_to(&w, 1001);
    expect(&w, "[1000] socket_close slot=0 why=connect_timeout\n");
    sessions_fini(&w.s);
}

static void test_capacity_is_kept_to(void **state)
{
    struct world w;
    begin(&w);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(open_by(&w, SESSION_POLLING), i);
    assert_int_equal(open_by(&w, SESSION_POLLING), SESSION_NONE);
    hear(&w, 2, SESSION_POLLING, "0");
    assert_int_equal(open_by(&w, SESSION_WEBSOCKET), 2);
    sessions_fini(&w.s);
}

static void test_ids_find_their_session_only(void **state)
{
    struct world w;
    char id[SESSION_ID_LEN + 1], other[SESSION_ID_LEN + 1];
    begin(&w);
    uint32_t a = open_by(&w, SESSION_POLLING);
    w.now = 1;
    uint32_t b = open_by(&w, SESSION_POLLING);
    session_id(&w.s, a, id);
    session_id(&w.s, b, other);
    assert_int_equal(strlen(id), SESSION_ID_LEN);
    assert_int_equal(session_find(&w.s, span_of(id)), a);
    assert_int_equal(session_find(&w.s, span_of(other)), b);
    other[0] = other[0] == 'A' ? 'B' : 'A';
    assert_int_equal(session_find(&w.s, span_of(other)), SESSION_NONE);
    assert_int_equal(session_find(&w.s, SPAN("")), SESSION_NONE);
    assert_int_equal(session_find(&w.s, SPAN("____________________")), SESSION_NONE);
    hear(&w, a, SESSION_POLLING, "0");
    assert_int_equal(session_find(&w.s, span_of(id)), SESSION_NONE); /* it is over */
    w.now = 2;
    assert_int_equal(open_by(&w, SESSION_POLLING), a);
    assert_int_equal(session_find(&w.s, span_of(id)), SESSION_NONE); /* another's slot now */
    sessions_fini(&w.s);
}

static void test_requests_are_judged_by_the_protocol(void **state)
{
    struct world w;
    char poll[SESSION_ID_LEN + 1], ws[SESSION_ID_LEN + 1];
    begin(&w);
    session_id(&w.s, open_by(&w, SESSION_POLLING), poll);
    session_id(&w.s, open_by(&w, SESSION_WEBSOCKET), ws);
    const struct {
        const char *method, *transport, *version, *id;
        bool websocket;
        enum session_error error;
        uint32_t slot;
    } rows[] = {
        {"GET", "polling", "4", NULL, false, SESSION_OK, SESSION_NONE},
        {"GET", "websocket", "4", NULL, true, SESSION_OK, SESSION_NONE},
        {"GET", NULL, "4", NULL, false, SESSION_UNKNOWN_TRANSPORT, 0},
        {"GET", "udp", "4", NULL, false, SESSION_UNKNOWN_TRANSPORT, 0},
        {"GET", "polling", "3", NULL, false, SESSION_BAD_VERSION, 0},
        {"GET", "polling", NULL, NULL, false, SESSION_BAD_VERSION, 0},
        {"POST", "polling", "4", NULL, false, SESSION_BAD_METHOD, 0},
        {"GET", "websocket", "4", NULL, false, SESSION_BAD_REQUEST, 0},
        {"GET", "polling", "4", NULL, true, SESSION_BAD_REQUEST, 0},
        {"GET", "polling", "4", "nobody", false, SESSION_UNKNOWN_ID, 0},
        {"GET", "polling", "4", "", false, SESSION_UNKNOWN_ID, 0},
        {"GET", "polling", "4", poll, false, SESSION_OK, 0},
        {"POST", "polling", NULL, poll, false, SESSION_OK, 0},
        {"PUT", "polling", "4", poll, false, SESSION_BAD_REQUEST, 0},
        {"GET", "websocket", "4", poll, true, SESSION_OK, 0},
        {"GET", "polling", "4", ws, false, SESSION_BAD_REQUEST, 0},
        {"POST", "polling", "4", ws, false, SESSION_BAD_REQUEST, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t slot = 77;
        struct session_request request = {.method = span_of(rows[i].method),
                                          .transport = span_of(rows[i].transport),
                                          .version = span_of(rows[i].version),
                                          .id = span_of(rows[i].id),
                                          .websocket = rows[i].websocket};
        assert_int_equal(session_judge(&w.s, &request, &slot), rows[i].error);
        assert_int_equal(slot, rows[i].error == SESSION_OK ? rows[i].slot : 77);
    }
    assert_string_equal(session_error_text(SESSION_UNKNOWN_ID), "Session ID unknown");
    sessions_fini(&w.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat_keeps_a_session_that_answers),
        cmocka_unit_test(test_stalled_server_does_not_take_the_clients_time),
        cmocka_unit_test(test_polling_fetches_what_is_queued),
        cmocka_unit_test(test_second_get_ends_the_session),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_upgrade_while_a_get_waits_ends_it_first),
        cmocka_unit_test(test_failed_probe_leaves_the_session_polling),
        cmocka_unit_test(test_what_breaks_the_protocol_ends),
        cmocka_unit_test(test_client_says_goodbye),
        cmocka_unit_test(test_end_of_a_polling_session_waits_for_its_last_packets),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_capacity_is_kept_to),
        cmocka_unit_test(test_ids_find_their_session_only),
        cmocka_unit_test(test_requests_are_judged_by_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_sio.c - namespaces and binary packets of one client. */
#include "socketio/sio.h"
#include "tests/support/cmocka.h"

static const char *const namespaces[] = {"/", "/custom", NULL};
static const struct sio_config config = {.namespaces = namespaces, .pending_max = 64};

static struct sio_input in;

static enum sio_action say(struct sio_client *client, const char *text)
{
    sio_take(client, &config, span_of(text), false, &in);
    return in.action;
}

static enum sio_action attach(struct sio_client *client, const char *bytes)
{
    sio_take(client, &config, span_of(bytes), true, &in);
    return in.action;
}

static void test_namespaces_are_entered_and_left(void **state)
{
    struct sio_client client = {0};
    assert_int_equal(say(&client, "0{\"t\":1}"), SIO_DO_CONNECT);
    assert_true(in.ns == 0 && span_is(in.packet.data, "{\"t\":1}"));
    assert_true(sio_inside(&client, 0) && !sio_inside(&client, 1));
    assert_int_equal(say(&client, "0/custom,"), SIO_DO_CONNECT);
    assert_int_equal(in.ns, 1);
    assert_int_equal(say(&client, "0/nowhere"), SIO_DO_REFUSE);
    assert_true(span_is(in.packet.ns, "/nowhere"));
    assert_int_equal(say(&client, "2/custom,5[\"x\"]"), SIO_DO_EVENT);
    assert_true(in.ns == 1 && in.packet.id == 5);
    assert_int_equal(say(&client, "35[1]"), SIO_DO_ACK);
    assert_int_equal(say(&client, "1/custom,"), SIO_DO_LEAVE);
    assert_int_equal(in.ns, 1);
    assert_true(sio_inside(&client, 0) && !sio_inside(&client, 1));
    assert_int_equal(say(&client, "0/custom,"), SIO_DO_CONNECT); /* and again */
    sio_leave(&client, 1);
    assert_int_equal(say(&client, "2/custom,[\"x\"]"), SIO_DO_CLOSE);
}

static void test_what_is_out_of_place_closes(void **state)
{
    static const char *const first[] = {"2[\"x\"]",          "30[]", "1", "1/custom,",
                                        "2/nowhere,[\"x\"]", "abc",  ""};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct sio_client client = {0};
        assert_int_equal(say(&client, first[i]), SIO_DO_CLOSE);
        assert_true(in.why.text[0]);
    }
    struct sio_client client = {0};
    assert_int_equal(say(&client, "0"), SIO_DO_CONNECT);
    assert_int_equal(say(&client, "0"), SIO_DO_CLOSE); /* twice */
    assert_int_equal(attach(&client, "bytes"), SIO_DO_CLOSE);
}

static void test_a_binary_packet_waits_for_its_attachments(void **state)
{
    struct sio_client client = {0};
    assert_int_equal(say(&client, "0"), SIO_DO_CONNECT);
    char text[] = "52-7[\"x\"]";
    assert_int_equal(say(&client, text), SIO_NOTHING);
    memset(text, '!', sizeof text - 1); /* it was copied */
    assert_int_equal(attach(&client, "one"), SIO_NOTHING);
    assert_int_equal(attach(&client, ""), SIO_DO_EVENT);
    assert_true(in.packet.type == SIO_BINARY_EVENT && in.packet.id == 7);
    assert_int_equal(in.packet.attachments, 2);
    assert_true(span_is(in.attachments[0], "one") && in.attachments[1].len == 0);
    assert_int_equal(say(&client, "61-3[{}]"), SIO_NOTHING);
    assert_int_equal(attach(&client, "a"), SIO_DO_ACK);
    assert_int_equal(say(&client, "50-[\"x\"]"), SIO_DO_EVENT); /* none to wait for */
    assert_int_equal(say(&client, "51-[\"x\"]"), SIO_NOTHING);
    assert_int_equal(say(&client, "2[\"x\"]"), SIO_DO_CLOSE);
    assert_null(client.pending);
    sio_client_fini(&client);
}

static void test_memory_of_a_binary_packet_is_bounded(void **state)
{
    struct sio_client client = {0};
    char bytes[60];
    assert_int_equal(say(&client, "0"), SIO_DO_CONNECT);
    assert_int_equal(say(&client, "52-[\"x\"]"), SIO_NOTHING); /* 8 bytes */
    sio_take(&client, &config, (struct span){bytes, 50}, true, &in);
    assert_int_equal(in.action, SIO_NOTHING);
    sio_take(&client, &config, (struct span){bytes, 6}, true, &in);
    assert_int_equal(in.action, SIO_DO_EVENT); /* 64: just fits */
    assert_int_equal(say(&client, "52-[\"x\"]"), SIO_NOTHING);
    sio_take(&client, &config, (struct span){bytes, 50}, true, &in);
    sio_take(&client, &config, (struct span){bytes, 7}, true, &in);
    assert_int_equal(in.action, SIO_DO_CLOSE);
    assert_non_null(strstr(in.why.text, "limit"));
    assert_null(client.pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_namespaces_are_entered_and_left),
        cmocka_unit_test(test_what_is_out_of_place_closes),
        cmocka_unit_test(test_a_binary_packet_waits_for_its_attachments),
        cmocka_unit_test(test_memory_of_a_binary_packet_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

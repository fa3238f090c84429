/* test_eio_packet.c - Engine.IO packets and payloads. */
#include "socketio/eio_packet.h"
#include "tests/support/cmocka.h"

static void test_packet_is_type_and_data(void **state)
{
    struct eio_packet packet;
    assert_int_equal(eio_packet_read(SPAN("4hello"), &packet), 0);
    assert_int_equal(packet.type, EIO_MESSAGE);
    assert_true(span_is(packet.data, "hello") && !packet.binary);
    assert_int_equal(eio_packet_read(SPAN("6"), &packet), 0);
    assert_int_equal(packet.type, EIO_NOOP);
    assert_int_equal(packet.data.len, 0);
    static const char *const wrong[] = {"", "7", "b", "abc", "/", " 4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(eio_packet_read(span_of(wrong[i]), &packet), BERTH_EPROTO);
}

static void test_payload_is_cut_in_order(void **state)
{
    struct span rest = SPAN("4one\x1e"
                            "bAQIDBA==\x1e"
                            "3\x1e"
                            "4");
    struct eio_packet packet;
    char scratch[8];
    assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), 1);
    assert_true(span_is(packet.data, "one"));
    assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), 1);
    assert_true(packet.type == EIO_MESSAGE && packet.binary);
    assert_true(span_is(packet.data, "\1\2\3\4"));
    assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), 1);
    assert_true(packet.type == EIO_PONG && !packet.binary);
    assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), 1);
    assert_int_equal(packet.data.len, 0);
    assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), 0);
}

static void test_empty_and_malformed_packets_are_refused(void **state)
{
    static const char *const wrong[] = {"", "\x1e", "\0364a", "9", "bA", "b-_==", "bAQIDBA==4"};
    struct eio_packet packet;
    char scratch[8];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct span rest = span_of(wrong[i]);
        assert_int_equal(eio_payload_next(&rest, scratch, sizeof scratch, &packet), BERTH_EPROTO);
    }
    struct span trailing = SPAN("4a\x1e");
    assert_int_equal(eio_payload_next(&trailing, scratch, sizeof scratch, &packet), 1);
    assert_int_equal(eio_payload_next(&trailing, scratch, sizeof scratch, &packet), BERTH_EPROTO);
    struct span large = SPAN("bAQIDBAUGBwgJ");
    assert_int_equal(eio_payload_next(&large, scratch, sizeof scratch, &packet), BERTH_EFULL);
}

static void test_what_is_put_comes_back(void **state)
{
    char payload[32];
    size_t len = 0, size = eio_payload_text_size(0, 3);
    eio_payload_put_text(payload, &len, SPAN("4ab"));
    assert_int_equal(len, size);
    size = len + eio_payload_binary_size(len, 4);
    eio_payload_put_binary(payload, &len, SPAN("\1\2\3\4"));
    assert_int_equal(len, size);
    size = len + eio_payload_text_size(len, 1);
    eio_payload_put_text(payload, &len, SPAN("2"));
    assert_int_equal(len, size);
    assert_true(span_is((struct span){payload, len}, "4ab\x1e"
                                                     "bAQIDBA==\x1e"
                                                     "2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_is_type_and_data),
        cmocka_unit_test(test_payload_is_cut_in_order),
        cmocka_unit_test(test_empty_and_malformed_packets_are_refused),
        cmocka_unit_test(test_what_is_put_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

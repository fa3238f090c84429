/* test_cert.h - a self-signed certificate for 127.0.0.1 and localhost, made anew for a test. */
#ifndef BERTH_TESTS_SUPPORT_TEST_CERT_H
#define BERTH_TESTS_SUPPORT_TEST_CERT_H

/* Write cert.pem and key.pem into the directory. */
void test_cert_write(const char *directory);

#endif

/* cmocka.h - cmocka with the headers it asks for, in the order it asks for them. */
#ifndef BERTH_TESTS_SUPPORT_CMOCKA_H
#define BERTH_TESTS_SUPPORT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif

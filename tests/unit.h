/* cmocka's headers in the only order that works. */
#ifndef UPKEEP_TESTS_UNIT_H
#define UPKEEP_TESTS_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#endif

/* A real S3 server for a test program: Ceph RGW, or with -DSERVER_SWIFT OpenStack Swift. */
#ifndef SUPPORT_TESTS_SERVER_H
#define SUPPORT_TESTS_SERVER_H

#include <stdbool.h>

extern const bool server_is_swift;

/* For the group of tests: starts it by tests/services, RGW with https too, unless the environment
 * says already where one answers, and ends the program with 77 where none is installed.  Then
 * getenv has S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_TLS_ENDPOINT, S3_CA_FILE, and no
 * variable or file of AWS's tools is looked at. */
int server_start(void **state);
int server_stop(void **state);
/* Only the last of it, for tests that need no server. */
int server_without(void **state);

#endif

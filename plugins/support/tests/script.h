/* A server in this process that answers what it is told: for what no real one does on
 * demand. */
#ifndef SUPPORT_TESTS_SCRIPT_H
#define SUPPORT_TESTS_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

/* Adds what the next request is answered with: "HTTP/1.1 STATUS", `headers` (with their line
 * ends), and the body. */
void script_answer(const char *status, const char *headers, const char *body);
/* The same as one text of its own.  "": the connection is closed without an answer;
 * "cut:...": the rest is sent, and then the connection is reset. */
void script_raw(const char *text);
/* An answer that holds keys, as the metadata services send it, for so many seconds. */
void script_keys(const char *access, int64_t seconds);

/* Serves them, one to a connection, the last again and again, or nothing where there are none.
 * Returns "http://127.0.0.1:PORT", valid until the next start. */
const char *script_start(void);
/* Waits for its thread and forgets the answers.  Returns the requests that came, heads and
 * bodies, valid until the next start. */
const char *script_stop(void);

/* How often it is in there. */
size_t script_occurs(const char *text, const char *what);

#endif

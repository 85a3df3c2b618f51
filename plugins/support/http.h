/*
 * One HTTP request after another over kept connections: a thin transport over libcurl.
 *
 * Certificates are always verified and redirects are never followed.  There is no limit
 * on the whole time of a request, but one on the time without progress.  Proxies are those
 * of the environment (https_proxy and its like).
 */
#ifndef SUPPORT_HTTP_H
#define SUPPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/fault.h"

/* Connections and how they are made; used by one thread at a time. */
struct http;

struct http_settings {
	const char *ca_file; /* certificates to believe instead of the system's; NULL: those */
	int cancel_fd;       /* readable: stop; -1: none */
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t stall_timeout_ms;   /* longest time without a byte, whole seconds; 0: 60 s */
	bool direct;                /* past every proxy */
};

/* The texts of `settings` are copied. */
int http_open(struct http **ret, const struct http_settings *settings, struct fault *fault);
void http_close(struct http **http);
#define CLEANUP_HTTP __attribute__((cleanup(http_close)))

/* What is sent: `size` bytes of memory, or, where bytes is NULL, of fd from offset. */
struct http_body {
	const void *bytes;
	int fd;
	uint64_t offset, size;
};

/* Takes what arrives, piece by piece; a negative errno stops the request with it. */
typedef int (*http_sink)(void *arg, const void *bytes, size_t size);

struct http_request {
	const char *method, *url;
	const char *const *headers; /* "Name: value" */
	size_t header_count;
	const struct http_body *body; /* NULL: none */
	/* The body of an answer of status 200 or 206 goes here; NULL: into the answer's text. */
	http_sink sink;
	void *sink_arg;
	size_t text_limit; /* of the answer's text, bytes; 0: 1 MiB */
};

struct http_answer {
	int status;     /* 100 to 999 */
	char **headers; /* "name: value" as they came */
	size_t header_count;
	char *text; /* the body, NUL-terminated; never NULL after http_send */
	size_t size;
};

/* Sends and waits for the answer, whatever its status.  *answer, zeroed before, is the
 * caller's to free, also after a failure.
 * -ECANCELED; -ETIMEDOUT: no progress; -ECONNREFUSED, -EHOSTUNREACH: no way there or no such
 * name; -ECONNRESET: cut off; -EKEYREJECTED: certificate or TLS; -EFBIG: a text longer than
 * its limit; -EIO: what was to be sent could not be read; -EPROTO: anything else. */
int http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
	struct fault *fault);

/* The value of the header `name` (any case), or NULL. */
const char *http_header(const struct http_answer *answer, const char *name);

void http_answer_free(struct http_answer *answer);
#define CLEANUP_ANSWER __attribute__((cleanup(http_answer_free)))

#endif

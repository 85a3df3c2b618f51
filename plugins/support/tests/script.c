/* SPDX-License-Identifier: MIT */
#include "support/tests/script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/fault.h"
#include "support/moment.h"
#include "support/write.h"

#define ANSWERS_MAX 16

static char *script[ANSWERS_MAX + 1];
static size_t script_count;
static int listener;
static pthread_t thread;
static char address[64];
static char *requests;
static size_t requests_size;
static FILE *log_file;

/* One request, with its body by Content-Length; 0 where there was none. */
static int read_request(int fd)
{
	static char text[1 << 20];
	size_t size = 0, want = sizeof text;
	while (size < want && size < sizeof text - 1) {
		ssize_t n = read(fd, text + size, sizeof text - 1 - size);
		if (n <= 0)
			return 0;
		size += (size_t)n;
		text[size] = 0;
		const char *end = strstr(text, "\r\n\r\n");
		const char *length = strcasestr(text, "\r\ncontent-length:");
		if (end && want == sizeof text) {
			if (strcasestr(text, "\r\nexpect: 100"))
				write_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
			want = (size_t)(end - text) + 4 +
				(length && length < end ? strtoul(length + 17, NULL, 10) : 0);
		}
	}
	fwrite(text, 1, size, log_file);
	fputs("\n", log_file);
	return 1;
}

static void reset(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};
	usleep(20000); /* what was sent is to arrive before the reset */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void *serve(void *arg)
{
	(void)arg;
	for (size_t i = 0;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		const char *text = script[i] ? script[i] : "";
		if (read_request(fd)) {
			int cut = strncmp(text, "cut:", 4) == 0;
			write_all(fd, text + (cut ? 4 : 0), strlen(text) - (cut ? 4 : 0));
			if (cut)
				reset(fd);
			if (script[i] && script[i + 1])
				i++;
		}
		close(fd);
	}
}

const char *script_start(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	free(requests);
	log_file = open_memstream(&requests, &requests_size);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 16) < 0 ||
		getsockname(listener, (struct sockaddr *)&at, &length) < 0)
		abort();
	snprintf(address, sizeof address, "http://127.0.0.1:%d", ntohs(at.sin_port));
	pthread_create(&thread, NULL, serve, NULL);
	return address;
}

const char *script_stop(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	fclose(log_file);
	while (script_count)
		free(script[--script_count]);
	memset(script, 0, sizeof script);
	return requests;
}

void script_raw(const char *text)
{
	if (script_count == ANSWERS_MAX)
		abort();
	script[script_count++] = fault_format("%s", text);
}

void script_answer(const char *status, const char *headers, const char *body)
{
	CLEANUP_FREE char *text =
		fault_format("HTTP/1.1 %s\r\n%scontent-length: %zu\r\nconnection: close\r\n\r\n%s",
			status, headers, strlen(body), body);
	script_raw(text);
}

void script_keys(const char *access, int64_t seconds)
{
	char when[32];
	moment_format(time(NULL) + seconds, when);
	CLEANUP_FREE char *body = fault_format(
		"{\"Code\": \"Success\", \"AccessKeyId\": \"%s\", \"SecretAccessKey\": \"s3cret\", "
		"\"Token\": \"t0ken\", \"Expiration\": \"%s\"}",
		access, when);
	script_answer("200 OK", "", body);
}

size_t script_occurs(const char *text, const char *what)
{
	size_t many = 0;
	for (; (text = strstr(text, what)); text++)
		many++;
	return many;
}

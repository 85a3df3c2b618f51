/* Speaking to a real worker as the engine does. */
#ifndef UPKEEP_TESTS_TALK_H
#define UPKEEP_TESTS_TALK_H

#include "tests/unit.h"

#include "base/cleanup.h"
#include "wire/wire.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char so[] = "/tmp/upkeep-worker-XXXXXX";

struct talk {
	int socket;
	pid_t pid;
	struct wire_in in;
	struct wire_out out;
};

static void compile(const char *file, const char *define)
{
	char source[4096], include[4096];
	const char *top = getenv("top_srcdir");
	int status;

	snprintf(source, sizeof source, "%s/%s", top ? top : ".", file);
	snprintf(include, sizeof include, "-I%s/plugin-api", top ? top : ".");
	pid_t pid = fork();
	if (pid == 0) {
		execlp("cc", "cc", "-std=gnu17", "-shared", "-fPIC", include, define, "-o", so,
			source, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void start(struct talk *talk)
{
	int pair[2];

	*talk = (struct talk){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	talk->pid = fork();
	if (talk->pid == 0) {
		close(pair[0]);
		worker_main(pair[1]);
	}
	close(pair[1]);
	talk->socket = pair[0];
}

static int end(struct talk *talk)
{
	int status;

	close(talk->socket);
	waitpid(talk->pid, &status, 0);
	wire_in_free(&talk->in);
	wire_out_free(&talk->out);
	return status;
}

static void load(struct talk *talk, const char *name)
{
	CLEANUP_FD int fd = open(so, O_RDONLY | O_CLOEXEC);

	wire_begin(&talk->out, WIRE_LOAD);
	wire_text(&talk->out, WIRE_NAME, name);
	wire_text(&talk->out, WIRE_PATH, so);
	wire_text(&talk->out, WIRE_INSTANCE, name);
	wire_fd(&talk->out, fd);
	assert_int_equal(wire_send(talk->socket, &talk->out, 0), 0);
}

static void expect(struct talk *talk, enum wire_kind kind)
{
	assert_int_equal(wire_receive(talk->socket, WIRE_ENGINE, &talk->in, 0), 1);
	assert_int_equal(talk->in.kind, kind);
}

static void expect_done(struct talk *talk, int64_t serial, int64_t result)
{
	expect(talk, WIRE_DONE);
	assert_int_equal(wire_get_number(&talk->in, WIRE_SERIAL), serial);
	assert_int_equal(wire_get_number(&talk->in, WIRE_RESULT), result);
}

static int set_up(void **state)
{
	int fd = mkstemp(so);

	(void)state;
	close(fd);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(so);
}

#endif

/* SPDX-License-Identifier: MIT */
#include "postgres/container.h"

#include <fcntl.h>
#include <unistd.h>

#include "postgres/settings.h"
#include "support/cleanup.h"

/* One address a line, of each network that it is in. */
#define FORMAT "{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}"

static int read_text(int fd, char *text, size_t room)
{
	size_t n = 0;
	while (n + 1 < room) {
		ssize_t got = read(fd, text + n, room - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	text[n] = 0;
	return 0;
}

static int inspect(struct upkeep_ctx *ctx, char *text, size_t room, int32_t *ret_code)
{
	const struct settings *settings = ctx->settings;
	const char *const argv[] = {settings->engine, "container", "inspect", "--format", FORMAT,
		"--", settings->container, NULL};
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	CLEANUP_FD int from = pipe_fds[0], to = pipe_fds[1];
	struct upkeep_spawn spawn = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = to, .stderr_fd = -1};
	int64_t child = upkeep_spawn_start(ctx, &spawn, NULL);
	if (child < 0)
		return (int)child;
	close(TAKE_FD(to));
	int r = read_text(from, text, room);
	*ret_code = ctx->host->spawn_wait(ctx, child);
	return r;
}

int container_address(struct upkeep_ctx *ctx, char **ret, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	char text[1024];
	int32_t code = 0;
	int r = inspect(ctx, text, sizeof text, &code);
	if (r < 0)
		return fault_set(fault, r,
			"set engine in the settings of the plugin to the program",
			"cannot ask \"%s\" for the container \"%s\": %s", settings->engine,
			settings->container, strerror(-r));
	char *address = text + strspn(text, "\n ");
	address[strcspn(address, "\n ")] = 0;
	if (code != 0)
		return fault_set(fault, -ENOENT, "see which there are: docker ps --all",
			"there is no container \"%s\"", settings->container);
	if (!address[0])
		return fault_set(fault, -ENOENT,
			"start it; where it uses the host's network, set host "
			"instead of container",
			"the container \"%s\" has no address: it does not run, or has no network "
			"of "
			"its own",
			settings->container);
	*ret = fault_format("%s", address);
	return 0;
}

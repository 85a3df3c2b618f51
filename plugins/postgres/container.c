/* SPDX-License-Identifier: MIT */
#include "postgres/container.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "postgres/settings.h"
#include "support/cleanup.h"
#include "support/stream.h"

/* One address a line, of each network that it is in. */
#define FORMAT "{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}"

/* All that it writes, while it may be cancelled: an engine's daemon can hang. */
static int inspect(
	struct upkeep_ctx *ctx, char *text, size_t room, int32_t *ret_code, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	const char *const argv[] = {settings->engine, "container", "inspect", "--format", FORMAT,
		"--", settings->container, NULL};
	size_t size = 0;
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	CLEANUP_FD int from = ends[0];
	CLEANUP_FD int to = ends[1];
	struct upkeep_spawn spawn = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = to, .stderr_fd = -1};
	int64_t child = upkeep_spawn_start(ctx, &spawn, NULL);
	if (child < 0)
		return fault_set(fault, (int)child,
			"set engine in the settings of the plugin to the program",
			"cannot ask \"%s\" for the container \"%s\": %s", settings->engine,
			settings->container, strerror((int)-child));
	close(TAKE_FD(to));
	r = stream_read(ctx, from, text, room - 1, &size, fault);
	text[size] = 0;
	if (r < 0)
		ctx->host->spawn_kill(ctx, child, SIGKILL);
	*ret_code = ctx->host->spawn_wait(ctx, child);
	return r;
}

int container_address(struct upkeep_ctx *ctx, char **ret, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	char text[1024];
	int32_t code = 0;
	int r = inspect(ctx, text, sizeof text, &code, fault);
	if (r < 0)
		return r;
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

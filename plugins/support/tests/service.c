/* SPDX-License-Identifier: MIT */
#include "support/tests/service.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cleanup.h"

int service_program(const char *const *argv, int stdout_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
	int r = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return 99;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

/* Lines NAME='VALUE'. */
static void answers_take(FILE *from)
{
	char line[4096];
	while (fgets(line, sizeof line, from)) {
		char *equals = strstr(line, "='"), *end = strrchr(line, '\'');
		if (!equals || end <= equals + 1)
			continue;
		*equals = *end = 0;
		setenv(line, equals + 2, 1);
	}
}

int service_call(const char *name, const char *const *arguments)
{
	char path[4096];
	const char *root = getenv("top_srcdir"), *argv[20] = {path};
	snprintf(path, sizeof path, "%s/tests/services/%s", root ? root : ".", name);
	for (size_t i = 0; i < 18 && arguments[i]; i++)
		argv[i + 1] = arguments[i];
	CLEANUP_FILE FILE *said = tmpfile();
	if (!said)
		return 99;
	int code = service_program(argv, fileno(said));
	rewind(said);
	answers_take(said);
	return code;
}

int service_start(const char *name, const char *dir, const char *const *more)
{
	char owner[16];
	const char *arguments[16] = {"start", dir, owner};
	snprintf(owner, sizeof owner, "%d", (int)getpid());
	for (size_t i = 0; more && more[i] && i < 12; i++)
		arguments[i + 3] = more[i];
	return service_call(name, arguments);
}

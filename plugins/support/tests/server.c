/* SPDX-License-Identifier: MIT */
#include "support/tests/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SERVER_SWIFT
const bool server_is_swift = true;
#else
const bool server_is_swift;
#endif

static char dir[] = "/tmp/upkeep-s3.XXXXXX";
static int started;

/* Runs the service with the arguments; its output as variables. */
static int call(const char *verb, const char *owner)
{
	char path[4096], place[64], line[4096];
	int pipes[2];
	const char *root = getenv("top_srcdir");
	snprintf(path, sizeof path, "%s/tests/services/%s", root ? root : ".",
		server_is_swift ? "swift" : "rgw");
	snprintf(place, sizeof place, "%s/server", dir);
	if (pipe(pipes) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execl(path, path, verb, place, owner, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	FILE *f = fdopen(pipes[0], "r");
	while (f && fgets(line, sizeof line, f)) {
		char *equals = strstr(line, "='"), *end = strrchr(line, '\'');
		if (!equals || end <= equals + 1)
			continue;
		*equals = *end = 0;
		setenv(line, equals + 2, 1);
	}
	if (f)
		fclose(f);
	int status = -1;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int server_without(void **state)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "http_proxy", "https_proxy",
		"all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
	setenv("HOME", "/nowhere", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	return 0;
}

static void remove_dir(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int server_start(void **state)
{
	char owner[16];
	server_without(state);
	if (getenv("S3_ENDPOINT"))
		return 0;
	snprintf(owner, sizeof owner, "%d", (int)getpid());
	setenv("RGW_TLS", "1", 1);
	if (!mkdtemp(dir))
		return -1;
	int code = call("start", owner);
	if (code != 0)
		remove_dir();
	if (code == 77)
		exit(77);
	started = code == 0;
	return code;
}

int server_stop(void **state)
{
	(void)state;
	if (!started)
		return 0;
	int code = call("stop", NULL);
	remove_dir();
	return code;
}

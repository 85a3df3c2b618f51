/* SPDX-License-Identifier: MIT */
#include "support/tests/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/tests/service.h"

#ifdef SERVER_SWIFT
const bool server_is_swift = true;
#else
const bool server_is_swift;
#endif

static char dir[] = "/tmp/upkeep-s3.XXXXXX";
static char place[64];
static int started;

static const char *service(void)
{
	return server_is_swift ? "swift" : "rgw";
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

static int end(void)
{
	const char *const stop[] = {"stop", place, NULL},
			  *const clear[] = {"/bin/rm", "-rf", dir, NULL};
	int code = service_call(service(), stop);
	service_program(clear, STDERR_FILENO);
	return code;
}

int server_start(void **state)
{
	server_without(state);
	if (getenv("S3_ENDPOINT"))
		return 0;
	setenv("RGW_TLS", "1", 1);
	if (!mkdtemp(dir))
		return -1;
	snprintf(place, sizeof place, "%s/server", dir);
	int code = service_start(service(), place, NULL);
	if (code != 0)
		end();
	if (code == 77)
		exit(77);
	started = code == 0;
	return code;
}

int server_stop(void **state)
{
	(void)state;
	return started ? end() : 0;
}

/* SPDX-License-Identifier: MIT */
#include "run/secret.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const char *const kinds[] = {"file:", "env:", "credential:", "command:"};
enum { KIND_FILE, KIND_ENV, KIND_CREDENTIAL, KIND_COMMAND, KIND_COUNT };

static int kind_of(const char *name)
{
	for (int i = 0; i < KIND_COUNT; i++)
		if (text_starts(name, kinds[i]))
			return i;
	return -1;
}

bool secret_is_name(const char *text)
{
	return kind_of(text) >= 0;
}

static int fetch_file(const char *path, struct text *out, struct error *err)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t size = 0;

	int r = file_load(path, SECRET_MAX_BYTES, &bytes, &size, err);
	if (r == 0) {
		text_add(out, bytes, size);
		explicit_bzero(bytes, size);
	}
	return r;
}

static int fetch_env(const char *name, struct text *out, struct error *err)
{
	const char *value = getenv(name);

	if (!value)
		return error_set(err, -ENOENT, NULL, "the environment has no %s", name);
	text_adds(out, value);
	return 0;
}

static int fetch_credential(const char *name, struct text *out, struct error *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	CLEANUP_TEXT struct text path = {0};

	if (!dir)
		return error_set(err, -ENOENT, "start it by systemd, with LoadCredential=",
			"there are no credentials: CREDENTIALS_DIRECTORY is not set");
	if (strchr(name, '/'))
		return error_set(err, -EINVAL, NULL, "a credential's name has no slash");
	text_addf(&path, "%s/%s", dir, name);
	return fetch_file(text_string(&path), out, err);
}

static int too_late(const char *path, struct error *err)
{
	return error_set(err, -ETIMEDOUT, NULL, "%s gave no secret within %d s", path,
		SECRET_COMMAND_MS / 1000);
}

/* Reads until the end, a limit of bytes, or the time limit. */
static int read_command(
	int fd, const char *path, int64_t end_ms, struct text *out, struct error *err)
{
	char chunk[4096];

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left_ms = end_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return too_late(path, err);
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n > 0 && out->size + (size_t)n <= SECRET_MAX_BYTES)
			text_add(out, chunk, (size_t)n);
		else if (n > 0)
			return error_set(err, -EFBIG, NULL, "%s printed more than %u bytes", path,
				SECRET_MAX_BYTES);
		else if (n == 0 || errno != EINTR)
			return 0;
	}
}

/* It may go on after it has closed its output, and leave others in its group. */
static int end_command(pid_t pid, const char *path, int64_t end_ms, struct error *err)
{
	siginfo_t info = {0};
	int status = 0, r = 0;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid) {
		if (clock_monotonic_ms() >= end_ms) {
			r = too_late(path, err);
			break;
		}
		usleep(1000);
	}
	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		return error_set(err, -EIO, NULL, "%s failed (%s %d)", path,
			WIFSIGNALED(status) ? "signal" : "exit code",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return r;
}

static int fetch_command(const char *path, struct text *out, struct error *err)
{
	const char *const argv[] = {path, NULL};
	int64_t end_ms = clock_monotonic_ms() + SECRET_COMMAND_MS;
	struct process process;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_set(err, -errno, NULL, "cannot make a pipe: %m");
	struct process_fd fds[] = {{pipes[1], 1}};
	struct process_spec spec = {.path = path,
		.argv = (char *const *)argv,
		.envp = environ,
		.fds = fds,
		.fd_count = 1,
		.new_group = true,
		.parent_death_kill = true,
		.no_pidfd = true};
	CLEANUP_FD int end = pipes[0];
	int r = process_spawn(&spec, &process, err);
	close(pipes[1]);
	if (r < 0)
		return r;
	r = read_command(end, path, end_ms, out, err);
	int ended = end_command(process.pid, path, r < 0 ? 0 : end_ms, r < 0 ? NULL : err);
	return r < 0 ? r : ended;
}

static int fetch(const char *name, struct text *out, struct error *err)
{
	static int (*const fetchers[])(const char *, struct text *, struct error *) = {
		fetch_file, fetch_env, fetch_credential, fetch_command};
	int kind = kind_of(name);

	if (kind < 0)
		return error_set(err, -EINVAL,
			"write file:PATH, env:NAME, credential:NAME or command:PROGRAM",
			"that is not the name of a secret");
	int r = fetchers[kind](name + strlen(kinds[kind]), out, err);
	if (r == 0 && out->size && out->bytes[out->size - 1] == '\n')
		out->bytes[--out->size] = 0;
	if (r == 0 && memchr(text_string(out), 0, out->size))
		return error_set(err, -EINVAL, NULL, "it holds a NUL byte");
	if (r == 0 && out->size < SECRET_MIN_BYTES)
		return error_set(err, -EINVAL, "use a longer one",
			"it has less than %u bytes: too short to be told from other text",
			SECRET_MIN_BYTES);
	return r;
}

static const struct secret *find(const struct secrets *secrets, const char *name)
{
	vec_each(&secrets->list, s)
		if (strcmp((*s)->name, name) == 0)
			return *s;
	return NULL;
}

static struct secret *add(struct secrets *secrets, const char *name, struct text *text)
{
	struct secret *secret = base_alloc(sizeof *secret);

	secret->name = base_string(name);
	secret->text.size = text->size;
	secret->text.bytes = text_take(text);
	vec_push(&secrets->list, secret);
	return secret;
}

int secrets_get(
	struct secrets *secrets, const char *name, const struct secret **ret, struct error *err)
{
	struct text text = {0};

	*ret = find(secrets, name);
	if (*ret && (*ret)->failed.what)
		return error_set(err, -EIO, (*ret)->failed.next, "%s", (*ret)->failed.what);
	if (*ret)
		return 0;
	prctl(PR_SET_DUMPABLE, 0);
	int r = fetch(name, &text, err);
	if (r < 0) {
		error_prefix(err, "secret \"%s\"", name);
		text_free(&text);
		return r;
	}
	*ret = add(secrets, name, &text);
	return 0;
}

void secrets_prepare(struct secrets *secrets, const char *name)
{
	const struct secret *ignored;
	struct error err = {0};
	struct text none = {0};

	if (find(secrets, name) || secrets_get(secrets, name, &ignored, &err) == 0)
		return;
	add(secrets, name, &none)->failed = err;
}

void secrets_free(struct secrets *secrets)
{
	vec_each(&secrets->list, s) {
		if ((*s)->text.bytes)
			explicit_bzero((*s)->text.bytes, (*s)->text.size);
		error_clear(&(*s)->failed);
		free((*s)->text.bytes);
		free((*s)->name);
		free(*s);
	}
	vec_free(&secrets->list);
}

/* SPDX-License-Identifier: MIT */
#include "backup/seal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cleanup.h"

#define ARGUMENTS_MAX 160

struct arguments {
	const char *items[ARGUMENTS_MAX];
	size_t count;
};

int seal_memory(const char *name, struct fault *fault)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? fault_set(fault, -errno, NULL, "cannot make a file in memory: %m") : fd;
}

static void add_arguments(struct arguments *list, const char *const *more)
{
	while (*more && list->count < ARGUMENTS_MAX - 1)
		list->items[list->count++] = *more++;
	list->items[list->count] = NULL;
}

static void add_common(struct arguments *list, const char *home)
{
	const char *const common[] = {"gpg", "--homedir", home, "--no-options", "--batch",
		"--no-tty", "--status-fd", "3", "--trust-model", "always", "--no-auto-key-locate",
		"--no-random-seed-file", "--lock-never", "--pinentry-mode", "error", NULL};
	add_arguments(list, common);
}

static int spawn_gpg(struct seal_job *job, const struct arguments *list, struct fault *fault)
{
	const int32_t from[] = {job->status};
	const int32_t to[] = {3};
	const char *const env[] = {"LC_ALL=C", NULL};
	struct upkeep_spawn spawn = {.argv = list->items,
		.env = env,
		.stdin_fd = job->in,
		.stdout_fd = job->out,
		.stderr_fd = job->errors,
		.pass_from = from,
		.pass_to = to,
		.pass_count = 1};
	int32_t exit_fd = -1;
	int64_t handle = upkeep_spawn_start(job->ctx, &spawn, &exit_fd);
	if (handle <= 0)
		return fault_set(fault, handle < 0 ? (int)handle : -EIO, "install gnupg",
			"cannot start gpg: %s", strerror(handle < 0 ? (int)-handle : EIO));
	job->handle = handle;
	job->exit_fd = exit_fd;
	return 0;
}

static int begin_job(struct seal_job *job, struct keys *keys, int in, struct fault *fault)
{
	*job = (struct seal_job){
		.ctx = keys_ctx(keys), .in = in, .out = -1, .status = -1, .errors = -1};
	if (lseek(in, 0, SEEK_SET) < 0)
		return fault_set(fault, -errno, NULL, "cannot rewind a file in memory: %m");
	job->out = seal_memory("sealed", fault);
	job->status = job->out < 0 ? -1 : seal_memory("status", fault);
	job->errors = job->status < 0 ? -1 : seal_memory("errors", fault);
	return job->errors < 0 ? -ENOMEM : 0;
}

int seal_start(struct seal_job *job, struct keys *keys, int in, struct fault *fault)
{
	struct arguments list = {.count = 0};
	size_t count;
	const char *const *recipients = keys_recipients(keys, &count);
	int r = begin_job(job, keys, in, fault);
	if (r == 0 && (count == 0 || count > 50))
		r = fault_set(fault, -EINVAL, "name one to fifty in `recipients`",
			"there are %zu recipients to seal to", count);
	const char *const how[] = {"--no-autostart", "--compress-algo", "none", "--encrypt", NULL};
	add_common(&list, keys_home(keys));
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *const recipient[] = {"--recipient", recipients[i], NULL};
		add_arguments(&list, recipient);
	}
	add_arguments(&list, how);
	if (r == 0)
		r = spawn_gpg(job, &list, fault);
	if (r < 0)
		seal_abort(job);
	return r;
}

int seal_open_start(
	struct seal_job *job, struct keys *keys, int in, uint64_t limit, struct fault *fault)
{
	struct arguments list = {.count = 0};
	CLEANUP_FREE char *most = fault_format("%llu", (unsigned long long)limit);
	const char *const how[] = {"--max-output", most, "--decrypt", NULL};
	int r = begin_job(job, keys, in, fault);
	job->opening = true;
	add_common(&list, keys_home(keys));
	add_arguments(&list, how);
	if (r == 0)
		r = spawn_gpg(job, &list, fault);
	if (r < 0)
		seal_abort(job);
	return r;
}

bool seal_busy(const struct seal_job *job)
{
	return job->handle > 0;
}

/* 0 when gpg has ended, -ECANCELED when the task must. */
static int wait_for_end(struct seal_job *job)
{
	struct pollfd fds[2] = {{.fd = job->exit_fd, .events = POLLIN},
		{.fd = job->ctx->host->cancel_fd(job->ctx), .events = POLLIN}};
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents & POLLIN)
			return -ECANCELED;
		if (fds[0].revents)
			return 0;
	}
}

static char *read_memory(int fd)
{
	size_t room = 64 * 1024;
	char *text = fault_alloc(room);
	ssize_t n = pread(fd, text, room - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static bool has_status(const char *status, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = status; (at = strstr(at, "[GNUPG:] ")); at++) {
		const char *found = at + strlen("[GNUPG:] ");
		if (strncmp(found, word, size) == 0 && strchr(" \r\n", found[size]))
			return true;
	}
	return false;
}

static const char *explain(const char *status)
{
	if (has_status(status, "INV_RECP"))
		return "a recipient's key is missing, expired or cannot encrypt: import it into "
		       "the "
		       "keyring";
	if (has_status(status, "NO_SECKEY"))
		return "the keyring needs the secret key of one of the recipients";
	return NULL;
}

static int judge_end(struct seal_job *job, int32_t end, struct fault *fault)
{
	CLEANUP_FREE char *status = read_memory(job->status);
	CLEANUP_FREE char *errors = read_memory(job->errors);
	bool good = job->opening
		? has_status(status, "DECRYPTION_OKAY") && has_status(status, "GOODMDC")
		: has_status(status, "END_ENCRYPTION");
	if (end == 0 && good)
		return 0;
	for (char *line = errors; (line = strchr(line, '\n'));)
		*line = line[1] ? ';' : 0;
	if (end >= 256)
		return fault_set(fault, -EIO, NULL, "gpg was killed by signal %d", end - 256);
	return fault_set(fault, job->opening ? -EBADMSG : -EIO, explain(status),
		"gpg could not %s: %s", job->opening ? "decrypt" : "encrypt",
		*errors ? errors : "it did not say why");
}

static void close_job(struct seal_job *job)
{
	int *fds[] = {&job->in, &job->out, &job->status, &job->errors};
	for (size_t i = 0; i < UPKEEP_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	job->handle = 0;
}

void seal_abort(struct seal_job *job)
{
	if (job->handle > 0) {
		job->ctx->host->spawn_kill(job->ctx, job->handle, 9);
		job->ctx->host->spawn_wait(job->ctx, job->handle);
	}
	close_job(job);
}

int seal_finish(struct seal_job *job, int *ret_fd, uint64_t *ret_size, struct fault *fault)
{
	int r = wait_for_end(job);
	if (r < 0) {
		seal_abort(job);
		return fault_set(fault, r, NULL, "stopped while gpg was at work");
	}
	int32_t end = job->ctx->host->spawn_wait(job->ctx, job->handle);
	job->handle = 0;
	r = end < 0 ? fault_set(fault, end, NULL, "lost sight of gpg: %s", strerror(-end))
		    : judge_end(job, end, fault);
	off_t size = r == 0 ? lseek(job->out, 0, SEEK_END) : 0;
	if (r == 0 && lseek(job->out, 0, SEEK_SET) < 0)
		r = fault_set(fault, -errno, NULL, "cannot rewind a file in memory: %m");
	if (r == 0) {
		*ret_fd = TAKE_FD(job->out);
		*ret_size = (uint64_t)size;
	}
	close_job(job);
	return r;
}

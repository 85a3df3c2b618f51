/* SPDX-License-Identifier: MIT */
#include "backup/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cleanup.h"

#define ARGUMENTS_MAX 160
#define SAID_MAX (64 * 1024)

struct arguments {
	const char *items[ARGUMENTS_MAX];
	size_t count;
};

int seal_memory(const char *name, struct fault *fault)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? fault_set(fault, -errno, NULL, "cannot make a file in memory: %m") : fd;
}

/* The same for what gpg says: of that the first SAID_MAX bytes, whatever it is made to say. */
static int seal_said(const char *name, struct fault *fault)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, SAID_MAX) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0)
		return fd;
	int r = fault_set(fault, -errno, NULL, "cannot make a file in memory: %m");
	cleanup_fd(&fd);
	return r;
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

static int begin_job(struct seal_job *job, struct keys *keys, enum seal_work work, int in, int out,
	struct fault *fault)
{
	*job = (struct seal_job){.ctx = keys_ctx(keys),
		.work = work,
		.in = in,
		.out = out,
		.status = -1,
		.errors = -1};
	job->status = seal_said("status", fault);
	job->errors = job->status < 0 ? -1 : seal_said("errors", fault);
	return job->errors < 0 ? -ENOMEM : 0;
}

static int add_recipients(struct arguments *list, struct keys *keys, struct fault *fault)
{
	size_t count;
	const char *const *recipients = keys_recipients(keys, &count);
	if (count == 0 || count > 50)
		return fault_set(fault, -EINVAL, "name one to fifty in `recipients`",
			"there are %zu recipients to seal to", count);
	for (size_t i = 0; i < count; i++) {
		const char *const recipient[] = {"--recipient", recipients[i], NULL};
		add_arguments(list, recipient);
	}
	return 0;
}

static int add_signer(struct arguments *list, struct keys *keys, struct fault *fault)
{
	const char *const signer[] = {
		"--local-user", keys_signer(keys), "--sig-notation", SEAL_NOTATION "=1", NULL};
	if (!keys_signer(keys))
		return fault_set(fault, -ENOKEY, "set sign_key to the site's own key",
			"there is no key to sign with");
	add_arguments(list, signer);
	return 0;
}

/* `more` are further arguments. */
static int start_job(
	struct seal_job *job, struct keys *keys, const char *const *more, struct fault *fault)
{
	static const char *const how[][5] = {
		[SEAL_ENCRYPT] = {"--no-autostart", "--compress-algo", "none", "--encrypt"},
		[SEAL_OPEN] = {"--decrypt"},
		[SEAL_SIGN] = {"--compress-algo", "none", "--sign"},
		[SEAL_CHECK] = {"--no-autostart", "--decrypt"},
	};
	struct arguments list = {.count = 0};
	int r = 0;
	add_common(&list, job->work == SEAL_CHECK ? keys_trust_home(keys) : keys_home(keys));
	if (job->work == SEAL_ENCRYPT)
		r = add_recipients(&list, keys, fault);
	if (job->work == SEAL_SIGN)
		r = add_signer(&list, keys, fault);
	add_arguments(&list, more);
	add_arguments(&list, how[job->work]);
	return r < 0 ? r : spawn_gpg(job, &list, fault);
}

static int start_in_memory(struct seal_job *job, struct keys *keys, enum seal_work work, int in,
	const char *const *more, struct fault *fault)
{
	int r = begin_job(job, keys, work, in, -1, fault);
	if (r == 0 && lseek(in, 0, SEEK_SET) < 0)
		r = fault_set(fault, -errno, NULL, "cannot rewind a file in memory: %m");
	if (r == 0)
		r = job->out = seal_memory("sealed", fault);
	if (r >= 0)
		r = start_job(job, keys, more, fault);
	if (r < 0)
		seal_abort(job);
	return r;
}

int seal_start(struct seal_job *job, struct keys *keys, int in, struct fault *fault)
{
	const char *const more[] = {NULL};
	return start_in_memory(job, keys, SEAL_ENCRYPT, in, more, fault);
}

int seal_open_start(
	struct seal_job *job, struct keys *keys, int in, uint64_t limit, struct fault *fault)
{
	CLEANUP_FREE char *most = fault_format("%llu", (unsigned long long)limit);
	const char *const more[] = {"--max-output", most, NULL};
	return start_in_memory(job, keys, SEAL_OPEN, in, more, fault);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The ends of pipes are gpg's alone from its start on. */
int seal_pipe(struct seal_job *job, struct keys *keys, enum seal_work work, int in, int out,
	struct fault *fault)
{
	const char *const more[] = {NULL};
	int r = begin_job(job, keys, work, in, out, fault);
	if (r == 0)
		r = start_job(job, keys, more, fault);
	close_end(&job->in);
	close_end(&job->out);
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

static char *read_said(int fd)
{
	char *text = fault_alloc(SAID_MAX + 1);
	ssize_t n = pread(fd, text, SAID_MAX, 0);
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

/* What follows the word in its line; the caller frees it. */
static char *status_word(const char *status, const char *word)
{
	CLEANUP_FREE char *start = fault_format("[GNUPG:] %s ", word);
	const char *at = strstr(status, start);
	at = at ? at + strlen(start) : "";
	return fault_format("%.*s", (int)strcspn(at, " \r\n"), at);
}

/* The secret keys are elsewhere, which says nothing against what was to be opened. */
static int no_secret_key(const char *status, struct fault *fault)
{
	CLEANUP_FREE char *key = status_word(status, "NO_SECKEY");
	return fault_set(fault, -ENOKEY,
		"do this where the secret key is, or import it into the keyring",
		"cannot decrypt: the keyring has no secret key of a recipient (it was sealed to "
		"the key "
		"%s)",
		key);
}

static const char *explain(const char *status)
{
	if (has_status(status, "INV_RECP"))
		return "a recipient's key is missing, expired or cannot encrypt: import it into "
		       "the "
		       "keyring";
	if (has_status(status, "INV_SGNR"))
		return "the keyring needs the secret key of `sign_key`, without a passphrase";
	return NULL;
}

static bool is_good(const struct seal_job *job, const char *status)
{
	switch (job->work) {
	case SEAL_ENCRYPT:
		return has_status(status, "END_ENCRYPTION");
	case SEAL_OPEN:
		return has_status(status, "DECRYPTION_OKAY") && has_status(status, "GOODMDC");
	case SEAL_SIGN:
		return has_status(status, "SIG_CREATED");
	default:
		return has_status(status, "GOODSIG");
	}
}

static int judge_end(
	const struct seal_job *job, int32_t end, const char *status, struct fault *fault)
{
	static const char *const verbs[] = {[SEAL_ENCRYPT] = "encrypt",
		[SEAL_OPEN] = "decrypt",
		[SEAL_SIGN] = "sign",
		[SEAL_CHECK] = "check the signature"};
	bool reads = job->work == SEAL_OPEN || job->work == SEAL_CHECK;
	CLEANUP_FREE char *errors = read_said(job->errors);
	if (end == 0 && is_good(job, status))
		return 0;
	for (char *line = errors; (line = strchr(line, '\n'));)
		*line = line[1] ? ';' : 0;
	if (end >= 256)
		return fault_set(fault, -EIO, NULL, "gpg was killed by signal %d", end - 256);
	if (job->work == SEAL_OPEN && has_status(status, "NO_SECKEY"))
		return no_secret_key(status, fault);
	return fault_set(fault, reads ? -EBADMSG : -EIO, explain(status), "gpg could not %s: %s",
		verbs[job->work], *errors ? errors : "it did not say why");
}

static void close_job(struct seal_job *job)
{
	close_end(&job->in);
	close_end(&job->out);
	close_end(&job->status);
	close_end(&job->errors);
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

int seal_end(struct seal_job *job, char **ret_status, struct fault *fault)
{
	CLEANUP_FREE char *status = NULL;
	int32_t end = job->ctx->host->spawn_wait(job->ctx, job->handle);
	job->handle = 0;
	status = read_said(job->status);
	int r = end < 0 ? fault_set(fault, end, NULL, "lost sight of gpg: %s", strerror(-end))
			: judge_end(job, end, status, fault);
	if (ret_status)
		*ret_status = TAKE_PTR(status);
	close_job(job);
	return r;
}

int seal_finish(struct seal_job *job, int *ret_fd, uint64_t *ret_size, struct fault *fault)
{
	int r = wait_for_end(job);
	if (r < 0) {
		seal_abort(job);
		return fault_set(fault, r, NULL, "stopped while gpg was at work");
	}
	CLEANUP_FD int out = TAKE_FD(job->out);
	r = seal_end(job, NULL, fault);
	off_t size = r == 0 ? lseek(out, 0, SEEK_END) : 0;
	if (r == 0 && lseek(out, 0, SEEK_SET) < 0)
		r = fault_set(fault, -errno, NULL, "cannot rewind a file in memory: %m");
	if (r == 0) {
		*ret_fd = TAKE_FD(out);
		*ret_size = (uint64_t)size;
	}
	return r;
}

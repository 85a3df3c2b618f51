/* SPDX-License-Identifier: MIT */
/* A sealed stream becomes what it was made from: all of it is spooled, still encrypted, and its
 * signature found good, before anything is decrypted. */
#include "backup/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/flow.h"
#include "backup/spool.h"
#include "backup/verdict.h"
#include "support/cleanup.h"
#include "support/moment.h"

#define LOOK_MS 200
/* What gpg may have written before the pipe shows that it was read. */
#define GROWTH_MAX (1 << 20)

struct decrypt {
	struct upkeep_ctx *ctx;
	struct keys *keys;
	struct seal_job job;
	int in, out, spool;
	uint64_t fed;    /* sealed bytes that the check has had */
	uint64_t sealed; /* bytes to decrypt; 0 while their signature is checked */
	struct verdict verdict;
};

/* What was sealed here is not compressed: it never grows. */
static int check_growth(struct decrypt *decrypt, struct fault *fault)
{
	struct stat st;
	if (fstat(decrypt->spool, &st) < 0)
		return fault_set(fault, -errno, NULL, "cannot look at the spool file: %m");
	return (uint64_t)st.st_size <= decrypt->fed + GROWTH_MAX
		? 0
		: fault_set(fault, -EBADMSG, "take another copy",
			  "the stream is refused: it grows while it is unpacked, which nothing "
			  "does that upkeep has sealed");
}

static int look(struct decrypt *decrypt, struct fault *fault)
{
	if (!decrypt->sealed)
		return check_growth(decrypt, fault);
	off_t at = lseek(decrypt->spool, 0, SEEK_CUR);
	decrypt->ctx->host->progress(
		decrypt->ctx, at > 0 ? (uint64_t)at : 0, decrypt->sealed, "bytes");
	return 0;
}

/* 1: fd (-1: none) is ready; 0: gpg has ended. */
static int wait_for(struct decrypt *decrypt, int fd, short events, struct fault *fault)
{
	struct upkeep_ctx *ctx = decrypt->ctx;
	struct pollfd fds[] = {{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN},
		{.fd = decrypt->job.exit_fd, .events = POLLIN}, {.fd = fd, .events = events}};
	while (!fds[0].revents && !fds[1].revents && !fds[2].revents) {
		int n = poll(fds, UPKEEP_COUNT(fds), LOOK_MS);
		if (n < 0 && errno != EINTR)
			return fault_set(fault, -errno, NULL, "cannot wait for the stream: %m");
		int r = n <= 0 ? look(decrypt, fault) : 0;
		if (r < 0)
			return r;
	}
	if (fds[0].revents)
		return fault_set(fault, -ECANCELED, NULL, "stopped before the stream had ended");
	return !fds[1].revents;
}

static int take_in(struct decrypt *decrypt, size_t size, struct fault *fault)
{
	decrypt->fed += size;
	decrypt->ctx->host->progress(decrypt->ctx, decrypt->fed, 0, "bytes");
	return check_growth(decrypt, fault);
}

/* Moves what the task reads to gpg, up to the end of either. */
static int feed(struct decrypt *decrypt, int to, struct fault *fault)
{
	int r;
	while ((r = wait_for(decrypt, decrypt->in, POLLIN, fault)) > 0) {
		ssize_t n =
			splice(decrypt->in, NULL, to, NULL, STREAM_PIPE_BYTES, SPLICE_F_NONBLOCK);
		if (n == 0 || (n < 0 && errno == EPIPE))
			return 0;
		if (n > 0)
			r = take_in(decrypt, (size_t)n, fault);
		else if (errno == EAGAIN)
			r = wait_for(decrypt, to, POLLOUT, fault);
		else if (errno != EINTR)
			r = fault_set(fault, -errno, NULL, "cannot read the stream: %m");
		if (r < 0)
			break;
	}
	return r;
}

/* What it says of the message tells more than what it printed. */
static int judge(struct decrypt *decrypt, struct fault *fault)
{
	CLEANUP_FREE char *status = NULL;
	CLEANUP_FAULT struct fault own = {0};
	int ended = seal_end(&decrypt->job, &status, &own);
	int r = ended == 0 || ended == -EBADMSG
		? verdict_read(decrypt->keys, status, &decrypt->verdict, fault)
		: 0;
	return r == 0 && ended < 0
		? fault_set(fault, ended, own.next, "the stream is refused: %s", fault_what(&own))
		: r;
}

/* The signature is checked while its text, still encrypted, goes to the spool file. */
static int check(struct decrypt *decrypt, struct fault *fault)
{
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	r = flow_start(&decrypt->job, decrypt->keys, SEAL_CHECK, ends[0], decrypt->spool, fault);
	close(ends[0]);
	if (r == 0)
		r = feed(decrypt, ends[1], fault);
	close(ends[1]);
	if (r == 0)
		r = wait_for(decrypt, -1, 0, fault);
	if (r == 0)
		r = check_growth(decrypt, fault);
	return r < 0 ? r : judge(decrypt, fault);
}

static int open_spool(struct decrypt *decrypt, struct fault *fault)
{
	off_t size = lseek(decrypt->spool, 0, SEEK_END);
	if (size < 0 || lseek(decrypt->spool, 0, SEEK_SET) < 0)
		return fault_set(fault, -errno, NULL, "cannot rewind the spool file: %m");
	decrypt->sealed = (uint64_t)size;
	int r = flow_start(
		&decrypt->job, decrypt->keys, SEAL_OPEN, decrypt->spool, decrypt->out, fault);
	if (r == 0)
		r = wait_for(decrypt, -1, 0, fault);
	return r < 0 ? r : seal_end(&decrypt->job, NULL, fault);
}

static void report(const struct decrypt *decrypt)
{
	char when[32];
	moment_format(decrypt->verdict.signed_s, when);
	upkeep_output_text(decrypt->ctx, "signer", decrypt->verdict.signer);
	upkeep_output_text(decrypt->ctx, "signed", when);
	upkeep_output_int(decrypt->ctx, "bytes", (int64_t)decrypt->fed);
}

int32_t decrypt_run(struct upkeep_ctx *ctx)
{
	const struct decrypt_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	struct decrypt decrypt = {.ctx = ctx, .spool = -1};
	decrypt.in = stream_open(ctx);
	decrypt.out = stream_open_out(ctx, &fault);
	int r = decrypt.out < 0 ? decrypt.out
				: keys_open(&decrypt.keys, ctx, KEYS_SECRET | KEYS_TRUST, &fault);
	if (r == 0)
		r = decrypt.spool = spool_open(ctx, args->spool, &fault);
	if (r >= 0)
		r = check(&decrypt, &fault);
	if (r == 0)
		r = open_spool(&decrypt, &fault);
	if (r == 0)
		report(&decrypt);
	flow_abort(&decrypt.job);
	if (decrypt.spool >= 0)
		close(decrypt.spool);
	keys_close(&decrypt.keys);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

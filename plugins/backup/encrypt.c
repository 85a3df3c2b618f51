/* SPDX-License-Identifier: MIT */
/* A stream becomes a sealed one: one gpg encrypts, the next one signs what comes of it. */
#include "backup/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backup/flow.h"
#include "support/cleanup.h"

struct encrypt {
	struct upkeep_ctx *ctx;
	struct keys *keys;
	struct seal_job encrypting, signing;
	/* A write end of what lies between the two.  The second one sees an end only when the
	 * first one has succeeded: it never signs a part. */
	int hold;
};

static int start(struct encrypt *encrypt, int in, int out, struct fault *fault)
{
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	encrypt->hold = ends[1];
	CLEANUP_FD int between = ends[0];
	r = flow_start(&encrypt->encrypting, encrypt->keys, SEAL_ENCRYPT, in, ends[1], fault);
	if (r == 0)
		r = flow_start(&encrypt->signing, encrypt->keys, SEAL_SIGN, between, out, fault);
	return r;
}

/* Whichever ends first: the second one has no reason to. */
static int wait_for_both(struct encrypt *encrypt, struct fault *fault)
{
	struct seal_job *first = NULL;
	int r = flow_wait(&encrypt->encrypting, &encrypt->signing, &first, fault);
	if (r == 0)
		r = seal_end(first, NULL, fault);
	if (r == 0 && first == &encrypt->signing)
		r = fault_set(fault, -EIO, NULL, "gpg ended before it had signed everything");
	if (r < 0)
		return r;
	close(TAKE_FD(encrypt->hold));
	r = flow_wait(&encrypt->signing, NULL, &first, fault);
	return r < 0 ? r : seal_end(&encrypt->signing, NULL, fault);
}

int32_t encrypt_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct encrypt encrypt = {.ctx = ctx, .hold = -1};
	int in = stream_open(ctx);
	int out = stream_open_out(ctx, &fault);
	int r = out < 0 ? out : keys_open(&encrypt.keys, ctx, KEYS_SECRET, &fault);
	if (r == 0)
		r = start(&encrypt, in, out, &fault);
	if (r == 0)
		r = wait_for_both(&encrypt, &fault);
	flow_abort(&encrypt.signing);
	flow_abort(&encrypt.encrypting);
	if (encrypt.hold >= 0)
		close(encrypt.hold);
	keys_close(&encrypt.keys);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

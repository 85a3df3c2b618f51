/* SPDX-License-Identifier: MIT */
#include "backup/gnupg.h"

#include <errno.h>

int gnupg_fault(struct fault *fault, gpgme_error_t e, const char *next, const char *what)
{
	return fault_set(fault, -EIO, next, "%s: %s", what, gpgme_strerror(e));
}

int gnupg_open(gpgme_ctx_t *ret, const char *home, struct fault *fault)
{
	gpgme_check_version(NULL);
	gpgme_ctx_t gpg = NULL;
	gpgme_error_t e = gpgme_new(&gpg);
	if (!e)
		e = gpgme_ctx_set_engine_info(gpg, GPGME_PROTOCOL_OpenPGP, NULL, home);
	if (!e)
		e = gpgme_set_pinentry_mode(gpg, GPGME_PINENTRY_MODE_ERROR);
	if (e) {
		if (gpg)
			gpgme_release(gpg);
		return gnupg_fault(fault, e, "install gnupg", "cannot use GnuPG");
	}
	gpgme_set_offline(gpg, 1);
	*ret = gpg;
	return 0;
}

void gnupg_end_agent(struct upkeep_ctx *ctx, const char *home)
{
	const char *argv[] = {"gpgconf", "--homedir", home, "--kill", "gpg-agent", NULL};
	struct upkeep_spawn spawn = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int32_t exit_fd = -1;
	int64_t handle = upkeep_spawn_start(ctx, &spawn, &exit_fd);
	if (handle > 0)
		ctx->host->spawn_wait(ctx, handle);
}

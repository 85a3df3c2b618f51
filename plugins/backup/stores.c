/* SPDX-License-Identifier: MIT */
/* The stores of the settings, opened. */
#include "backup/vault.h"

#include <errno.h>
#include <string.h>

#include "support/store-s3.h"

static void note_retry(void *arg, const char *text)
{
	upkeep_info(arg, "%s", text);
}

/* *ret stays NULL where the setting is not given. */
static int read_secret(
	struct upkeep_ctx *ctx, const char *name, const char **ret, struct fault *fault)
{
	if (!name || !*name)
		return 0;
	int64_t r = ctx->host->secret(ctx, name, ret);
	return r >= 0 ? 0
		      : fault_set(fault, (int)r, NULL, "the secret \"%s\" cannot be read", name);
}

static int open_bucket(struct upkeep_ctx *ctx, const struct store_setting *setting,
	struct store **ret, struct fault *fault)
{
	struct store_s3_settings s3 = {.url = setting->url,
		.endpoint = setting->endpoint,
		.region = setting->region,
		.profile = setting->profile,
		.ca_file = setting->ca_file,
		.attempts = (unsigned)setting->attempts,
		.access_key = setting->access_key,
		.cancel_fd = ctx->host->cancel_fd(ctx),
		.note = note_retry,
		.note_arg = ctx};
	int r = read_secret(ctx, setting->secret_key, &s3.secret_key, fault);
	if (r == 0)
		r = read_secret(ctx, setting->session_token, &s3.session_token, fault);
	return r < 0 ? r : store_open_s3(ret, setting->name, &s3, fault);
}

static int open_setting(struct upkeep_ctx *ctx, const struct store_setting *setting, bool make,
	struct store **ret, struct fault *fault)
{
	bool path = setting->path && *setting->path, url = setting->url && *setting->url;
	if (path == url)
		return fault_set(fault, -EINVAL, "set one of the two",
			"the store \"%s\" has %s path and url", setting->name,
			path ? "both" : "neither");
	return url ? open_bucket(ctx, setting, ret, fault)
		   : store_open_local(ret, setting->name, setting->path, make, fault);
}

int vault_open_store(struct upkeep_ctx *ctx, const char *name, bool make, struct store **ret,
	struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	for (size_t i = 0; i < settings->stores.count; i++) {
		const struct store_setting *s =
			(const void *)((const char *)settings->stores.items +
				i * settings->stores.stride);
		if (!name || !*name || strcmp(s->name, name) == 0)
			return open_setting(ctx, s, make, ret, fault);
	}
	return fault_set(fault, -ENOENT, "name it in `stores` of the plugin's settings",
		"there is no store \"%s\"", name ? name : "");
}

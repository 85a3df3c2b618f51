/* SPDX-License-Identifier: MIT */
#include "s3-upload/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"

#define TIDY_TIMEOUT_MS 5000
#define TIDY_ATTEMPTS 4

static void note(void *arg, const char *text)
{
	upkeep_info((struct upkeep_ctx *)arg, "%s", text);
}

bool place_sums(const struct place *place)
{
	return strcmp(place->settings->checksum, "sha256") == 0;
}

static struct s3_settings client_settings(const struct place *place)
{
	const struct settings *settings = place->settings;
	return (struct s3_settings){.endpoint = settings->endpoint,
		.region = settings->region,
		.bucket = settings->bucket,
		.virtual_host = settings->virtual_host,
		.checksum = place_sums(place),
		.ca_file = settings->ca_file,
		.cancel_fd = place->ctx->host->cancel_fd(place->ctx),
		.stall_timeout_ms = settings->stall_ms,
		.note = note,
		.note_arg = place->ctx};
}

int place_client(const struct place *place, struct s3 **ret, struct fault *fault)
{
	const struct s3_settings settings = client_settings(place);
	return s3_open(ret, &settings, place->credentials, fault);
}

int place_tidier(const struct place *place, struct s3 **ret, struct fault *fault)
{
	struct s3_settings settings = client_settings(place);
	settings.cancel_fd = -1;
	settings.connect_timeout_ms = settings.stall_timeout_ms = TIDY_TIMEOUT_MS;
	settings.attempts = TIDY_ATTEMPTS;
	return s3_open(ret, &settings, place->credentials, fault);
}

/* The text of a secret that may not be set; it lives until the callback returns. */
static int secret(struct upkeep_ctx *ctx, const char *name, const char *what, const char **ret,
	struct fault *fault)
{
	*ret = NULL;
	if (!name || !name[0])
		return 0;
	int64_t r = ctx->host->secret(ctx, name, ret);
	return r < 0 ? fault_set(fault, (int)r, NULL, "cannot get %s: %s", what, strerror((int)-r))
		     : 0;
}

static int open_credentials(struct place *place, struct fault *fault)
{
	const struct settings *settings = place->settings;
	struct s3_credentials_settings keys = {.access_key = settings->access_key,
		.profile = settings->profile,
		.ca_file = settings->ca_file,
		.cancel_fd = place->ctx->host->cancel_fd(place->ctx)};
	int r = secret(place->ctx, settings->secret_key, "secret_key", &keys.secret_key, fault);
	if (r == 0)
		r = secret(place->ctx, settings->session_token, "session_token",
			&keys.session_token, fault);
	return r < 0 ? r : s3_credentials_open(&place->credentials, &keys, fault);
}

int place_open(struct place *place, struct upkeep_ctx *ctx, struct fault *fault)
{
	*place = (struct place){.ctx = ctx, .settings = ctx->settings};
	const char *prefix = place->settings->prefix ? place->settings->prefix : "";
	size_t length = strlen(prefix);
	place->prefix =
		fault_format("%s%s", prefix, length && prefix[length - 1] != '/' ? "/" : "");
	int r = open_credentials(place, fault);
	if (r == 0)
		r = place_client(place, &place->s3, fault);
	if (r == 0)
		upkeep_log(ctx, UPKEEP_DEBUG, "%s, with keys from %s", s3_place(place->s3),
			s3_credentials_provider(place->credentials));
	return r;
}

void place_close(struct place *place)
{
	s3_close(&place->s3);
	s3_credentials_close(&place->credentials);
	free(place->prefix);
	*place = (struct place){0};
}

char *place_key(const struct place *place, const char *name)
{
	return fault_format("%s%s", place->prefix, name);
}

char *place_url(const struct place *place, const char *key)
{
	return fault_format("s3://%s/%s", place->settings->bucket, key);
}

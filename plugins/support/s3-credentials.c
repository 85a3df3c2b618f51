/* SPDX-License-Identifier: MIT */
#include "support/s3-credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cleanup.h"
#include "support/s3-issuer.h"
#include "support/s3-profile.h"

#define RENEW_BEFORE_S 300

enum source { SETTINGS, ENVIRONMENT, WEB_IDENTITY, PROFILE, CONTAINER, INSTANCE };

struct s3_credentials {
	pthread_mutex_t lock; /* of the key */
	enum source source;
	struct s3_key key;
	char *provider;
	char *profile; /* the settings', or NULL */
	char *ca_file;
	int cancel_fd;
};

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] ? value : NULL;
}

static char *copy(const char *text)
{
	return text ? fault_format("%s", text) : NULL;
}

void s3_key_free(struct s3_key *key)
{
	if (key->secret)
		explicit_bzero(key->secret, strlen(key->secret));
	if (key->token)
		explicit_bzero(key->token, strlen(key->token));
	free(key->access);
	free(key->secret);
	free(key->token);
	*key = (struct s3_key){0};
}

static const char *profile_name(const char *given)
{
	const char *named = variable("AWS_PROFILE");
	return given ? given : named ? named : "default";
}

char *s3_credentials_region(const char *profile)
{
	const char *named = variable("AWS_REGION");
	CLEANUP_PROFILE struct s3_profile found = {0};
	if (!named)
		named = variable("AWS_DEFAULT_REGION");
	if (!named && s3_profile_read(profile_name(profile), &found, NULL) == 0)
		named = found.region;
	return copy(named);
}

static struct s3_issuer issuer_of(const struct s3_credentials *credentials)
{
	return (struct s3_issuer){
		.ca_file = credentials->ca_file, .cancel_fd = credentials->cancel_fd};
}

static int assume(const struct s3_credentials *credentials, const char *role,
	const char *token_file, const char *session, struct s3_key *ret, struct fault *fault)
{
	struct s3_issuer issuer = issuer_of(credentials);
	CLEANUP_FREE char *region = s3_credentials_region(credentials->profile);
	return s3_issuer_web_identity(
		&issuer, role, token_file, session, region ? region : "us-east-1", ret, fault);
}

static int fetch_profile(
	const struct s3_credentials *credentials, struct s3_key *ret, struct fault *fault)
{
	CLEANUP_PROFILE struct s3_profile profile = {0};
	const char *name = profile_name(credentials->profile);
	int r = s3_profile_read(name, &profile, fault);
	if (r < 0)
		return r;
	if (profile.access && profile.secret) {
		ret->access = TAKE_PTR(profile.access);
		ret->secret = TAKE_PTR(profile.secret);
		ret->token = TAKE_PTR(profile.token);
		return 0;
	}
	if (profile.role && profile.token_file)
		return assume(
			credentials, profile.role, profile.token_file, profile.session, ret, fault);
	return fault_set(fault, -EINVAL, "write aws_access_key_id and aws_secret_access_key there",
		"the profile \"%s\" of \"%s\" has %s%s", name, profile.file,
		profile.other ? "no keys but " : "no keys", profile.other ? profile.other : "");
}

static int fetch(const struct s3_credentials *credentials, struct s3_key *ret, struct fault *fault)
{
	struct s3_issuer issuer = issuer_of(credentials);
	switch (credentials->source) {
	case ENVIRONMENT:
		ret->access = copy(variable("AWS_ACCESS_KEY_ID"));
		ret->secret = copy(variable("AWS_SECRET_ACCESS_KEY"));
		ret->token = copy(variable("AWS_SESSION_TOKEN"));
		return ret->access && ret->secret
			? 0
			: fault_set(fault, -EINVAL, "set both, or neither",
				  "AWS_SECRET_ACCESS_KEY is not set");
	case WEB_IDENTITY:
		return assume(credentials, variable("AWS_ROLE_ARN"),
			variable("AWS_WEB_IDENTITY_TOKEN_FILE"), variable("AWS_ROLE_SESSION_NAME"),
			ret, fault);
	case PROFILE:
		return fetch_profile(credentials, ret, fault);
	case CONTAINER:
		return s3_issuer_container(&issuer, ret, fault);
	case INSTANCE:
		return s3_issuer_instance(&issuer, ret, fault);
	case SETTINGS:
	default:
		return fault_set(fault, -EACCES, NULL, "the keys of the settings have expired");
	}
}

/* Which one there is, without asking it.  A profile that only sets a region is none. */
static int find_source(struct s3_credentials *credentials, bool explicit, struct fault *fault)
{
	CLEANUP_PROFILE struct s3_profile profile = {0};
	const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
	if (explicit || credentials->profile) {
		credentials->source = explicit ? SETTINGS : PROFILE;
		return 0;
	}
	if (variable("AWS_ACCESS_KEY_ID")) {
		credentials->source = ENVIRONMENT;
		return 0;
	}
	if (variable("AWS_WEB_IDENTITY_TOKEN_FILE") && variable("AWS_ROLE_ARN")) {
		credentials->source = WEB_IDENTITY;
		return 0;
	}
	int r = s3_profile_read(profile_name(NULL), &profile, fault);
	if (r < 0 && r != -ENOENT)
		return r;
	if (variable("AWS_PROFILE") || profile.access || profile.role || profile.other)
		credentials->source = PROFILE;
	else if (variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") ||
		variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
		credentials->source = CONTAINER;
	else if (!disabled || strcmp(disabled, "true") != 0)
		credentials->source = INSTANCE;
	else
		return -ENOENT;
	return 0;
}

static char *provider_name(const struct s3_credentials *credentials)
{
	CLEANUP_PROFILE struct s3_profile profile = {0};
	switch (credentials->source) {
	case SETTINGS:
		return fault_format("the settings");
	case ENVIRONMENT:
		return fault_format("the environment (AWS_ACCESS_KEY_ID)");
	case WEB_IDENTITY:
		return fault_format("the role %s by web identity", variable("AWS_ROLE_ARN"));
	case PROFILE:
		s3_profile_read(profile_name(credentials->profile), &profile, NULL);
		return fault_format("the profile \"%s\" of %s", profile_name(credentials->profile),
			profile.file ? profile.file : "?");
	case CONTAINER:
		return fault_format("the container's credentials service");
	case INSTANCE:
	default:
		return fault_format("the instance metadata service");
	}
}

static int open_source(struct s3_credentials *credentials,
	const struct s3_credentials_settings *settings, struct fault *fault)
{
	bool access = settings->access_key && settings->access_key[0];
	bool secret = settings->secret_key && settings->secret_key[0];
	if (access != secret)
		return fault_set(fault, -EINVAL, "set both, or neither", "%s is set without %s",
			access ? "the access key" : "the secret key",
			access ? "the secret key" : "the access key");
	int r = find_source(credentials, access, fault);
	if (r < 0)
		return r;
	if (access) {
		credentials->key.access = copy(settings->access_key);
		credentials->key.secret = copy(settings->secret_key);
		if (settings->session_token && settings->session_token[0])
			credentials->key.token = copy(settings->session_token);
	} else {
		r = fetch(credentials, &credentials->key, fault);
	}
	if (r < 0 && credentials->source == INSTANCE && r != -ECANCELED)
		return -ENOENT;
	return r;
}

int s3_credentials_open(struct s3_credentials **ret, const struct s3_credentials_settings *settings,
	struct fault *fault)
{
	struct s3_credentials *credentials = fault_alloc(sizeof *credentials);
	pthread_mutex_init(&credentials->lock, NULL);
	credentials->cancel_fd = settings->cancel_fd;
	if (settings->profile && settings->profile[0])
		credentials->profile = copy(settings->profile);
	if (settings->ca_file && settings->ca_file[0])
		credentials->ca_file = copy(settings->ca_file);
	int r = open_source(credentials, settings, fault);
	if (r == -ENOENT && !credentials->profile && !variable("AWS_PROFILE"))
		r = fault_set(fault, -ENOENT,
			"set access_key and secret_key, or a profile of ~/.aws/credentials",
			"there are no keys for S3: not in the settings, the environment, "
			"~/.aws/credentials, nor from a metadata service");
	if (r == 0)
		credentials->provider = provider_name(credentials);
	else
		s3_credentials_close(&credentials);
	*ret = credentials;
	return r;
}

void s3_credentials_close(struct s3_credentials **credentials)
{
	if (!*credentials)
		return;
	s3_key_free(&(*credentials)->key);
	pthread_mutex_destroy(&(*credentials)->lock);
	free((*credentials)->provider);
	free((*credentials)->profile);
	free((*credentials)->ca_file);
	free(*credentials);
	*credentials = NULL;
}

const char *s3_credentials_provider(const struct s3_credentials *credentials)
{
	return credentials->provider;
}

/* Keys that still hold are better than none where no new ones are to be had. */
static int renew_key(struct s3_credentials *credentials, bool must, struct fault *fault)
{
	struct s3_key fresh = {0};
	const struct s3_key *key = &credentials->key;
	int64_t left_s = key->expires_s ? key->expires_s - (int64_t)time(NULL) : INT64_MAX;
	if (!must && left_s > RENEW_BEFORE_S)
		return 0;
	int r = fetch(credentials, &fresh, fault);
	if (r < 0)
		return !must && left_s > 0 ? 0 : r;
	s3_key_free(&credentials->key);
	credentials->key = fresh;
	return 0;
}

int s3_credentials_get(
	struct s3_credentials *credentials, bool renew, struct s3_key *ret, struct fault *fault)
{
	pthread_mutex_lock(&credentials->lock);
	int r = renew_key(credentials, renew, fault);
	if (r == 0)
		*ret = (struct s3_key){.access = copy(credentials->key.access),
			.secret = copy(credentials->key.secret),
			.token = copy(credentials->key.token),
			.expires_s = credentials->key.expires_s};
	pthread_mutex_unlock(&credentials->lock);
	return r;
}

/*
 * Where the keys for S3 come from, and renewing them before they expire.
 *
 * The first of these that is there counts:
 *  1. access_key and secret_key of the settings;
 *  2. the settings' profile, in the shared files;
 *  3. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN);
 *  4. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN: AssumeRoleWithWebIdentity at
 *     AWS_ENDPOINT_URL_STS, else at the region's STS;
 *  5. the profile AWS_PROFILE, else "default", in AWS_SHARED_CREDENTIALS_FILE and
 *     AWS_CONFIG_FILE, else ~/.aws/credentials and ~/.aws/config: keys, or role_arn with
 *     web_identity_token_file;
 *  6. AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, with
 *     AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE;
 *  7. the instance metadata service (IMDSv2) at AWS_EC2_METADATA_SERVICE_ENDPOINT, else
 *     http://169.254.169.254, unless AWS_EC2_METADATA_DISABLED is "true".
 * One that is there but not usable is an error, and the next is not asked.
 */
#ifndef SUPPORT_S3_CREDENTIALS_H
#define SUPPORT_S3_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "support/fault.h"

/* May be used by several threads and clients. */
struct s3_credentials;

struct s3_credentials_settings {
	const char *access_key, *secret_key; /* both, or neither (NULL or "") */
	const char *session_token;           /* of temporary keys; NULL or "": none */
	const char *profile;                 /* NULL or "": see above */
	const char *ca_file;                 /* as in http.h */
	int cancel_fd;                       /* readable: stop asking; -1: none */
};

/* Looks which source there is, and asks it.  Texts are copied.  -ENOENT: none is there,
 * and the fault says how to give one. */
int s3_credentials_open(struct s3_credentials **ret, const struct s3_credentials_settings *settings,
	struct fault *fault);
void s3_credentials_close(struct s3_credentials **credentials);
#define CLEANUP_CREDENTIALS __attribute__((cleanup(s3_credentials_close)))

/* "the profile \"backup\" of /root/.aws/credentials": never a secret. */
const char *s3_credentials_provider(const struct s3_credentials *credentials);

/* Keys as they are needed to sign; token is NULL where there is none. */
struct s3_key {
	char *access, *secret, *token;
	int64_t expires_s; /* seconds since the epoch; 0: never */
};

/* A copy of the keys that hold now; fetched anew when they expire within five minutes, or
 * where `renew` (a server called them expired). */
int s3_credentials_get(
	struct s3_credentials *credentials, bool renew, struct s3_key *ret, struct fault *fault);
void s3_key_free(struct s3_key *key); /* wipes */
#define CLEANUP_KEY __attribute__((cleanup(s3_key_free)))

/* AWS_REGION, AWS_DEFAULT_REGION, or the profile's region; NULL: none says.  On the heap. */
char *s3_credentials_region(const char *profile);

#endif

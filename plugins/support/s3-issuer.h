/* Temporary keys from the services that issue them. */
#ifndef SUPPORT_S3_ISSUER_H
#define SUPPORT_S3_ISSUER_H

#include "support/s3-credentials.h"

/* How to reach them, as in http.h. */
struct s3_issuer {
	const char *ca_file;
	int cancel_fd;
};

/* AssumeRoleWithWebIdentity of AWS's STS API, version 2011-06-15, with the token in `token_file`.
 * `session` NULL: "upkeep". */
int s3_issuer_web_identity(const struct s3_issuer *issuer, const char *role, const char *token_file,
	const char *session, const char *region, struct s3_key *ret, struct fault *fault);

/* The address that AWS_CONTAINER_CREDENTIALS_... names; plain http only to this machine and
 * to the link-local addresses of ECS and EKS. */
int s3_issuer_container(const struct s3_issuer *issuer, struct s3_key *ret, struct fault *fault);

/* The instance metadata service, version 2 alone. */
int s3_issuer_instance(const struct s3_issuer *issuer, struct s3_key *ret, struct fault *fault);

#endif

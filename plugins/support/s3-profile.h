/* The files that AWS's own tools share: ~/.aws/credentials and ~/.aws/config. */
#ifndef SUPPORT_S3_PROFILE_H
#define SUPPORT_S3_PROFILE_H

#include "support/fault.h"

/* What a profile says; NULL: nothing. */
struct s3_profile {
	char *access, *secret, *token; /* aws_access_key_id, _secret_access_key, _session_token */
	char *region;
	char *role, *token_file,
		*session; /* role_arn, web_identity_token_file, role_session_name */
	char *other;      /* a way to get keys that upkeep does not know, by its name */
	char *file;       /* the file that has the profile; of both: the credentials */
};

/* Reads the profile from AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, else from the home
 * directory's .aws; what the first says counts.  -ENOENT: neither has it; -EACCES ...: a file
 * is there and cannot be read. */
int s3_profile_read(const char *name, struct s3_profile *ret, struct fault *fault);
/* The same from the named files, each of which may be missing. */
int s3_profile_parse(const char *credentials_file, const char *config_file, const char *name,
	struct s3_profile *ret, struct fault *fault);
void s3_profile_free(struct s3_profile *profile); /* wipes */
#define CLEANUP_PROFILE __attribute__((cleanup(s3_profile_free)))

#endif

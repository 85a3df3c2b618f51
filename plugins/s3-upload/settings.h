/* The settings of an instance. */
#ifndef S3_UPLOAD_SETTINGS_H
#define S3_UPLOAD_SETTINGS_H

#include <upkeep/plugin.h>

struct settings {
	const char *bucket, *prefix, *endpoint, *region;
	const char *access_key, *secret_key, *session_token, *profile;
	const char *ca_file, *resume_dir;
	const char *checksum; /* "none", "sha256" */
	int32_t virtual_host;
	uint64_t memory;  /* bytes of parts held at once, by each action */
	int64_t jobs;     /* requests at a time */
	int64_t stall_ms; /* longest time without a byte */
};

#endif

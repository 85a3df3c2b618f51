/* What the site says of an instance of this plugin. */
#ifndef BACKUP_SETTINGS_H
#define BACKUP_SETTINGS_H

#include <upkeep/plugin.h>

/* In a directory (`path`) or in a bucket (`url` and what follows); what is not given is NULL. */
struct store_setting {
	const char *name;
	const char *path;
	const char *url, *endpoint, *region, *profile, *ca_file;
	const char *access_key;
	const char *secret_key, *session_token; /* names of secrets */
	int64_t attempts;
};

struct settings {
	struct upkeep_groups stores; /* of struct store_setting */
	struct upkeep_strings recipients, trusted, verifiers, public_keys;
	const char *sign_key, *keyring;
};

#endif

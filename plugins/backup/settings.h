/* What the site says of an instance of this plugin. */
#ifndef BACKUP_SETTINGS_H
#define BACKUP_SETTINGS_H

#include <upkeep/plugin.h>

struct store_setting {
	const char *name;
	const char *path;
};

struct settings {
	struct upkeep_groups stores; /* of struct store_setting */
	struct upkeep_strings recipients, trusted, verifiers, public_keys;
	const char *sign_key, *keyring;
};

#endif

/* SPDX-License-Identifier: MIT */
/* Backups: sealed, signed, verified, restored, pruned.  The tables; the work is elsewhere. */
#include "backup/actions.h"

static const struct upkeep_param store_fields[] = {
	UPKEEP_PARAM_STRING(struct store_setting, name, "how actions call it",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_PATH(struct store_setting, path, "directory that holds the backups; or url"),
	UPKEEP_PARAM_URL(
		struct store_setting, url, "s3://BUCKET/PREFIX that holds the backups; or path"),
	UPKEEP_PARAM_URL(struct store_setting, endpoint,
		"https://HOST of the bucket's server; that of AWS where empty"),
	UPKEEP_PARAM_STRING(struct store_setting, region,
		"of the bucket; where empty that of the environment or profile, else us-east-1"),
	UPKEEP_PARAM_STRING(struct store_setting, profile,
		"whose keys in ~/.aws to use, where none are given here"),
	UPKEEP_PARAM_PATH(
		struct store_setting, ca_file, "certificates to believe instead of the system's"),
	UPKEEP_PARAM_INT(struct store_setting, attempts,
		"how often a request to the bucket is tried", .preset = "8", .min = 1, .max = 100),
	UPKEEP_PARAM_STRING(struct store_setting, access_key,
		"the key's id; where empty, keys are looked for as AWS's own tools do"),
	UPKEEP_PARAM_SECRET(struct store_setting, secret_key, "the key's secret"),
	UPKEEP_PARAM_SECRET(struct store_setting, session_token, "of temporary keys"),
};

static const struct upkeep_param settings_table[] = {
	UPKEEP_PARAM_GROUPS(struct settings, stores, struct store_setting, store_fields,
		"places that hold backups", .flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_PATH(struct settings, keyring, "GnuPG directory of the site's own keys",
		.preset = "/etc/upkeep/keyring"),
	UPKEEP_PARAM_STRING(struct settings, sign_key,
		"whole fingerprint of the site's signing key; the key of backup.init where empty"),
	UPKEEP_PARAM_STRINGS(struct settings, recipients,
		"whole fingerprints of the keys to seal to; sign_key where empty"),
	UPKEEP_PARAM_STRINGS(struct settings, trusted,
		"whole fingerprints of the keys whose signature is believed; sign_key where empty"),
	UPKEEP_PARAM_STRINGS(struct settings, verifiers,
		"whole fingerprints of the keys whose notes in the store that a backup is good are "
		"believed; sign_key where empty"),
	UPKEEP_PARAM_PATHS(struct settings, public_keys,
		"files with public keys, for a machine whose keyring has none"),
};

#define STORE(s) \
	UPKEEP_PARAM_STRING(s, store, "name of the store; the first one where empty", .preset = "")
#define NAME(s, text) UPKEEP_PARAM_STRING(s, name, text, .preset = "")
#define BACKUP(s)                                                                         \
	UPKEEP_PARAM_STRING(s, backup, "id of the backup, or latest", .preset = "latest", \
		.flags = UPKEEP_NONEMPTY)

static const struct upkeep_param create_params[] = {
	STORE(struct create_args),
	UPKEEP_PARAM_STRING(struct create_args, name, "name that backups of this kind share",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_PATHS(struct create_args, paths,
		"files and directories to back up; may be empty where the task has from",
		.flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_STRING(struct create_args, as,
		"name of the file in the backup that what it reads by from becomes; the backup's "
		"own where empty",
		.preset = ""),
	UPKEEP_PARAM_STRINGS(struct create_args, exclude,
		"patterns of what to leave out: of whole paths where they begin with /, else of "
		"names",
		.flags = UPKEEP_GLOBS),
	UPKEEP_PARAM_STRING(struct create_args, label, "remark for people", .preset = ""),
	UPKEEP_PARAM_CHOICE(struct create_args, compare,
		"what shows that a file is as it was in the last backup and need not be stored "
		"again: ctime: size, times, inode and device; content: its bytes as well; none: "
		"all is stored",
		.choices = "ctime|content|none", .preset = "ctime"),
	UPKEEP_PARAM_BOOL(struct create_args, pin, "never prune this one", .preset = "false"),
	UPKEEP_PARAM_BOOL(struct create_args, one_file_system,
		"leave out what other file systems hold", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct create_args, skip_caches,
		"leave out directories that a CACHEDIR.TAG marks", .preset = "true"),
};
static const struct upkeep_output create_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the new backup"),
	UPKEEP_OUT("entries", UPKEEP_INT, "files, directories and the like"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of files"),
	UPKEEP_OUT("stored", UPKEEP_SIZE, "bytes in the store"),
	UPKEEP_OUT("problems", UPKEEP_INT, "entries that could not be read or kept still"),
	UPKEEP_OUT("changed", UPKEEP_INT, "files that changed while they were read"),
	UPKEEP_OUT("unchanged", UPKEEP_INT, "entries that lie in packs of earlier backups"),
};

static const struct upkeep_param archive_params[] = {
	UPKEEP_PARAM_PATHS(struct archive_args, paths, "files and directories to archive",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_STRINGS(struct archive_args, exclude,
		"patterns of what to leave out: of whole paths where they begin with /, else of "
		"names",
		.flags = UPKEEP_GLOBS),
	UPKEEP_PARAM_CHOICE(struct archive_args, compress, "whether the stream is compressed",
		.choices = "zstd|none", .preset = "zstd"),
	UPKEEP_PARAM_INT(struct archive_args, level, "of zstd: 1 is fast, 19 is small", .min = 1,
		.max = 19, .preset = "3"),
	UPKEEP_PARAM_BOOL(struct archive_args, one_file_system,
		"leave out what other file systems hold", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct archive_args, skip_caches,
		"leave out directories that a CACHEDIR.TAG marks", .preset = "true"),
};
static const struct upkeep_output archive_outputs[] = {
	UPKEEP_OUT("entries", UPKEEP_INT, "files, directories and the like"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of files"),
	UPKEEP_OUT("problems", UPKEEP_INT, "entries that could not be read or kept still"),
	UPKEEP_OUT("changed", UPKEEP_INT, "files that changed while they were read"),
};

static const struct upkeep_param decrypt_params[] = {
	UPKEEP_PARAM_PATH(struct decrypt_args, spool,
		"directory with room for the sealed stream, which is checked whole before it is "
		"decrypted; the task's own directory unless given"),
};
static const struct upkeep_output decrypt_outputs[] = {
	UPKEEP_OUT("signer", UPKEEP_STRING, "whole fingerprint of the key that signed it"),
	UPKEEP_OUT("signed", UPKEEP_TIME, "when it was signed"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes read, still sealed"),
};

static const struct upkeep_param read_params[] = {
	STORE(struct read_args),
	BACKUP(struct read_args),
	NAME(struct read_args, "for latest: the newest of this name"),
	UPKEEP_PARAM_PATH(struct read_args, path, "the file to read", .flags = UPKEEP_REQUIRED),
};
static const struct upkeep_output read_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the backup"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of the file"),
	UPKEEP_OUT("sha256", UPKEEP_STRING, "of its bytes, holes left out"),
};

static const struct upkeep_param spot_params[] = {
	STORE(struct spot_args),
	BACKUP(struct spot_args),
	NAME(struct spot_args, "for latest: the newest of this name"),
	UPKEEP_PARAM_PATHS(struct spot_args, paths,
		"files and directories to compare; all of the backup where empty"),
	UPKEEP_PARAM_STRINGS(struct spot_args, exclude,
		"patterns of what not to compare; those that the backup was made with where empty",
		.flags = UPKEEP_GLOBS),
	UPKEEP_PARAM_PERCENT(
		struct spot_args, sample, "share of the files that are compared", .preset = "1%"),
	UPKEEP_PARAM_INT(struct spot_args, files, "how many files are compared; by share where 0",
		.preset = "0", .max = 1000000000),
	UPKEEP_PARAM_PERCENT(struct spot_args, count_tolerance,
		"how far the number of files may be from that in the backup", .preset = "10%"),
	UPKEEP_PARAM_PERCENT(struct spot_args, data_tolerance,
		"share of the compared files that may not be as in the backup", .preset = "0.5%"),
	UPKEEP_PARAM_INT(struct spot_args, seed,
		"which files are chosen: a number that an earlier run has told; at random where 0",
		.preset = "0", .max = 281474976710655),
	UPKEEP_PARAM_BOOL(struct spot_args, one_file_system,
		"leave out what other file systems hold", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct spot_args, skip_caches,
		"leave out directories that a CACHEDIR.TAG marks", .preset = "true"),
};
static const struct upkeep_output spot_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the backup"),
	UPKEEP_OUT("live", UPKEEP_INT, "files that are there"),
	UPKEEP_OUT("stored", UPKEEP_INT, "files of the backup"),
	UPKEEP_OUT("sampled", UPKEEP_INT, "files that were compared"),
	UPKEEP_OUT("differ", UPKEEP_INT, "of these, files that are not as in the backup"),
	UPKEEP_OUT("silent", UPKEEP_INT, "of these, files with the same size and time"),
	UPKEEP_OUT("seed", UPKEEP_INT, "what chose them"),
};

static const struct upkeep_param verify_params[] = {
	STORE(struct verify_args),
	BACKUP(struct verify_args),
	NAME(struct verify_args, "only backups of this name; all where empty"),
	UPKEEP_PARAM_BOOL(struct verify_args, all, "every backup, not one", .preset = "false"),
	{.name = "since",
		.about = "with all: leave out what was found good, at this level, within this time",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct verify_args, since_ms, int64_t),
		.preset = "0s"},
	UPKEEP_PARAM_CHOICE(struct verify_args, level,
		"hash: packs are those of the manifest; full: decrypt and compare every file too",
		.choices = "full|hash", .preset = "full"),
};
static const struct upkeep_output verify_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the backup"),
	UPKEEP_OUT("verified", UPKEEP_INT, "backups that are good"),
};

static const struct upkeep_param list_params[] = {
	STORE(struct list_args),
	NAME(struct list_args, "only backups of this name; all where empty"),
};
static const struct upkeep_output list_outputs[] = {
	UPKEEP_OUT("count", UPKEEP_INT, "how many there are"),
};

static const struct upkeep_param find_params[] = {
	STORE(struct find_args),
	NAME(struct find_args, "only backups of this name; all where empty"),
	UPKEEP_PARAM_STRING(struct find_args, pattern,
		"of whole paths where it begins with /, else of their ends",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
};

static const struct upkeep_param restore_params[] = {
	STORE(struct restore_args),
	BACKUP(struct restore_args),
	NAME(struct restore_args, "for latest: the newest of this name"),
	UPKEEP_PARAM_PATHS(struct restore_args, paths,
		"files and directories to bring back; all of the backup where empty"),
	UPKEEP_PARAM_PATH(struct restore_args, target,
		"directory below which the whole paths are put", .preset = "/"),
};
static const struct upkeep_output restore_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the backup"),
	UPKEEP_OUT("entries", UPKEEP_INT, "entries restored"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of files restored"),
	UPKEEP_OUT("old", UPKEEP_LIST | UPKEEP_PATH, "directories that hold what was there before"),
};

static const struct upkeep_param prune_params[] = {
	STORE(struct prune_args),
	NAME(struct prune_args,
		"only backups of this name; all names, each by itself, where empty"),
	UPKEEP_PARAM_INT(struct prune_args, keep_daily, "days of which the newest stays",
		.preset = "0", .max = 100000),
	UPKEEP_PARAM_INT(struct prune_args, keep_weekly, "ISO weeks of which the newest stays",
		.preset = "0", .max = 100000),
	UPKEEP_PARAM_INT(struct prune_args, keep_monthly, "months of which the newest stays",
		.preset = "0", .max = 100000),
	{.name = "keep_within",
		.about = "all that are younger stay",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct prune_args, keep_within_ms, int64_t),
		.preset = "0s"},
	UPKEEP_PARAM_INT(struct prune_args, min_keep, "verified backups that always stay",
		.preset = "1", .min = 1, .max = 100000),
	{.name = "undo_keep",
		.about = "how long a removed backup can be brought back",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct prune_args, undo_keep_ms, int64_t),
		.preset = "7d"},
	UPKEEP_PARAM_CHOICE(struct prune_args, space,
		"later: when undo_keep is over; now: at once, and for good",
		.flags = UPKEEP_NO_UNDO, .choices = "later|now", .preset = "later"),
};
static const struct upkeep_output prune_outputs[] = {
	UPKEEP_OUT("removed", UPKEEP_INT, "backups removed"),
	UPKEEP_OUT("kept", UPKEEP_INT, "backups kept"),
	UPKEEP_OUT("freed", UPKEEP_SIZE, "bytes of those removed"),
};

static const struct upkeep_param pin_params[] = {
	STORE(struct pin_args),
	BACKUP(struct pin_args),
	NAME(struct pin_args, "for latest: the newest of this name"),
};
static const struct upkeep_output pin_outputs[] = {
	UPKEEP_OUT("id", UPKEEP_STRING, "id of the backup"),
};

static const struct upkeep_param init_params[] = {
	UPKEEP_PARAM_BOOL(struct init_args, create_key,
		"make a key for the site, unless its keyring has one", .preset = "false"),
	UPKEEP_PARAM_STRING(struct init_args, user_id, "name of that key", .preset = ""),
};
static const struct upkeep_output init_outputs[] = {
	UPKEEP_OUT("fingerprint", UPKEEP_STRING, "whole fingerprint of the site's key"),
};

static const struct upkeep_action actions[] = {
	{.name = "create",
		.about = "Store files and directories, or a stream, sealed and signed",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_IN,
		UPKEEP_PARAMS(struct create_args, create_params),
		UPKEEP_OUTPUTS(create_outputs),
		.check = create_check,
		.plan = create_plan,
		.probe = create_probe,
		.run = create_run,
		.undo = create_undo},
	{.name = "archive",
		.about = "Write files and directories as one tar stream",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct archive_args, archive_params),
		UPKEEP_OUTPUTS(archive_outputs),
		.run = archive_run},
	{.name = "encrypt",
		.about = "Seal a stream to the recipients and sign it",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED | UPKEEP_STREAM_OUT,
		.run = encrypt_run},
	{.name = "decrypt",
		.about = "Check a sealed stream whole, then decrypt it",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED | UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct decrypt_args, decrypt_params),
		UPKEEP_OUTPUTS(decrypt_outputs),
		.run = decrypt_run},
	{.name = "read",
		.about = "Write one file of a backup as a stream",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct read_args, read_params),
		UPKEEP_OUTPUTS(read_outputs),
		.run = read_run},
	{.name = "spot",
		.about = "Compare files, chosen at random, with a backup",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct spot_args, spot_params),
		UPKEEP_OUTPUTS(spot_outputs),
		.run = spot_run},
	{.name = "verify",
		.about = "Read a backup back and note that it is good",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct verify_args, verify_params),
		UPKEEP_OUTPUTS(verify_outputs),
		.run = verify_run},
	{.name = "list",
		.about = "List the backups of a store",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct list_args, list_params),
		UPKEEP_OUTPUTS(list_outputs),
		.run = list_run},
	{.name = "find",
		.about = "Look for files in all backups of a store",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct find_args, find_params),
		UPKEEP_OUTPUTS(list_outputs),
		.run = find_run},
	{.name = "restore",
		.about = "Bring files and directories back",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct restore_args, restore_params),
		UPKEEP_OUTPUTS(restore_outputs),
		.check = restore_check,
		.plan = restore_plan,
		.probe = restore_probe,
		.run = restore_run,
		.undo = restore_undo},
	{.name = "prune",
		.about = "Remove backups that no rule keeps",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct prune_args, prune_params),
		UPKEEP_OUTPUTS(prune_outputs),
		.check = prune_check,
		.plan = prune_plan,
		.probe = prune_probe,
		.run = prune_run,
		.undo = prune_undo},
	{.name = "pin",
		.about = "Keep a backup from ever being pruned",
		.changes = UPKEEP_CHANGES_UNKNOWN,
		UPKEEP_PARAMS(struct pin_args, pin_params),
		UPKEEP_OUTPUTS(pin_outputs),
		.run = pin_run},
	{.name = "unpin",
		.about = "Let a pinned backup be pruned again",
		.changes = UPKEEP_CHANGES_UNKNOWN,
		UPKEEP_PARAMS(struct pin_args, pin_params),
		UPKEEP_OUTPUTS(pin_outputs),
		.run = unpin_run},
	{.name = "init",
		.about = "Make the stores, and a key for the site",
		.changes = UPKEEP_CHANGES_IRREVERSIBLE,
		UPKEEP_PARAMS(struct init_args, init_params),
		UPKEEP_OUTPUTS(init_outputs),
		.run = init_run},
};

UPKEEP_PLUGIN(.name = "backup", .version = "1.0",
	.about = "Backups of files: sealed, signed, verified, restored, pruned",
	UPKEEP_SETTINGS(struct settings, settings_table), UPKEEP_ACTIONS(actions));

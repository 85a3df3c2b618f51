/* SPDX-License-Identifier: MIT */
#include "actions.h"

#define PATHS_ABOUT \
	"files, as absolute patterns: * ? [...] in a name, ** for any number of directories"
#define LEVEL_ABOUT "how hard to compress; 0 is the format's own choice"

static const struct upkeep_param settings[] = {
	UPKEEP_PARAM_DURATION(struct files_settings, trash_keep,
		"how long what was removed stays in .upkeep-trash beside where it was",
		.preset = "7d"),
};

static const struct upkeep_param create_fields[] = {
	UPKEEP_PARAM_STRING(struct rotate_create, owner, "user that owns the new log"),
	UPKEEP_PARAM_STRING(struct rotate_create, group, "group of the new log"),
	UPKEEP_PARAM_STRING(struct rotate_create, mode, "its mode, octal, as in \"0640\""),
};

static const struct upkeep_param rotate_params[] = {
	UPKEEP_PARAM_PATHS(struct rotate_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_SIZE(struct rotate_args, size, "rotate a log that has this size"),
	UPKEEP_PARAM_DURATION(
		struct rotate_args, age, "rotate a log whose last rotation is that old"),
	UPKEEP_PARAM_SIZE(struct rotate_args, min_size, "never rotate a smaller log"),
	UPKEEP_PARAM_INT(struct rotate_args, keep, "rotated logs that are kept", .min = 1,
		.max = 10000, .preset = "7"),
	UPKEEP_PARAM_CHOICE(struct rotate_args, method,
		"how: auto chooses a way that loses no line; copy loses what is written meanwhile",
		.preset = "auto", .choices = "auto|rename|collapse|copy"),
	UPKEEP_PARAM_CHOICE(struct rotate_args, compress,
		"compress the rotated log: not, at once, or at the next rotation",
		.preset = "later", .choices = "no|now|later"),
	UPKEEP_PARAM_CHOICE(struct rotate_args, format, "compression format", .preset = "zstd",
		.choices = "zstd|gzip"),
	UPKEEP_PARAM_INT(
		struct rotate_args, level, LEVEL_ABOUT, .min = 0, .max = 19, .preset = "0"),
	UPKEEP_PARAM_CHOICE(struct rotate_args, signal,
		"signal that makes the writer reopen the log", .preset = "HUP",
		.choices = "HUP|USR1|USR2|WINCH|TERM"),
	UPKEEP_PARAM_PATH(
		struct rotate_args, pid_file, "file with the id of the process to signal"),
	UPKEEP_PARAM_STRINGS(struct rotate_args, processes, "names of the processes to signal"),
	UPKEEP_PARAM_DURATION(struct rotate_args, wait, "how long the writer may take to reopen",
		.preset = "30s"),
	UPKEEP_PARAM_BOOL(struct rotate_args, recreate, "create the new log after a rename",
		.preset = "true"),
	UPKEEP_PARAM_GROUP(struct rotate_args, create, struct rotate_create, create_fields,
		"owner and mode of the new log where they are not those of the old one"),
};

static const struct upkeep_output rotate_outputs[] = {
	UPKEEP_OUT("rotated", UPKEEP_INT, "logs that were rotated"),
};

static const struct upkeep_param compress_params[] = {
	UPKEEP_PARAM_PATHS(struct compress_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_SIZE(struct compress_args, min_size, "leave smaller files alone"),
	UPKEEP_PARAM_DURATION(
		struct compress_args, older_than, "leave files alone that were written to since"),
	UPKEEP_PARAM_CHOICE(struct compress_args, format, "compression format", .preset = "zstd",
		.choices = "zstd|gzip"),
	UPKEEP_PARAM_INT(
		struct compress_args, level, LEVEL_ABOUT, .min = 0, .max = 19, .preset = "0"),
};

static const struct upkeep_output compress_outputs[] = {
	UPKEEP_OUT("files", UPKEEP_INT, "files that were compressed"),
	UPKEEP_OUT("saved", UPKEEP_SIZE, "space that was saved"),
};

static const struct upkeep_param expire_params[] = {
	UPKEEP_PARAM_PATHS(struct expire_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_DURATION(struct expire_args, older_than,
		"remove files that were last written to so long ago"),
	UPKEEP_PARAM_SIZE(struct expire_args, max_total,
		"remove the oldest until the rest takes no more space"),
	UPKEEP_PARAM_INT(struct expire_args, keep, "always keep that many of the newest", .min = 0,
		.max = INT64_MAX, .preset = "0"),
	UPKEEP_PARAM_STRINGS(struct expire_args, protect,
		"patterns of names, or with a slash of paths, that are never removed",
		.flags = UPKEEP_GLOBS),
	UPKEEP_PARAM_CHOICE(struct expire_args, space,
		"free the space when the undo expires, or now: then it cannot be undone",
		.flags = UPKEEP_NO_UNDO, .preset = "later", .choices = "later|now"),
};

static const struct upkeep_output expire_outputs[] = {
	UPKEEP_OUT("files", UPKEEP_INT, "files that were removed"),
	UPKEEP_OUT("freed", UPKEEP_SIZE, "space that was freed"),
	UPKEEP_OUT("trashed", UPKEEP_SIZE, "space that will be free when the undo has expired"),
};

static const struct upkeep_param archive_params[] = {
	UPKEEP_PARAM_PATHS(struct archive_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_PATH(struct archive_args, to, "directory of the archive, which must exist",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_DURATION(
		struct archive_args, older_than, "leave files alone that were written to since"),
};

static const struct upkeep_output archive_outputs[] = {
	UPKEEP_OUT("files", UPKEEP_INT, "files that were moved"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "their size"),
};

static const struct upkeep_param json_params[] = {
	UPKEEP_PARAM_PATHS(struct json_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_SIZE(struct json_args, max_size, "leave larger files alone, with a warning",
		.preset = "256MiB"),
};

static const struct upkeep_output json_outputs[] = {
	UPKEEP_OUT("files", UPKEEP_INT, "files that were read"),
	UPKEEP_OUT("bad", UPKEEP_INT, "files that are not JSON"),
	UPKEEP_OUT("records", UPKEEP_INT, "elements of all outermost arrays and objects"),
};

static const struct upkeep_param usage_params[] = {
	UPKEEP_PARAM_PATHS(struct usage_args, paths,
		"directories to measure, hidden files included",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_INT(struct usage_args, top, "how many of the largest files to list", .min = 0,
		.max = 10000, .preset = "10"),
	UPKEEP_PARAM_PERCENT(struct usage_args, max_used,
		"fail when the file system of a directory is that full"),
};

static const struct upkeep_output usage_outputs[] = {
	UPKEEP_OUT("used", UPKEEP_SIZE, "space of all directories together"),
	UPKEEP_OUT("file_system", UPKEEP_PERCENT, "how full the fullest file system is"),
};

static const struct upkeep_param errors_params[] = {
	UPKEEP_PARAM_PATHS(struct errors_args, paths, PATHS_ABOUT,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS),
	UPKEEP_PARAM_INT(struct errors_args, lines, "how many of the last lines of each to read",
		.min = 1, .max = 100000, .preset = "20"),
	UPKEEP_PARAM_STRINGS(struct errors_args, words,
		"what a line of an error has, in any case, at the beginning of a word",
		.flags = UPKEEP_NONEMPTY,
		.preset = "error|fatal|critical|panic|exception|traceback|segfault|fail"),
	UPKEEP_PARAM_STRINGS(struct errors_args, ignore, "what makes such a line no error"),
	UPKEEP_PARAM_INT(struct errors_args, warn, "warn at that many such lines; 0 never",
		.min = 0, .max = INT64_MAX, .preset = "1"),
	UPKEEP_PARAM_INT(struct errors_args, crit, "fail at that many such lines; 0 never",
		.min = 0, .max = INT64_MAX, .preset = "0"),
};

static const struct upkeep_output errors_outputs[] = {
	UPKEEP_OUT("files", UPKEEP_INT, "logs that were read"),
	UPKEEP_OUT("errors", UPKEEP_INT, "lines that tell of an error"),
};

static const struct upkeep_action actions[] = {
	{
		.name = "rotate",
		.about = "Rotate logs without losing a line of those that are being written",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct rotate_args, rotate_params),
		UPKEEP_OUTPUTS(rotate_outputs),
		.check = rotate_check,
		.plan = rotate_plan,
		.probe = rotate_probe,
		.run = rotate_run,
		.undo = files_undo,
	},
	{
		.name = "compress",
		.about = "Compress files in their place, verified before the original goes",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct compress_args, compress_params),
		UPKEEP_OUTPUTS(compress_outputs),
		.plan = compress_plan,
		.probe = compress_probe,
		.run = compress_run,
		.undo = files_undo,
	},
	{
		.name = "expire",
		.about = "Remove old files, or the oldest of too many",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct expire_args, expire_params),
		UPKEEP_OUTPUTS(expire_outputs),
		.check = expire_check,
		.plan = expire_plan,
		.probe = expire_probe,
		.run = expire_run,
		.undo = files_undo,
	},
	{
		.name = "archive",
		.about = "Move old files to an archive, also across file systems",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct archive_args, archive_params),
		UPKEEP_OUTPUTS(archive_outputs),
		.plan = archive_plan,
		.probe = archive_probe,
		.run = archive_run,
		.undo = files_undo,
	},
	{
		.name = "validate-json",
		.about = "Check that files are JSON",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct json_args, json_params),
		UPKEEP_OUTPUTS(json_outputs),
		.run = json_run,
	},
	{
		.name = "usage",
		.about = "Measure directories and the file systems they are on",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct usage_args, usage_params),
		UPKEEP_OUTPUTS(usage_outputs),
		.run = usage_run,
	},
	{
		.name = "errors",
		.about = "Look for errors in the last lines of logs",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct errors_args, errors_params),
		UPKEEP_OUTPUTS(errors_outputs),
		.run = errors_run,
	},
};

UPKEEP_PLUGIN(.name = "files", .version = "1.0",
	.about = "Rotate, compress, expire, archive, check and measure files",
	UPKEEP_SETTINGS(struct files_settings, settings), UPKEEP_ACTIONS(actions));

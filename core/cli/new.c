/* SPDX-License-Identifier: MIT */
/* upkeep new plugin NAME: the template with the name put in. */
#include "cli/command.h"
#include "cli/kit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "model/state.h"

#include <string.h>
#include <sys/stat.h>

#define MARK "@NAME@"

static void put_name(struct text *out, const char *text, const char *name)
{
	for (const char *mark; (mark = strstr(text, MARK)); text = mark + strlen(MARK)) {
		text_add(out, text, (size_t)(mark - text));
		text_adds(out, name);
	}
	text_adds(out, text);
}

static int write_file(const char *name, const char *from, const char *to, struct error *err)
{
	const char *dir = secure_getenv("UPKEEP_TEMPLATE_DIR");
	CLEANUP_TEXT struct text source = {0}, target = {0}, whole = {0};
	CLEANUP_FREE char *bytes = NULL;
	size_t size;

	text_addf(&source, "%s/%s", dir ? dir : DATA_DIR "/template", from);
	put_name(&target, to, name);
	int r = file_load(text_string(&source), 1u << 20, &bytes, &size, err);
	if (r < 0)
		return r;
	put_name(&whole, bytes, name);
	r = file_store(text_string(&target), whole.bytes, whole.size, 0644, false, err);
	if (r == 0)
		printf("%s\n", text_string(&target));
	return r;
}

static bool is_name(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) < 64 &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

int new_plugin(const char *name)
{
	static const char *const files[][2] = {{"plugin.c", MARK "/" MARK ".c"},
		{"test.c", MARK "/test_" MARK ".c"}, {"Makefile", MARK "/Makefile"}};
	CLEANUP_ERROR struct error err = {0};
	int r = 0;

	if (!is_name(name)) {
		fprintf(stderr,
			"upkeep: \"%s\" is not a name for a plugin; use [a-z][a-z0-9-]*, up to "
			"63 characters\n",
			name);
		return EXIT_USAGE;
	}
	if (mkdir(name, 0777) < 0)
		r = error_set(&err, -errno, "choose another name, or remove it",
			"cannot make the "
			"directory \"%s\": %m",
			name);
	for (size_t i = 0; r == 0 && i < 3; i++)
		r = write_file(name, files[i][0], files[i][1], &err);
	if (r < 0) {
		fprintf(stderr, "upkeep: %s%s%s\n", error_what(&err), err.next ? "; " : "",
			err.next ? err.next : "");
		return EXIT_INTERNAL;
	}
	printf("next: cd %s && make && make check\n", name);
	return 0;
}

int command_new(struct cli *cli)
{
	return new_plugin(cli->args.items[0]);
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs the case files named as arguments, else all of tests/cases/, as TAP.  A case file:
 *	== upkeep.conf
 *	the site file, and so on for graphs/x.conf and others (mode 0600);
 *	== mode graphs/x.conf 0666
 *	== dir graphs/d.conf
 *	== expect
 *	the whole output of `upkeep check`, with DIR for the site's directory
 * Before the first "==" stands what the case is about.  In the files, DIR is that directory
 * too; in a line that begins with "%" each %HH is a byte.
 */
#include "catalog.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "config/config.h"
#include "plan/build.h"

#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %m\n", what, path);
	exit(99);
}

static void add_replaced(struct text *out, const char *text, const char *from, const char *to)
{
	for (const char *hit; (hit = strstr(text, from)); text = hit + strlen(from)) {
		text_add(out, text, (size_t)(hit - text));
		text_adds(out, to);
	}
	text_adds(out, text);
}

/* "%ef%bb%bftext" → its bytes. */
static void add_bytes(struct text *out, const char *line)
{
	for (; *line; line++) {
		unsigned byte;
		int used = 0;
		if (*line == '%' && sscanf(line, "%%%2x%n", &byte, &used) == 1 && used == 3) {
			text_addc(out, (char)byte);
			line += 2;
		} else {
			text_addc(out, *line);
		}
	}
}

static void store(const char *dir, const char *name, const struct text *body)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	char *slash = strrchr(path, '/');
	*slash = 0;
	if (file_make_dirs(path, 0700, NULL) < 0)
		die("cannot make", path);
	*slash = '/';
	FILE *file = fopen(path, "we");
	if (!file || fchmod(fileno(file), 0600) < 0)
		die("cannot write", path);
	fwrite(text_string(body), 1, body->size, file);
	fclose(file);
	free(path);
}

static void command(const char *dir, const char *line)
{
	char name[200], *path = NULL;
	unsigned mode = 0;
	bool is_dir = sscanf(line, "dir %199s", name) == 1;

	if (!is_dir && sscanf(line, "mode %199s %o", name, &mode) != 2)
		return;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	if (is_dir ? mkdir(path, 0700) : chmod(path, mode))
		die("cannot change", path);
	free(path);
}

/* Splits the case into files below `dir`; what is expected goes to `expect`. */
static void set_up(const char *dir, char *text, struct text *expect)
{
	struct text body = {0};
	char *name = NULL, *line = text;

	for (char *end; line && *line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		bool head = text_starts(line, "== ");
		if (head && name && strcmp(name, "expect") != 0 && !strchr(name, ' '))
			store(dir, name, &body);
		if (head) {
			name = line + 3;
			command(dir, name);
			text_free(&body);
		} else if (name && strcmp(name, "expect") == 0) {
			text_addf(expect, "%s\n", line);
		} else if (name && *line == '%') {
			add_bytes(&body, line);
			text_addc(&body, '\n');
		} else if (name) {
			add_replaced(&body, line, "DIR", dir);
			text_addc(&body, '\n');
		}
	}
	text_free(&body);
}

static void check_plans(struct site *site, struct diagnostics *diagnostics)
{
	struct plan_options options = {.check_only = true};

	for (uint32_t i = 0; i < site->graph_count; i++) {
		struct error CLEANUP_ERROR err = {0};
		struct plan *plan = NULL;
		if (site->graphs[i].faulty)
			continue;
		if (plan_build(site, &site->graphs[i], &options, &plan, diagnostics, &err) == 0)
			plan_free(plan);
	}
}

static char *check(const char *dir)
{
	struct diagnostics diagnostics = {0};
	struct config_options options = {.path = NULL};
	struct error CLEANUP_ERROR err = {0};
	struct site *site = NULL;
	struct text out = {0}, plain = {0};
	char *path = NULL;

	if (asprintf(&path, "%s/upkeep.conf", dir) < 0)
		abort();
	options.path = path;
	if (config_load(&options, fake_catalog(), &site, &diagnostics, &err) < 0) {
		text_addf(&out, "%s; %s\n", error_what(&err), err.next);
	} else {
		check_plans(site, &diagnostics);
		diagnostics_print(&diagnostics, site, &out);
	}
	add_replaced(&plain, text_string(&out), dir, "DIR");
	site_free(site);
	diagnostics_free(&diagnostics);
	text_free(&out);
	free(path);
	return text_take(&plain);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void print_comment(const char *title, const char *text)
{
	printf("# %s\n", title);
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		printf("#   %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static bool run_case(const char *path, bool write)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = NULL;
	struct text CLEANUP_TEXT expect = {0};
	char *text = NULL;
	size_t size;

	if (file_load(path, 1 << 20, &text, &size, NULL) < 0)
		die("cannot read", path);
	if (asprintf(&dir, "%s/upkeep-case-XXXXXX", tmp ? tmp : "/tmp") < 0 || !mkdtemp(dir))
		die("cannot make", dir);
	char *whole = base_string(text);
	set_up(dir, text, &expect);
	char *got = check(dir);
	bool passed = strcmp(got, text_string(&expect)) == 0;
	if (!passed && write) {
		char *head = strstr(whole, "== expect\n");
		FILE *file = fopen(path, "we");
		if (!head || !file)
			die("cannot write", path);
		fprintf(file, "%.*s== expect\n%s", (int)(head - whole), whole, got);
		fclose(file);
	} else if (!passed) {
		print_comment("expected:", text_string(&expect));
		print_comment("got:", got);
	}
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(got);
	free(whole);
	free(text);
	free(dir);
	return passed;
}

/* --write stores what came as what is expected: then read the difference. */
int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	bool write = argc > 1 && strcmp(argv[1], "--write") == 0;
	char pattern[4096];
	glob_t found = {0};
	bool passed = true;

	argv += 1 + write;
	argc -= 1 + write;
	setenv("TZ", "UTC", 1);
	if (!argc) {
		snprintf(pattern, sizeof pattern, "%s/tests/cases/*.case", top ? top : ".");
		if (glob(pattern, 0, NULL, &found) != 0)
			die("no cases in", pattern);
		argc = (int)found.gl_pathc;
		argv = found.gl_pathv;
	}
	printf("1..%d\n", argc);
	for (int i = 0; i < argc; i++) {
		bool right = run_case(argv[i], write);
		const char *slash = strrchr(argv[i], '/');
		printf("%sok %d - %s\n", right ? "" : "not ", i + 1, slash ? slash + 1 : argv[i]);
		passed &= right;
	}
	globfree(&found);
	return passed ? 0 : 1;
}

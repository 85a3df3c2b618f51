/* SPDX-License-Identifier: MIT */
#include "points.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define DAY_S 86400
#define STEP_BYTES 3000

/* A program that makes two files; its rollback notes when it was begun and ended. */
#define SCRIPT(name, body, more)                                                               \
	name " = { action = \"core.exec\"; argv = [ \"/bin/sh\", \"-ec\", \"" body             \
	     "; echo 3 >@T/made/" name ".more\" ]; rollback = { "                              \
	     "action = \"core.exec\"; argv = [ \"/bin/sh\", \"-ec\", \"echo begin $0 " name    \
	     " 0 >>@W/notes; rm -f @T/made/" name " @T/made/" name ".more; echo end $0 " name  \
	     " 0 >>@W/notes\", \"${run.id}\" ]; retry = { attempts = 3; delay = \"10ms\"; }; " \
	     "}; " more " @E };\n"
#define MAKE(name, more) SCRIPT(name, "echo 1 >@T/made/" name "; echo 2 >>@T/made/" name, more)
/* ... of what comes in, which it passes on. */
#define KEEP(name, more) SCRIPT(name, "tee @T/made/" name, more)
#define PUT(name, more)                                                                    \
	name " = { action = \"points.put\"; notes = \"@W/notes\"; prefix = \"@T/set/" more \
	     " @E };\n"
#define FILES(name, action, more) name " = { action = \"files." action "\"; " more " @E };\n"
#define PACK(more) FILES("pack", "compress", "paths = [ \"@T/logs/*.log\" ]; " more)

const struct scenario scenarios[] = {
	{.name = "fails",
		.graph = PACK("") FILES("move", "archive",
			"paths = [ \"@T/in/*\" ]; to = \"@T/archive\"; after = [ \"pack\" ];")
			PUT("put", "p\"; count = 4; after = [ \"move\" ];") MAKE(
				"make", "after = [ \"put\" ];")
				PUT("fail", "q\"; count = 5; fail_at = 3; after = [ \"make\" ];")},
	{.name = "succeeds",
		.graph = FILES("turn", "rotate", "paths = [ \"@T/logs/*.log\" ]; keep = 3;") FILES(
			"drop", "expire",
			"paths = [ \"@T/old/*\" ]; older_than = \"7d\"; after = [ \"turn\" ];")
			PUT("put", "p\"; count = 3; after = [ \"drop\" ];")
				MAKE("make", "after = [ \"put\" ];")},
	{.name = "retries",
		.graph = MAKE("first", "") PUT("put",
			"p\"; count = 3; flaky = \"@W/flaky\"; retry = { attempts = 2; delay = "
			"\"10ms\"; }; after = [ \"first\" ];")
			MAKE("last", "after = [ \"put\" ];")},
	{.name = "branches",
		.graph = PACK("") PUT("put", "p\"; count = 3; pause = \"5ms\";") MAKE(
			"make", "") MAKE("other", "after = [ \"make\" ];") PUT("fail",
			"q\"; count = 2; fail_at = 2; after = [ \"pack\", \"put\", \"other\" "
			"];")},
	{.name = "programs",
		.graph = MAKE("one", "") MAKE("two", "after = [ \"one\" ];") MAKE(
			"three", "after = [ \"two\" ];") MAKE("four", "after = [ \"three\" ];")
			MAKE("five", "after = [ \"two\" ];") PUT("fail",
				"q\"; count = 2; fail_at = 2; after = [ \"four\", \"five\" ];")},
	{.name = "streams",
		.graph = SCRIPT("source", "echo 1 | tee @T/made/source", "")
			KEEP("pass", "from = \"source\";") KEEP("last", "from = \"pass\";")
				PUT("fail", "q\"; count = 2; fail_at = 2; after = [ \"last\" ];")},
	{.name = "pivot",
		.pivots = true,
		.graph = PUT("put", "p\"; count = 2;")
			MAKE("turn", "pivot = true; after = [ \"put\" ];")
				PUT("after", "q\"; count = 2; after = [ \"turn\" ];")},
	{.name = "slow",
		.graph = PUT("put", "p\"; count = 3; pause = \"15ms\";") MAKE(
			"make", "after = [ \"put\" ];") PUT("fail",
			"q\"; count = 3; fail_at = 3; pause = \"15ms\"; after = [ \"make\" ];")},
	{.name = "resumes",
		.keys = "on_interrupt = \"resume\"; ",
		.graph = PUT("put", "p\"; count = 3; lock = [ \"database\" ];")
			MAKE("make", "after = [ \"put\" ];")
				PUT("last", "q\"; count = 2; after = [ \"make\" ];")},
	{.name = "taken",
		.taken_back = true,
		.graph = PACK("") FILES("drop", "expire",
			"paths = [ \"@T/old/*\" ]; older_than = \"7d\"; after = [ \"pack\" ];")
			PUT("put", "p\"; count = 3; after = [ \"drop\" ];")
				MAKE("make", "after = [ \"put\" ];")},
	{.name = "first",
		.fresh = true,
		.graph = PUT("put", "p\"; count = 2;")
			PUT("fail", "q\"; count = 2; fail_at = 1; after = [ \"put\" ];")},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];

/* ---- the tree ---- */

static void make_dir(const struct lane *lane, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", lane->dir, name);
	if (mkdir(path, 0755) < 0)
		abort();
}

static void make_file(
	const struct lane *lane, const char *name, const char *text, size_t size, int days)
{
	time_t then = lane->today_s - (time_t)days * DAY_S;
	const struct timespec times[] = {{.tv_sec = then}, {.tv_sec = then}};
	CLEANUP_TEXT struct text bytes = {0};
	char path[256];

	while (bytes.size < size)
		text_addf(&bytes, "%s %zu\n", text, bytes.size);
	snprintf(path, sizeof path, "%s/%s", lane->dir, name);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0 || file_write(fd, text_string(&bytes), bytes.size) < 0 ||
		futimens(fd, times) < 0)
		abort();
}

static void make_tree(const struct lane *lane)
{
	static const char *const dirs[] = {"tree", "tree/logs", "tree/in", "tree/old",
		"tree/archive", "tree/set", "tree/made"};
	char name[64];

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		make_dir(lane, dirs[i]);
	make_file(lane, "tree/logs/a.log", "a line of a", STEP_BYTES * 3, 9);
	make_file(lane, "tree/logs/b.log", "a line of b", STEP_BYTES, 9);
	make_file(lane, "tree/logs/a.log.1", "an earlier line of a", STEP_BYTES, 12);
	make_file(lane, "tree/in/one", "data", STEP_BYTES, 20);
	make_file(lane, "tree/in/two", "more data", STEP_BYTES, 21);
	make_file(lane, "tree/old/one", "old", STEP_BYTES, 40);
	make_file(lane, "tree/old/two", "older", STEP_BYTES, 50);
	for (char set = 'p'; set <= 'q'; set++)
		for (int i = 0; i < 5; i++) {
			snprintf(name, sizeof name, "tree/set/%c%d", set, i);
			make_file(lane, name, name, 1, 30 + i);
		}
}

/* ---- what it looks like ---- */

struct look {
	struct text text;
	time_t since; /* what is newer has no time that could be compared */
};

static uint64_t hash_file(int dir, const char *name)
{
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unsigned char bytes[4096];
	uint64_t hash = 14695981039346656037u;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ bytes[i]) * 1099511628211u;
	return hash;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Where removed files wait, and what was never finished, is no part of it. */
static int is_seen(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		!text_starts(entry->d_name, ".upkeep-");
}

static void look_dir(struct look *look, const char *path)
{
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries;
	char below[512];
	struct stat st;
	int count = scandir(path, &entries, is_seen, by_name);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		snprintf(below, sizeof below, "%s/%s", path, name);
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			abort();
		text_addf(&look->text, "%s %o", strstr(below, "/tree") + 5, st.st_mode);
		if (S_ISREG(st.st_mode))
			text_addf(&look->text, " %lld bytes %016llx time %lld",
				(long long)st.st_size, (unsigned long long)hash_file(dir, name),
				st.st_mtime < look->since ? (long long)st.st_mtime : 0);
		text_addc(&look->text, '\n');
		if (S_ISDIR(st.st_mode))
			look_dir(look, below);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

char *lane_look(const struct lane *lane)
{
	struct look look = {.since = lane->today_s - DAY_S};
	char path[256];

	snprintf(path, sizeof path, "%s/tree", lane->dir);
	text_addc(&look.text, '\n');
	look_dir(&look, path);
	return text_take(&look.text);
}

/* ---- the site ---- */

static void add_graph(const struct lane *lane, struct text *text, const char *graph)
{
	for (; *graph; graph++)
		if (graph[0] != '@')
			text_addc(text, *graph);
		else if (*++graph == 'T')
			text_addf(text, "%s/tree", lane->dir);
		else if (*graph == 'W')
			text_adds(text, lane->dir);
		else
			text_addf(text,
				"env = { LD_PRELOAD = \"%s\"; " INJECT_FILE " = \"%s/page\"; };",
				INJECT_BUILT, lane->dir);
}

static void store(const struct lane *lane, const char *name, const struct text *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", lane->dir, name);
	if (file_store(path, text_string(text), text->size, 0600, false, NULL) < 0)
		abort();
}

static void write_site(const struct lane *lane, const struct scenario *scenario)
{
	CLEANUP_TEXT struct text site = {0}, graphs = {0};

	text_addf(&site,
		"state_dir = \"%s/state\"; jobs = 3; graphs = [ \"%s/graphs.conf\" ]; "
		"locks = [ \"database\" ]; plugins = { files = { }; points = { }; };\n",
		lane->dir, lane->dir);
	text_addf(&graphs,
		"graphs = {\nwarm = { tasks = { nothing = { action = \"core.exec\"; argv = [ "
		"\"/bin/true\" ]; changes = \"none\"; }; }; };\ngraph = { %stasks = {\n",
		scenario->keys ? scenario->keys : "");
	add_graph(lane, &graphs, scenario->graph);
	text_adds(&graphs, "}; }; };\n");
	store(lane, "upkeep.conf", &site);
	store(lane, "graphs.conf", &graphs);
}

static void copy_file(int from, int to, const char *name)
{
	CLEANUP_FD int in = openat(from, name, O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int out = openat(to, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char bytes[65536];
	ssize_t n;

	while ((n = read(in, bytes, sizeof bytes)) > 0)
		if (file_write(out, bytes, (size_t)n) < 0)
			abort();
}

static void copy_tree(const char *from, const char *to)
{
	CLEANUP_DIR DIR *dir = opendir(from);
	char a[512], b[512];

	if (!dir || mkdir(to, 0700) < 0)
		abort();
	CLEANUP_FD int into = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (struct dirent *e; (e = readdir(dir));) {
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		if (e->d_type == DT_REG)
			copy_file(dirfd(dir), into, e->d_name);
		else if (e->d_type == DT_DIR && e->d_name[0] != '.')
			copy_tree(a, b);
	}
}

static void remove_below(const struct lane *lane, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", lane->dir, name);
	if (file_remove_tree(AT_FDCWD, path, NULL) < 0)
		abort();
}

void lane_reset(struct lane *lane)
{
	static const char *const gone[] = {"tree", "state", "notes", "flaky"};
	char from[256], to[256];

	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
		remove_below(lane, gone[i]);
	make_tree(lane);
	snprintf(from, sizeof from, "%s/template", lane->dir);
	snprintf(to, sizeof to, "%s/state", lane->dir);
	copy_tree(from, to);
	if (lane->scenario->fresh)
		remove_below(lane, "state/journal.db");
}

/* How it ends where nothing is struck; again: where it runs once more after that. */
static int run_plainly(struct lane *lane)
{
	static const char *const words[] = {"run", "graph", "--quiet", NULL};
	CLEANUP_TEXT struct text output = {0};
	int code = upkeep_command(lane, NULL, &output, words);

	if (code != 0 && code != 11)
		printf("# %s: an undisturbed run ends with %d\n%s", lane->scenario->name, code,
			text_string(&output));
	return code;
}

/* So that all is as it was before. */
static bool roll_back_plainly(struct lane *lane)
{
	static const char *const words[] = {"rollback", "last", "--quiet", NULL};
	CLEANUP_TEXT struct text output = {0};
	int code = upkeep_command(lane, NULL, &output, words);
	CLEANUP_FREE char *now = lane_look(lane);

	if (code == 0 && strcmp(now, lane->before) == 0)
		return true;
	printf("# %s: an undisturbed rollback ends with %d; before:%s# then:%s%s",
		lane->scenario->name, code, lane->before, now, text_string(&output));
	return false;
}

bool lane_prepare(struct lane *lane, const struct scenario *scenario)
{
	static const char *const warm[] = {"run", "warm", "--quiet", NULL};
	CLEANUP_TEXT struct text output = {0};
	char from[256], to[256];

	lane->scenario = scenario;
	free(lane->before);
	free(lane->after);
	write_site(lane, scenario);
	remove_below(lane, "template");
	remove_below(lane, "state");
	if (upkeep_command(lane, NULL, &output, warm) != 0) {
		printf("# %s", text_string(&output));
		return false;
	}
	snprintf(from, sizeof from, "%s/state", lane->dir);
	snprintf(to, sizeof to, "%s/template", lane->dir);
	if (rename(from, to) < 0)
		return false;
	lane_reset(lane);
	lane->before = lane_look(lane);
	lane->code = run_plainly(lane);
	lane->after = lane_look(lane);
	if (scenario->taken_back && !roll_back_plainly(lane))
		return false;
	for (int i = 0; i < INJECT_ROLES; i++) {
		lane->calls[i] = lane->page->calls[i];
		lane->disk_calls[i] = lane->page->disk_calls[i];
	}
	lane->again_code = run_plainly(lane);
	bool same = strcmp(lane->before, lane->after) == 0;
	bool right = lane->code == 0 ? !same : lane->code == 11 && same;
	if (!right)
		printf("# %s ends with %d; before:%s# after:%s", scenario->name, lane->code,
			lane->before, lane->after);
	return right;
}

/* ---- the place ---- */

static void copy_plugin(const struct lane *lane, const char *dir, const char *name)
{
	char to[256];

	snprintf(to, sizeof to, "%s/plugins", lane->dir);
	CLEANUP_FD int from = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD int into = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	copy_file(from, into, name);
	if (fchmodat(into, name, 0755, 0) < 0)
		abort();
}

bool lane_open(struct lane *lane, unsigned number)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char path[128];

	*lane = (struct lane){.today_s = time(NULL) / DAY_S * DAY_S};
	snprintf(lane->dir, sizeof lane->dir, "%s/upkeep-points-%u-XXXXXX", base, number);
	if (!mkdtemp(lane->dir) || chmod(lane->dir, 0755) < 0)
		return false;
	make_dir(lane, "plugins");
	copy_plugin(lane, FILES_BUILT, "files.so");
	copy_plugin(lane, POINTS_BUILT, "points.so");
	snprintf(path, sizeof path, "%s/page", lane->dir);
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *lane->page) < 0)
		return false;
	lane->page = mmap(NULL, sizeof *lane->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return lane->page != MAP_FAILED;
}

void lane_close(struct lane *lane)
{
	file_remove_tree(AT_FDCWD, lane->dir, NULL);
	free(lane->before);
	free(lane->after);
}

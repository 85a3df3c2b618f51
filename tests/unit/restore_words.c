/* SPDX-License-Identifier: MIT */
#include "restore_words.h"

#include "cases/catalog.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char settings[] =
	"graphs = [ \"g.conf\" ]; locks = [ \"one\", \"two\" ]; pools = { io = 2; cpu = 7; };\n"
	"state_dir = \"/var/lib/x\"; jobs = 3; undo_keep = \"2d\"; undo_space = \"1MiB\";\n"
	"plugins = { demo = { host = \"here\"; port = 5432; password = \"env:DEMO_PASSWORD\";\n"
	"    stores = ( { name = \"s\"; path = \"/s\"; }, { name = \"t\"; } ); };\n"
	"  other = { plugin = \"demo\"; }; spare = { }; };\n";

static const char graphs[] =
	"graphs = { main = {\n"
	"  about = \"all of it\"; overlap = \"wait\"; wait_max = \"5m\"; timeout = \"2h\";\n"
	"  on_failure = \"stop\"; running = \"finish\"; on_interrupt = \"hold\";\n"
	"  params = { keep = { type = \"int\"; default = 3; }; share = { type = \"float\"; default "
	"= "
	"0.1; };\n"
	"    big = { type = \"int\"; default = 9223372036854775807L; };\n"
	"    names = { type = \"list of string\"; default = [ \"x\", \"y\" ]; }; };\n"
	"  tasks = {\n"
	"    a = { action = \"core.exec\"; argv = [ \"true\", \"$${plain}\" ]; capture = "
	"\"text\";\n"
	"      lock = [ \"two\", \"one\" ]; pool = \"cpu\"; about = \"first\"; umask = \"0027\"; "
	"nice "
	"= -5;\n"
	"      env = { A = \"1\"; B = \"secret:env:B\"; }; cwd = \"/tmp/${run.id}\"; kill_after = "
	"0;\n"
	"      limits = { memory = \"1GiB\"; processes = 7; files = 99; file_size = \"1MiB\";\n"
	"        cpu_time = \"5s\"; };\n"
	"      log_max = \"1MiB\"; stall = \"5m\"; timeout = \"10s\"; leaves_running = true; "
	"ignore_failure = "
	"true;\n"
	"      run_as = \"root\"; run_as_group = \"root\";\n"
	"      rollback = { action = \"demo.check\"; }; };\n"
	"    b = { action = \"core.exec\"; argv = [ \"n${param.keep}$${x}\", \"${a.stdout}\", "
	"\"${param.keep}\" ];\n"
	"      pivot = true;\n"
	"      rollback = { action = \"core.exec\"; argv = [ \"echo\", \"${a.stdout}\" ];\n"
	"        timeout = \"5m\"; retry = { attempts = 5; delay = \"2s\"; }; }; };\n"
	"    c = { action = \"core.exec\"; argv = [ \"echo\", \"${each}\" ]; each = "
	"\"${param.names}\";\n"
	"      after = \"b\"; };\n"
	"    d = { action = \"core.exec\"; argv = [ \"true\" ]; env = { E = \"${c.exit}\"; };\n"
	"      when = \"${param.keep} > 2 and not ${a.exit} == 1\"; };\n"
	"    e = { action = \"core.exec\"; argv = [ \"${each}\" ]; each = [ 1, 2 ];\n"
	"      when = \"${each} < 2\"; };\n"
	"    sub = { action = \"core.graph\"; graph = \"inner\"; after = \"d\";\n"
	"      params = { text = \"${a.stdout}\"; }; when = \"${a.stdout} == 'yes'\"; };\n"
	"    z = { action = \"core.exec\"; argv = [ \"${sub/first.exit}\" ]; after = \"sub\"; };\n"
	"    many = { action = \"core.graph\"; graph = \"shell\"; each = [ \"p\", \"q\" ]; after = "
	"\"a\";\n"
	"      params = { text = \"${each}\"; }; };\n"
	"    hollow = { action = \"core.graph\"; graph = \"inner\"; each = \"/nowhere/*.none\";\n"
	"      params = { text = \"x\"; }; after = \"a\"; };\n"
	"    none = { action = \"core.exec\"; argv = [ \"true\" ]; each = \"/nowhere/*.none\"; };\n"
	"    w = { action = \"core.exec\"; argv = [ \"cat\" ]; from = \"s\"; pool = \"io\"; lock = "
	"\"one\"; };\n"
	"    s = { action = \"core.exec\"; argv = [ \"cat\" ]; retry = { attempts = 3; delay = "
	"\"1s\"; "
	"}; };\n"
	"    dump = { action = \"demo.dump\"; database = \"main\"; rate = 1.5; full = true; jobs = "
	"4;\n"
	"      room = \"64KiB\"; tables = [ \"t\" ]; store = { name = \"n\"; path = \"/p\"; };\n"
	"      password = \"env:DEMO_PASSWORD\"; };\n"
	"    load = { action = \"other.load\"; database = \"${host.name}\"; from = \"dump\";\n"
	"      lock = \"two\"; retry = { attempts = 9; backoff = 1.25; }; };\n"
	"    tell = { action = \"demo.check\"; run_if = \"done\"; };\n"
	"  }; };\n"
	" shell = { params = { text = { type = \"string\"; }; }; tasks = {\n"
	"    in = { action = \"core.graph\"; graph = \"inner\"; params = { text = "
	"\"<${param.text}>\"; "
	"}; };\n"
	"  }; };\n"
	" inner = { params = { text = { type = \"string\"; }; }; tasks = {\n"
	"    first = { action = \"core.exec\"; argv = [ \"${param.text}!\" ]; };\n"
	"    last = { action = \"core.exec\"; argv = [ \"true\" ]; after = \"first\"; };\n"
	"  }; }; };\n";

void restore_file(const char *dir, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

void restore_load(struct fixture *f)
{
	char path[128];
	struct config_options options = {.path = path};

	snprintf(path, sizeof path, "%s/upkeep.conf", f->dir);
	assert_int_equal(
		config_load(&options, fake_catalog(), &f->site, &f->diagnostics, &f->err), 0);
	if (diagnostics_errors(&f->diagnostics, NULL)) {
		struct text CLEANUP_TEXT all = {0};
		diagnostics_print(&f->diagnostics, f->site, &all);
		fail_msg("%s", text_string(&all));
	}
}

int restore_build(struct fixture *f, const struct plan_options *options)
{
	plan_free(f->plan);
	f->plan = NULL;
	int r = plan_build(
		f->site, site_graph(f->site, "main"), options, &f->plan, &f->diagnostics, &f->err);
	text_free(&f->text);
	if (r == 0)
		plan_text(f->plan, &f->text);
	return r;
}

int restore_set_up(void **state)
{
	struct fixture *f = base_alloc(sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/upkeep-restore-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	restore_file(f->dir, "upkeep.conf", settings);
	restore_file(f->dir, "g.conf", graphs);
	restore_load(f);
	assert_int_equal(restore_build(f, &(struct plan_options){0}), 0);
	*state = f;
	return 0;
}

int restore_tear_down(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/upkeep.conf", f->dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/g.conf", f->dir);
	unlink(path);
	rmdir(f->dir);
	plan_free(f->plan);
	plan_free(f->again);
	site_free(f->site);
	text_free(&f->text);
	diagnostics_free(&f->diagnostics);
	error_clear(&f->err);
	free(f);
	return 0;
}

int restore_text(struct fixture *f, const char *text, size_t size)
{
	CLEANUP_FREE char *exact = base_alloc(size);

	memcpy(exact, text, size);
	plan_free(f->again);
	f->again = NULL;
	return plan_restore(exact, size, fake_catalog(), NULL, &f->again, &f->err);
}

const struct plan_detail *restored_detail(const struct fixture *f, const char *name)
{
	uint32_t index = map_get(&f->again->index, name);

	assert_int_not_equal(index, MAP_NONE);
	return &f->again->details[f->again->tasks[index].detail];
}

void restore_drop_checksum(struct fixture *f)
{
	const char *body = strchr(f->text.bytes, ',');
	struct text out = {0};

	assert_true(text_starts(f->text.bytes, "{\"checksum\":"));
	text_addf(&out, "{%s", body + 1);
	text_free(&f->text);
	f->text = out;
}

/* SPDX-License-Identifier: MIT */
#include "postgres/programs.h"

#include <ctype.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "postgres/connect.h"
#include "postgres/settings.h"
#include "support/cleanup.h"
#include "support/write.h"
#include "support/stream.h"

/* Where distributions put them; /usr/bin last: Debian has wrappers there that choose by
 * themselves. */
static const char *const places[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
	"/usr/lib/postgresql*/bin", "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"};

int programs_parse_version(const char *text)
{
	while (*text &&
		!(isdigit((unsigned char)*text) &&
			(text[1] == '.' || isdigit((unsigned char)text[1]))))
		text++;
	char *end;
	long major = strtol(text, &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 0 && major < 1000 && minor >= 0 && minor < 10000
		? (int)(major * 10000 + minor)
		: 0;
}

char *programs_dbname(const char *database)
{
	char *text = fault_alloc(2 * strlen(database) + sizeof "dbname=''"), *to = text;
	to = stpcpy(to, "dbname='");
	for (; *database; database++) {
		if (*database == '\\' || *database == '\'')
			*to++ = '\\';
		*to++ = *database;
	}
	stpcpy(to, "'");
	return text;
}

/* ---- starting and ending ---- */

/* The engine takes the values of what --env names from its own environment. */
static const char **argv_make(const struct programs *programs, const char *path, const char *name,
	const char *const *args)
{
	const struct settings *settings = programs->ctx->settings;
	size_t count = 0, n = 0;
	while (args[count])
		count++;
	const char **argv = fault_alloc((count + 2 * programs->env_count + 8) * sizeof *argv);
	if (programs->dir)
		argv[n++] = path;
	else {
		argv[n++] = settings->engine;
		argv[n++] = "exec";
		argv[n++] = "--interactive";
		for (size_t i = 0; i < programs->env_count; i++) {
			argv[n++] = "--env";
			argv[n++] = programs->env_names[i];
		}
		argv[n++] = "--";
		argv[n++] = settings->container;
		argv[n++] = name;
	}
	for (size_t i = 0; i < count; i++)
		argv[n++] = args[i];
	return argv;
}

int program_start(struct program *ret, const struct programs *programs, const char *name,
	const char *const *args, int stdin_fd, int stdout_fd, struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("%s/%s", programs->dir ? programs->dir : "", name);
	CLEANUP_FREE const char **argv = argv_make(programs, path, name, args);
	*ret = (struct program){.ctx = programs->ctx, .name = name};
	CLEANUP_FD int messages_to = -1;
	int r = messages_begin(&ret->messages, &messages_to, fault);
	if (r < 0)
		return r;
	struct upkeep_spawn spawn = {.argv = argv,
		.env = (const char *const *)programs->env,
		.stdin_fd = stdin_fd,
		.stdout_fd = stdout_fd,
		.stderr_fd = messages_to,
		.pass_from = (const int32_t[]){programs->passfile},
		.pass_to = (const int32_t[]){3}, /* as PGPASSFILE says */
		.pass_count = programs->passfile > 0};
	ret->handle = upkeep_spawn_start(programs->ctx, &spawn, &ret->exit_fd);
	if (ret->handle > 0)
		return 0;
	r = ret->handle < 0 ? (int)ret->handle : -EIO;
	ret->handle = 0;
	return fault_set(fault, r, NULL, "cannot start \"%s\": %s", argv[0], strerror(-r));
}

/* All of it for the log; the first line that says "error" is returned, else the last. */
static char *messages_take(struct program *program)
{
	CLEANUP_FREE char *text = messages_end(&program->messages);
	char *reason = NULL, *last = NULL, *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		upkeep_info(program->ctx, "%s", line);
		last = line;
		if (!reason && (strstr(line, "error: ") || strstr(line, "FATAL: ")))
			reason = line;
	}
	return last ? fault_format("%s", reason ? reason : last) : NULL;
}

int program_await(const struct program *program, struct fault *fault)
{
	return stream_await(program->ctx, program->exit_fd, POLLIN, fault);
}

int program_end(struct program *program, struct fault *fault)
{
	int32_t status = program->ctx->host->spawn_wait(program->ctx, program->handle);
	CLEANUP_FREE char *said = messages_take(program);
	program->handle = 0;
	if (status == 0)
		return 0;
	if (status > 256)
		return fault_set(fault, -EAGAIN, "see who killed it: upkeep log, the kernel's log",
			"%s was killed by signal %d%s%s", program->name, status - 256,
			said ? "; before that: " : "", said ? said : "");
	if (status < 0)
		return fault_set(fault, status, NULL, "cannot wait for %s: %s", program->name,
			strerror(-status));
	return fault_set(fault, -EAGAIN, "see its messages: upkeep log last TASK",
		"%s ended with %d: %s", program->name, status, said ? said : "it said nothing");
}

void program_free(struct program *program)
{
	if (program->handle > 0) {
		program->ctx->host->spawn_kill(program->ctx, program->handle, SIGKILL);
		program->ctx->host->spawn_wait(program->ctx, program->handle);
		program->handle = 0;
	}
	free(messages_end(&program->messages));
}

/* ---- finding ---- */

/* 0: it is not there, or says nothing of use. */
static int ask_version(const struct programs *programs, struct fault *fault)
{
	const char *const args[] = {"--version", NULL};
	CLEANUP_PROGRAM struct program program = {0};
	char text[256];
	size_t size = 0;
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	CLEANUP_FD int from = ends[0];
	CLEANUP_FD int to = ends[1];
	r = program_start(&program, programs, "pg_dump", args, -1, to, fault);
	close(TAKE_FD(to));
	if (r == 0)
		r = stream_read(programs->ctx, from, text, sizeof text - 1, &size, fault);
	text[size] = 0;
	if (r == 0)
		r = program_end(&program, fault);
	return r < 0 ? r : programs_parse_version(text);
}

struct search {
	struct programs *best;
	int major, newest_seen;
	enum programs_choice choice;
};

static void consider(struct search *search, const char *dir)
{
	struct programs *best = search->best;
	CLEANUP_FREE char *path = fault_format("%s/pg_dump", dir);
	if (access(path, X_OK) < 0)
		return;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *copy = fault_format("%s", dir);
	struct programs here = {.ctx = best->ctx, .dir = copy};
	int version = ask_version(&here, &fault);
	if (version <= 0)
		return;
	if (version > search->newest_seen)
		search->newest_seen = version;
	if (version / 10000 < search->major)
		return;
	bool better = search->choice == PROGRAMS_NEWEST ? version > best->version
							: version / 10000 < best->version / 10000 ||
			(version / 10000 == best->version / 10000 && version > best->version);
	if (best->version && !better)
		return;
	free(best->dir);
	best->dir = TAKE_PTR(copy);
	best->version = version;
}

static int find_here(struct search *search, struct fault *fault)
{
	const struct settings *settings = search->best->ctx->settings;
	if (settings->programs)
		consider(search, settings->programs);
	for (size_t i = 0; !settings->programs && i < UPKEEP_COUNT(places); i++) {
		glob_t found = {0};
		bool enough = i + 1 == UPKEEP_COUNT(places) && search->best->version;
		if (!enough && glob(places[i], 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				consider(search, found.gl_pathv[k]);
		globfree(&found);
	}
	if (search->best->version)
		return 0;
	CLEANUP_FREE char *next = fault_format(
		"install postgresql-client-%d, or name its directory by programs in the settings",
		search->major);
	if (!search->newest_seen)
		return fault_set(fault, -ENOENT, next, "there is no pg_dump in \"%s\"",
			settings->programs ? settings->programs : "/usr/lib/postgresql/*/bin");
	return fault_set(fault, -ENOENT, next,
		"client older than server: version %d is needed, the newest pg_dump here is %d.%d",
		search->major, search->newest_seen / 10000, search->newest_seen % 10000);
}

static int find_inside(struct search *search, struct fault *fault)
{
	const struct settings *settings = search->best->ctx->settings;
	int version = ask_version(search->best, fault);
	if (version < 0) {
		fault_prefix(fault, "cannot use pg_dump inside the container \"%s\"",
			settings->container);
		return version;
	}
	search->best->version = version;
	if (version / 10000 >= search->major)
		return 0;
	return fault_set(fault, -ENOENT, "restore with the programs of a newer version",
		"client older than server: version %d is needed, pg_dump inside the container "
		"\"%s\" is %d.%d",
		search->major, settings->container, version / 10000, version % 10000);
}

int programs_find(struct programs *ret, struct upkeep_ctx *ctx, int major,
	enum programs_choice choice, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	*ret = (struct programs){.ctx = ctx};
	struct search search = {.best = ret, .major = major, .choice = choice};
	return settings->container[0] ? find_inside(&search, fault) : find_here(&search, fault);
}

/* ---- environment ---- */

static void env_add(struct programs *programs, const char *name, const char *value)
{
	if (programs->env_count == PROGRAMS_ENV_MAX)
		return;
	programs->env_names[programs->env_count] = name;
	programs->env[programs->env_count++] = fault_format("%s=%s", name, value);
}

/* As libpq reads it: a colon or backslash of a field has a backslash before it. */
static int write_passfile(int fd, const char *password)
{
	CLEANUP_FREE char *line = fault_alloc(2 * strlen(password) + sizeof "*:*:*:*:\n");
	char *to = stpcpy(line, "*:*:*:*:");
	for (; *password; password++) {
		if (*password == ':' || *password == '\\')
			*to++ = '\\';
		*to++ = *password;
	}
	to = stpcpy(to, "\n");
	int r = write_all(fd, line, (size_t)(to - line));
	explicit_bzero(line, (size_t)(to - line));
	return r;
}

/* In memory: what is on a disk stays there when the task is killed.  libpq takes no passfile that
 * others may read. */
static int make_passfile(struct programs *programs, const char *password, struct fault *fault)
{
	int fd = memfd_create("passfile", MFD_CLOEXEC);
	int r = fd < 0 || fchmod(fd, 0600) < 0 ? -errno : write_passfile(fd, password);
	programs->passfile = fd < 0 ? 0 : fd;
	if (r < 0)
		return fault_set(
			fault, r, NULL, "cannot write the password for pg_dump: %s", strerror(-r));
	env_add(programs, "PGPASSFILE", "/proc/self/fd/3");
	return 0;
}

int programs_prepare(
	struct programs *programs, const char *application, int server_version, struct fault *fault)
{
	const struct settings *settings = programs->ctx->settings;
	CLEANUP_FREE char *host = NULL;
	CLEANUP_FREE char *port = fault_format("%lld", (long long)settings->port);
	const char *password = NULL;
	int r = connect_host(programs->ctx, &host, fault);
	if (r == 0)
		r = connect_password(programs->ctx, &password, fault);
	if (r < 0)
		return r;
	env_add(programs, "PGHOST", host);
	env_add(programs, "PGPORT", port);
	if (settings->user[0])
		env_add(programs, "PGUSER", settings->user);
	env_add(programs, "PGAPPNAME", application);
	env_add(programs, "PGCLIENTENCODING", "UTF8");
	/* inside the container the server is on the same machine, and files of ours are not */
	env_add(programs, "PGSSLMODE", programs->dir ? settings->sslmode : "prefer");
	if (settings->sslrootcert && programs->dir)
		env_add(programs, "PGSSLROOTCERT", settings->sslrootcert);
	if (server_version >= 140000)
		env_add(programs, "PGOPTIONS", "-c client_connection_check_interval=1s");
	if (!password)
		return 0;
	if (programs->dir)
		return make_passfile(programs, password, fault);
	env_add(programs, "PGPASSWORD", password);
	return 0;
}

void programs_free(struct programs *programs)
{
	for (size_t i = 0; i < programs->env_count; i++) {
		explicit_bzero(programs->env[i], strlen(programs->env[i]));
		free(programs->env[i]);
	}
	free(programs->dir);
	if (programs->passfile > 0)
		close(programs->passfile);
	*programs = (struct programs){0};
}

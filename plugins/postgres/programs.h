/*
 * PostgreSQL's own programs: found, given what they need to reach the server, started by
 * the host and ended.
 *
 * pg_dump refuses a server that is newer than itself, and an archive can be read by no
 * pg_restore that is older than the pg_dump that wrote it.  So versions are compared before
 * anything is started.  Where the settings name a container, the programs inside it are used,
 * which always fit its server.
 */
#ifndef POSTGRES_PROGRAMS_H
#define POSTGRES_PROGRAMS_H

#include <stdbool.h>

#include "support/fault.h"
#include "support/messages.h"

#define PROGRAMS_ENV_MAX 12

struct programs {
	struct upkeep_ctx *ctx;
	char *dir;                       /* that holds them; NULL: they are inside the container */
	int version;                     /* as 150020 */
	char *env[PROGRAMS_ENV_MAX + 1]; /* NAME=VALUE, NULL at the end */
	const char *env_names[PROGRAMS_ENV_MAX];
	size_t env_count;
	int passfile; /* in memory; 0: none */
};

/* Which of those that are there. */
enum programs_choice {
	PROGRAMS_NEWEST, /* for a dump: it knows the most */
	PROGRAMS_NEAREST /* for a restore: it says nothing that an older server would not know */
};

/* Finds those of which the major version is at least `major` (15).  -ENOENT: there are none,
 * or only older ones; the message says which and what to install. */
int programs_find(struct programs *ret, struct upkeep_ctx *ctx, int major,
	enum programs_choice choice, struct fault *fault);
/* Gives them address, user and password of the settings: the password by a file
 * in memory that they get as a descriptor, inside a container by an environment variable that no
 * argument shows. Their sessions are called `application`, and with a server from 14 on they end
 * within a second of their client. */
int programs_prepare(struct programs *programs, const char *application, int server_version,
	struct fault *fault);
void programs_free(struct programs *programs);
#define CLEANUP_PROGRAMS __attribute__((cleanup(programs_free)))

/* One that runs.  Begin with zeroes. */
struct program {
	struct upkeep_ctx *ctx;
	const char *name;
	int64_t handle; /* 0: none */
	int exit_fd;    /* the host's: readable when it has ended */
	struct messages *messages;
};

/* Starts `name` with `args` (NULL at the end; without the name).  The descriptors stay the
 * caller's; -1: none. */
int program_start(struct program *ret, const struct programs *programs, const char *name,
	const char *const *args, int stdin_fd, int stdout_fd, struct fault *fault);
/* Waits until it has ended.  -ECANCELED: the action has to stop; it still runs then. */
int program_await(const struct program *program, struct fault *fault);
/* Waits for its end and puts its messages into the log, of very many the first and the last.
 * -EAGAIN: it failed or was killed; the last thing that it said is in the message. */
int program_end(struct program *program, struct fault *fault);
/* Ends it, if it runs, and closes. */
void program_free(struct program *program);
#define CLEANUP_PROGRAM __attribute__((cleanup(program_free)))

/* dbname='...': a database's name so that a program takes it for nothing else. */
char *programs_dbname(const char *database);
/* 150020 of "15.20", "pg_dump (PostgreSQL) 15.20 (...)"; 0: there is none. */
int programs_parse_version(const char *text);

#endif

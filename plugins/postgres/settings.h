/* What the site says of an instance of this plugin: one server and how it is reached. */
#ifndef POSTGRES_SETTINGS_H
#define POSTGRES_SETTINGS_H

#include <upkeep/plugin.h>

struct settings {
	const char *host;           /* name, address, or the directory of its socket */
	int64_t port;               /* 1 to 65535 */
	const char *user;           /* "": the name of the task's user */
	const char *password;       /* name of a secret, or NULL */
	const char *database;       /* connected to for what concerns the whole server */
	const char *sslmode;        /* as libpq takes it */
	const char *sslrootcert;    /* file with certificates that are believed, or NULL */
	const char *container;      /* name of the container that it runs in, or "" */
	const char *engine;         /* program that runs containers: a bare name, or its path */
	const char *programs;       /* directory of pg_dump and its like, or NULL */
	int64_t connect_timeout_ms; /* of one connection */
};

#endif

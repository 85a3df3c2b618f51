/* A backup that is being made: what the files of backup.create share. */
#ifndef BACKUP_CREATE_H
#define BACKUP_CREATE_H

#include <archive_entry.h>

#include "backup/actions.h"
#include "backup/packer.h"
#include "backup/reuse.h"
#include "backup/tree.h"
#include "backup/vault.h"

struct create {
	struct upkeep_ctx *ctx;
	const struct create_args *args;
	struct keys *keys;
	struct store *store;
	bool trusting; /* the keys can check signatures */
	struct tree tree;
	struct memory memory; /* no store: nothing can be remembered */
	struct reuse reuse;
	struct progress progress;
	struct packer packer;
	int stream;        /* -1: none */
	char *stream_path; /* of the file that it becomes; NULL: none */
	char **paths;
	struct manifest head;
	struct manifest_writer *writer;
	struct vault_item item;
	size_t changed, unchanged;
};

/* What `tree` has, into packs and manifest (create-files.c). */
int create_add_files(struct create *create, struct fault *fault);
/* What the task reads by `from`, as one file (create-stream.c); finds it out, before anything is
 * named.  Without a stream `stream_path` stays NULL. */
int create_find_stream(struct create *create, struct fault *fault);
int create_add_stream(struct create *create, struct fault *fault);
/* The manifest's last lines (create-publish.c); *ret_fd, in memory, is the caller's. */
int create_end_manifest(struct create *create, int *ret_fd, struct fault *fault);
/* Seals, signs and stores the manifest in `plain`, which it closes: with its name the backup
 * begins to exist. */
int create_publish(struct create *create, int plain, struct fault *fault);
/* In the archive paths have no slash before them. */
void create_set_name(struct archive_entry *tar, const char *path);

#endif

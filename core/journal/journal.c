/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "journal/ballast.h"
#include "journal/schema.h"
#include "journal/space.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000
#define BUSY_PAUSE_MS 10
/* Pages of 4 KiB in the WAL from which it is folded back even in the middle of work. */
#define WAL_PAGES_MAX 8192
#define WAL_PAGES_IDLE 256

static int error_code(sqlite3 *db, int code)
{
	int from_system = db ? sqlite3_system_errno(db) : 0;

	/* A crash left it such that only a writer can read it. */
	if (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY ||
		code == SQLITE_READONLY_CANTINIT)
		return -ESTALE;
	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return from_system ? -from_system : -EACCES;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return from_system ? -from_system : -EIO;
	}
}

static const char *error_next(int code)
{
	switch (code) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EIO:
		return "make room on the file system of the state directory, or see why it fails";
	case -EBUSY:
		return "see which process holds the journal: fuser -v journal.db";
	case -EUCLEAN:
		return "keep a copy of the state directory, put back by hand what lies as text in "
		       "its runs/RUN/undo, then move journal.db, journal.db-wal and journal.db-shm "
		       "away: see docs/behaviour.md, \"When the journal cannot be read\"";
	case -EROFS:
		return "mount the file system of the state directory writable";
	case -EACCES:
	case -EPERM:
		return "run it as the owner of the state directory";
	default:
		return NULL;
	}
}

int store_error(struct journal *journal, int code, struct error *err, const char *doing)
{
	int result = error_code(journal->db, code);
	const char *why = journal->db ? sqlite3_errmsg(journal->db) : sqlite3_errstr(code);

	if (result == -EFBIG || result == -ENOSPC || result == -EDQUOT)
		why = strerror(-result);
	return error_set(err, result, error_next(result), "cannot %s the journal \"%s\": %s", doing,
		journal->path, why);
}

int store_unknown(const char *id, struct error *err)
{
	return error_set(err, -ENOENT, "upkeep history", "there is no run \"%s\"", id);
}

int store_prepare(struct journal *journal, const char *sql, sqlite3_stmt **ret, struct error *err)
{
	int code = sqlite3_prepare_v3(journal->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return code == SQLITE_OK ? 0 : store_error(journal, code, err, "read");
}

int store_run(struct journal *journal, const char *sql, struct error *err)
{
	int code = sqlite3_exec(journal->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : store_error(journal, code, err, "write");
}

int store_begin(struct journal *journal, struct error *err)
{
	return store_run(journal, "BEGIN IMMEDIATE", err);
}

int store_end(struct journal *journal, int r, struct error *err)
{
	if (r == 0)
		r = store_run(journal, "COMMIT", err);
	if (r < 0 && !sqlite3_get_autocommit(journal->db))
		sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

void store_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
	*statement = NULL;
}

int64_t store_number(struct journal *journal, const char *sql)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW)
		return 0;
	return sqlite3_column_int64(statement, 0);
}

static int wal_grown(void *data, sqlite3 *db, const char *name, int pages)
{
	struct journal *journal = data;

	journal->wal_pages = pages;
	if (pages >= WAL_PAGES_MAX)
		sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

static int version_refuse(struct journal *journal, int64_t version, struct error *err)
{
	return error_set(err, -EPROTO, "use the newer upkeep that wrote it",
		"the journal \"%s\" has schema %lld, this upkeep knows up to %zu", journal->path,
		(long long)version, journal_step_count);
}

static int schema_check(struct journal *journal, int64_t *ret_version, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal, "PRAGMA user_version", &statement, err);

	if (r < 0)
		return r;
	int code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return store_error(journal, code, err, "read");
	*ret_version = sqlite3_column_int64(statement, 0);
	bool used = *ret_version || store_number(journal, "SELECT count(*) FROM sqlite_schema");
	if (used && store_number(journal, "PRAGMA application_id") != JOURNAL_APPLICATION_ID)
		return error_set(err, -EPROTO, "move it away", "\"%s\" is not a journal of upkeep",
			journal->path);
	if (*ret_version > (int64_t)journal_step_count)
		return version_refuse(journal, *ret_version, err);
	return 0;
}

static int schema_step(struct journal *journal, int64_t version, struct error *err)
{
	char pragmas[96];
	int r = store_run(journal, journal_steps[version], err);

	if (r < 0)
		return r;
	snprintf(pragmas, sizeof pragmas, "PRAGMA user_version=%lld;PRAGMA application_id=%d",
		(long long)version + 1, JOURNAL_APPLICATION_ID);
	return store_run(journal, pragmas, err);
}

/* The version is read again inside the transaction: two processes may have come
 * at once. */
static int schema_migrate(struct journal *journal, struct error *err)
{
	int64_t version = 0;
	int r = store_begin(journal, err);

	if (r < 0)
		return r;
	r = schema_check(journal, &version, err);
	while (r == 0 && version < (int64_t)journal_step_count)
		r = schema_step(journal, version++, err);
	return store_end(journal, r, err);
}

/* SQLite gives WAL and index the mode of the main file. Closing a descriptor of a
 * file drops this process's locks on it, so only a new one is made here. */
static void file_make(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int db_open(struct journal *journal, const char *name, int flags, struct error *err)
{
	int code = sqlite3_open_v2(
		name, &journal->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);

	if (code != SQLITE_OK)
		return store_error(journal, code, err, "open");
	sqlite3_extended_result_codes(journal->db, 1);
	sqlite3_busy_timeout(journal->db, BUSY_TIMEOUT_MS);
	return 0;
}

/* The change to WAL turns a reader into a writer, for which SQLite never calls its
 * busy handler: of two first runs at once one would fail. */
static int wal_change(struct journal *journal, struct error *err)
{
	CLEANUP_ERROR struct error busy = {0};
	int r = store_run(journal, "PRAGMA journal_mode=WAL", &busy);

	for (unsigned waited = 0; r == -EBUSY && waited < BUSY_TIMEOUT_MS;
		waited += BUSY_PAUSE_MS) {
		usleep(BUSY_PAUSE_MS * 1000);
		r = store_run(journal, "PRAGMA journal_mode=WAL", &busy);
	}
	return r < 0 ? error_set(err, r, busy.next, "%s", error_what(&busy)) : r;
}

static int wal_enable(struct journal *journal, struct error *err)
{
	int r = wal_change(journal, err);

	if (r == 0)
		r = store_run(journal, "PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY", err);
	if (r == 0)
		sqlite3_wal_hook(journal->db, wal_grown, journal);
	return r;
}

static void index_reserve(struct journal *journal)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(&path, "%s-shm", journal->path);
	store_number(journal, "SELECT 1 FROM runs"); /* opens it */
	space_reserve(text_string(&path));
}

static int writer_open(struct journal *journal, const char *state_dir, struct error *err)
{
	int64_t version = 0;
	int r = file_make_dirs(state_dir, 0700, err);

	if (r < 0)
		return r;
	if (!file_is_local(state_dir))
		return error_set(err, -ENOTSUP, "set state_dir to a directory on a local disk",
			"the state directory \"%s\" is not on a local file system", state_dir);
	journal->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0)
		return error_set(
			err, -errno, NULL, "cannot open the state directory \"%s\": %m", state_dir);
	if (!space_is_left(state_dir))
		return error_set(err, -ENOSPC, error_next(-ENOSPC),
			"cannot open the journal \"%s\": %s", journal->path, strerror(ENOSPC));
	file_make(journal->path);
	r = db_open(journal, journal->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	if (r == 0)
		r = schema_check(journal, &version, err);
	if (r == 0)
		r = wal_enable(journal, err);
	if (r == 0 && version < (int64_t)journal_step_count)
		r = schema_migrate(journal, err);
	if (r == 0)
		index_reserve(journal);
	return r;
}

static struct journal *journal_new(const char *state_dir)
{
	struct journal *journal = base_alloc(sizeof *journal);
	struct text path = {0};

	text_addf(&path, "%s/journal.db", state_dir);
	journal->path = text_take(&path);
	journal->dir_fd = journal->tail.fd = -1;
	return journal;
}

static int journal_finish(struct journal *journal, int r, struct journal **ret)
{
	*ret = r == 0 ? journal : NULL;
	if (r < 0)
		journal_close(journal);
	return r;
}

/* Opening takes room too: what is to be undone after a power cut on a full disk needs it. */
int journal_open(const char *state_dir, struct journal **ret, struct error *err)
{
	struct journal *journal = journal_new(state_dir);
	int r = writer_open(journal, state_dir, err);

	if ((r == -ENOSPC || r == -EDQUOT) && ballast_give(journal->dir_fd)) {
		journal_close(journal);
		error_clear(err);
		journal = journal_new(state_dir);
		journal->full = true;
		r = writer_open(journal, state_dir, err);
	}
	return journal_finish(journal, r, ret);
}

/* On a file system that is read-only or full, SQLite cannot make the index that it wants to read
 * a WAL by. Where there is no WAL, the file is all there is, and nobody changes it. */
static bool is_frozen(const struct journal *journal)
{
	CLEANUP_TEXT struct text wal = {0};
	struct statvfs fs;

	text_addf(&wal, "%s-wal", journal->path);
	if (access(text_string(&wal), F_OK) == 0 || statvfs(journal->path, &fs) < 0)
		return false;
	return fs.f_flag & ST_RDONLY || !space_is_left(journal->path);
}

static int frozen_open(struct journal *journal, struct error *err)
{
	CLEANUP_TEXT struct text uri = {0};

	text_adds(&uri, "file:");
	for (const char *c = journal->path; *c; c++)
		strchr("%?#", *c) ? text_addf(&uri, "%%%02x", *c) : text_addc(&uri, *c);
	text_adds(&uri, "?immutable=1");
	return db_open(journal, text_string(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int reader_open(struct journal *journal, const char *state_dir, struct error *err)
{
	int64_t version = 0;

	if (access(journal->path, R_OK) < 0) {
		if (errno == ENOENT)
			return error_set(err, -ENOENT, "upkeep run GRAPH",
				"there is no journal in \"%s\" yet", state_dir);
		return error_set(err, -errno, error_next(-errno),
			"cannot open the journal \"%s\": %m", journal->path);
	}
	journal->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = is_frozen(journal) ? frozen_open(journal, err)
				   : db_open(journal, journal->path, SQLITE_OPEN_READONLY, err);
	if (r == 0)
		r = schema_check(journal, &version, err);
	if (r == 0 && version < (int64_t)journal_step_count)
		r = error_set(err, -ESTALE, "upkeep run migrates it",
			"the journal \"%s\" has the older schema %lld, this upkeep reads %zu",
			journal->path, (long long)version, journal_step_count);
	return r;
}

int journal_open_readonly(const char *state_dir, struct journal **ret, struct error *err)
{
	struct journal *journal = journal_new(state_dir);

	return journal_finish(journal, reader_open(journal, state_dir, err), ret);
}

void journal_detach(struct journal *journal)
{
	for (unsigned i = 0; i < STORE_KINDS; i++)
		store_finalize(&journal->kinds[i]);
	store_finalize(&journal->begin);
	store_finalize(&journal->commit);
	store_finalize(&journal->rollback);
	sqlite3_close_v2(TAKE_PTR(journal->db));
	tail_close(&journal->tail);
	if (journal->dir_fd >= 0)
		close(TAKE_FD(journal->dir_fd));
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	journal_detach(journal);
	queue_free(&journal->queue);
	vec_free(&journal->places);
	free(journal->path);
	free(journal);
}

int journal_verify(struct journal *journal, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal, "PRAGMA integrity_check(1)", &statement, err);

	if (r < 0)
		return r;
	int code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return store_error(journal, code, err, "check");
	const char *found = (const char *)sqlite3_column_text(statement, 0);
	if (text_equal(found, "ok"))
		return 0;
	return error_set(err, -EUCLEAN, error_next(-EUCLEAN), "the journal \"%s\" is damaged: %s",
		journal->path, found);
}

void journal_checkpoint(struct journal *journal)
{
	if (journal->wal_pages < WAL_PAGES_IDLE)
		return;
	if (sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
		SQLITE_OK)
		journal->wal_pages = 0;
}

void journal_make_id(char id[RUN_ID_SIZE])
{
	time_t now = time(NULL);
	struct tm utc;
	uint32_t random = 0;

	gmtime_r(&now, &utc);
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = (uint32_t)getpid();
	size_t size = strftime(id, RUN_ID_SIZE, "%Y%m%d-%H%M%S-", &utc);
	snprintf(id + size, RUN_ID_SIZE - size, "%06x", random & 0xffffff);
}

void journal_run_dir(char path[], const char *id)
{
	snprintf(path, JOURNAL_PATH_SIZE, "runs/%s", id);
}

void journal_log_path(char path[], const char *id, uint32_t task, uint32_t attempt)
{
	snprintf(path, JOURNAL_PATH_SIZE, "runs/%s/%u.%u.log", id, task, attempt);
}

void journal_undo_log_path(char path[], const char *id, uint32_t task, uint32_t number)
{
	snprintf(path, JOURNAL_PATH_SIZE, "runs/%s/%u.undo.%u.log", id, task, number);
}

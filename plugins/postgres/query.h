/*
 * Statements: asynchronous, cancellable, with parameters apart from the text.
 *
 * Where the action is cancelled, the statement is cancelled on the server as well, over a
 * second connection that is as secret and as authorised as the first (libpq's PQcancel
 * before version 17 is neither), and its end is waited for.
 */
#ifndef POSTGRES_QUERY_H
#define POSTGRES_QUERY_H

#include "postgres/connect.h"

static inline void query_clear(PGresult **result)
{
	PQclear(*result);
	*result = NULL;
}
#define CLEANUP_RESULT __attribute__((cleanup(query_clear)))

/* The size of relation `c` (a row of pg_class) with all that belongs to it, as an expression:
 * as of the last vacuum where somebody locks it or wants to, for pg_total_relation_size waits. */
#define QUERY_SIZE                                                             \
	"CASE WHEN EXISTS (SELECT FROM pg_locks AS l WHERE l.relation = c.oid" \
	" AND l.mode = 'AccessExclusiveLock') THEN c.relpages::bigint"         \
	" * current_setting('block_size')::bigint ELSE pg_total_relation_size(c.oid) END"

/* Runs one statement with $1 ... $count = values (text; NULL is null).  *ret (may be NULL)
 * holds its rows, in text; free it with PQclear.  A failure names statement's purpose by
 * `what` ("reading the slots"), the server's message with its SQLSTATE, which is also in
 * connection->sqlstate.  -ECANCELED; -EBUSY: a lock was not to be had; -EAGAIN: worth a retry;
 * -EACCES: not permitted; -ENOENT: no such object; -EEXIST; -ENOSPC; -EIO: anything else. */
int query_values(struct connection *connection, const char *what, const char *sql,
	const char *const *values, int count, PGresult **ret, struct fault *fault);

/* The same, with the values as further arguments. */
#define query_run(connection, what, ret, fault, sql, ...)                                       \
	({                                                                                      \
		const char *const query_args_[] = {NULL, ##__VA_ARGS__};                        \
		query_values((connection), (what), (sql), query_args_ + 1,                      \
			(int)(sizeof query_args_ / sizeof query_args_[0]) - 1, (ret), (fault)); \
	})

/* Cells of a result; "" and 0 for null. */
const char *query_text(const PGresult *result, int row, int column);
int64_t query_int(const PGresult *result, int row, int column);
bool query_bool(const PGresult *result, int row, int column);

/* `name` quoted as an identifier, on the heap: the only way by which names get into
 * statements.  And "schema"."name". */
int query_name(struct connection *connection, const char *name, char **ret, struct fault *fault);
int query_path(struct connection *connection, const char *schema, const char *name, char **ret,
	struct fault *fault);

/* The strings as the text of an array of the server's, on the heap; to be cast to text[]. */
char *query_array(const struct upkeep_strings *strings);

/* How long the statements from here on wait for a lock (0: for ever) and go on: to `end_ms` on
 * connect_now_ms's clock. */
int query_limits(struct connection *connection, int64_t lock_timeout_ms, int64_t end_ms,
	struct fault *fault);

/* -ENOENT: one of the names (an array as query_array makes it) is no relation of the database.
 * `what` it was to be, for the message: "table". */
int query_exist(
	struct connection *connection, const char *what, const char *names, struct fault *fault);

/* Rows of the result as rows of `table`: first the instance as "server", then the columns
 * under their own names, of these types (UPKEEP_STRING, ... or QUERY_STATEMENT: the text of a
 * statement, shown without its values), as many as the result has. */
#define QUERY_STATEMENT 0u
#define QUERY_COLUMNS 31
void query_rows(
	struct upkeep_ctx *ctx, const char *table, const PGresult *result, const uint32_t *types);

#endif

/* SPDX-License-Identifier: MIT */
#include "postgres/record.h"

#include "postgres/query.h"
#include "support/cleanup.h"

#define END_MS 10000
#define BETWEEN_MS 50

/* A process number may be another's one day: with its start it is a session's for ever. */
static int put_session(
	struct connection *c, char *payload, size_t room, size_t *size, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "asking for the session", &result, fault,
		"SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
	if (r < 0 || PQntuples(result) == 0)
		return r;
	r = upkeep_kv_put(payload, room, size, "pid", query_text(result, 0, 0));
	return r < 0 ? r : upkeep_kv_put(payload, room, size, "started", query_text(result, 0, 1));
}

int record_push(struct connection *c, const char *kind, const char *about, char *payload,
	size_t room, size_t *size, uint64_t *ret, struct fault *fault)
{
	int r = put_session(c, payload, room, size, fault);
	const struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = kind,
		.version = 1,
		.payload = payload,
		.payload_size = *size,
		.about = about};
	if (r == 0)
		r = upkeep_undo_push(c->ctx, &record, ret);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record \"%s\": %s", about,
			       strerror(-r))
		     : 0;
}

/* 1: it was there and has been told to end. */
static int tell(struct connection *c, const char *pid, const char *started, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "ending the session of what was interrupted", &result, fault,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int"
		" AND backend_start = $2::timestamptz AND pid <> pg_backend_pid()",
		pid, started);
	return r < 0 ? r : PQntuples(result);
}

int record_settle(const struct upkeep_undo *record, struct connection *c, struct fault *fault)
{
	int64_t end_ms = connect_now_ms() + END_MS;
	struct connection sleeper = {.ctx = c->ctx};
	char pid[16], started[64];
	if (upkeep_kv_get(record->payload, record->payload_size, "pid", pid, sizeof pid) <= 0 ||
		upkeep_kv_get(record->payload, record->payload_size, "started", started,
			sizeof started) <= 0)
		return 0;
	for (;;) {
		int r = tell(c, pid, started, fault);
		if (r <= 0)
			return r;
		if (connect_now_ms() >= end_ms)
			return fault_set(fault, -EBUSY,
				"end it at the server, then upkeep rollback RUN",
				"the session with pid %s, which does what is to be undone, does "
				"not end",
				pid);
		r = connect_wait(&sleeper, 0, BETWEEN_MS);
		if (r == -ECANCELED)
			return fault_set(fault, r, NULL, "stopped while a session ended");
	}
}

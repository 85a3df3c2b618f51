/* The fake host's inside. */
#ifndef UPKEEP_TESTING_FAKE_H
#define UPKEEP_TESTING_FAKE_H

#include "base/arena.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/value.h"
#include "worker/admit.h"
#include "worker/decode.h"
#include "worker/rules.h"

#include <pthread.h>
#include <sys/types.h>
#include <upkeep/testing.h>

struct fake_record {
	struct upkeep_undo undo;
	uint32_t state;
	const char *fingerprint;
};
struct fake_pair {
	const char *name, *value; /* of an output, a secret, a would line */
};
struct fake_row {
	const char *table;
	struct fake_pair *cells;
	size_t count;
};
struct fake_child {
	int64_t handle;
	pid_t pid, watcher;
	int exit_fd;
	int32_t status;
	bool known;
};

struct upkeep_test {
	struct upkeep_ctx ctx; /* first */
	struct arena arena;
	struct admitted admitted;
	struct value args, settings; /* groups of strings */
	struct arguments decoded, decoded_settings;
	const struct action_description *action;
	enum call_mode mode;
	bool opened, prepared;
	void *session;
	int log_fd;
	char *log;
	size_t warnings;
	const char *what, *why, *next;
	VEC(struct fake_pair) outputs;
	VEC(struct fake_pair) woulds;
	VEC(struct fake_pair) secrets;
	VEC(struct fake_row) rows;
	VEC(struct fake_record) records;
	VEC(struct fake_child) children;
	const void *token;
	size_t token_size;
	uint64_t done, total;
	int cancel_fd;
	size_t calls_until_cancel; /* 0: never */
	const void *input;
	size_t input_size;
	pid_t feeder;
	bool has_input, has_output;
	int in, out;
	void *written;
	int32_t whole;
	int64_t left_ms;
	size_t pushes, fail_push;
	int32_t fail_code;
	char *dir; /* of both directories */
	char *undo_path, *temp_path;
	int undo_dir, temp_dir;
	pthread_mutex_t lock;
};

extern const struct upkeep_host fake_host;

/* Counts a call of the plugin, and cancels where the test said so. */
void fake_count(struct upkeep_test *test);
int fake_dir(struct upkeep_test *test, const char *name, char **ret_path, int *place);
/* Real programs. */
int64_t fake_spawn(struct upkeep_test *test, const struct upkeep_spawn *spawn, int32_t *ret_fd);
int32_t fake_wait(struct upkeep_test *test, int64_t handle);
int32_t fake_kill(struct upkeep_test *test, int64_t handle, int32_t signal_number);
void fake_end_children(struct upkeep_test *test);
/* Writes a value at "a.b[0].c" of a group; NULL value: removes it. */
void fake_set(struct arena *arena, struct value *group, const char *path, struct value *value);
void fake_append(struct arena *arena, struct value *group, const char *path, struct value value);

#endif

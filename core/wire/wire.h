/*
 * Wire: the messages between engine and worker, over one SOCK_SEQPACKET pair.
 *
 * A message is a kind and fields, each a tag with a number, a text, bytes, a list
 * of either or a value tree; descriptors travel beside it (SCM_RIGHTS).  A table in
 * wire.c says which fields each kind needs and may have, and who may send it:
 * wire_receive hands out only what fits that table, so that the reader of a message
 * that arrived may take every needed field as there, terminated and of its type.
 * What the table cannot know (names, ids, states, sizes of our own) the reader checks.
 *
 * HOW THEY TALK
 *   engine                                worker
 *   LOAD + plugin descriptor         →
 *                                    ←    LOADED | REFUSED (and the worker ends)
 *   START (up to WIRE_QUEUE unfinished)→  calls the action
 *                                    ←    LOG PROGRESS OUTPUT ROW WOULD TOKEN
 *                                         UNDO_APPLIED UNDO_DROP UNDO_DONE KILL: no answer
 *                                    ←    UNDO_PUSH UNDO_DIR TEMP_DIR SECRET SPAWN WHOLE
 *                                         CANCEL_FD: the worker waits for ANSWER
 *   ANSWER                           →
 *                                    ←    DONE (everything before it belongs to that START)
 *   CANCEL of a START not yet begun  →
 *                                    ←    DONE with result UPKEEP_CANCELLED
 *   the end of the socket            →    closes the session, _exit
 *
 * - The worker runs its STARTs in the order sent; what it sends belongs to the oldest
 *   that has no DONE.  At most one question is open at a time.
 * - A running action is cancelled by the pipe that CANCEL_FD asked for (the engine
 *   writes a byte into its end); an action that never asked learns nothing and is killed
 *   after kill_after.  CANCEL is for queued STARTs; a running one takes no harm from it.
 * - SPAWN: the engine starts the program as exactly the task's user and answers with a
 *   handle (WIRE_RESULT > 0) and the read end of a pipe, into which it writes one int32
 *   when the program has ended (0 to 255 exit code, 256 + N killed by signal N) and
 *   which it then closes.
 * - The engine tells a guard every record that the guarded task writes (RECORD); the guard says
 *   WRITTEN when it is armed, and for each record that it has.
 * - Numbers in ANSWER: WIRE_RESULT is the host function's result, or a negative errno.
 */
#ifndef UPKEEP_WIRE_WIRE_H
#define UPKEEP_WIRE_WIRE_H

#include "base/arena.h"
#include "base/text.h"
#include "model/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAX UPKEEP_MESSAGE_MAX /* bytes of a message */
#define WIRE_BIG_MAX (16u << 20)    /* of one that goes by memfd (LOAD and START only) */
#define WIRE_FDS 16u                /* descriptors of a message */
#define WIRE_QUEUE 8u               /* STARTs without DONE that a worker takes */
/* So long either side looks for the next message before it sleeps: they often come at once, and
 * to be woken takes more time than that, and more of the processor's (bench-run). */
#define WIRE_SOON_NS 20000

/* In brackets: fields that may be missing.  "+" names descriptors, in order. */
enum wire_kind {
	WIRE_NOTHING = 0,
	/* engine → worker */
	WIRE_LOAD,   /* NAME (of the plugin) PATH (for messages) INSTANCE [SETTINGS] + plugin */
	WIRE_START,  /* SERIAL MODE TASK RUN_ID ATTEMPT TIME (started_s) [ACTION] [ARGS]
	              * [TIMEOUT (ms left at its begin)] [DATA (plan token)]
	              * [record: NAME VERSION PAYLOAD FILES ABOUT ID TEXT (fingerprint)] [FDS_SENT]
	              * + those that FDS_SENT names */
	WIRE_CANCEL, /* SERIAL */
	WIRE_ANSWER, /* RESULT [ID] [DATA] [PATH] [+ one] */
	/* worker → engine */
	WIRE_LOADED,    /* TEXT (the version of the plugin) */
	WIRE_REFUSED,   /* TEXT (what) [NEXT] */
	WIRE_LOG,       /* LEVEL DATA (bytes, newlines as they came) */
	WIRE_PROGRESS,  /* AMOUNT TOTAL NAME (unit) */
	WIRE_OUTPUT,    /* NAME TEXT; declared and of its type, says the worker: check again */
	WIRE_ROW,       /* NAME (table) CELLS (name, value, name, value, ...) TYPES (one a cell) */
	WIRE_WOULD,     /* TEXT [ABOUT (how undone; absent: it cannot be)] */
	WIRE_TOKEN,     /* DATA */
	WIRE_UNDO_PUSH, /* NAME (kind) VERSION PAYLOAD FILES ABOUT; ANSWER: RESULT, ID.
	                 * The worker has synced the files and their directory. */
	WIRE_UNDO_APPLIED, /* ID [TEXT (fingerprint)] */
	WIRE_UNDO_DROP,    /* ID */
	WIRE_UNDO_DONE,    /* ID */
	WIRE_UNDO_DIR,     /* ANSWER: RESULT + directory */
	WIRE_TEMP_DIR,     /* ANSWER: RESULT PATH + directory */
	WIRE_SECRET,       /* NAME; ANSWER: RESULT (its length) DATA */
	WIRE_SPAWN,        /* ARGV ENV TARGETS (numbers in the child of the descriptors sent)
	                    * [PATH (cwd)] + descriptors; ANSWER: RESULT + exit pipe */
	WIRE_KILL,         /* ID (handle) SIGNAL */
	WIRE_WHOLE,        /* ANSWER: RESULT 1 or 0 */
	WIRE_CANCEL_FD,    /* ANSWER: RESULT + a descriptor to read from */
	WIRE_DONE,         /* SERIAL RESULT [TEXT (what failed)] [WHY] [NEXT] */
	/* engine → guard, which takes the worker's side */
	WIRE_RECORD, /* NAME (kind) VERSION PAYLOAD FILES ABOUT ID ATTEMPT */
	/* guard → engine */
	WIRE_WRITTEN, /* RESULT [TEXT (what failed)] [NEXT] */
	WIRE_KINDS
};

enum wire_tag {
	WIRE_SERIAL = 1, /* number */
	WIRE_MODE,       /* number: enum wire_mode */
	WIRE_FDS_SENT,   /* number: WIRE_FD_* bits */
	WIRE_RESULT,     /* number */
	WIRE_ID,         /* number */
	WIRE_VERSION,    /* number */
	WIRE_ATTEMPT,    /* number */
	WIRE_TIME,       /* number */
	WIRE_TIMEOUT,    /* number */
	WIRE_LEVEL,      /* number */
	WIRE_AMOUNT,     /* number */
	WIRE_TOTAL,      /* number */
	WIRE_SIGNAL,     /* number */
	WIRE_NAME,       /* text */
	WIRE_INSTANCE,   /* text */
	WIRE_TASK,       /* text */
	WIRE_ACTION,     /* text */
	WIRE_RUN_ID,     /* text */
	WIRE_PATH,       /* text */
	WIRE_TEXT,       /* text */
	WIRE_WHY,        /* text */
	WIRE_NEXT,       /* text */
	WIRE_ABOUT,      /* text */
	WIRE_DATA,       /* bytes */
	WIRE_PAYLOAD,    /* bytes */
	WIRE_FILES,      /* texts */
	WIRE_ARGV,       /* texts */
	WIRE_ENV,        /* texts */
	WIRE_CELLS,      /* texts */
	WIRE_TYPES,      /* numbers */
	WIRE_TARGETS,    /* numbers */
	WIRE_SETTINGS,   /* value, a group */
	WIRE_ARGS,       /* value, a group */
	WIRE_TAGS
};

/* What START asks for. */
enum wire_mode {
	WIRE_MODE_RUN,
	WIRE_MODE_PLAN,
	WIRE_MODE_CHECK,
	WIRE_MODE_PROBE, /* with a record where NAME (its kind) is given */
	WIRE_MODE_UNDO,  /* with a record, without ARGS */
	WIRE_MODES
};

/* Descriptors of START, in this order. */
enum {
	WIRE_FD_IN = 1,     /* the stream that the action reads */
	WIRE_FD_OUT = 2,    /* the stream that it writes */
	WIRE_FD_STDOUT = 4, /* becomes the worker's 1 for this action */
	WIRE_FD_STDERR = 8, /* becomes the worker's 2 for this action */
	WIRE_FD_HOLD = 16,  /* is kept open as long as IN is */
};

/* A message being made.  Start with {0}; wire_begin makes it empty again and keeps
 * its memory. */
struct wire_out {
	struct text bytes;
	int fds[WIRE_FDS];
	uint32_t fd_count;
};

void wire_begin(struct wire_out *out, enum wire_kind kind);
void wire_number(struct wire_out *out, enum wire_tag tag, int64_t number);
void wire_text(struct wire_out *out, enum wire_tag tag, const char *text); /* NULL: left out */
void wire_bytes(struct wire_out *out, enum wire_tag tag, const void *bytes, size_t size);
void wire_texts(struct wire_out *out, enum wire_tag tag, const char *const *texts, size_t count);
void wire_numbers(struct wire_out *out, enum wire_tag tag, const int64_t *numbers, size_t count);
void wire_value(struct wire_out *out, enum wire_tag tag, const struct value *value);
void wire_fd(struct wire_out *out, int fd); /* stays the caller's */
/* Sends it.  -EAGAIN with MSG_DONTWAIT in `flags`, -EMSGSIZE: too long, -EPIPE: the other
 * side is gone.  The message stays as it is and can be sent again. */
int wire_send(int socket, const struct wire_out *out, int flags);
void wire_out_free(struct wire_out *out);

/* A message that arrived.  Start with {0}; one can be used for all sockets. */
struct wire_field {
	const unsigned char *bytes; /* NULL: not in the message */
	uint32_t size;
};
struct wire_in {
	enum wire_kind kind;
	struct wire_field fields[WIRE_TAGS];
	int fds[WIRE_FDS]; /* closed by the next receive unless taken */
	uint32_t fd_count;
	unsigned char *buffer, *big; /* private */
	size_t big_size;
};

/* Which side the caller is: the other's kinds are refused. */
enum wire_side { WIRE_ENGINE, WIRE_WORKER };

/* Receives one message: 1, 0 at the end of the socket, -EAGAIN with MSG_DONTWAIT,
 * -EBADMSG for what is not a message of the other side: stop talking to it. */
int wire_receive(int socket, enum wire_side side, struct wire_in *in, int flags);
/* The same for bytes at hand (fuzzing, tests); they must outlive the use of `in`. */
int wire_parse(const void *bytes, size_t size, enum wire_side side, struct wire_in *in);
void wire_in_free(struct wire_in *in);

/* Reading.  Texts are valid until the next receive. */
static inline bool wire_has(const struct wire_in *in, enum wire_tag tag)
{
	return in->fields[tag].bytes != NULL;
}
int64_t wire_get_number(const struct wire_in *in, enum wire_tag tag);   /* 0: not there */
const char *wire_get_text(const struct wire_in *in, enum wire_tag tag); /* NULL: not there */
/* The texts of a list as an array in the arena, with a NULL after the last. */
const char **wire_get_texts(
	const struct wire_in *in, enum wire_tag tag, struct arena *arena, size_t *ret_count);
size_t wire_get_count(const struct wire_in *in, enum wire_tag tag); /* of numbers */
int64_t wire_get_item(const struct wire_in *in, enum wire_tag tag, size_t i);
/* A value tree, copied into the arena.  -EBADMSG: not one; *ret is VALUE_NONE then. */
int wire_get_value(
	const struct wire_in *in, enum wire_tag tag, struct arena *arena, struct value *ret);
/* Hands over descriptor i of the message, or -1. */
int wire_take_fd(struct wire_in *in, uint32_t i);

#endif

/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "model/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLAG_BIG 1u /* the fields are in a memfd, the first descriptor */
#define HEAD 2u     /* kind, flags */

enum form { FORM_NUMBER = 1, FORM_TEXT, FORM_BYTES, FORM_TEXTS, FORM_NUMBERS, FORM_VALUE };

static const uint8_t forms[WIRE_TAGS] = {
	[WIRE_SERIAL] = FORM_NUMBER,
	[WIRE_MODE] = FORM_NUMBER,
	[WIRE_FDS_SENT] = FORM_NUMBER,
	[WIRE_RESULT] = FORM_NUMBER,
	[WIRE_ID] = FORM_NUMBER,
	[WIRE_VERSION] = FORM_NUMBER,
	[WIRE_ATTEMPT] = FORM_NUMBER,
	[WIRE_TIME] = FORM_NUMBER,
	[WIRE_TIMEOUT] = FORM_NUMBER,
	[WIRE_LEVEL] = FORM_NUMBER,
	[WIRE_AMOUNT] = FORM_NUMBER,
	[WIRE_TOTAL] = FORM_NUMBER,
	[WIRE_SIGNAL] = FORM_NUMBER,
	[WIRE_NAME] = FORM_TEXT,
	[WIRE_INSTANCE] = FORM_TEXT,
	[WIRE_TASK] = FORM_TEXT,
	[WIRE_ACTION] = FORM_TEXT,
	[WIRE_RUN_ID] = FORM_TEXT,
	[WIRE_PATH] = FORM_TEXT,
	[WIRE_TEXT] = FORM_TEXT,
	[WIRE_WHY] = FORM_TEXT,
	[WIRE_NEXT] = FORM_TEXT,
	[WIRE_ABOUT] = FORM_TEXT,
	[WIRE_DATA] = FORM_BYTES,
	[WIRE_PAYLOAD] = FORM_BYTES,
	[WIRE_FILES] = FORM_TEXTS,
	[WIRE_ARGV] = FORM_TEXTS,
	[WIRE_ENV] = FORM_TEXTS,
	[WIRE_CELLS] = FORM_TEXTS,
	[WIRE_TYPES] = FORM_NUMBERS,
	[WIRE_TARGETS] = FORM_NUMBERS,
	[WIRE_SETTINGS] = FORM_VALUE,
	[WIRE_ARGS] = FORM_VALUE,
};

#define T(tag) (1ull << WIRE_##tag)
#define RECORD (T(NAME) | T(VERSION) | T(PAYLOAD) | T(FILES) | T(ABOUT))

static const struct {
	uint8_t reader; /* enum wire_side of who may receive it */
	uint8_t fd_max;
	uint64_t needed, optional;
} kinds[WIRE_KINDS] = {
	[WIRE_LOAD] = {WIRE_WORKER, 1, T(NAME) | T(PATH) | T(INSTANCE), T(SETTINGS)},
	[WIRE_START] = {WIRE_WORKER, 5,
		T(SERIAL) | T(MODE) | T(TASK) | T(RUN_ID) | T(ATTEMPT) | T(TIME),
		T(ACTION) | T(ARGS) | T(TIMEOUT) | T(DATA) | T(ID) | T(TEXT) | T(FDS_SENT) |
			RECORD},
	[WIRE_CANCEL] = {WIRE_WORKER, 0, T(SERIAL), 0},
	[WIRE_ANSWER] = {WIRE_WORKER, 1, T(RESULT), T(ID) | T(DATA) | T(PATH)},
	[WIRE_LOADED] = {WIRE_ENGINE, 0, T(TEXT), 0},
	[WIRE_REFUSED] = {WIRE_ENGINE, 0, T(TEXT), T(NEXT)},
	[WIRE_LOG] = {WIRE_ENGINE, 0, T(LEVEL) | T(DATA), 0},
	[WIRE_PROGRESS] = {WIRE_ENGINE, 0, T(AMOUNT) | T(TOTAL) | T(NAME), 0},
	[WIRE_OUTPUT] = {WIRE_ENGINE, 0, T(NAME) | T(TEXT), 0},
	[WIRE_ROW] = {WIRE_ENGINE, 0, T(NAME) | T(CELLS) | T(TYPES), 0},
	[WIRE_WOULD] = {WIRE_ENGINE, 0, T(TEXT), T(ABOUT)},
	[WIRE_TOKEN] = {WIRE_ENGINE, 0, T(DATA), 0},
	[WIRE_UNDO_PUSH] = {WIRE_ENGINE, 0, RECORD, 0},
	[WIRE_UNDO_APPLIED] = {WIRE_ENGINE, 0, T(ID), T(TEXT)},
	[WIRE_UNDO_DROP] = {WIRE_ENGINE, 0, T(ID), 0},
	[WIRE_UNDO_DONE] = {WIRE_ENGINE, 0, T(ID), 0},
	[WIRE_UNDO_DIR] = {WIRE_ENGINE, 0, 0, 0},
	[WIRE_TEMP_DIR] = {WIRE_ENGINE, 0, 0, 0},
	[WIRE_SECRET] = {WIRE_ENGINE, 0, T(NAME), 0},
	[WIRE_SPAWN] = {WIRE_ENGINE, WIRE_FDS, T(ARGV) | T(ENV) | T(TARGETS), T(PATH)},
	[WIRE_KILL] = {WIRE_ENGINE, 0, T(ID) | T(SIGNAL), 0},
	[WIRE_WHOLE] = {WIRE_ENGINE, 0, 0, 0},
	[WIRE_CANCEL_FD] = {WIRE_ENGINE, 0, 0, 0},
	[WIRE_RECORD] = {WIRE_WORKER, 0, RECORD | T(ID) | T(ATTEMPT), 0},
	[WIRE_WRITTEN] = {WIRE_ENGINE, 0, T(RESULT), T(TEXT) | T(NEXT)},
	[WIRE_DONE] = {WIRE_ENGINE, 0, T(SERIAL) | T(RESULT), T(TEXT) | T(WHY) | T(NEXT)},
};

/* ---- making ---- */

static void put_field(struct wire_out *out, enum wire_tag tag, uint32_t size)
{
	unsigned char head[5] = {(unsigned char)tag};

	memcpy(head + 1, &size, sizeof size);
	text_add(&out->bytes, (const char *)head, sizeof head);
}

void wire_begin(struct wire_out *out, enum wire_kind kind)
{
	char head[HEAD] = {(char)kind, 0};

	out->bytes.size = 0;
	out->fd_count = 0;
	text_add(&out->bytes, head, sizeof head);
}

void wire_bytes(struct wire_out *out, enum wire_tag tag, const void *bytes, size_t size)
{
	put_field(out, tag, (uint32_t)size);
	text_add(&out->bytes, bytes, size);
}

void wire_number(struct wire_out *out, enum wire_tag tag, int64_t number)
{
	wire_bytes(out, tag, &number, sizeof number);
}

void wire_text(struct wire_out *out, enum wire_tag tag, const char *text)
{
	if (text)
		wire_bytes(out, tag, text, strlen(text) + 1);
}

/* The size of a field is known only when it has been written. */
static void close_field(struct wire_out *out, size_t start)
{
	uint32_t size = (uint32_t)(out->bytes.size - start);

	memcpy(out->bytes.bytes + start - sizeof size, &size, sizeof size);
}

void wire_texts(struct wire_out *out, enum wire_tag tag, const char *const *texts, size_t count)
{
	put_field(out, tag, 0);
	size_t start = out->bytes.size;
	for (size_t i = 0; i < count; i++)
		text_add(&out->bytes, texts[i], strlen(texts[i]) + 1);
	close_field(out, start);
}

void wire_numbers(struct wire_out *out, enum wire_tag tag, const int64_t *numbers, size_t count)
{
	wire_bytes(out, tag, numbers, count * sizeof numbers[0]);
}

void wire_value(struct wire_out *out, enum wire_tag tag, const struct value *value)
{
	put_field(out, tag, 0);
	size_t start = out->bytes.size;
	tree_write(&out->bytes, value);
	close_field(out, start);
}

void wire_fd(struct wire_out *out, int fd)
{
	if (out->fd_count < WIRE_FDS)
		out->fds[out->fd_count] = fd;
	out->fd_count++; /* one too many is refused by wire_send */
}

void wire_out_free(struct wire_out *out)
{
	text_free(&out->bytes);
}

static int send_bytes(
	int socket, const void *bytes, size_t size, const int *fds, uint32_t count, int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * (WIRE_FDS + 1))];
	} control;
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		memset(&control, 0, sizeof control);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * count);
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

static int send_big(int socket, const struct wire_out *out, int flags)
{
	CLEANUP_FD int memory = memfd_create("message", MFD_CLOEXEC);
	char head[HEAD] = {out->bytes.bytes[0], FLAG_BIG};
	int fds[WIRE_FDS + 1];

	if (memory < 0)
		return -errno;
	int r = file_write(memory, out->bytes.bytes + HEAD, out->bytes.size - HEAD);
	if (r < 0)
		return r;
	fds[0] = memory;
	memcpy(fds + 1, out->fds, out->fd_count * sizeof(int));
	return send_bytes(socket, head, sizeof head, fds, out->fd_count + 1, flags);
}

int wire_send(int socket, const struct wire_out *out, int flags)
{
	enum wire_kind kind = (unsigned char)out->bytes.bytes[0];
	bool big = kind == WIRE_LOAD || kind == WIRE_START;

	if (out->fd_count > WIRE_FDS || out->bytes.size > (big ? WIRE_BIG_MAX : WIRE_MAX))
		return -EMSGSIZE;
	if (out->bytes.size > WIRE_MAX)
		return send_big(socket, out, flags);
	return send_bytes(
		socket, out->bytes.bytes, out->bytes.size, out->fds, out->fd_count, flags);
}

/* ---- reading ---- */

static bool is_text(const unsigned char *bytes, size_t size)
{
	return size > 0 && memchr(bytes, 0, size) == bytes + size - 1;
}

static bool field_fits(enum form form, const struct wire_field *field)
{
	switch (form) {
	case FORM_NUMBER:
		return field->size == sizeof(int64_t);
	case FORM_TEXT:
		return is_text(field->bytes, field->size);
	case FORM_TEXTS:
		return field->size == 0 || field->bytes[field->size - 1] == 0;
	case FORM_NUMBERS:
		return field->size % sizeof(int64_t) == 0;
	case FORM_BYTES:
	case FORM_VALUE:
		return true;
	}
	return false;
}

static int parse_fields(const unsigned char *at, size_t size, struct wire_in *in)
{
	uint64_t allowed = kinds[in->kind].needed | kinds[in->kind].optional, seen = 0;

	while (size) {
		if (size < 5 || at[0] == 0 || at[0] >= WIRE_TAGS || !(allowed >> at[0] & 1) ||
			seen >> at[0] & 1)
			return -EBADMSG;
		struct wire_field *field = &in->fields[at[0]];
		memcpy(&field->size, at + 1, sizeof field->size);
		field->bytes = at + 5;
		if (field->size > size - 5 || !field_fits(forms[at[0]], field))
			return -EBADMSG;
		seen |= 1ull << at[0];
		size -= 5 + (size_t)field->size;
		at += 5 + (size_t)field->size;
	}
	return kinds[in->kind].needed & ~seen ? -EBADMSG : 0;
}

static int parse_head(
	const unsigned char *bytes, size_t size, enum wire_side side, struct wire_in *in)
{
	if (size < HEAD || bytes[0] == WIRE_NOTHING || bytes[0] >= WIRE_KINDS ||
		kinds[bytes[0]].reader != side || bytes[1] > FLAG_BIG)
		return -EBADMSG;
	in->kind = bytes[0];
	return 0;
}

int wire_parse(const void *bytes, size_t size, enum wire_side side, struct wire_in *in)
{
	in->kind = WIRE_NOTHING;
	memset(in->fields, 0, sizeof in->fields);
	int r = parse_head(bytes, size, side, in);
	if (r == 0 && ((const unsigned char *)bytes)[1])
		r = -EBADMSG;
	return r ? r : parse_fields((const unsigned char *)bytes + HEAD, size - HEAD, in);
}

static void drop_big(struct wire_in *in)
{
	free(in->big);
	in->big = NULL;
	in->big_size = 0;
}

static void drop_fds(struct wire_in *in)
{
	for (uint32_t i = 0; i < in->fd_count; i++)
		if (in->fds[i] >= 0)
			close(in->fds[i]);
	in->fd_count = 0;
}

static int load_big(struct wire_in *in)
{
	CLEANUP_FD int memory = wire_take_fd(in, 0);
	struct stat st;

	if (memory < 0 || fstat(memory, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
		st.st_size > (off_t)WIRE_BIG_MAX || lseek(memory, 0, SEEK_SET) < 0)
		return -EBADMSG;
	in->big = base_alloc((size_t)st.st_size);
	in->big_size = (size_t)st.st_size;
	if (file_read(memory, in->big, in->big_size) != st.st_size)
		return -EBADMSG;
	memmove(in->fds, in->fds + 1, --in->fd_count * sizeof in->fds[0]);
	return 0;
}

/* Takes over the descriptors; false where some were lost or it is not ours. */
static bool take_control(struct msghdr *message, struct wire_in *in)
{
	bool good = !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (in->fd_count < WIRE_FDS)
				in->fds[in->fd_count++] = fd;
			else
				good = (close(fd), false);
		}
	}
	return good;
}

int wire_receive(int socket, enum wire_side side, struct wire_in *in, int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * (WIRE_FDS + 1))];
	} control;

	drop_fds(in);
	drop_big(in);
	in->kind = WIRE_NOTHING;
	memset(in->fields, 0, sizeof in->fields);
	if (!in->buffer)
		in->buffer = base_alloc(WIRE_MAX);
	struct iovec part = {.iov_base = in->buffer, .iov_len = WIRE_MAX};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	ssize_t n;
	do
		n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	bool good = take_control(&message, in);
	if (n == 0 && in->fd_count == 0)
		return 0;
	int r = good ? parse_head(in->buffer, (size_t)n, side, in) : -EBADMSG;
	if (r == 0 && in->buffer[1]) {
		r = side == WIRE_WORKER && n == HEAD ? load_big(in) : -EBADMSG;
		r = r ? r : parse_fields(in->big, in->big_size, in);
	} else if (r == 0) {
		r = parse_fields(in->buffer + HEAD, (size_t)n - HEAD, in);
	}
	if (r == 0 && in->fd_count > kinds[in->kind].fd_max)
		r = -EBADMSG;
	return r ? r : 1;
}

void wire_in_free(struct wire_in *in)
{
	drop_fds(in);
	drop_big(in);
	free(in->buffer);
	in->buffer = NULL;
}

int64_t wire_get_number(const struct wire_in *in, enum wire_tag tag)
{
	int64_t number = 0;

	if (in->fields[tag].bytes)
		memcpy(&number, in->fields[tag].bytes, sizeof number);
	return number;
}

const char *wire_get_text(const struct wire_in *in, enum wire_tag tag)
{
	return (const char *)in->fields[tag].bytes;
}

const char **wire_get_texts(
	const struct wire_in *in, enum wire_tag tag, struct arena *arena, size_t *ret_count)
{
	const struct wire_field *field = &in->fields[tag];
	size_t count = 0;

	for (uint32_t i = 0; i < field->size; i++)
		count += field->bytes[i] == 0;
	const char **texts = arena_array(arena, count + 1, sizeof texts[0]);
	const char *at = (const char *)field->bytes;
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		texts[i] = arena_string(arena, at);
	*ret_count = count;
	return texts;
}

size_t wire_get_count(const struct wire_in *in, enum wire_tag tag)
{
	return in->fields[tag].size / sizeof(int64_t);
}

int64_t wire_get_item(const struct wire_in *in, enum wire_tag tag, size_t i)
{
	int64_t number;

	memcpy(&number, in->fields[tag].bytes + i * sizeof number, sizeof number);
	return number;
}

int wire_get_value(
	const struct wire_in *in, enum wire_tag tag, struct arena *arena, struct value *ret)
{
	const struct wire_field *field = &in->fields[tag];

	*ret = (struct value){0};
	if (!field->bytes)
		return -EBADMSG;
	return tree_read(field->bytes, field->size, arena, ret);
}

int wire_take_fd(struct wire_in *in, uint32_t i)
{
	return i < in->fd_count ? TAKE_FD(in->fds[i]) : -1;
}

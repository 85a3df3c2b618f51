/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

/* The answer of one request, as it is read. */
struct verdicts {
	struct s3_doomed *doomed;
	size_t count;
	char *key, *version, *code, *words;
	bool answered; /* the root is a DeleteResult */
};

static void verdict_end(struct verdicts *verdicts, bool failed)
{
	for (size_t i = 0; verdicts->key && i < verdicts->count; i++) {
		struct s3_doomed *doomed = &verdicts->doomed[i];
		if (strcmp(doomed->key, verdicts->key) != 0 ||
			(doomed->version && verdicts->version &&
				strcmp(doomed->version, verdicts->version) != 0))
			continue;
		const char *code = verdicts->code ? verdicts->code : "";
		bool gone = !failed || strcmp(code, "NoSuchKey") == 0 ||
			strcmp(code, "NoSuchVersion") == 0;
		free(doomed->why);
		doomed->why = gone
			? NULL
			: fault_format("%s: %s", code, verdicts->words ? verdicts->words : "");
		doomed->result = gone                       ? 0
			: strcmp(code, "AccessDenied") == 0 ? -EACCES
			: strcmp(code, "InternalError") == 0 || strcmp(code, "SlowDown") == 0
			? -EAGAIN
			: -EPROTO;
	}
	free(verdicts->key);
	free(verdicts->version);
	free(verdicts->code);
	free(verdicts->words);
	verdicts->key = verdicts->version = verdicts->code = verdicts->words = NULL;
}

static void read_verdict(void *arg, const char *path, const char *text)
{
	struct verdicts *verdicts = arg;
	const char *name = strrchr(path, '/');
	char **place = NULL;
	if (strcmp(path, "DeleteResult") == 0)
		verdicts->answered = true;
	else if (strcmp(path, "DeleteResult/Deleted") == 0)
		verdict_end(verdicts, false);
	else if (strcmp(path, "DeleteResult/Error") == 0)
		verdict_end(verdicts, true);
	else if (name && strcmp(name, "/Key") == 0)
		place = &verdicts->key;
	else if (name && strcmp(name, "/VersionId") == 0)
		place = &verdicts->version;
	else if (name && strcmp(name, "/Code") == 0)
		place = &verdicts->code;
	else if (name && strcmp(name, "/Message") == 0)
		place = &verdicts->words;
	if (place) {
		free(*place);
		*place = fault_format("%s", text);
	}
}

static char *list_text(const struct s3_doomed *doomed, size_t count, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);
	if (!f)
		return NULL;
	fputs("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", f);
	for (size_t i = 0; i < count; i++) {
		CLEANUP_FREE char *key = s3_xml_escape(doomed[i].key);
		fprintf(f, "<Object><Key>%s</Key>", key);
		if (doomed[i].version)
			fprintf(f, "<VersionId>%s</VersionId>", doomed[i].version);
		fputs("</Object>", f);
	}
	fputs("</Delete>", f);
	return fclose(f) == 0 ? text : NULL;
}

static int delete_some(struct s3 *s3, struct s3_doomed *doomed, size_t count, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	size_t size = 0;
	CLEANUP_FREE char *text = list_text(doomed, count, &size);
	if (!text)
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	CLEANUP_FREE char *md5 = s3_md5_header(text, size);
	const struct http_body body = {.bytes = text, .size = size};
	const struct s3_call call = {.method = "POST",
		.query = {{"delete", ""}},
		.query_count = 1,
		.headers = (const char *const[]){md5},
		.header_count = 1,
		.body = &body};
	struct verdicts verdicts = {.doomed = doomed, .count = count};
	for (size_t i = 0; i < count; i++)
		doomed[i].result = -EPROTO; /* until it is answered for */
	int r = s3_send(s3, &call, &answer, fault);
	if (r < 0)
		return r;
	r = s3_xml_read(answer.text, answer.size, read_verdict, &verdicts);
	verdict_end(&verdicts, false);
	return r < 0 || !verdicts.answered ? s3_odd_answer(s3, &call, fault) : 0;
}

/* XML has no way to write most control characters. */
static bool is_listable(const char *key)
{
	for (; *key; key++)
		if ((unsigned char)*key < ' ' && !strchr("\t\n\r", *key))
			return false;
	return true;
}

static int delete_alone(struct s3 *s3, struct s3_doomed *doomed, struct fault *fault)
{
	CLEANUP_FAULT struct fault own = {0};
	int r = s3_delete(s3, doomed->key, doomed->version, &own);
	doomed->result = r;
	doomed->why = r < 0 ? fault_format("%s", fault_what(&own)) : NULL;
	return r == -ECANCELED ? fault_set(fault, r, NULL, "stopped") : 0;
}

int s3_delete_many(struct s3 *s3, struct s3_doomed *doomed, size_t count, struct fault *fault)
{
	int r = 0;
	for (size_t at = 0, next; r == 0 && at < count; at = next) {
		for (next = at; next < count && next - at < S3_DELETE_MAX; next++)
			if (!is_listable(doomed[next].key))
				break;
		if (next > at)
			r = delete_some(s3, doomed + at, next - at, fault);
		else
			r = delete_alone(s3, &doomed[next++], fault);
	}
	return r;
}

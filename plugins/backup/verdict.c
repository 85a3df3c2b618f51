/* SPDX-License-Identifier: MIT */
#include "backup/verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/seal.h"

#define PREFIX "[GNUPG:] "

/* The first line that begins with `word`, after `from`: what follows the word; or NULL. */
static const char *find_line(const char *from, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = from; (at = strstr(at, PREFIX)); at++) {
		const char *found = at + strlen(PREFIX);
		if (strncmp(found, word, size) == 0 && strchr(" \r\n", found[size]))
			return found + size;
	}
	return NULL;
}

static size_t count_lines(const char *status, const char *word)
{
	size_t count = 0;
	while ((status = find_line(status, word)))
		count++;
	return count;
}

/* VALIDSIG: the subkey, two dates, ..., and last the primary key. */
static bool read_signer(const char *line, struct verdict *ret)
{
	char date[32], primary[VERDICT_FINGERPRINT_MAX], rest;
	if (sscanf(line, " %*64s %*31s %31s %*s %*s %*s %*s %*s %*s %64s%c", date, primary,
		    &rest) != 3 ||
		rest != '\n' || !keys_fingerprint_valid(primary))
		return false;
	memcpy(ret->signer, primary, sizeof primary);
	ret->signed_s = strtoll(date, NULL, 10);
	return true;
}

static bool has_notation(const char *status)
{
	const char *name = find_line(status, "NOTATION_NAME");
	return name && strncmp(name, " " SEAL_NOTATION, strlen(SEAL_NOTATION) + 1) == 0 &&
		strchr("\r\n", name[strlen(SEAL_NOTATION) + 1]);
}

static const char *find_fault(const char *status)
{
	static const struct {
		const char *word, *what;
	} bad[] = {
		{"BADSIG", "it was changed after it had been signed"},
		{"EXPSIG", "its signature has expired"},
		{"EXPKEYSIG", "the key that signed it has expired"},
		{"REVKEYSIG", "the key that signed it was revoked"},
		{"NO_PUBKEY", "it was signed by a key that is not trusted"},
		{"ERRSIG", "its signature cannot be checked"},
		{"ENC_TO", "it is encrypted, but not signed"},
		{"DECRYPTION_FAILED", "it is encrypted, but not signed"},
	};
	for (size_t i = 0; i < UPKEEP_COUNT(bad); i++)
		if (find_line(status, bad[i].word))
			return bad[i].what;
	if (!find_line(status, "PLAINTEXT"))
		return "it is nothing that upkeep has sealed";
	if (!find_line(status, "VALIDSIG"))
		return find_line(status, "NEWSIG")
			? "its signature is not whole"
			: "it is not signed, or its end with the signature is missing";
	return NULL;
}

int verdict_read(
	const struct keys *keys, const char *status, struct verdict *ret, struct fault *fault)
{
	const char *what = find_fault(status), *valid = find_line(status, "VALIDSIG");
	if (!what &&
		(count_lines(status, "PLAINTEXT") != 1 || count_lines(status, "GOODSIG") != 1 ||
			count_lines(status, "VALIDSIG") != 1))
		what = "it has more than one text or signature";
	if (!what && !read_signer(valid, ret))
		what = "gpg does not say who signed it";
	if (!what && !keys_trusted(keys, ret->signer))
		what = "it was signed by a key that is not trusted";
	if (!what && !has_notation(status))
		what = "it was signed as something else than a stream";
	return what ? fault_set(fault, -EBADMSG,
			      "take another copy; if another site sealed it, name its key in "
			      "`trusted` and `public_keys`",
			      "the stream is refused: %s", what)
		    : 0;
}

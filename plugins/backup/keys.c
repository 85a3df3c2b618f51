/* SPDX-License-Identifier: MIT */
#include "backup/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/gnupg.h"
#include "support/cleanup.h"
#include "support/store.h"

#define KEY_FILE "upkeep-site-key"
#define SUMMARY_NOTATION "summary@upkeep.invalid"

#define KNOWN_MAX 64

struct keys {
	struct upkeep_ctx *ctx;
	char *home, *trust_home;
	char *sign_key;
	struct key_list {
		char **items;
		size_t count;
	} recipients, trusted, verifiers;
	bool agent;
	gpgme_ctx_t gpg, trust;
	gpgme_key_t known[KNOWN_MAX]; /* in `trust` */
	size_t known_count;
};

bool keys_fingerprint_valid(const char *text)
{
	size_t size = strlen(text);
	if (size != 40 && size != 64)
		return false;
	for (; *text; text++)
		if (!isxdigit((unsigned char)*text))
			return false;
	return true;
}

char *keys_recorded(const char *keyring)
{
	CLEANUP_FREE char *path = fault_format("%s/" KEY_FILE, keyring);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[80] = {0};
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		return NULL;
	text[strcspn(text, "\r\n")] = 0;
	return keys_fingerprint_valid(text) ? fault_format("%s", text) : NULL;
}

static char *upper_copy(const char *text)
{
	char *copy = fault_format("%s", text);
	for (char *p = copy; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

/* The named fingerprints; where none is named, the site's own key. */
static int copy_fingerprints(struct key_list *list, const struct upkeep_strings *named,
	const char *own, const char *what, struct fault *fault)
{
	list->count = named->count ? named->count : own ? 1 : 0;
	list->items = fault_alloc((list->count + 1) * sizeof *list->items);
	for (size_t i = 0; i < list->count; i++)
		list->items[i] = upper_copy(named->count ? named->items[i] : own);
	for (size_t i = 0; i < list->count; i++)
		if (!keys_fingerprint_valid(list->items[i]))
			return fault_set(fault, -EINVAL, "gpg --list-keys --with-colons shows them",
				"%s \"%s\" is not a whole fingerprint", what, list->items[i]);
	return 0;
}

static int resolve_keys(struct keys *keys, const struct settings *settings, struct fault *fault)
{
	CLEANUP_FREE char *recorded = keys_recorded(settings->keyring);
	const char *own = settings->sign_key && *settings->sign_key ? settings->sign_key : recorded;
	if (own)
		keys->sign_key = upper_copy(own);
	int r = copy_fingerprints(
		&keys->recipients, &settings->recipients, own, "recipient", fault);
	if (r == 0)
		r = copy_fingerprints(
			&keys->trusted, &settings->trusted, own, "trusted key", fault);
	if (r == 0)
		r = copy_fingerprints(
			&keys->verifiers, &settings->verifiers, own, "verifier", fault);
	if (r == 0 && !keys->trusted.count)
		return fault_set(fault, -ENOKEY,
			"set sign_key or trusted, or run backup.init with create_key = true",
			"no key of the site is named, and the keyring \"%s\" has none recorded",
			settings->keyring);
	return r;
}

static int copy_file(const char *from, const char *to)
{
	CLEANUP_FD int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return errno == ENOENT ? 0 : -errno;
	CLEANUP_FD int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	return store_copy(in, out, UINT64_MAX, NULL, NULL);
}

/* Public keys are copied, secret ones stay where they are. */
static int fill_home(const char *keyring, const char *home)
{
	static const char *const names[] = {"pubring.kbx", "pubring.gpg"};
	for (size_t i = 0; i < UPKEEP_COUNT(names); i++) {
		CLEANUP_FREE char *from = fault_format("%s/%s", keyring, names[i]);
		CLEANUP_FREE char *to = fault_format("%s/%s", home, names[i]);
		int r = copy_file(from, to);
		if (r < 0)
			return r;
	}
	CLEANUP_FREE char *secret = fault_format("%s/private-keys-v1.d", keyring);
	CLEANUP_FREE char *link = fault_format("%s/private-keys-v1.d", home);
	return symlink(secret, link) < 0 ? -errno : 0;
}

static int make_home(struct keys *keys, const char *name, char **ret, struct fault *fault)
{
	const char *temp = NULL;
	int r = keys->ctx->host->temp_dir(keys->ctx, &temp);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "the task has no temporary directory: %s", strerror(-r));
	char *home = fault_format("%s/%s", temp, name);
	*ret = home;
	if (mkdir(home, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, -errno, NULL, "cannot make \"%s\": %m", home);
	return 0;
}

static int open_secret(struct keys *keys, const struct settings *settings, struct fault *fault)
{
	int r = make_home(keys, "gnupg", &keys->home, fault);
	if (r < 0)
		return r;
	r = fill_home(settings->keyring, keys->home);
	if (r < 0 && r != -EEXIST)
		return fault_set(fault, r, "run backup.init, or correct `keyring`",
			"cannot use the keyring \"%s\": %s", settings->keyring, strerror(-r));
	return gnupg_open(&keys->gpg, keys->home, fault);
}

/* Imports the key file into the trusted directory; what is not trusted is dropped later. */
static int import_file(struct keys *keys, const char *path, struct fault *fault)
{
	CLEANUP_DATA gpgme_data_t data = NULL;
	gpgme_error_t e = gpgme_data_new_from_file(&data, path, 1);
	if (!e)
		e = gpgme_op_import(keys->trust, data);
	if (e) {
		CLEANUP_FREE char *what = fault_format("cannot import the key file \"%s\"", path);
		return gnupg_fault(fault, e, NULL, what);
	}
	return 0;
}

static int import_from_keyring(struct keys *keys, const struct settings *settings,
	const struct key_list *list, struct fault *fault)
{
	CLEANUP_GNUPG gpgme_ctx_t source = NULL;
	struct stat st;
	if (list->count == 0 || stat(settings->keyring, &st) < 0)
		return 0;
	int r = keys->gpg ? 0 : gnupg_open(&source, settings->keyring, fault);
	if (r < 0)
		return r;
	CLEANUP_DATA gpgme_data_t data = NULL;
	gpgme_error_t e = gpgme_data_new(&data);
	if (!e)
		e = gpgme_op_export_ext(
			keys->gpg ? keys->gpg : source, (const char **)list->items, 0, data);
	if (!e && gpgme_data_seek(data, 0, SEEK_END) > 0) {
		gpgme_data_seek(data, 0, SEEK_SET);
		e = gpgme_op_import(keys->trust, data);
	}
	return e ? gnupg_fault(fault, e, NULL, "cannot copy the trusted keys") : 0;
}

static bool is_in(const struct key_list *list, const char *fingerprint)
{
	for (size_t i = 0; fingerprint && i < list->count; i++)
		if (strcasecmp(list->items[i], fingerprint) == 0)
			return true;
	return false;
}

bool keys_trusted(const struct keys *keys, const char *fingerprint)
{
	return is_in(&keys->trusted, fingerprint);
}

/* The verifiers are mostly among the trusted keys. */
static int import_verifiers(struct keys *keys, const struct settings *settings, struct fault *fault)
{
	for (size_t i = 0; i < keys->verifiers.count; i++)
		if (!is_in(&keys->trusted, keys->verifiers.items[i]))
			return import_from_keyring(keys, settings, &keys->verifiers, fault);
	return 0;
}

/* A key file may hold more than was named: only the named ones stay, and are known. */
static int drop_strangers(struct keys *keys, size_t *ret_left, struct fault *fault)
{
	gpgme_key_t found[KNOWN_MAX];
	size_t count = 0;
	gpgme_error_t e = gpgme_op_keylist_start(keys->trust, NULL, 0);
	while (!e && count < KNOWN_MAX) {
		e = gpgme_op_keylist_next(keys->trust, &found[count]);
		count += !e;
	}
	gpgme_op_keylist_end(keys->trust);
	bool full = count == KNOWN_MAX;
	gpgme_error_t failed = 0;
	for (size_t i = 0; i < count; i++) {
		bool trusted = is_in(&keys->trusted, found[i]->fpr);
		*ret_left += trusted;
		if (trusted || is_in(&keys->verifiers, found[i]->fpr)) {
			keys->known[keys->known_count++] = found[i];
			continue;
		}
		if (!failed)
			failed = gpgme_op_delete_ext(keys->trust, found[i], GPGME_DELETE_FORCE);
		gpgme_key_unref(found[i]);
	}
	if (full)
		return fault_set(fault, -E2BIG, "name files with the site's keys alone",
			"`public_keys` hold more than %d keys", KNOWN_MAX - 1);
	return failed ? gnupg_fault(fault, failed, NULL, "cannot drop a key") : 0;
}

static int open_trust(struct keys *keys, const struct settings *settings, struct fault *fault)
{
	size_t left = 0;
	int r = make_home(keys, "trust", &keys->trust_home, fault);
	if (r == 0)
		r = gnupg_open(&keys->trust, keys->trust_home, fault);
	for (size_t i = 0; r == 0 && i < settings->public_keys.count; i++)
		r = import_file(keys, settings->public_keys.items[i], fault);
	if (r == 0)
		r = import_from_keyring(keys, settings, &keys->trusted, fault);
	if (r == 0)
		r = import_verifiers(keys, settings, fault);
	if (r == 0)
		r = drop_strangers(keys, &left, fault);
	if (r == 0 && left == 0)
		return fault_set(fault, -ENOKEY, "name a file with the public key in `public_keys`",
			"none of the trusted keys is in the keyring \"%s\" or in `public_keys`",
			settings->keyring);
	return r;
}

int keys_open(struct keys **ret, struct upkeep_ctx *ctx, unsigned needs, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	struct keys *keys = fault_alloc(sizeof *keys);
	keys->ctx = ctx;
	*ret = keys;
	int r = resolve_keys(keys, settings, fault);
	if (r == 0 && (needs & KEYS_SECRET)) {
		keys->agent = true;
		r = open_secret(keys, settings, fault);
	}
	if (r == 0 && (needs & KEYS_TRUST))
		r = open_trust(keys, settings, fault);
	return r;
}

static void free_list(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void keys_close(struct keys **ret)
{
	struct keys *keys = *ret;
	if (!keys)
		return;
	for (size_t i = 0; i < keys->known_count; i++)
		gpgme_key_unref(keys->known[i]);
	gnupg_close(&keys->gpg);
	gnupg_close(&keys->trust);
	if (keys->agent && keys->home)
		gnupg_end_agent(keys->ctx, keys->home);
	free_list(&keys->recipients);
	free_list(&keys->trusted);
	free_list(&keys->verifiers);
	free(keys->sign_key);
	free(keys->home);
	free(keys->trust_home);
	free(keys);
	*ret = NULL;
}

struct upkeep_ctx *keys_ctx(const struct keys *keys)
{
	return keys->ctx;
}

const char *keys_home(const struct keys *keys)
{
	return keys->home;
}

const char *keys_trust_home(const struct keys *keys)
{
	return keys->trust_home;
}

const char *keys_signer(const struct keys *keys)
{
	return keys->sign_key;
}

const char *const *keys_recipients(const struct keys *keys, size_t *ret_count)
{
	*ret_count = keys->recipients.count;
	return (const char *const *)keys->recipients.items;
}

static gpgme_error_t start_signing(struct keys *keys, const char *summary)
{
	gpgme_key_t key = NULL;
	gpgme_error_t e = gpgme_get_key(keys->gpg, keys->sign_key, &key, 1);
	gpgme_signers_clear(keys->gpg);
	if (!e)
		e = gpgme_signers_add(keys->gpg, key);
	if (key)
		gpgme_key_unref(key);
	gpgme_sig_notation_clear(keys->gpg);
	if (!e)
		e = gpgme_sig_notation_add(
			keys->gpg, SUMMARY_NOTATION, summary, GPGME_SIG_NOTATION_HUMAN_READABLE);
	return e;
}

int keys_sign(struct keys *keys, int fd, const char *summary, int *ret_fd, struct fault *fault)
{
	if (!keys->sign_key)
		return fault_set(fault, -ENOKEY, "set sign_key to the site's own key",
			"there is no key to sign the manifest with");
	CLEANUP_FD int out = memfd_create("signature", MFD_CLOEXEC);
	if (out < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return fault_set(fault, -errno, NULL, "cannot prepare the signature: %m");
	CLEANUP_DATA gpgme_data_t in_data = NULL;
	CLEANUP_DATA gpgme_data_t out_data = NULL;
	gpgme_error_t e = gpgme_data_new_from_fd(&in_data, fd);
	if (!e)
		e = gpgme_data_new_from_fd(&out_data, out);
	if (!e)
		e = start_signing(keys, summary);
	if (!e)
		e = gpgme_op_sign(keys->gpg, in_data, out_data, GPGME_SIG_MODE_DETACH);
	if (e) {
		CLEANUP_FREE char *what =
			fault_format("cannot sign with the key %s", keys->sign_key);
		return gnupg_fault(
			fault, e, "the keyring needs the secret key, without a passphrase", what);
	}
	*ret_fd = TAKE_FD(out);
	return 0;
}

static bool has_subkey(gpgme_key_t key, const char *fingerprint)
{
	for (gpgme_subkey_t s = key->subkeys; s; s = s->next)
		if (s->fpr && strcasecmp(s->fpr, fingerprint) == 0)
			return true;
	return false;
}

/* The primary key's fingerprint of the key, or subkey, that signed. */
static bool signer_trusted(
	struct keys *keys, const struct key_list *list, const char *fingerprint, char **ret_signer)
{
	for (size_t i = 0; fingerprint && i < keys->known_count; i++) {
		gpgme_key_t key = keys->known[i];
		if (!has_subkey(key, fingerprint))
			continue;
		if (!is_in(list, key->fpr) || key->revoked || key->disabled)
			return false;
		*ret_signer = upper_copy(key->fpr);
		return true;
	}
	return false;
}

static const char *find_summary(gpgme_signature_t signature)
{
	for (gpgme_sig_notation_t n = signature->notations; n; n = n->next)
		if (n->name && strcmp(n->name, SUMMARY_NOTATION) == 0)
			return n->value;
	return NULL;
}

static int judge_signature(struct keys *keys, const struct key_list *list, char **ret_summary,
	char **ret_signer, struct fault *fault)
{
	gpgme_verify_result_t result = gpgme_op_verify_result(keys->trust);
	gpgme_signature_t signature = result ? result->signatures : NULL;
	if (!signature || signature->next)
		return fault_set(fault, -EBADMSG, NULL, "the manifest has %s signature",
			signature ? "more than one" : "no");
	if (gpgme_err_code(signature->status) != GPG_ERR_NO_ERROR)
		return fault_set(fault, -EBADMSG,
			gpgme_err_code(signature->status) == GPG_ERR_NO_PUBKEY
				? "if that key is yours, name it in `trusted` and `public_keys`"
				: NULL,
			"the manifest's signature by %s is not good: %s",
			signature->fpr ? signature->fpr : "an unknown key",
			gpgme_strerror(signature->status));
	if (!signer_trusted(keys, list, signature->fpr, ret_signer))
		return fault_set(fault, -EBADMSG, "if that key is yours, name it in `trusted`",
			"the manifest was signed by %s, which is not trusted", signature->fpr);
	const char *summary = find_summary(signature);
	if (!summary)
		return fault_set(fault, -EBADMSG, NULL, "the manifest's signature has no summary");
	*ret_summary = fault_format("%s", summary);
	return 0;
}

int keys_verify(struct keys *keys, unsigned whose, int fd, int signature_fd, char **ret_summary,
	char **ret_signer, struct fault *fault)
{
	if (lseek(fd, 0, SEEK_SET) < 0 || lseek(signature_fd, 0, SEEK_SET) < 0)
		return fault_set(fault, -errno, NULL, "cannot read the manifest: %m");
	CLEANUP_DATA gpgme_data_t data = NULL;
	CLEANUP_DATA gpgme_data_t signature = NULL;
	gpgme_error_t e = gpgme_data_new_from_fd(&data, fd);
	if (!e)
		e = gpgme_data_new_from_fd(&signature, signature_fd);
	if (!e)
		e = gpgme_op_verify(keys->trust, signature, data, NULL);
	if (e) {
		gnupg_fault(fault, e, NULL, "the manifest's signature cannot be checked");
		return -EBADMSG;
	}
	return judge_signature(keys, whose == KEYS_TRUST ? &keys->trusted : &keys->verifiers,
		ret_summary, ret_signer, fault);
}

static int record_key(const char *keyring, const char *fingerprint, struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("%s/" KEY_FILE, keyring);
	CLEANUP_FREE char *partial = fault_format("%s.partial", path);
	CLEANUP_FREE char *line = fault_format("%s\n", fingerprint);
	CLEANUP_FD int fd =
		open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line) || fsync(fd) < 0 ||
		rename(partial, path) < 0)
		return fault_set(fault, -errno, NULL, "cannot write \"%s\": %m", path);
	return 0;
}

static int generate_key(const char *keyring, const char *user_id, char **ret, struct fault *fault)
{
	CLEANUP_GNUPG gpgme_ctx_t gpg = NULL;
	gpgme_key_t key = NULL;
	int r = gnupg_open(&gpg, keyring, fault);
	if (r < 0)
		return r;
	const unsigned plain = GPGME_CREATE_NOPASSWD | GPGME_CREATE_NOEXPIRE;
	gpgme_error_t e = gpgme_op_createkey(gpg, user_id, "ed25519", 0, 0, NULL,
		plain | GPGME_CREATE_SIGN | GPGME_CREATE_CERT | GPGME_CREATE_FORCE);
	gpgme_genkey_result_t result = e ? NULL : gpgme_op_genkey_result(gpg);
	if (!e)
		e = gpgme_get_key(gpg, result->fpr, &key, 1);
	if (!e)
		e = gpgme_op_createsubkey(gpg, key, "cv25519", 0, 0, plain | GPGME_CREATE_ENCR);
	if (!e)
		*ret = fault_format("%s", key->fpr);
	if (key)
		gpgme_key_unref(key);
	return e ? gnupg_fault(fault, e, NULL, "cannot make the site's key") : 0;
}

int keys_make(struct upkeep_ctx *ctx, const char *user_id, bool *ret_made, char **ret_fingerprint,
	struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	*ret_made = false;
	*ret_fingerprint = keys_recorded(settings->keyring);
	if (*ret_fingerprint)
		return 0;
	if (mkdir(settings->keyring, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, -errno, "make the directory above it",
			"cannot make the keyring \"%s\": %m", settings->keyring);
	int r = generate_key(settings->keyring, user_id, ret_fingerprint, fault);
	gnupg_end_agent(ctx, settings->keyring);
	if (r == 0)
		r = record_key(settings->keyring, *ret_fingerprint, fault);
	*ret_made = r == 0;
	return r;
}

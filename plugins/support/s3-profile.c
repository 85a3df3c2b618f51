/* SPDX-License-Identifier: MIT */
#include "support/s3-profile.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"

/* Takes blanks off both ends, in place. */
static char *trimmed(char *text)
{
	text += strspn(text, " \t");
	for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = 0;
	return text;
}

/* "[name]", and in the configuration "[profile name]": is it the one? */
static bool is_section(char *line, const char *name, bool config)
{
	char *end = strchr(line, ']');
	if (!end)
		return false;
	*end = 0;
	char *title = trimmed(line + 1);
	if (config && strncmp(title, "profile", 7) == 0 && isspace((unsigned char)title[7]))
		title = trimmed(title + 7);
	else if (config && strcmp(title, "default") != 0)
		return false;
	return strcmp(title, name) == 0;
}

static char **place_of(struct s3_profile *profile, const char *key)
{
	static const char *const unknown[] = {
		"credential_process", "source_profile", "sso_session", "sso_start_url"};
	if (strcmp(key, "aws_access_key_id") == 0)
		return &profile->access;
	if (strcmp(key, "aws_secret_access_key") == 0)
		return &profile->secret;
	if (strcmp(key, "aws_session_token") == 0)
		return &profile->token;
	if (strcmp(key, "region") == 0)
		return &profile->region;
	if (strcmp(key, "role_arn") == 0)
		return &profile->role;
	if (strcmp(key, "web_identity_token_file") == 0)
		return &profile->token_file;
	if (strcmp(key, "role_session_name") == 0)
		return &profile->session;
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		if (strcmp(key, unknown[i]) == 0)
			return &profile->other;
	return NULL;
}

static void take_line(struct s3_profile *profile, char *line)
{
	char *equals = strchr(line, '=');
	if (!equals)
		return;
	*equals = 0;
	const char *key = trimmed(line), *value = trimmed(equals + 1);
	char **place = place_of(profile, key);
	if (place && !*place && *value)
		*place = fault_format("%s", place == &profile->other ? key : value);
}

/* Indented lines belong to the key before them ("s3 ="), none of which is needed. */
static bool take_file(struct s3_profile *profile, FILE *f, const char *name, bool config)
{
	char *line = NULL;
	size_t room = 0;
	bool inside = false, found = false;
	while (getline(&line, &room, f) >= 0) {
		if (line[0] == '[')
			found |= inside = is_section(line, name, config);
		else if (inside && !strchr("#; \t\r\n", line[0]))
			take_line(profile, line);
		explicit_bzero(line, strlen(line));
	}
	free(line);
	return found;
}

static int read_file(struct s3_profile *profile, const char *path, const char *name, bool config,
	struct fault *fault)
{
	CLEANUP_FILE FILE *f = fopen(path, "re");
	char buffer[BUFSIZ];
	if (!f && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!f)
		return fault_set(fault, -errno, NULL, "cannot read \"%s\": %m", path);
	setvbuf(f, buffer, _IOFBF, sizeof buffer);
	bool found = take_file(profile, f, name, config);
	int r = ferror(f) ? fault_set(fault, -EIO, NULL, "cannot read \"%s\"", path) : 0;
	explicit_bzero(buffer, sizeof buffer);
	fclose(TAKE_PTR(f)); /* before the buffer is gone */
	if (found && !profile->file)
		profile->file = fault_format("%s", path);
	return r;
}

int s3_profile_parse(const char *credentials_file, const char *config_file, const char *name,
	struct s3_profile *ret, struct fault *fault)
{
	*ret = (struct s3_profile){0};
	int r = read_file(ret, credentials_file, name, false, fault);
	if (r == 0)
		r = read_file(ret, config_file, name, true, fault);
	if (r == 0 && !ret->file)
		r = fault_set(fault, -ENOENT, NULL,
			"neither \"%s\" nor \"%s\" has a profile \"%s\"", credentials_file,
			config_file, name);
	if (r < 0)
		s3_profile_free(ret);
	return r;
}

/* The file that the variable names, else `name` in the home directory. */
static char *file_path(const char *variable, const char *name)
{
	const char *given = getenv(variable), *home = getenv("HOME");
	if (given && given[0])
		return fault_format("%s", given);
	const struct passwd *user = home ? NULL : getpwuid(getuid());
	return fault_format("%s/%s", home ? home : user ? user->pw_dir : "", name);
}

int s3_profile_read(const char *name, struct s3_profile *ret, struct fault *fault)
{
	CLEANUP_FREE char *credentials =
		file_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	CLEANUP_FREE char *config = file_path("AWS_CONFIG_FILE", ".aws/config");
	return s3_profile_parse(credentials, config, name, ret, fault);
}

void s3_profile_free(struct s3_profile *profile)
{
	if (profile->secret)
		explicit_bzero(profile->secret, strlen(profile->secret));
	if (profile->token)
		explicit_bzero(profile->token, strlen(profile->token));
	free(profile->access);
	free(profile->secret);
	free(profile->token);
	free(profile->region);
	free(profile->role);
	free(profile->token_file);
	free(profile->session);
	free(profile->other);
	free(profile->file);
	*profile = (struct s3_profile){0};
}

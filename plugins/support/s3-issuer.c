/* SPDX-License-Identifier: MIT */
#include "support/s3-issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/http.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

#define ATTEMPTS 3
#define ANSWER_LIMIT ((size_t)64 << 10)
#define TOKEN_LIMIT 65536
#define NEAR_TIMEOUT_MS 1000

/* A small request, a few times where that can help; anything but 200 is a failure. */
static int ask(const struct s3_issuer *issuer, const struct http_request *request, bool near,
	struct http_answer *answer, struct fault *fault)
{
	CLEANUP_HTTP struct http *http = NULL;
	const struct http_settings settings = {.ca_file = issuer->ca_file,
		.cancel_fd = issuer->cancel_fd,
		.connect_timeout_ms = near ? NEAR_TIMEOUT_MS : 0,
		.stall_timeout_ms = 10000,
		.direct = near};
	int r = http_open(&http, &settings, fault);
	if (r != 0)
		return r;
	for (unsigned attempt = 1;; attempt++) {
		http_answer_free(answer);
		r = http_send(http, request, answer, fault);
		if (r == 0 && answer->status == 200)
			return 0;
		bool again = r == -ECONNRESET || r == -ETIMEDOUT ||
			(r == 0 && (answer->status >= 500 || answer->status == 429));
		if (r == 0)
			r = fault_set(fault, -EACCES, NULL, "%s: status %d", request->url,
				answer->status);
		if (!again || attempt == ATTEMPTS)
			return r;
		struct pollfd cancel = {.fd = issuer->cancel_fd, .events = POLLIN};
		if (poll(&cancel, 1, (int)(attempt * 200)) > 0)
			return fault_set(fault, -ECANCELED, NULL, "stopped");
	}
}

/* A small file without the newline at its end; on the heap. */
static int read_token(const char *path, char **ret, struct fault *fault)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : fault_alloc(TOKEN_LIMIT + 1);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TOKEN_LIMIT);
	if (n < 0) {
		free(text);
		return fault_set(fault, -errno, NULL, "cannot read \"%s\": %m", path);
	}
	text[n] = 0;
	text[strcspn(text, "\r\n")] = 0;
	*ret = text;
	return 0;
}

static int complete(const char *who, struct s3_key *key, struct fault *fault)
{
	if (key->access && key->secret && key->access[0] && key->secret[0])
		return 0;
	s3_key_free(key);
	return fault_set(fault, -EPROTO, NULL, "%s answers without keys", who);
}

/* ---- web identity --------------------------------------------------------------------- */

static void read_issued(void *arg, const char *path, const char *text)
{
	static const char root[] = "AssumeRoleWithWebIdentityResponse/"
				   "AssumeRoleWithWebIdentityResult/Credentials/";
	struct s3_key *key = arg;
	if (strncmp(path, root, strlen(root)) != 0)
		return;
	path += strlen(root);
	if (strcmp(path, "AccessKeyId") == 0 && !key->access)
		key->access = fault_format("%s", text);
	else if (strcmp(path, "SecretAccessKey") == 0 && !key->secret)
		key->secret = fault_format("%s", text);
	else if (strcmp(path, "SessionToken") == 0 && !key->token)
		key->token = fault_format("%s", text);
	else if (strcmp(path, "Expiration") == 0)
		key->expires_s = s3_time(text);
}

static char *sts_url(const char *region)
{
	const char *given = getenv("AWS_ENDPOINT_URL_STS");
	return given && given[0] ? fault_format("%s", given)
				 : fault_format("https://sts.%s.amazonaws.com/", region);
}

static char *form(const char *role, const char *session, const char *token)
{
	const struct sigv4_pair pairs[] = {{"Action", "AssumeRoleWithWebIdentity"},
		{"Version", "2011-06-15"}, {"RoleArn", role},
		{"RoleSessionName", session ? session : "upkeep"}, {"WebIdentityToken", token}};
	return sigv4_query(pairs, sizeof pairs / sizeof pairs[0]);
}

int s3_issuer_web_identity(const struct s3_issuer *issuer, const char *role, const char *token_file,
	const char *session, const char *region, struct s3_key *ret, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FREE char *token = NULL;
	int r = read_token(token_file, &token, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *url = sts_url(region);
	CLEANUP_FREE char *text = form(role, session, token);
	const struct http_body body = {.bytes = text, .size = strlen(text)};
	const struct http_request request = {.method = "POST",
		.url = url,
		.headers = (const char *const[]){"content-type: "
						 "application/x-www-form-urlencoded"},
		.header_count = 1,
		.body = &body,
		.text_limit = ANSWER_LIMIT};
	r = ask(issuer, &request, false, &answer, fault);
	if (r == -EACCES) {
		CLEANUP_FREE char *code =
			s3_xml_find(answer.text, answer.size, "ErrorResponse/Error/Code");
		CLEANUP_FREE char *words =
			s3_xml_find(answer.text, answer.size, "ErrorResponse/Error/Message");
		fault_prefix(fault, "%s refuses the role %s (%s: %s)", url, role,
			code ? code : "no code", words ? words : "no message");
	}
	if (r == 0)
		s3_xml_read(answer.text, answer.size, read_issued, ret);
	return r < 0 ? r : complete(url, ret, fault);
}

/* ---- what answers with JSON -------------------------------------------------------------- */

static char *member(json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));
	return text ? fault_format("%s", text) : NULL;
}

static int read_json(
	const char *who, const struct http_answer *answer, struct s3_key *ret, struct fault *fault)
{
	json_t *root = json_loadb(answer->text, answer->size, 0, NULL);
	ret->access = member(root, "AccessKeyId");
	ret->secret = member(root, "SecretAccessKey");
	ret->token = member(root, "Token");
	ret->expires_s = s3_time(json_string_value(json_object_get(root, "Expiration")));
	json_decref(root);
	return complete(who, ret, fault);
}

/* Keys go over plain http only where nobody else can listen. */
static bool is_near(const char *url)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]", "169.254.170.2",
		"169.254.170.23", "[fd00:ec2::23]"};
	const char *host = url + strlen("http://");
	if (strncmp(url, "http://", strlen("http://")) != 0)
		return strncmp(url, "https://", strlen("https://")) == 0;
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		size_t length = strlen(hosts[i]);
		if (strncmp(host, hosts[i], length) == 0 && strchr(":/", host[length]))
			return true;
	}
	return false;
}

int s3_issuer_container(const struct s3_issuer *issuer, struct s3_key *ret, struct fault *fault)
{
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *given = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FREE char *token = NULL;
	CLEANUP_FREE char *url = relative && relative[0]
		? fault_format("http://169.254.170.2%s", relative)
		: fault_format("%s", full ? full : "");
	if (!is_near(url))
		return fault_set(fault, -EACCES, NULL,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI: \"%s\" is neither https nor on this "
			"machine",
			url);
	int r = file && file[0] ? read_token(file, &token, fault) : 0;
	if (r < 0)
		return r;
	CLEANUP_FREE char *header = fault_format("authorization: %s",
		token           ? token
			: given ? given
				: "");
	const struct http_request request = {.method = "GET",
		.url = url,
		.headers = (const char *const[]){header},
		.header_count = token || given,
		.text_limit = ANSWER_LIMIT};
	r = ask(issuer, &request, true, &answer, fault);
	return r < 0 ? r : read_json(url, &answer, ret, fault);
}

static int ask_instance(const struct s3_issuer *issuer, const char *method, const char *url,
	const char *header, struct http_answer *answer, struct fault *fault)
{
	const struct http_body body = {.bytes = "", .size = 0};
	const struct http_request request = {.method = method,
		.url = url,
		.headers = (const char *const[]){header},
		.header_count = 1,
		.body = strcmp(method, "PUT") == 0 ? &body : NULL,
		.text_limit = ANSWER_LIMIT};
	return ask(issuer, &request, true, answer, fault);
}

int s3_issuer_instance(const struct s3_issuer *issuer, struct s3_key *ret, struct fault *fault)
{
	const char *given = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *base = given && given[0] ? given : "http://169.254.169.254";
	int length = (int)strlen(base) - (base[strlen(base) - 1] == '/');
	CLEANUP_ANSWER struct http_answer token = {0}, role = {0}, keys = {0};
	CLEANUP_FREE char *token_url = fault_format("%.*s/latest/api/token", length, base);
	CLEANUP_FREE char *role_url =
		fault_format("%.*s/latest/meta-data/iam/security-credentials/", length, base);
	int r = ask_instance(issuer, "PUT", token_url,
		"x-aws-ec2-metadata-token-ttl-seconds: 21600", &token, fault);
	if (r != 0)
		return r;
	token.text[strcspn(token.text, "\r\n")] = 0;
	CLEANUP_FREE char *header = fault_format("x-aws-ec2-metadata-token: %s", token.text);
	r = ask_instance(issuer, "GET", role_url, header, &role, fault);
	if (r != 0)
		return r;
	role.text[strcspn(role.text, "\r\n")] = 0;
	CLEANUP_FREE char *name = sigv4_encode(role.text, false);
	CLEANUP_FREE char *keys_url = fault_format("%s%s", role_url, name);
	r = ask_instance(issuer, "GET", keys_url, header, &keys, fault);
	return r < 0 ? r : read_json(keys_url, &keys, ret, fault);
}

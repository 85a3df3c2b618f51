/* SPDX-License-Identifier: MIT */
/* Keys for S3 from the environment and from the services that issue them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3-credentials.h"
#include "support/tests/script.h"
#include "support/tests/server.h"
#include "tests/unit.h"

static char token_path[] = "/tmp/upkeep-token.XXXXXX";

static struct s3_credentials *open_chain(struct fault *fault)
{
	struct s3_credentials *credentials = NULL;
	const struct s3_credentials_settings settings = {.cancel_fd = -1};
	if (s3_credentials_open(&credentials, &settings, fault) < 0)
		return NULL;
	return credentials;
}

static void expect_key(struct s3_credentials *credentials, bool renew, const char *access)
{
	CLEANUP_KEY struct s3_key key = {0};
	assert_int_equal(s3_credentials_get(credentials, renew, &key, NULL), 0);
	assert_string_equal(key.access, access);
	assert_string_equal(key.secret, "s3cret");
	assert_string_equal(key.token, "t0ken");
}

static void test_instance(void **state)
{
	CLEANUP_CREDENTIALS struct s3_credentials *credentials = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	script_answer("200 OK", "", "imds-token");
	script_answer("200 OK", "", "the role");
	script_keys("FIRST", 3600);
	script_answer("200 OK", "", "imds-token");
	script_answer("200 OK", "", "the role");
	script_keys("SECOND", 3600);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", script_start(), 1);
	credentials = open_chain(&fault);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	assert_non_null(credentials);
	assert_string_equal(s3_credentials_provider(credentials), "the instance metadata service");
	expect_key(credentials, false, "FIRST");
	expect_key(credentials, true, "SECOND");
	const char *requests = script_stop();
	assert_int_equal(script_occurs(requests, "PUT /latest/api/token "), 2);
	assert_int_equal(script_occurs(requests,
				 "GET /latest/meta-data/iam/security-credentials/the%20role "),
		2);
	assert_int_equal(script_occurs(requests, "x-aws-ec2-metadata-token: imds-token\r\n"), 4);
}

static void test_container(void **state)
{
	CLEANUP_CREDENTIALS struct s3_credentials *credentials = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	script_keys("FIRST", 200); /* so near its end that it is fetched anew */
	script_keys("SECOND", 3600);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", script_start(), 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x", 1);
	credentials = open_chain(&fault);
	assert_non_null(credentials);
	expect_key(credentials, false, "SECOND");
	expect_key(credentials, false, "SECOND");
	const char *requests = script_stop();
	assert_int_equal(script_occurs(requests, "authorization: Bearer x\r\n"), 2);
	s3_credentials_close(&credentials);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/keys", 1);
	assert_null(open_chain(&fault));
	assert_non_null(strstr(fault_what(&fault), "neither https nor on this machine"));
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
}

static void test_web_identity(void **state)
{
	CLEANUP_CREDENTIALS struct s3_credentials *credentials = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	script_answer("200 OK", "",
		"<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/"
		"2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials>"
		"<SessionToken>t0ken</SessionToken><SecretAccessKey>s3cret</SecretAccessKey>"
		"<Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>WEB</AccessKeyId>"
		"</Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>");
	script_answer("400 Bad", "",
		"<ErrorResponse><Error><Code>ExpiredTokenException</Code>"
		"<Message>too old</Message></Error></ErrorResponse>");
	setenv("AWS_ENDPOINT_URL_STS", script_start(), 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token_path, 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x", 1);
	credentials = open_chain(&fault);
	assert_non_null(credentials);
	expect_key(credentials, false, "WEB");
	CLEANUP_KEY struct s3_key key = {0};
	assert_int_equal(s3_credentials_get(credentials, true, &key, &fault), -EACCES);
	assert_non_null(strstr(fault_what(&fault), "ExpiredTokenException: too old"));
	assert_null(strstr(fault_what(&fault), "the+token"));
	const char *requests = script_stop();
	assert_int_equal(script_occurs(requests,
				 "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%"
				 "3Arole%2Fx&RoleSessionName=upkeep&Version=2011-06-15&"
				 "WebIdentityToken=the%2Btoken"),
		2);
	unsetenv("AWS_ENDPOINT_URL_STS");
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	unsetenv("AWS_ROLE_ARN");
}

static void test_environment(void **state)
{
	CLEANUP_CREDENTIALS struct s3_credentials *credentials = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	assert_null(open_chain(&fault));
	setenv("AWS_SECRET_ACCESS_KEY", "s3cret", 1);
	setenv("AWS_SESSION_TOKEN", "t0ken", 1);
	credentials = open_chain(&fault);
	assert_non_null(credentials);
	expect_key(credentials, false, "ENV");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	assert_null(open_chain(&fault));
	assert_non_null(strstr(fault.next, "set access_key and secret_key"));
	const struct s3_credentials_settings half = {.access_key = "A", .cancel_fd = -1};
	struct s3_credentials *none = NULL;
	assert_int_equal(s3_credentials_open(&none, &half, &fault), -EINVAL);
}

static int start(void **state)
{
	int fd = mkstemp(token_path);
	if (fd < 0 || write(fd, "the+token\n", 10) != 10)
		return -1;
	close(fd);
	return server_without(state);
}

static int stop(void **state)
{
	(void)state;
	return unlink(token_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_web_identity),
		cmocka_unit_test(test_environment),
	};
	return !!cmocka_run_group_tests(tests, start, stop);
}

/* SPDX-License-Identifier: MIT */
/* What the S3 client reads: XML answers, the shared files, ETags, times. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3-profile.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"
#include "tests/unit.h"

/* ---- XML --------------------------------------------------------------------- */

static void write_ends(void *arg, const char *path, const char *text)
{
	fprintf(arg, "%s=%s;", path, text);
}

static char *ends_of(const char *xml, int *ret)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	*ret = s3_xml_read(xml, strlen(xml), write_ends, f);
	fclose(f);
	return text;
}

static void test_xml(void **state)
{
	int r;
	(void)state;
	CLEANUP_FREE char *ends =
		ends_of("<?xml version=\"1.0\"?><R xmlns=\"urn:x\"><A>1&lt;2</A>\n "
			"<b:B xmlns:b=\"urn:y\"><C/>tail</b:B></R>",
			&r);
	assert_int_equal(r, 0);
	assert_string_equal(ends, "R/A=1<2;R/B/C=;R/B=tail;R=;");
}

static void refuses(const char *xml)
{
	int r;
	CLEANUP_FREE char *ends = ends_of(xml, &r);
	if (r != -EBADMSG)
		fail_msg("%s: %d", xml, r);
}

static void test_xml_refused(void **state)
{
	char deep[17 * 3 + 17 * 4 + 1] = "";
	(void)state;
	for (int i = 0; i < 17; i++)
		memcpy(deep + 3 * i, "<a>", 3);
	for (int i = 0; i < 17; i++)
		memcpy(deep + 17 * 3 + 4 * i, "</a>", 4);
	refuses("");
	refuses("<a><b></a>");
	refuses("{\"a\": 1}");
	refuses("<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>");
	refuses("<a>\xff</a>");
	refuses(deep);
}

static void test_xml_find(void **state)
{
	static const char xml[] = "<Error><Code>NoSuchKey</Code><Code>Other</Code></Error>";
	(void)state;
	CLEANUP_FREE char *code = s3_xml_find(xml, strlen(xml), "Error/Code");
	assert_string_equal(code, "NoSuchKey");
	assert_null(s3_xml_find(xml, strlen(xml), "Code"));
	assert_null(s3_xml_find(xml, strlen(xml) - 1, "Error/Code"));
}

static void test_xml_escape(void **state)
{
	(void)state;
	CLEANUP_FREE char *text = s3_xml_escape("a<b>&\"'\r\n");
	assert_string_equal(text, "a&#60;b&#62;&#38;&#34;&#39;&#13;&#10;");
}

/* ---- the shared files ---------------------------------------------------------- */

static char dir[] = "/tmp/test_s3_texts.XXXXXX";
static char credentials_path[64], config_path[64];

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_files(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(credentials_path, sizeof credentials_path, "%s/credentials", dir);
	snprintf(config_path, sizeof config_path, "%s/config", dir);
	write_text(credentials_path,
		"# a comment\n"
		"[default]\n"
		"aws_access_key_id = ONE\n"
		"aws_secret_access_key=a/b+c=\n"
		"\n"
		"[ backup ]\r\n"
		"aws_access_key_id\t=  TWO  \r\n"
		"aws_secret_access_key = two\r\n"
		"aws_session_token = token==\r\n"
		"region = credentials-region\n");
	write_text(config_path,
		"[default]\n"
		"region = eu-central-1\n"
		"s3 =\n"
		"  region = nested\n"
		"; another comment\n"
		"aws_access_key_id = not this one\n"
		"[profile backup]\n"
		"region = eu-west-3\n"
		"[profile web]\n"
		"role_arn = arn:aws:iam::1:role/x\n"
		"web_identity_token_file = /token\n"
		"role_session_name = me\n"
		"[profile process]\n"
		"credential_process = /bin/keys\n"
		"[backup2]\n"
		"region = without the word profile\n");
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(credentials_path);
	unlink(config_path);
	return rmdir(dir);
}

static int parse(const char *name, struct s3_profile *ret, struct fault *fault)
{
	return s3_profile_parse(credentials_path, config_path, name, ret, fault);
}

static void test_profiles(void **state)
{
	CLEANUP_PROFILE struct s3_profile first = {0}, backup = {0}, web = {0}, process = {0};
	(void)state;
	assert_int_equal(parse("default", &first, NULL), 0);
	assert_string_equal(first.access, "ONE");
	assert_string_equal(first.secret, "a/b+c=");
	assert_null(first.token);
	assert_string_equal(first.region, "eu-central-1");
	assert_string_equal(first.file, credentials_path);
	assert_int_equal(parse("backup", &backup, NULL), 0);
	assert_string_equal(backup.access, "TWO");
	assert_string_equal(backup.secret, "two");
	assert_string_equal(backup.token, "token==");
	assert_string_equal(backup.region, "credentials-region");
	assert_int_equal(parse("web", &web, NULL), 0);
	assert_string_equal(web.role, "arn:aws:iam::1:role/x");
	assert_string_equal(web.token_file, "/token");
	assert_string_equal(web.session, "me");
	assert_string_equal(web.file, config_path);
	assert_int_equal(parse("process", &process, NULL), 0);
	assert_string_equal(process.other, "credential_process");
}

static void test_profiles_missing(void **state)
{
	CLEANUP_PROFILE struct s3_profile profile = {0};
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	assert_int_equal(parse("backup2", &profile, &fault), -ENOENT);
	assert_non_null(strstr(fault_what(&fault), "\"backup2\""));
	assert_int_equal(parse("back", &profile, NULL), -ENOENT);
	assert_int_equal(
		s3_profile_parse("/nowhere/a", "/nowhere/b", "default", &profile, NULL), -ENOENT);
	assert_int_equal(s3_profile_parse("/tmp", config_path, "web", &profile, &fault), -EIO);
}

/* ---- small texts ------------------------------------------------------------------ */

static void test_etag(void **state)
{
	CLEANUP_FREE char *quoted = s3_etag("\"abc-2\"");
	CLEANUP_FREE char *bare = s3_etag("abc");
	CLEANUP_FREE char *one = s3_etag("\"");
	(void)state;
	assert_string_equal(quoted, "abc-2");
	assert_string_equal(bare, "abc");
	assert_string_equal(one, "\"");
	assert_null(s3_etag(NULL));
}

/* Two parts of zeros, 5 MiB and 1 byte: what Ceph RGW says of the object. */
static void test_parts_etag(void **state)
{
	struct s3_part parts[] = {{1, 5 << 20, (char[]){"5f363e0e58a95f06cbe9bbc662c5dfb6"}, NULL},
		{2, 1, (char[]){"93b885adfe0da089cdf634904fd59f71"}, NULL}};
	(void)state;
	CLEANUP_FREE char *etag = s3_parts_etag(parts, 2);
	assert_string_equal(etag, "92f3a08aa3b1d7eb318ab9c2fc4a6ec3-2");
	parts[1].etag[0] = 'x';
	assert_null(s3_parts_etag(parts, 2));
	assert_null(s3_parts_etag(parts, 0));
}

static void test_time(void **state)
{
	(void)state;
	assert_int_equal(s3_time("2015-08-30T12:36:00.000Z"), 1440938160);
	assert_int_equal(s3_time("2015-08-30T12:36:00Z"), 1440938160);
	assert_int_equal(s3_time("yesterday"), 0);
	assert_int_equal(s3_time(NULL), 0);
}

static void test_body_hash(void **state)
{
	char by_memory[SIGV4_HASH_TEXT], by_fd[SIGV4_HASH_TEXT];
	const struct http_body bytes = {.bytes = "[profile web]", .size = 13};
	CLEANUP_FD int fd = open(config_path, O_RDONLY | O_CLOEXEC);
	(void)state;
	char text[4096];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	assert_true(n > 0);
	text[n] = 0;
	const struct http_body part = {
		.fd = fd, .offset = (uint64_t)(strstr(text, "[profile web]") - text), .size = 13};
	assert_int_equal(s3_body_hash(&bytes, by_memory, NULL), 0);
	assert_int_equal(s3_body_hash(&part, by_fd, NULL), 0);
	assert_string_equal(by_memory, by_fd);
	const struct http_body past = {.fd = fd, .offset = (uint64_t)n - 1, .size = 2};
	assert_int_equal(s3_body_hash(&past, by_fd, NULL), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml),
		cmocka_unit_test(test_xml_refused),
		cmocka_unit_test(test_xml_find),
		cmocka_unit_test(test_xml_escape),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_profiles_missing),
		cmocka_unit_test(test_etag),
		cmocka_unit_test(test_parts_etag),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_body_hash),
	};
	return !!cmocka_run_group_tests(tests, make_files, remove_files);
}

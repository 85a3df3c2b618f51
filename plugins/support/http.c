/* SPDX-License-Identifier: MIT */
#include "support/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "support/cleanup.h"

#define TEXT_LIMIT ((size_t)1 << 20)
#define BUFFER_BYTES (512L << 10)

struct http {
	CURLM *multi;
	CURL *easy;
	char *ca_file;
	int cancel_fd;
	long connect_timeout_ms, stall_timeout_s;
	bool direct;
};

/* One request on its way. */
struct passage {
	CURL *easy;
	const struct http_request *request;
	struct http_answer *answer;
	uint64_t sent; /* bytes of the body */
	size_t text_limit, text_room;
	int stopped; /* a negative errno of ours */
	char error[CURL_ERROR_SIZE];
};

int http_open(struct http **ret, const struct http_settings *settings, struct fault *fault)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fault_set(fault, -ENOMEM, NULL, "libcurl cannot be started");
	struct http *http = fault_alloc(sizeof *http);
	http->cancel_fd = settings->cancel_fd;
	http->connect_timeout_ms =
		settings->connect_timeout_ms ? (long)settings->connect_timeout_ms : 10000;
	http->stall_timeout_s =
		settings->stall_timeout_ms ? (long)((settings->stall_timeout_ms + 999) / 1000) : 60;
	http->direct = settings->direct;
	if (settings->ca_file && settings->ca_file[0])
		http->ca_file = fault_format("%s", settings->ca_file);
	http->multi = curl_multi_init();
	http->easy = curl_easy_init();
	*ret = http;
	if (!http->multi || !http->easy) {
		http_close(ret);
		return fault_set(fault, -ENOMEM, NULL, "libcurl cannot be started");
	}
	return 0;
}

void http_close(struct http **http)
{
	if (!*http)
		return;
	curl_easy_cleanup((*http)->easy);
	curl_multi_cleanup((*http)->multi);
	free((*http)->ca_file);
	free(*http);
	*http = NULL;
}

static size_t read_body(char *to, size_t size, size_t count, void *arg)
{
	struct passage *passage = arg;
	const struct http_body *body = passage->request->body;
	uint64_t left = body->size - passage->sent;
	size_t want = size * count < left ? size * count : (size_t)left;
	if (body->bytes) {
		memcpy(to, (const char *)body->bytes + passage->sent, want);
		passage->sent += want;
		return want;
	}
	ssize_t n;
	do {
		n = pread(body->fd, to, want, (off_t)(body->offset + passage->sent));
	} while (n < 0 && errno == EINTR);
	if (n < 0 || (n == 0 && want)) {
		passage->stopped = -EIO;
		return CURL_READFUNC_ABORT;
	}
	passage->sent += (uint64_t)n;
	return (size_t)n;
}

/* A kept connection that turned out to be dead makes libcurl begin again. */
static int seek_body(void *arg, curl_off_t offset, int origin)
{
	struct passage *passage = arg;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > passage->request->body->size)
		return CURL_SEEKFUNC_FAIL;
	passage->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int add_text(struct passage *passage, const char *bytes, size_t size)
{
	struct http_answer *answer = passage->answer;
	if (size > passage->text_limit - answer->size)
		return -EFBIG;
	if (answer->size + size + 1 > passage->text_room) {
		passage->text_room = 2 * (answer->size + size) + 1024;
		answer->text = fault_resize(answer->text, passage->text_room, 1);
	}
	memcpy(answer->text + answer->size, bytes, size);
	answer->size += size;
	answer->text[answer->size] = 0;
	return 0;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct passage *passage = arg;
	long status = 0;
	curl_easy_getinfo(passage->easy, CURLINFO_RESPONSE_CODE, &status);
	if (passage->request->sink && (status == 200 || status == 206))
		passage->stopped =
			passage->request->sink(passage->request->sink_arg, bytes, size * count);
	else
		passage->stopped = add_text(passage, bytes, size * count);
	return passage->stopped ? CURL_WRITEFUNC_ERROR : size * count;
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
	struct passage *passage = arg;
	struct http_answer *answer = passage->answer;
	size_t length = size * count;
	while (length && (line[length - 1] == '\r' || line[length - 1] == '\n'))
		length--;
	if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* not those of a 100 before it */
		http_answer_free(answer);
		passage->text_room = 0;
	} else if (length && answer->header_count < 256) {
		answer->headers = fault_resize(
			answer->headers, answer->header_count + 1, sizeof *answer->headers);
		answer->headers[answer->header_count++] = fault_format("%.*s", (int)length, line);
	}
	return size * count;
}

static void set_method(CURL *easy, struct passage *passage)
{
	const struct http_request *request = passage->request;
	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body->size);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, passage);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, passage);
	} else if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_transport(const struct http *http, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (http->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	if (http->direct)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, http->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, http->stall_timeout_s);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
}

static void set_up(const struct http *http, struct passage *passage, struct curl_slist *headers)
{
	CURL *easy = passage->easy;
	curl_easy_reset(easy);
	set_transport(http, easy);
	curl_easy_setopt(easy, CURLOPT_URL, passage->request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, passage->error);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, passage);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, passage);
	set_method(easy, passage);
}

/* Drives it to its end, or until the cancel descriptor says stop. */
static int drive(struct http *http, CURLcode *ret)
{
	int running = 1;
	struct curl_waitfd cancel = {.fd = http->cancel_fd, .events = CURL_WAIT_POLLIN};
	while (running) {
		cancel.revents = 0;
		CURLMcode code = curl_multi_perform(http->multi, &running);
		if (code == CURLM_OK && running)
			code = curl_multi_poll(
				http->multi, &cancel, http->cancel_fd >= 0, 1000, NULL);
		if (code != CURLM_OK)
			return -EPROTO;
		if (cancel.revents)
			return -ECANCELED;
	}
	int left;
	CURLMsg *message;
	while ((message = curl_multi_info_read(http->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			*ret = message->data.result;
	return 0;
}

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return -ECONNRESET;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return -EKEYREJECTED;
	default:
		return -EPROTO;
	}
}

static int explain(const struct http *http, const struct passage *passage, int r, CURLcode code,
	struct fault *fault)
{
	const char *host = passage->request->url;
	int length = (int)strcspn(host, "?");
	if (r == -ECANCELED)
		return fault_set(fault, r, NULL, "stopped");
	if (passage->stopped == -EFBIG)
		return fault_set(fault, -EFBIG, NULL, "the answer of %.*s is longer than it may be",
			length, host);
	if (passage->stopped)
		return fault_set(fault, passage->stopped, NULL, "%s", strerror(-passage->stopped));
	if (r < 0)
		return fault_set(fault, r, NULL, "libcurl failed at %.*s", length, host);
	const char *next = NULL;
	if (code_of(code) == -EKEYREJECTED)
		next = http->ca_file ? "look whether ca_file holds the certificate of who signed "
				       "the server's"
				     : "set ca_file to the certificate of who signed the "
				       "server's";
	return fault_set(fault, code_of(code), next, "%.*s: %s", length, host,
		passage->error[0] ? passage->error : curl_easy_strerror(code));
}

static struct curl_slist *make_headers(const struct http_request *request)
{
	struct curl_slist *list = NULL;
	for (size_t i = 0; i < request->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
		if (!longer) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

int http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
	struct fault *fault)
{
	struct passage passage = {.easy = http->easy,
		.request = request,
		.answer = answer,
		.text_limit = request->text_limit ? request->text_limit : TEXT_LIMIT};
	struct curl_slist *headers = make_headers(request);
	if (request->header_count && !headers)
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	set_up(http, &passage, headers);
	CURLcode code = CURLE_OK;
	int r = curl_multi_add_handle(http->multi, http->easy) == CURLM_OK ? 0 : -EPROTO;
	if (r == 0)
		r = drive(http, &code);
	long status = 0;
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(http->multi, http->easy);
	curl_slist_free_all(headers);
	answer->status = (int)status;
	if (!answer->text)
		answer->text = fault_alloc(1);
	if (r < 0 || code != CURLE_OK)
		return explain(http, &passage, r, code, fault);
	return 0;
}

const char *http_header(const struct http_answer *answer, const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < answer->header_count; i++) {
		const char *line = answer->headers[i];
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

void http_answer_free(struct http_answer *answer)
{
	for (size_t i = 0; i < answer->header_count; i++)
		free(answer->headers[i]);
	free(answer->headers);
	free(answer->text);
	*answer = (struct http_answer){.status = answer->status};
}

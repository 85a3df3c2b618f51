/* SPDX-License-Identifier: MIT */
/* What tests ask afterwards. */
#include "testing/fake.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole of a memfd, with a NUL. */
static char *load(int fd, size_t *ret_size)
{
	struct stat st = {0};
	size_t size = 0;

	if (fd >= 0)
		fstat(fd, &st);
	char *bytes = base_alloc((size_t)st.st_size + 1);
	while (size < (size_t)st.st_size) {
		ssize_t n = pread(fd, bytes + size, (size_t)st.st_size - size, (off_t)size);
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return bytes;
}

const char *upkeep_test_log(struct upkeep_test *test)
{
	size_t size;

	free(test->log);
	test->log = load(test->log_fd, &size);
	return test->log;
}

const void *upkeep_test_written(struct upkeep_test *test, size_t *ret_size)
{
	free(test->written);
	test->written = load(test->has_output ? test->out : -1, ret_size);
	return test->written;
}

size_t upkeep_test_warnings(const struct upkeep_test *test)
{
	return test->warnings;
}

const char *upkeep_test_what(const struct upkeep_test *test)
{
	return test->what ? test->what : "";
}

const char *upkeep_test_why(const struct upkeep_test *test)
{
	return test->why ? test->why : "";
}

const char *upkeep_test_next(const struct upkeep_test *test)
{
	return test->next ? test->next : "";
}

const char *upkeep_test_output(const struct upkeep_test *test, const char *name)
{
	for (size_t i = test->outputs.count; i-- > 0;)
		if (text_equal(test->outputs.items[i].name, name))
			return test->outputs.items[i].value;
	return NULL;
}

size_t upkeep_test_output_count(const struct upkeep_test *test, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < test->outputs.count; i++)
		count += text_equal(test->outputs.items[i].name, name);
	return count;
}

size_t upkeep_test_rows(const struct upkeep_test *test, const char *table)
{
	size_t count = 0;

	for (size_t i = 0; i < test->rows.count; i++)
		count += text_equal(test->rows.items[i].table, table);
	return count;
}

const char *upkeep_test_cell(
	const struct upkeep_test *test, const char *table, size_t row, const char *column)
{
	for (size_t i = 0; i < test->rows.count; i++) {
		const struct fake_row *at = &test->rows.items[i];
		if (!text_equal(at->table, table) || row-- > 0)
			continue;
		for (size_t j = 0; j < at->count; j++)
			if (text_equal(at->cells[j].name, column))
				return at->cells[j].value;
		break;
	}
	return NULL;
}

size_t upkeep_test_woulds(const struct upkeep_test *test)
{
	return test->woulds.count;
}

const char *upkeep_test_would(const struct upkeep_test *test, size_t i)
{
	return i < test->woulds.count ? test->woulds.items[i].name : NULL;
}

const char *upkeep_test_would_undo(const struct upkeep_test *test, size_t i)
{
	return i < test->woulds.count ? test->woulds.items[i].value : NULL;
}

uint64_t upkeep_test_progress(const struct upkeep_test *test, uint64_t *ret_total)
{
	if (ret_total)
		*ret_total = test->total;
	return test->done;
}

size_t upkeep_test_records(const struct upkeep_test *test)
{
	return test->records.count;
}

const struct upkeep_undo *upkeep_test_record(const struct upkeep_test *test, size_t i)
{
	return i < test->records.count ? &test->records.items[i].undo : NULL;
}

uint32_t upkeep_test_record_state(const struct upkeep_test *test, size_t i)
{
	return i < test->records.count ? test->records.items[i].state : UINT32_MAX;
}

const char *upkeep_test_fingerprint(const struct upkeep_test *test, size_t i)
{
	return i < test->records.count ? test->records.items[i].fingerprint : NULL;
}

/* SPDX-License-Identifier: MIT */
#include "s3-upload/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "support/s3.h"

#define MIB ((uint64_t)1 << 20)
#define STEP 1000u
#define FILE_PART (16 * MIB)

static uint64_t clamp(uint64_t size)
{
	size = size / MIB * MIB;
	return size < S3_PART_MIN ? S3_PART_MIN : size > S3_PART_MAX ? S3_PART_MAX : size;
}

struct parts parts_of_stream(uint64_t memory_bytes)
{
	return (struct parts){
		.first = clamp(memory_bytes / 16), .largest = clamp(memory_bytes / 2)};
}

struct parts parts_of_file(uint64_t size_bytes)
{
	uint64_t size = size_bytes / S3_PARTS_MAX + MIB;
	size = clamp(size < FILE_PART ? FILE_PART : size);
	return (struct parts){.first = size, .largest = size};
}

uint64_t parts_size(const struct parts *parts, unsigned number)
{
	unsigned doublings = (number - 1) / STEP;
	for (uint64_t size = parts->first;; size *= 2)
		if (size >= parts->largest)
			return parts->largest;
		else if (doublings-- == 0)
			return size;
}

uint64_t parts_offset(const struct parts *parts, unsigned number)
{
	uint64_t offset = 0;
	for (unsigned first = 1; first < number; first += STEP) {
		unsigned many = number - first < STEP ? number - first : STEP;
		offset += many * parts_size(parts, first);
	}
	return offset;
}

unsigned parts_count(const struct parts *parts, uint64_t size_bytes)
{
	for (unsigned first = 1;; first += STEP) {
		uint64_t offset = parts_offset(parts, first), size = parts_size(parts, first);
		if (offset + STEP * size < size_bytes)
			continue;
		uint64_t more = (size_bytes - offset + size - 1) / size;
		return first - 1 + (unsigned)more + (size_bytes == 0);
	}
}

uint64_t parts_limit(const struct parts *parts)
{
	return parts_offset(parts, S3_PARTS_MAX + 1);
}

void parts_write(const struct parts *parts, char ret[PARTS_TEXT])
{
	snprintf(ret, PARTS_TEXT, "%" PRIu64 "-%" PRIu64, parts->first, parts->largest);
}

int parts_read(struct parts *ret, const char *text)
{
	int used = 0;
	if (!text ||
		sscanf(text, "%" SCNu64 "-%" SCNu64 "%n", &ret->first, &ret->largest, &used) != 2 ||
		text[used] || !ret->first || ret->first > ret->largest ||
		ret->largest > S3_PART_MAX)
		return -EINVAL;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "support/s3-xml.h"

#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fault.h"

#define DEPTH_MAX 16
#define PATH_ROOM 512

struct reading {
	XML_Parser parser;
	s3_xml_end end;
	void *arg;
	char path[PATH_ROOM];
	size_t lengths[DEPTH_MAX], depth; /* of the path before each element */
	char *text;
	size_t size, room;
	bool refused;
};

static void refuse(struct reading *reading)
{
	reading->refused = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL begin(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *reading = arg;
	const char *colon = strrchr(name, ':');
	const char *local = colon ? colon + 1 : name;
	size_t length = strlen(reading->path);
	(void)attributes;
	if (reading->depth == DEPTH_MAX || length + strlen(local) + 2 > sizeof reading->path) {
		refuse(reading);
		return;
	}
	reading->lengths[reading->depth++] = length;
	snprintf(reading->path + length, sizeof reading->path - length, "%s%s", length ? "/" : "",
		local);
	reading->size = 0;
}

static void XMLCALL end(void *arg, const XML_Char *name)
{
	struct reading *reading = arg;
	(void)name;
	if (reading->refused)
		return;
	if (reading->size)
		reading->text[reading->size] = 0;
	reading->end(reading->arg, reading->path, reading->size ? reading->text : "");
	reading->path[reading->lengths[--reading->depth]] = 0;
	reading->size = 0;
}

static void XMLCALL add(void *arg, const XML_Char *bytes, int size)
{
	struct reading *reading = arg;
	if (reading->size + (size_t)size + 1 > reading->room) {
		reading->room = 2 * (reading->size + (size_t)size) + 256;
		reading->text = fault_resize(reading->text, reading->room, 1);
	}
	memcpy(reading->text + reading->size, bytes, (size_t)size);
	reading->size += (size_t)size;
}

static void XMLCALL doctype(void *arg, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	refuse(arg);
}

int s3_xml_read(const char *text, size_t size, s3_xml_end at_end, void *arg)
{
	struct reading reading = {.parser = XML_ParserCreate(NULL), .end = at_end, .arg = arg};
	for (; size && strchr(" \r\n\t", *text); text++)
		size--;
	if (!reading.parser)
		return -ENOMEM;
	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, begin, end);
	XML_SetCharacterDataHandler(reading.parser, add);
	XML_SetStartDoctypeDeclHandler(reading.parser, doctype);
	int r = size <= INT32_MAX && XML_Parse(reading.parser, text, (int)size, 1) == XML_STATUS_OK
		? 0
		: -EBADMSG;
	XML_ParserFree(reading.parser);
	free(reading.text);
	return reading.refused ? -EBADMSG : r;
}

struct finding {
	const char *path;
	char *found;
};

static void find(void *arg, const char *path, const char *text)
{
	struct finding *finding = arg;
	if (!finding->found && strcmp(path, finding->path) == 0)
		finding->found = fault_format("%s", text);
}

char *s3_xml_find(const char *text, size_t size, const char *path)
{
	struct finding finding = {.path = path};
	if (s3_xml_read(text, size, find, &finding) == 0)
		return finding.found;
	free(finding.found);
	return NULL;
}

char *s3_xml_escape(const char *text)
{
	char *escaped = fault_alloc(6 * strlen(text) + 1), *to = escaped;
	for (; *text; text++)
		if (strchr("<>&\"'\r\n\t", *text))
			to += snprintf(to, 7, "&#%d;", *text);
		else
			*to++ = *text;
	return escaped;
}

/* JSON of texts from outside: messages, names of files, output. */
#ifndef UPKEEP_BASE_JSON_H
#define UPKEEP_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

/* A string of any bytes: what is not UTF-8, which JSON is, stands in it as \xHH; null for NULL. */
json_t *json_text(const char *text);
json_t *json_textn(const char *bytes, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* A third of the letters may be wrong, at most three; in the shortest names one. */
struct nearest nearest_start(const char *wanted)
{
	size_t n = strlen(wanted);

	return (struct nearest){.wanted = wanted, .limit = n < 6 ? 1 : n < 9 ? 2 : 3};
}

void nearest_try(struct nearest *nearest, const char *name)
{
	if (nearest->best && nearest->limit == 0)
		return;
	unsigned limit = nearest->best ? nearest->limit - 1 : nearest->limit;
	unsigned distance = text_distance(nearest->wanted, name, limit);
	if (distance <= limit) {
		nearest->best = name;
		nearest->limit = distance;
	}
}

void nearest_try_words(
	struct nearest *nearest, const char *words, char *buffer, unsigned buffer_size)
{
	char word[64];

	while (*words) {
		size_t n = strcspn(words, " |");
		if (n && n < sizeof word && n < buffer_size) {
			memcpy(word, words, n);
			word[n] = 0;
			const char *before = nearest->best;
			nearest_try(nearest, word);
			if (nearest->best != before) {
				memcpy(buffer, word, n + 1);
				nearest->best = buffer;
			}
		}
		words += n + (words[n] != 0);
	}
}

const char *nearest_question(const struct nearest *nearest, char *buffer, unsigned size)
{
	if (!nearest->best)
		return NULL;
	snprintf(buffer, size, "did you mean \"%s\"?", nearest->best);
	return buffer;
}

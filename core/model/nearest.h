/* The nearest known name, for "did you mean". */
#ifndef UPKEEP_MODEL_NEAREST_H
#define UPKEEP_MODEL_NEAREST_H

struct nearest {
	const char *wanted;
	const char *best; /* NULL: none is near enough */
	unsigned limit;   /* the best so far is this far away, less one */
};

struct nearest nearest_start(const char *wanted);
/* Offers a known name; the first of equally near ones wins. */
void nearest_try(struct nearest *nearest, const char *name);
/* Each of the space-separated words. Their copies live in `buffer`. */
void nearest_try_words(
	struct nearest *nearest, const char *words, char *buffer, unsigned buffer_size);
/* `did you mean "NAME"?` in the caller's buffer, or NULL. */
const char *nearest_question(const struct nearest *nearest, char *buffer, unsigned size);

#endif

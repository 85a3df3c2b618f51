/* An object that is being fetched: what the files of s3-upload.get share. */
#ifndef S3_UPLOAD_GET_H
#define S3_UPLOAD_GET_H

#include "s3-upload/actions.h"
#include "s3-upload/reader.h"
#include "support/store.h"
#include "support/swap.h"

struct get {
	struct upkeep_ctx *ctx;
	const struct get_args *args;
	struct place place;
	char *key;  /* whole */
	int stream; /* -1: to the file */
	struct s3_object object;
	struct reader_source source;
	const char *wanted; /* the SHA-256 that it must have; NULL: not known */
	struct swap target; /* the file: where it is to be, and the directory it comes into first */
	uint64_t stage_record;
	char hash[STORE_HASH_TEXT];
	unsigned retries;
	bool replaced; /* what was there before lies in the stage directory now */
};

/* Fetches it into its place (get-file.c). */
int get_file(struct get *get, struct fault *fault);
/* The bytes, into the descriptor of an empty or partly filled file (get-parts.c). */
int get_parts(struct get *get, int fd, struct fault *fault);
/* The SHA-256 is the one that is wanted. */
int get_check_hash(const struct get *get, struct fault *fault);
/* Removes a stage directory and what is left in it; 0 also where there is none. */
int get_drop_stage(const char *stage, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
#include "model/describe.h"

#define OUTPUT_TYPES "string|int|float|bool|size|duration|percent|time|path|hostport|url"

static const struct upkeep_param output_fields[] = {
	{.name = "name",
		.about = "name of the output",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY},
	{.name = "type",
		.about = "its type",
		.type = UPKEEP_CHOICE,
		.choices = OUTPUT_TYPES,
		.preset = "string"},
	{.name = "about", .about = "one sentence about it", .type = UPKEEP_STRING},
};

static const struct upkeep_param exec_params[] = {
	{.name = "argv",
		.about = "the program (absolute, or a bare name searched in the fixed path)"
			 " and its arguments, never handed to a shell",
		.type = UPKEEP_LIST | UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_SEARCHED},
	{.name = "stdout",
		.about = "file that gets the standard output, under a temporary name"
			 " first, renamed at success",
		.type = UPKEEP_PATH},
	{.name = "capture",
		.about = "keep the standard output (up to 64 KiB) as output \"stdout\"",
		.type = UPKEEP_CHOICE,
		.choices = "text|json"},
	{.name = "outputs",
		.about = "further outputs, written as name=value lines to descriptor 3",
		.type = UPKEEP_LIST | UPKEEP_GROUP,
		.fields = output_fields,
		.field_count = UPKEEP_COUNT(output_fields)},
	{.name = "changes",
		.about = "what the program changes",
		.type = UPKEEP_CHOICE,
		.choices = "unknown|none|irreversible",
		.preset = "unknown"},
	{.name = "ok",
		.about = "exit codes that mean success",
		.type = UPKEEP_LIST | UPKEEP_INT,
		.min = 0,
		.max = 255,
		.preset = "0"},
	{.name = "transient",
		.about = "exit codes that are worth a retry",
		.type = UPKEEP_LIST | UPKEEP_INT,
		.min = 0,
		.max = 255,
		.preset = "75"},
};
static const struct upkeep_output exec_outputs[] = {
	{.name = "stdout",
		.about = "what the program printed (with capture)",
		.type = UPKEEP_STRING},
	{.name = "exit", .about = "its exit code", .type = UPKEEP_INT},
};

static const struct upkeep_param graph_params[] = {
	{.name = "graph",
		.about = "name of the graph",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY},
	{.name = "params", .about = "values of its parameters", .type = UPKEEP_GROUP},
};

static const struct upkeep_param confirm_params[] = {
	{.name = "question",
		.about = "what the person is asked",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_NONEMPTY,
		.preset = "Go on?"},
	{.name = "items",
		.about = "the checklist, answered one by one",
		.type = UPKEEP_LIST | UPKEEP_STRING},
	{.name = "answers",
		.about = "file of recorded answers, one \"item = yes\" or \"item = no\""
			 " to a line; what it does not answer is asked",
		.type = UPKEEP_PATH},
};
static const struct upkeep_output confirm_outputs[] = {
	{.name = "by", .about = "who confirmed", .type = UPKEEP_STRING},
};

#define TABLE(table) .params = (table), .param_count = UPKEEP_COUNT(table)
static const struct action_description actions[] = {
	{.decl = {.name = "exec",
		 .about = "Run a program, without a shell",
		 .changes = UPKEEP_CHANGES_UNKNOWN,
		 .flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_OUT | UPKEEP_LEAVES_RUNNING,
		 TABLE(exec_params),
		 UPKEEP_OUTPUTS(exec_outputs)}},
	{.decl = {.name = "graph",
		 .about = "Run another graph inside this one, as task/sub",
		 .changes = UPKEEP_CHANGES_NONE,
		 TABLE(graph_params)}},
	{.decl = {.name = "confirm",
		 .about = "Ask a person to go through a checklist",
		 .changes = UPKEEP_CHANGES_NONE,
		 TABLE(confirm_params),
		 UPKEEP_OUTPUTS(confirm_outputs)}},
};

const struct plugin_description core_description = {
	.name = "core",
	.version = "1.0",
	.about = "Actions of upkeep itself",
	.abi_major = UPKEEP_ABI_MAJOR,
	.abi_minor = UPKEEP_ABI_MINOR,
	.actions = actions,
	.action_count = UPKEEP_COUNT(actions),
};

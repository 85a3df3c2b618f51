/* SPDX-License-Identifier: MIT */
#include "plan/condition.h"

#include <ctype.h>
#include <string.h>

enum { DEEPEST = 64 };

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_COMPARE, NODE_TRUTH };
enum comparison { EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

struct operand {
	bool is_reference;
	struct piece piece;
	uint32_t type;    /* of a literal */
	const char *text; /* of a literal, without quotes */
};
struct condition {
	enum node_kind kind;
	enum comparison comparison;
	struct condition *left, *right;
	struct operand operands[2];
};

struct parser {
	struct arena *arena;
	const char *at;
	unsigned depth;
	struct error *err;
};

static struct condition *parse_or(struct parser *p);

static struct condition *node_new(
	struct parser *p, enum node_kind kind, struct condition *left, struct condition *right)
{
	struct condition *node = arena_new(p->arena, struct condition);

	node->kind = kind;
	node->left = left;
	node->right = right;
	return node;
}

static void skip_space(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	skip_space(p);
	if (strncmp(p->at, word, n) != 0 || isalnum((unsigned char)p->at[n]) || p->at[n] == '_')
		return false;
	p->at += n;
	return true;
}

static int say_unexpected(struct parser *p, const char *wanted)
{
	if (!*p->at)
		return error_set(p->err, -EINVAL, wanted, "the condition ends too early");
	return error_set(
		p->err, -EINVAL, wanted, "the condition is not understood at \"%.20s\"", p->at);
}

static int read_string(struct parser *p, struct operand *ret)
{
	const char *end = strchr(p->at + 1, '\'');

	if (!end)
		return error_set(p->err, -EINVAL, "close it with '",
			"the string %.20s in the condition is not closed", p->at);
	ret->type = UPKEEP_STRING;
	ret->text = arena_copy(p->arena, p->at + 1, (size_t)(end - p->at) - 1);
	p->at = end + 1;
	return 0;
}

/* Numbers, sizes, durations, percentages: the first type that the text fits. */
static int read_number(struct parser *p, struct operand *ret)
{
	static const uint32_t types[] = {
		UPKEEP_INT, UPKEEP_FLOAT, UPKEEP_PERCENT, UPKEEP_DURATION, UPKEEP_SIZE};
	size_t n = strspn(p->at,
		"+-.0123456789%abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	union scalar scalar;

	ret->text = arena_copy(p->arena, p->at, n);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (types[i] == UPKEEP_PERCENT && ret->text[n - 1] != '%')
			continue;
		if (scalar_parse_text(types[i], ret->text, &scalar, NULL) < 0)
			continue;
		ret->type = types[i];
		p->at += n;
		return 0;
	}
	return error_set(p->err, -EINVAL,
		"write a number, a size such as 64MiB, a duration such as 5m "
		"or a percentage such as 85%; strings stand in '...'",
		"\"%s\" in the condition is no number, size, duration or percentage", ret->text);
}

static int read_operand(struct parser *p, struct operand *ret)
{
	skip_space(p);
	if (strncmp(p->at, "${", 2) == 0) {
		ret->is_reference = true;
		int r = reference_next(&p->at, &ret->piece, p->err);
		return r < 0 ? r : 0;
	}
	if (*p->at == '\'')
		return read_string(p, ret);
	if (isdigit((unsigned char)*p->at) || (*p->at && strchr("+-.", *p->at)))
		return read_number(p, ret);
	ret->type = UPKEEP_BOOL;
	ret->text = "true";
	if (take_word(p, "true"))
		return 0;
	ret->text = "false";
	if (take_word(p, "false"))
		return 0;
	return say_unexpected(p,
		"an operand is ${...}, a 'string', a number, a size, a duration, true "
		"or false");
}

static bool read_comparison(struct parser *p, enum comparison *ret)
{
	static const struct {
		const char *text;
		enum comparison comparison;
	} signs[] = {{"==", EQUAL}, {"!=", UNEQUAL}, {"<=", LESS_EQUAL}, {">=", GREATER_EQUAL},
		{"<", LESS}, {">", GREATER}};

	skip_space(p);
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		size_t n = strlen(signs[i].text);
		if (strncmp(p->at, signs[i].text, n) != 0)
			continue;
		p->at += n;
		*ret = signs[i].comparison;
		return true;
	}
	return false;
}

static struct condition *parse_primary(struct parser *p)
{
	struct condition *node;

	skip_space(p);
	if (*p->at == '(') {
		p->at++;
		node = parse_or(p);
		if (!node)
			return NULL;
		skip_space(p);
		if (*p->at != ')')
			return say_unexpected(p, "close the parenthesis with \")\""), NULL;
		p->at++;
		return node;
	}
	node = node_new(p, NODE_TRUTH, NULL, NULL);
	if (read_operand(p, &node->operands[0]) < 0)
		return NULL;
	if (!read_comparison(p, &node->comparison))
		return node;
	node->kind = NODE_COMPARE;
	return read_operand(p, &node->operands[1]) < 0 ? NULL : node;
}

static struct condition *parse_not(struct parser *p)
{
	struct condition *node;

	if (++p->depth > DEEPEST)
		return error_set(p->err, -EINVAL, "make it simpler",
			       "the condition is nested too deeply"),
		       NULL;
	if (take_word(p, "not")) {
		node = parse_not(p);
		node = node ? node_new(p, NODE_NOT, node, NULL) : NULL;
	} else {
		node = parse_primary(p);
	}
	p->depth--;
	return node;
}

static struct condition *parse_and(struct parser *p)
{
	struct condition *node = parse_not(p);

	while (node && take_word(p, "and")) {
		struct condition *right = parse_not(p);
		node = right ? node_new(p, NODE_AND, node, right) : NULL;
	}
	return node;
}

static struct condition *parse_or(struct parser *p)
{
	struct condition *node = parse_and(p);

	while (node && take_word(p, "or")) {
		struct condition *right = parse_and(p);
		node = right ? node_new(p, NODE_OR, node, right) : NULL;
	}
	return node;
}

struct condition *condition_parse(struct arena *arena, const char *text, struct error *err)
{
	struct parser p = {.arena = arena, .at = text, .err = err};
	struct condition *node = parse_or(&p);

	skip_space(&p);
	if (node && *p.at)
		return say_unexpected(&p, "comparisons are joined by \"and\" and \"or\""), NULL;
	return node;
}

/* Types that compare with each other. */
static uint32_t class_of(uint32_t type)
{
	switch (type) {
	case 0:
	case UPKEEP_PATH:
	case UPKEEP_HOSTPORT:
	case UPKEEP_URL:
	case UPKEEP_CHOICE:
		return UPKEEP_STRING;
	case UPKEEP_INT:
		return UPKEEP_FLOAT;
	default:
		return type;
	}
}

static int operand_type(const struct operand *operand, const struct condition_lookup *lookup,
	uint32_t *ret, struct error *err)
{
	*ret = operand->type;
	if (!operand->is_reference)
		return 0;
	int r = lookup->type(lookup->data, &operand->piece, ret, err);
	if (r < 0)
		return r;
	if (*ret & UPKEEP_LIST || *ret == UPKEEP_GROUP)
		return error_set(err, -EINVAL, "compare single values",
			"${%.*s} is a %s and cannot be compared", (int)operand->piece.size,
			operand->piece.text, *ret & UPKEEP_LIST ? "list" : "group");
	if (*ret == UPKEEP_SECRET)
		return error_set(err, -EINVAL, "secrets are for actions alone",
			"${%.*s} is a secret and cannot be compared", (int)operand->piece.size,
			operand->piece.text);
	return 0;
}

static bool types_agree(
	const struct operand *a, uint32_t type_a, const struct operand *b, uint32_t type_b)
{
	if (class_of(type_a) == class_of(type_b))
		return true;
	/* a bare number counts bytes; a time is written as a string */
	return (!b->is_reference &&
		       ((type_a == UPKEEP_SIZE && type_b == UPKEEP_INT) ||
			       (type_a == UPKEEP_TIME && type_b == UPKEEP_STRING))) ||
		(!a->is_reference &&
			((type_b == UPKEEP_SIZE && type_a == UPKEEP_INT) ||
				(type_b == UPKEEP_TIME && type_a == UPKEEP_STRING)));
}

/* The type in which both sides are read. */
static uint32_t common_type(uint32_t a, uint32_t b)
{
	if (a == UPKEEP_SIZE || b == UPKEEP_SIZE)
		return UPKEEP_SIZE;
	if (a == UPKEEP_TIME || b == UPKEEP_TIME)
		return UPKEEP_TIME;
	return a == UPKEEP_INT && b == UPKEEP_INT ? UPKEEP_INT : class_of(a);
}

static const char *type_word(uint32_t type)
{
	return type ? type_name(type) : "text";
}

static int check_leaf(
	const struct condition *c, const struct condition_lookup *lookup, struct error *err)
{
	uint32_t a, b;
	int r = operand_type(&c->operands[0], lookup, &a, err);

	if (r < 0)
		return r;
	if (c->kind == NODE_TRUTH)
		return a == UPKEEP_BOOL
			? 0
			: error_set(err, -EINVAL, "compare it with something",
				  "a value of type %s alone is no condition", type_word(a));
	r = operand_type(&c->operands[1], lookup, &b, err);
	if (r < 0)
		return r;
	if (!types_agree(&c->operands[0], a, &c->operands[1], b))
		return error_set(err, -EINVAL, "both sides must be of one type",
			"the condition compares %s with %s", type_word(a), type_word(b));
	uint32_t common = common_type(a, b);
	if (c->comparison > UNEQUAL && (common == UPKEEP_STRING || common == UPKEEP_BOOL))
		return error_set(err, -EINVAL, "use == or !=", "values of type %s have no order",
			type_word(a));
	return 0;
}

int condition_check(
	const struct condition *c, const struct condition_lookup *lookup, struct error *err)
{
	int r;

	switch (c->kind) {
	case NODE_OR:
	case NODE_AND:
		r = condition_check(c->left, lookup, err);
		return r < 0 ? r : condition_check(c->right, lookup, err);
	case NODE_NOT:
		return condition_check(c->left, lookup, err);
	default:
		return check_leaf(c, lookup, err);
	}
}

static int operand_value(const struct operand *operand, uint32_t type,
	const struct condition_lookup *lookup, union scalar *ret, struct error *err)
{
	struct value value;
	int r;

	if (!operand->is_reference)
		return scalar_parse_text(type, operand->text, ret, err);
	r = lookup->value(lookup->data, &operand->piece, &value, err);
	if (r == 0)
		r = scalar_parse(type, &value, ret, err);
	if (r < 0)
		error_prefix(err, "${%.*s}", (int)operand->piece.size, operand->piece.text);
	return r;
}

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int order_of(uint32_t type, const union scalar *a, const union scalar *b)
{
	switch (type) {
	case UPKEEP_STRING:
		return strcmp(a->string, b->string);
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		return ORDER(a->real, b->real);
	case UPKEEP_SIZE:
		return ORDER(a->size, b->size);
	default:
		return ORDER(a->integer, b->integer);
	}
}

static bool order_fits(enum comparison comparison, int order)
{
	switch (comparison) {
	case EQUAL:
		return order == 0;
	case UNEQUAL:
		return order != 0;
	case LESS:
		return order < 0;
	case LESS_EQUAL:
		return order <= 0;
	case GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static int leaf_holds(
	const struct condition *c, const struct condition_lookup *lookup, struct error *err)
{
	uint32_t types[2] = {UPKEEP_BOOL, UPKEEP_BOOL};
	unsigned operands = c->kind == NODE_COMPARE ? 2 : 1;
	union scalar values[2] = {0};
	int r = check_leaf(c, lookup, err);

	for (unsigned i = 0; r == 0 && i < operands; i++)
		r = operand_type(&c->operands[i], lookup, &types[i], err);
	uint32_t type = c->kind == NODE_COMPARE ? common_type(types[0], types[1]) : UPKEEP_BOOL;
	for (unsigned i = 0; r == 0 && i < operands; i++)
		r = operand_value(&c->operands[i], type, lookup, &values[i], err);
	if (r < 0)
		return r;
	if (c->kind == NODE_TRUTH)
		return values[0].integer != 0;
	return order_fits(c->comparison, order_of(type, &values[0], &values[1]));
}

int condition_holds(
	const struct condition *c, const struct condition_lookup *lookup, struct error *err)
{
	int r;

	switch (c->kind) {
	case NODE_OR:
		r = condition_holds(c->left, lookup, err);
		return r ? r : condition_holds(c->right, lookup, err);
	case NODE_AND:
		r = condition_holds(c->left, lookup, err);
		return r <= 0 ? r : condition_holds(c->right, lookup, err);
	case NODE_NOT:
		r = condition_holds(c->left, lookup, err);
		return r < 0 ? r : !r;
	default:
		return leaf_holds(c, lookup, err);
	}
}

/* SPDX-License-Identifier: MIT */
/* See points.h.  Arguments: points as they are printed; without, so many of all as $UPKEEP_POINTS
 * says (1000; with UPKEEP_LONG 12000), chosen by $UPKEEP_SEED. */
#include "points.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rng.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CI_POINTS 1000
#define LONG_POINTS 12000
#define LANES 4 /* they wait as much as they compute */
#define RUN_AGAIN_EVERY 5
#define RECOVER_CALLS 90 /* a recovery has about so many, by its engine */
#define WRONG_MOST 10    /* then it is enough */

struct points {
	VEC(struct point) list;
};
struct tally { /* shared by the lanes */
	_Atomic uint32_t outcomes[OUTCOME_PARTIAL + 1], how[INJECT_HOWS], role[INJECT_ROLES];
	_Atomic uint32_t twice, tried;
};

static const char *const how_names[] = {
	"count", "before", "after", "half", "enospc", "eio", "full"};
static const char *const role_names[] = {"keeper", "engine", "worker", "guard", "program"};

/* ---- points as text: SCENARIO/ROLE/HOW/CALL/VICTIMS[+ROLE/HOW/CALL/VICTIMS] ---- */

static void strike_print(const struct strike *strike, char *text, size_t size)
{
	snprintf(text, size, "%s/%s/%llu/%x", role_names[strike->role], how_names[strike->how],
		(unsigned long long)strike->at, strike->victims);
}

void point_print(const struct point *point, char text[static POINT_SIZE])
{
	char run[48], recover[48];

	strike_print(&point->run, run, sizeof run);
	strike_print(&point->recover, recover, sizeof recover);
	snprintf(text, POINT_SIZE, "%s/%s%s%s", scenarios[point->scenario].name, run,
		point->recover.at ? "+" : "", point->recover.at ? recover : "");
}

static bool word_find(const char *const *words, uint32_t count, const char *word, uint32_t *ret)
{
	for (*ret = 0; *ret < count; ++*ret)
		if (strcmp(words[*ret], word) == 0)
			return true;
	return false;
}

static bool strike_parse(const char *text, struct strike *ret)
{
	char role[16], how[16];
	unsigned long long at;

	if (sscanf(text, "%15[a-z]/%15[a-z]/%llu/%x", role, how, &at, &ret->victims) != 4)
		return false;
	ret->at = at;
	return word_find(role_names, INJECT_ROLES, role, &ret->role) &&
		word_find(how_names, INJECT_HOWS, how, &ret->how);
}

bool point_parse(const char *text, struct point *ret)
{
	const char *slash = strchr(text, '/'), *plus = strchr(text, '+');
	CLEANUP_FREE char *name = slash ? strndup(text, (size_t)(slash - text)) : NULL;

	*ret = (struct point){0};
	for (ret->scenario = 0; name && ret->scenario < scenario_count; ret->scenario++)
		if (strcmp(scenarios[ret->scenario].name, name) == 0)
			return strike_parse(slash + 1, &ret->run) &&
				(!plus || strike_parse(plus + 1, &ret->recover));
	return false;
}

/* ---- which points there are ---- */

static void add(struct points *points, uint32_t scenario, uint32_t role, uint32_t how,
	uint32_t victims, uint64_t count)
{
	for (uint64_t at = 1; at <= count; at++)
		vec_push(&points->list,
			((struct point){.scenario = scenario, .run = {how, role, victims, at}}));
}

static void add_kills(
	struct points *points, const struct lane *lane, uint32_t scenario, uint32_t role)
{
	static const uint32_t hows[] = {INJECT_BEFORE, INJECT_AFTER, INJECT_HALF};
	const uint32_t own = 1u << role, keeper = 1u << INJECT_KEEPER;
	const uint32_t engine = 1u << INJECT_ENGINE;
	uint64_t calls = lane->calls[role];

	for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
		add(points, scenario, role, hows[i], own, calls);
		add(points, scenario, role, hows[i], INJECT_ALL, calls);
	}
	if (role == INJECT_ENGINE) {
		add(points, scenario, role, INJECT_AFTER, keeper, calls);
		add(points, scenario, role, INJECT_AFTER, keeper | engine, calls);
		add(points, scenario, role, INJECT_AFTER, 1u << INJECT_WORKER, calls);
	}
	if (role == INJECT_WORKER || role == INJECT_PROGRAM) {
		add(points, scenario, role, INJECT_BEFORE, engine, calls);
		add(points, scenario, role, INJECT_BEFORE, keeper | engine, calls);
	}
}

static void add_scenario(struct points *points, const struct lane *lane, uint32_t scenario)
{
	static const uint32_t roles[] = {
		INJECT_KEEPER, INJECT_ENGINE, INJECT_WORKER, INJECT_PROGRAM};

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		uint32_t role = roles[i];
		add_kills(points, lane, scenario, role);
		for (uint32_t how = INJECT_ENOSPC; how < INJECT_HOWS; how++)
			add(points, scenario, role, how, 0, lane->disk_calls[role]);
	}
}

/* Some are struck again while they are recovered. */
static void strike_twice(struct point *point, uint64_t *seed)
{
	static const uint32_t roles[] = {
		INJECT_ENGINE, INJECT_ENGINE, INJECT_WORKER, INJECT_PROGRAM};
	struct strike *strike = &point->recover;

	strike->role = roles[rng_below(seed, 4)];
	strike->how = INJECT_BEFORE + (uint32_t)rng_below(seed, INJECT_HOWS - INJECT_BEFORE);
	strike->victims = strike->how >= INJECT_ENOSPC ? 0
		: rng_below(seed, 2)                   ? INJECT_ALL
						       : 1u << strike->role;
	strike->at = 1 + rng_below(seed, strike->role == INJECT_ENGINE ? RECOVER_CALLS : 20);
}

static void choose(struct points *points, size_t wanted, uint64_t seed)
{
	size_t all = points->list.count;

	for (size_t i = 0; i < wanted && i < all; i++) {
		size_t other = i + (size_t)rng_below(&seed, all - i);
		struct point point = points->list.items[i];
		points->list.items[i] = points->list.items[other];
		points->list.items[other] = point;
		point = points->list.items[i];
		if (i % 5 == 4 && points->list.items[i].run.how < INJECT_ENOSPC)
			strike_twice(&points->list.items[i], &seed);
	}
	if (wanted < all)
		points->list.count = wanted;
}

static int by_scenario(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return x->scenario < y->scenario ? -1 : x->scenario > y->scenario;
}

/* ---- trying them ---- */

static bool try_one(
	struct lane *lane, struct tally *tally, const struct point *point, bool run_again)
{
	CLEANUP_TEXT struct text why = {0}, report = {0};
	char text[POINT_SIZE];

	if (lane->scenario != &scenarios[point->scenario] &&
		!lane_prepare(lane, &scenarios[point->scenario])) {
		printf("# %s: does not end as it should\n", scenarios[point->scenario].name);
		return false;
	}
	enum outcome outcome = point_try(lane, point, run_again, &why);
	tally->outcomes[outcome]++;
	tally->tried++;
	if (outcome != OUTCOME_NOT_REACHED) {
		tally->how[point->run.how]++;
		tally->role[point->run.role]++;
		tally->twice += point->recover.at != 0;
	}
	if (outcome != OUTCOME_WRONG)
		return true;
	point_print(point, text);
	text_addf(&report, "not right: %s\n%sagain: tests/fault/test_points %s\n", text,
		text_string(&why), text);
	fputs(text_string(&report), stdout);
	fflush(stdout);
	return false;
}

static bool try_share(struct points *points, struct tally *tally, unsigned number, unsigned lanes)
{
	struct lane lane;
	bool right = true;

	/* What is left alive comes to us. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || !lane_open(&lane, number))
		return false;
	for (size_t i = number; i < points->list.count; i += lanes) {
		bool again = lanes == 1 || i / lanes % RUN_AGAIN_EVERY == 0;
		right = try_one(&lane, tally, &points->list.items[i], again) && right;
		if (tally->outcomes[OUTCOME_WRONG] >= WRONG_MOST)
			break;
	}
	lane_close(&lane);
	return right;
}

static bool try_all(struct points *points, struct tally *tally)
{
	const char *text = getenv("UPKEEP_LANES");
	unsigned lanes = text ? (unsigned)atoi(text) : LANES, started = 0;
	bool right = true;
	int status;

	fflush(stdout);
	for (; started < lanes; started++)
		if (fork() == 0) {
			bool share = try_share(points, tally, started, lanes);
			fflush(stdout);
			_exit(!share);
		}
	while (started && wait(&status) > 0) {
		right = right && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		started--;
	}
	return right;
}

static bool collect(struct points *points)
{
	struct lane lane;
	bool right = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && lane_open(&lane, 99);

	for (uint32_t i = 0; i < scenario_count && right; i++) {
		right = lane_prepare(&lane, &scenarios[i]);
		printf("# %s: %llu calls of the keeper, %llu of the engine, %llu of workers, %llu "
		       "of "
		       "programs\n",
			scenarios[i].name, (unsigned long long)lane.calls[INJECT_KEEPER],
			(unsigned long long)lane.calls[INJECT_ENGINE],
			(unsigned long long)lane.calls[INJECT_WORKER],
			(unsigned long long)lane.calls[INJECT_PROGRAM]);
		add_scenario(points, &lane, i);
	}
	lane_close(&lane);
	return right;
}

static void report(const struct tally *tally, size_t all, uint64_t seed, int64_t took_ms)
{
	printf("%u of %zu points tried in %lld s (UPKEEP_SEED=%llu): %u wrong, %u not reached, %u "
	       "before, %u after, %u partial; %u struck twice\n",
		tally->tried, all, (long long)took_ms / 1000, (unsigned long long)seed,
		tally->outcomes[OUTCOME_WRONG], tally->outcomes[OUTCOME_NOT_REACHED],
		tally->outcomes[OUTCOME_BEFORE], tally->outcomes[OUTCOME_AFTER],
		tally->outcomes[OUTCOME_PARTIAL], tally->twice);
	for (int i = INJECT_BEFORE; i < INJECT_HOWS; i++)
		printf("%s%s %u", i > INJECT_BEFORE ? ", " : "", how_names[i], tally->how[i]);
	for (int i = 0; i < INJECT_ROLES; i++)
		printf("%s%s %u", i ? ", " : "; in ", role_names[i], tally->role[i]);
	printf("\n");
}

/* They are tried each time. */
static const char *const found_once[] = {
	"fails/worker/before/34/2+worker/full/13/0", /* a removal half done, and no room to go back
                                                      */
};

static size_t number_of(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? (size_t)strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	const char *instrumented = getenv("INSTRUMENTED");
	struct points points = {0};
	int64_t start_ms = clock_monotonic_ms();
	uint64_t seed = number_of("UPKEEP_SEED", 1);
	struct tally *tally = mmap(
		NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (instrumented && *instrumented)
		return 77; /* a sanitizer wants to be the first library */
	for (int i = 1; i < argc; i++)
		if (!point_parse(argv[i], vec_add(&points.list))) {
			printf("%s is no point\n", argv[i]);
			return 2;
		}
	size_t all = points.list.count;
	if (argc < 2) {
		if (!collect(&points))
			return 1;
		all = points.list.count;
		choose(&points,
			number_of("UPKEEP_POINTS", getenv("UPKEEP_LONG") ? LONG_POINTS : CI_POINTS),
			seed);
		for (size_t i = 0; i < sizeof found_once / sizeof found_once[0]; i++)
			if (!point_parse(found_once[i], vec_add(&points.list)))
				return 2;
		qsort(points.list.items, points.list.count, sizeof points.list.items[0],
			by_scenario);
	}
	bool right = try_all(&points, tally);
	report(tally, all, seed, clock_monotonic_ms() - start_ms);
	vec_free(&points.list);
	return right ? 0 : 1;
}

/*
 * Phases only ever advance, so a line that turns up late cannot turn the bar back. Where each begins is how
 * long the phases took on a machine with a middling connection; only downloads and packages are counted
 * within one.
 */
#include "image/progress.h"

#include "base/mem.h"

#include <assert.h>

#include <ctype.h>

static const struct {
	const char *line; /* what the line that begins the phase starts with */
	const char *text;
	double begin;
} phases[] = {
	[PROGRESS_START] = {NULL, "starting", 0},
	[PROGRESS_LISTS] = {"I: running apt-get update", "fetching the package lists", 0.01},
	[PROGRESS_FETCH_BASE] = {"I: downloading packages with apt", "downloading the base system", 0.04},
	[PROGRESS_UNPACK_BASE] = {"I: extracting archives", "unpacking the base system", 0.08},
	[PROGRESS_INSTALL_BASE] = {"I: installing essential packages", "installing the base system", 0.16},
	[PROGRESS_FETCH] = {"I: installing remaining packages", "downloading packages", 0.20},
	[PROGRESS_INSTALL] = {"Selecting previously", "installing packages", 0.45},
	[PROGRESS_SET_UP] = {"SBX: setting up", "setting up the system", 0.82},
	[PROGRESS_IMAGE] = {"SBX: writing", "writing the disk image", 0.84},
	[PROGRESS_TIDY] = {"SBX: image written", "tidying up", 0.93},
};
static_assert(array_len(phases) == PROGRESS_PHASES, "describe every phase");

enum { RANK_NONE, RANK_WRAPPER, RANK_REMARK, RANK_CAUSE };

static const double end_fraction = 0.97;

static bool starts(struct slice line, const char *with)
{
	size_t len = strlen(with);

	return line.len >= len && memcmp(line.ptr, with, len) == 0;
}

/* The place behind `word` in the line, or an empty slice. */
static struct slice after(struct slice line, const char *word)
{
	const char *at = line.len > 0 ? memmem(line.ptr, line.len, word, strlen(word)) : NULL;

	if (!at)
		return slice_of("", 0);
	at += strlen(word);
	return slice_of(at, (size_t)(line.ptr + line.len - at));
}

/* Reads apt's sizes, "1108 B", "140 kB", "25.4 MB"; 0 where there is none. Units are powers of ten. */
static uint64_t read_size(struct slice text)
{
	static const struct {
		const char *name;
		double bytes;
	} units[] = {{" B", 1}, {" kB", 1e3}, {" MB", 1e6}, {" GB", 1e9}};
	double value = 0, scale = 1;
	bool is_fraction = false;

	while (text.len > 0 &&
	       (isdigit((unsigned char)text.ptr[0]) || (text.ptr[0] == '.' && !is_fraction))) {
		if (text.ptr[0] == '.') {
			is_fraction = true;
		} else if (value < 1e12) {
			value = value * 10 + (text.ptr[0] - '0');
			scale *= is_fraction ? 10 : 1;
		}
		text = slice_skip(text, 1);
	}
	for (size_t i = 0; i < array_len(units); i++)
		if (starts(text, units[i].name) && value / scale * units[i].bytes < 1e15)
			return (uint64_t)(value / scale * units[i].bytes);
	return 0;
}

/* The number that ends where `word` begins: "0 upgraded, 558 newly installed". */
static uint64_t number_before(struct slice line, const char *word)
{
	const char *at = line.len > 0 ? memmem(line.ptr, line.len, word, strlen(word)) : NULL;
	uint64_t value = 0, unit = 1;

	while (at && at > line.ptr && isdigit((unsigned char)at[-1]) && unit < 1000000) {
		value += (uint64_t)(at[-1] - '0') * unit;
		unit *= 10;
		at--;
	}
	return value;
}

static struct slice last_bracket(struct slice line)
{
	const char *at = line.len > 0 ? memrchr(line.ptr, '[', line.len) : NULL;

	return at ? slice_skip(line, (size_t)(at + 1 - line.ptr)) : slice_of("", 0);
}

static void count(struct progress *progress, struct slice line)
{
	uint64_t packages = number_before(line, " newly installed");

	if (starts(line, "Get:"))
		progress->bytes += read_size(last_bracket(line));
	else if (starts(line, "Need to get "))
		progress->bytes_wanted = read_size(after(line, "Need to get "));
	else if (starts(line, "Unpacking "))
		progress->unpacked++;
	else if (starts(line, "Setting up "))
		progress->ready++;
	else if (packages > 0)
		progress->packages = packages;
}

static bool contains(struct slice line, const char *word)
{
	return line.len > 0 && memmem(line.ptr, line.len, word, strlen(word));
}

static void copy_text(char *into, size_t room, struct slice text)
{
	size_t len = text.len < room - 1 ? text.len : room - 1;

	memcpy(into, text.ptr, len);
	into[len] = '\0';
}

/* In our hook every line that is not a phase is a tool's complaint. */
static bool is_remark(const struct progress *progress, struct slice line)
{
	if (starts(line, "W: Failed to fetch") || starts(line, "dpkg: error"))
		return true;
	return progress->phase >= PROGRESS_SET_UP && line.len > 0 && !starts(line, "I: ") &&
	       !starts(line, "SBX: ") && !starts(line, "Reading package lists");
}

/* apt's own first complaint explains most; mmdebstrap's, which only repeats the command that failed, least.
 */
static void note_reason(struct progress *progress, struct slice line)
{
	int rank = RANK_NONE;

	if (starts(line, "E: "))
		rank = contains(line, "failed") ? RANK_WRAPPER : RANK_CAUSE;
	else if (is_remark(progress, line))
		rank = RANK_REMARK;
	if (rank > progress->reason_rank) {
		progress->reason_rank = rank;
		copy_text(progress->reason, sizeof(progress->reason), line);
	}
}

void progress_init(struct progress *progress)
{
	*progress = (struct progress){0};
}

static void enter(struct progress *progress, struct slice line)
{
	for (unsigned int next = progress->phase + 1; next < PROGRESS_PHASES; next++) {
		if (!starts(line, phases[next].line))
			continue;
		/* Packages of the base system are selected too; only after the second download is it a phase.
		 */
		if (next == PROGRESS_INSTALL && progress->phase != PROGRESS_FETCH)
			continue;
		progress->phase = next;
		progress->bytes = progress->bytes_wanted = progress->unpacked = progress->ready = 0;
		if (next == PROGRESS_FETCH || next > PROGRESS_INSTALL)
			progress->packages = 0;
	}
}

static double within_phase(const struct progress *progress)
{
	double done = 0;

	if (progress->bytes_wanted > 0)
		done = (double)progress->bytes / (double)progress->bytes_wanted;
	else if (progress->packages > 0)
		done = (2 * (double)progress->unpacked + (double)progress->ready) /
		       (3 * (double)progress->packages);
	return done > 1 ? 1 : done;
}

static void advance(struct progress *progress)
{
	double begin = phases[progress->phase].begin;
	double end = progress->phase + 1 < PROGRESS_PHASES ? phases[progress->phase + 1].begin : end_fraction;
	double fraction = begin + (end - begin) * within_phase(progress);

	if (fraction > progress->fraction)
		progress->fraction = fraction;
}

void progress_line(struct progress *progress, struct slice line)
{
	struct slice kernel = after(line, "SBX: kernel ");

	enter(progress, line);
	count(progress, line);
	note_reason(progress, line);
	advance(progress);
	if (kernel.len > 0)
		copy_text(progress->kernel, sizeof(progress->kernel), kernel);
	if (contains(line, "No space left on device"))
		progress->is_disk_full = true;
}

const char *progress_text(const struct progress *progress)
{
	return phases[progress->phase].text;
}

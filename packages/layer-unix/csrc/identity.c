/*
 * What a descriptor is, and what this process learnt about it. The kernel's (device, inode) is the identity, so dup,
 * fork, exec and SCM_RIGHTS need no code. The cache holds facts that never change, or only grow; an entry that another
 * thread is writing is skipped, never waited for. Forgetting costs a question, nothing else.
 */
#include "layer.h"
#include "sys.h"

#include <errno.h>
#include <linux/stat.h>
#include <string.h>

enum { ENTRIES = 256, WAYS = 4, RANGES = 4 }; /* ENTRIES is a power of two */

struct range {
	uint64_t start, end;
};

struct facts {
	struct identity identity;
	bool has_stat;
	struct wire_stat stat;
	struct range there[RANGES]; /* of a filling file; empty ones have end 0 */
};

struct entry {
	uint32_t sequence; /* odd while it is written */
	struct facts facts;
};

static struct entry entries[ENTRIES];

static struct entry *set_of(const struct identity *identity)
{
	uint64_t hash = (identity->inode ^ identity->device << 32) * 0x9e3779b97f4a7c15u;
	return &entries[hash >> 32 & (ENTRIES - WAYS)];
}

static bool is(const struct identity *a, const struct identity *b)
{
	return a->inode == b->inode && a->device == b->device && a->born == b->born;
}

static bool recall(const struct identity *identity, struct facts *facts)
{
	struct entry *set = set_of(identity);
	for (struct entry *entry = set; entry < set + WAYS; entry++) {
		uint32_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
		if (before == 0 || before & 1 || !is(&entry->facts.identity, identity))
			continue;
		memcpy(facts, &entry->facts, sizeof *facts);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == before && is(&facts->identity, identity))
			return true;
	}
	return false;
}

/* Puts facts in place of older ones of the same identity, else of an empty entry, else of one by the inode's bits. */
static void remember(const struct facts *facts)
{
	struct entry *set = set_of(&facts->identity), *place = set + facts->identity.inode % WAYS;
	for (struct entry *entry = set + WAYS - 1; entry >= set; entry--)
		if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == 0)
			place = entry;
	for (struct entry *entry = set; entry < set + WAYS; entry++)
		if (is(&entry->facts.identity, &facts->identity))
			place = entry;
	uint32_t before = __atomic_load_n(&place->sequence, __ATOMIC_RELAXED);
	if (before & 1 || !__atomic_compare_exchange_n(&place->sequence, &before, before + 1, false, __ATOMIC_ACQUIRE,
	                                               __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(&place->facts, facts, sizeof *facts);
	__atomic_store_n(&place->sequence, before + 2 ? before + 2 : 2, __ATOMIC_RELEASE);
}

/*
 * When the object was made: a file system may use an inode number again. 0 where it can't be told, and for memfds,
 * whose numbers come from a counter.
 */
static uint64_t born(int descriptor, uint64_t device)
{
	struct statx status;
	const struct table *table = layer.shared;
	if (table && device == table->memory_device)
		return 0;
	if (sys_call5(SYS_statx, descriptor, (long)"", AT_EMPTY_PATH, STATX_BTIME, (long)&status) != 0)
		return 0;
	if (!(status.stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)status.stx_btime.tv_sec * 1000000000u + status.stx_btime.tv_nsec;
}

static void note(struct facts *facts, const struct layer_reply *reply)
{
	facts->identity.form = reply->form;
	facts->has_stat = reply->form != WIRE_LAYER_FORM_FOREIGN && reply->form != WIRE_LAYER_FORM_DIRECTORY;
	facts->stat = reply->stat;
}

void identity_learn(int descriptor, const struct layer_reply *reply)
{
	struct facts facts = {.identity = {.device = reply->device, .inode = reply->inode}};
	if (reply->form == WIRE_LAYER_FORM_FOREIGN || reply->form == WIRE_LAYER_FORM_STREAM)
		return;
	facts.identity.born = born(descriptor, reply->device);
	recall(&facts.identity, &facts); /* the ranges of a file that was open before */
	note(&facts, reply);
	remember(&facts);
}

/* Asks what an identity is and remembers it. False: no answer; errno is as it was. */
static bool identify(struct facts *facts)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_IDENTIFY,
	                                .device = facts->identity.device,
	                                .inode = facts->identity.inode};
	struct answer answer;
	int error = errno;
	if (link_ask(&request, NULL, 0, &answer, NULL, 0) != 0) {
		errno = error;
		return false;
	}
	note(facts, &answer.reply);
	remember(facts);
	return true;
}

/* Not inlined: its room on the stack is not for calls that are passed on. */
__attribute__((noinline)) static struct identity look_up(int descriptor, const struct stat *status,
                                                         enum wire_layer_form unsure)
{
	struct facts facts = {.identity = {.device = status->st_dev, .inode = status->st_ino}};
	/* Every stand-in is a read-only reopening; the program's own temporary files and memfds hardly ever are. */
	if (descriptor != AT_FDCWD) {
		long flags = sys_fcntl(descriptor, F_GETFL, 0);
		if (flags < 0 || (flags & O_ACCMODE) != O_RDONLY)
			return facts.identity;
	}
	facts.identity.born = born(descriptor, facts.identity.device);
	if (!recall(&facts.identity, &facts) && !identify(&facts))
		facts.identity.form = unsure;
	return facts.identity;
}

static const struct identity foreign = {.form = WIRE_LAYER_FORM_FOREIGN};

struct identity identity_of_status(int descriptor, const struct stat *status)
{
	const struct table *table = layer.shared;
	if (status->st_nlink != 0)
		return foreign;
	if (S_ISDIR(status->st_mode)) {
		if (table && (!table->directories || status->st_dev != table->directory_device))
			return foreign;
	} else if (!S_ISREG(status->st_mode) || (table && (!table->files || (status->st_dev != table->memory_device &&
	                                                                    status->st_dev != table->temporary_device)))) {
		return foreign;
	}
	return look_up(descriptor, status, WIRE_LAYER_FORM_FOREIGN);
}

struct identity identity_of(int descriptor)
{
	const struct table *table = layer.shared;
	struct stat status;
	if (table && !table->files && !table->directories)
		return foreign;
	if (sys_fstat(descriptor, &status) != 0)
		return foreign;
	return identity_of_status(descriptor, &status);
}

struct identity identity_watched(int descriptor)
{
	const struct table *table = layer.shared;
	struct stat status;
	if (table && !__atomic_load_n(&table->watched, __ATOMIC_RELAXED))
		return foreign;
	if (sys_fstat(descriptor, &status) != 0 || status.st_nlink != 0 || !S_ISREG(status.st_mode))
		return foreign;
	if (table && status.st_dev != table->memory_device && status.st_dev != table->temporary_device)
		return foreign;
	/* If the session can't be asked any more, better an error than zeros where bytes are missing. */
	struct identity found = look_up(descriptor, &status, WIRE_LAYER_FORM_FILLING);
	return found.form == WIRE_LAYER_FORM_FILLING || found.form == WIRE_LAYER_FORM_REQUEST ? found : foreign;
}

struct identity identity_of_directory(int descriptor)
{
	const struct table *table = layer.shared;
	struct stat status;
	if (table && !table->directories)
		return foreign;
	long result = descriptor == AT_FDCWD ? sys_fstatat(AT_FDCWD, ".", &status, 0) : sys_fstat(descriptor, &status);
	if (result != 0 || status.st_nlink != 0 || !S_ISDIR(status.st_mode))
		return foreign;
	if (table && status.st_dev != table->directory_device)
		return foreign;
	struct identity found = look_up(descriptor, &status, WIRE_LAYER_FORM_FOREIGN);
	return found.form == WIRE_LAYER_FORM_DIRECTORY ? found : foreign;
}

int identity_stat(const struct identity *identity, struct layer_reply *reply)
{
	struct facts facts = {.identity = *identity};
	if (!recall(identity, &facts) || !facts.has_stat) {
		if (!identify(&facts) || facts.identity.form == WIRE_LAYER_FORM_FOREIGN)
			return fail(EIO);
	}
	*reply = (struct layer_reply){.outcome = WIRE_LAYER_OUTCOME_DONE,
	                              .form = facts.identity.form,
	                              .device = identity->device,
	                              .inode = identity->inode,
	                              .stat = facts.stat};
	return 0;
}

static bool covered(const struct facts *facts, uint64_t start, uint64_t end)
{
	for (int i = 0; i < RANGES; i++)
		if (facts->there[i].start <= start && end <= facts->there[i].end)
			return true;
	return false;
}

/* Adds a range that has arrived: joined with those that it touches, else in place of the smallest. */
static void add(struct facts *facts, struct range range)
{
	struct range *place = facts->there;
	for (struct range *other = facts->there; other < facts->there + RANGES; other++) {
		if (other->end && other->start <= range.end && range.start <= other->end) {
			range.start = other->start < range.start ? other->start : range.start;
			range.end = other->end > range.end ? other->end : range.end;
			*other = (struct range){0, 0};
		}
		if (other->end - other->start < place->end - place->start)
			place = other;
	}
	*place = range;
	if (facts->has_stat && range.start == 0 && range.end >= facts->stat.size)
		facts->identity.form = WIRE_LAYER_FORM_WHOLE;
}

int identity_wait(const struct identity *identity, uint64_t offset, uint64_t length)
{
	struct facts facts;
	uint64_t end;
	if (identity->form != WIRE_LAYER_FORM_FILLING || length == 0)
		return 0;
	if (__builtin_add_overflow(offset, length, &end))
		end = UINT64_MAX;
	if (!recall(identity, &facts))
		facts = (struct facts){.identity = *identity};
	if (facts.has_stat && end > facts.stat.size)
		end = facts.stat.size;
	if (facts.identity.form == WIRE_LAYER_FORM_WHOLE || offset >= end || covered(&facts, offset, end))
		return 0;
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_WAIT,
	                                .device = identity->device,
	                                .inode = identity->inode,
	                                .offset = offset,
	                                .length = end - offset};
	struct answer answer;
	if (link_ask(&request, NULL, 0, &answer, NULL, 0) != 0)
		return -1;
	uint64_t last;
	if (__builtin_add_overflow(answer.reply.offset, answer.reply.length, &last))
		return fail(EIO);
	/* Others may have learnt more meanwhile. */
	if (!recall(identity, &facts))
		facts = (struct facts){.identity = *identity};
	add(&facts, (struct range){answer.reply.offset, last});
	remember(&facts);
	return 0;
}

/*
 * Directories read otherwise than as a stream: the kernel's records, by descriptor, and scandir, which reads all. The
 * place of a descriptor is the number of the next entry, as in hooks/directories.c.
 */
#include "hook.h"
#include "listing.h"
#include "remote.h"
#include "scan.h"

#include <stdlib.h>

/* ---- getdents64 */

/*
 * Listings of directories that are being read by descriptor, so that the next call needs no question and finds the same
 * entries. One that is in use, or was lost, is asked for anew: at worst a question for each call.
 */
static struct kept {
	uint32_t busy;
	struct identity identity;
	uint64_t number; /* of the entry at the listing's place */
	struct listing listing;
} kept[4];

static struct kept *take_kept(const struct identity *identity, uint64_t number)
{
	struct kept *found = NULL;
	for (size_t i = 0; i < sizeof kept / sizeof *kept && !found; i++) {
		uint32_t no = 0;
		if (!__atomic_compare_exchange_n(&kept[i].busy, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		const struct identity *other = &kept[i].identity;
		if (kept[i].listing.memory && kept[i].number == number && other->inode == identity->inode &&
		    other->device == identity->device && other->born == identity->born)
			found = &kept[i];
		else
			__atomic_store_n(&kept[i].busy, 0, __ATOMIC_RELEASE);
	}
	return found;
}

/* Keeps a listing that was read up to entry `number`, in place of whichever comes first. */
static void keep(const struct identity *identity, uint64_t number, struct listing *listing)
{
	static uint32_t turn;
	struct kept *place = &kept[__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (sizeof kept / sizeof *kept)];
	uint32_t no = 0;
	if (!__atomic_compare_exchange_n(&place->busy, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		listing_close(listing);
		return;
	}
	if (place->listing.memory)
		listing_close(&place->listing);
	place->identity = *identity;
	place->number = number;
	place->listing = *listing;
	__atomic_store_n(&place->busy, 0, __ATOMIC_RELEASE);
}

/* The listing of a directory, at entry `number`. 0, or -1 with errno. */
static int find_listing(const struct identity *identity, uint64_t number, struct listing *listing)
{
	struct kept *found = number ? take_kept(identity, number) : NULL;
	struct listed skipped;
	struct answer answer;
	if (found) {
		*listing = found->listing;
		found->listing = (struct listing){.descriptor = -1};
		__atomic_store_n(&found->busy, 0, __ATOMIC_RELEASE);
		return 0;
	}
	if (remote_ask(WIRE_LAYER_OPERATION_LIST, identity, &answer) != 0)
		return -1;
	sys_close(answer.descriptors[1]);
	if (listing_map(answer.descriptors[0], listing) != 0)
		return -1;
	for (int result = 1; number && result == 1; number--)
		result = listing_next(listing, &skipped);
	return 0;
}

/* The two formats of the kernel: the older one, of SYS_getdents, has its type behind the name. */
static size_t put_record(char *to, size_t room, const struct listed *entry, uint64_t number, bool old)
{
	size_t head = old ? 18 : 19, size = (head + entry->length + (old ? 2 : 1) + 7) & ~(size_t)7;
	uint64_t numbers[2] = {entry->inode, number};
	uint16_t length = (uint16_t)size;
	if (size > room)
		return 0;
	memset(to + size - 8, 0, 8);
	memcpy(to, numbers, sizeof numbers);
	memcpy(to + 16, &length, sizeof length);
	to[old ? size - 1 : 18] = (char)entry->type;
	memcpy(to + head, entry->name, entry->length);
	to[head + entry->length] = 0;
	return size;
}

/* Not inlined: an answer is large. */
__attribute__((noinline)) static ssize_t read_records(int descriptor, const struct identity *directory, char *buffer,
                                                      size_t size, bool old)
{
	struct listing listing, before;
	struct listed entry;
	long number = sys_lseek(descriptor, 0, SEEK_CUR);
	size_t used = 0;
	if (number < 0)
		return fail(EBADF); /* O_PATH */
	if (find_listing(directory, (uint64_t)number, &listing) != 0)
		return -1;
	for (;;) {
		before = listing;
		int result = listing_next(&listing, &entry);
		if (result < 0 && used == 0) {
			listing_close(&listing);
			return -1;
		}
		size_t put = result == 1 ? put_record(buffer + used, size - used, &entry, (uint64_t)number + 1, old) : 0;
		if (result == 1 && !put && !used) {
			listing_close(&listing);
			return fail(EINVAL);
		}
		if (!put)
			break;
		used += put;
		number++;
	}
	sys_lseek(descriptor, number, SEEK_SET);
	if (used)
		keep(directory, (uint64_t)number, &before);
	else
		listing_close(&before);
	return (ssize_t)used;
}

ssize_t scan_records(int descriptor, void *buffer, size_t size, bool old)
{
	struct identity directory = {.form = WIRE_LAYER_FORM_FOREIGN};
	if (descriptor >= 0)
		directory = identity_of_directory(descriptor);
	if (directory.form == WIRE_LAYER_FORM_DIRECTORY)
		return read_records(descriptor, &directory, buffer, size, old);
	long got = sys_call3(old ? SYS_OLD_GETDENTS : SYS_getdents64, descriptor, (long)buffer, (long)size);
	return sys_failed(got) ? fail((int)-got) : got;
}

ssize_t hook_getdents64(int descriptor, void *buffer, size_t size)
{
	return scan_records(descriptor, buffer, size, false);
}

/* The same, and where it began. */
ssize_t hook_getdirentries(int descriptor, char *buffer, size_t size, off_t *base)
{
	if (descriptor < 0 || identity_of_directory(descriptor).form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.getdirentries(descriptor, buffer, size, base);
	long place = sys_lseek(descriptor, 0, SEEK_CUR);
	ssize_t got = scan_records(descriptor, buffer, size, false);
	if (got >= 0)
		*base = place;
	return got;
}

/* musl's: the same records under the older name. */
int hook_getdents(int descriptor, struct dirent *buffer, size_t size)
{
	return (int)scan_records(descriptor, buffer, size > INT_MAX ? INT_MAX : size, false);
}

/* ---- scandir */

static struct dirent *copy_entry(const struct listed *entry, uint64_t number)
{
	size_t size = (offsetof(struct dirent, d_name) + entry->length + 8) & ~(size_t)7;
	struct dirent *made = malloc(size);
	if (!made)
		return NULL;
	made->d_ino = entry->inode;
	made->d_off = (off_t)number;
	made->d_reclen = (unsigned short)size;
	made->d_type = entry->type;
	memcpy(made->d_name, entry->name, entry->length);
	made->d_name[entry->length] = 0;
	return made;
}

struct found {
	struct dirent **entries;
	size_t count, room;
};

static bool add(struct found *found, struct dirent *entry)
{
	if (found->count == found->room) {
		size_t room = found->room ? 2 * found->room : 16;
		struct dirent **more = realloc(found->entries, room * sizeof *more);
		if (!more)
			return false;
		found->entries = more;
		found->room = room;
	}
	found->entries[found->count++] = entry;
	return true;
}

typedef int (*order)(const void *, const void *);

__attribute__((noinline)) static int scan(int directory, const char *path, struct dirent ***entries,
                                          int (*select)(const struct dirent *),
                                          int (*compare)(const struct dirent **, const struct dirent **))
{
	struct listing listing;
	struct listed entry;
	struct found found = {0};
	int result, error = errno;
	if (listing_open(directory, path, &listing) != 0)
		return -1;
	while ((result = listing_next(&listing, &entry)) == 1) {
		struct dirent *made = copy_entry(&entry, found.count + 1);
		errno = error; /* what select() sees, and may change */
		if (made && select && !select(made)) {
			free(made);
		} else if (!made || !add(&found, made)) {
			free(made);
			result = fail(ENOMEM);
			break;
		}
	}
	listing_close(&listing);
	if (result < 0) {
		while (found.count)
			free(found.entries[--found.count]);
		free(found.entries);
		return -1;
	}
	errno = error;
	if (compare && found.count)
		qsort(found.entries, found.count, sizeof *found.entries, (order)compare);
	*entries = found.entries;
	return (int)found.count;
}

int hook_scandir(const char *path, struct dirent ***entries, int (*select)(const struct dirent *),
                 int (*compare)(const struct dirent **, const struct dirent **))
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.scandir(path, entries, select, compare);
	return scan(AT_FDCWD, path, entries, select, compare);
}

int hook_scandirat(int directory, const char *path, struct dirent ***entries, int (*select)(const struct dirent *),
                   int (*compare)(const struct dirent **, const struct dirent **))
{
	if (ask_passes(INTENT_READ, directory, path))
		return libc.scandirat(directory, path, entries, select, compare);
	return scan(directory, path, entries, select, compare);
}

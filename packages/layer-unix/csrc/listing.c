/* The entries of a directory, wherever it is: see listing.h. Streams of directories are in hooks/directories.c. */
#include "listing.h"

#include "remote.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int listing_map(int descriptor, struct listing *listing)
{
	struct stat status;
	long code = sys_fstat(descriptor, &status), where = 0;
	*listing = (struct listing){.descriptor = -1};
	if (code == 0 && status.st_size > 0) {
		where = sys_mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
		code = sys_failed(where) ? where : 0;
	}
	sys_close(descriptor);
	if (code != 0)
		return fail((int)-code);
	listing->memory = (const uint8_t *)where;
	listing->size = where ? (size_t)status.st_size : 0;
	return 0;
}

/* All of a local directory, by the kernel's own records. */
static int read_local(struct listing *listing)
{
	size_t room = 0, used = 0;
	uint8_t *memory = NULL;
	long got;
	do {
		if (room - used < 32768) {
			room = room ? 2 * room : 32768;
			uint8_t *more = realloc(memory, room);
			if (!more) {
				free(memory);
				return fail(ENOMEM);
			}
			memory = more;
		}
		got = sys_call3(SYS_getdents64, listing->descriptor, (long)(memory + used), (long)(room - used));
		used += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	if (got < 0) {
		free(memory);
		return fail((int)-got);
	}
	sys_close(listing->descriptor);
	*listing = (struct listing){.memory = memory, .size = used, .local = true, .descriptor = -1};
	return 0;
}

static int open_local(int directory, const char *path, struct listing *listing)
{
	long descriptor = sys_openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK, 0);
	if (descriptor < 0)
		return fail((int)-descriptor);
	*listing = (struct listing){.local = true, .descriptor = (int)descriptor};
	return 0;
}

/* Not inlined: the room for a path. */
__attribute__((noinline)) static int open_asked(int directory, const char *path, struct listing *listing)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	switch (ask_path(WIRE_LAYER_OPERATION_LIST, INTENT_READ, directory, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return open_local(directory, path, listing);
	case SIDE_MOVED:
		return open_local(AT_FDCWD, room, listing);
	case SIDE_FAILED:
		return -1;
	case SIDE_DONE:
		break;
	}
	if (ask.answer.descriptors[1] >= 0)
		sys_close(ask.answer.descriptors[1]);
	return listing_map(ask.answer.descriptors[0], listing);
}

int listing_open(int directory, const char *path, struct listing *listing)
{
	*listing = (struct listing){.descriptor = -1};
	if (ask_passes(INTENT_READ, directory, path))
		return open_local(directory, path, listing);
	return open_asked(directory, path, listing);
}

static int next_local(struct listing *listing, struct listed *entry)
{
	if (listing->descriptor >= 0 && read_local(listing) != 0)
		return -1;
	if (listing->at >= listing->size)
		return 0;
	const struct dirent *found = (const struct dirent *)(listing->memory + listing->at);
	listing->at += found->d_reclen;
	*entry = (struct listed){
		.name = found->d_name, .length = strlen(found->d_name), .inode = found->d_ino, .type = found->d_type};
	return 1;
}

int listing_next(struct listing *listing, struct listed *entry)
{
	struct directory_chunk chunk;
	struct directory_entry found;
	if (listing->local)
		return next_local(listing, entry);
	for (;; listing->index = 0) {
		if (listing->at >= listing->size)
			return 0;
		size_t used = directory_chunk_read(listing->memory + listing->at, listing->size - listing->at, &chunk);
		if (!used)
			return fail(EIO);
		if (listing->index < chunk.count)
			break;
		listing->at += used;
	}
	if (!directory_chunk_entry(&chunk, listing->index, &found) || found.name_size == 0 || found.name_size > NAME_MAX)
		return fail(EIO);
	listing->index++;
	*entry = (struct listed){.name = (const char *)found.name,
	                         .length = found.name_size,
	                         .inode = found.inode,
	                         .type = found.type,
	                         .has_stat = found.has_stat};
	if (found.has_stat)
		remote_status(&entry->status, &found.stat);
	return 1;
}

void listing_close(struct listing *listing)
{
	int error = errno;
	if (listing->local)
		free((void *)(uintptr_t)listing->memory);
	else if (listing->memory)
		sys_munmap((void *)(uintptr_t)listing->memory, listing->size);
	if (listing->descriptor >= 0)
		sys_close(listing->descriptor);
	*listing = (struct listing){.descriptor = -1};
	errno = error;
}

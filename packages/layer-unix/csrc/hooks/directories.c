/*
 * DIR streams. Those of remote directories are ours: the session's listing, mapped, and the stand-in's descriptor. They
 * lie in a pool, so that each call tells them from libc's by their address. A place in a stream is the number of the
 * next entry; it is the place of the descriptor for getdents64 too (hooks/scan.c), as with the kernel.
 *
 * A stream has no lock: two threads that read from one get each entry once.
 */
#include "hook.h"
#include "listing.h"
#include "pool.h"
#include "remote.h"

#include <stdlib.h>

struct stream {
	struct pool_head head;
	int descriptor;
	struct listing listing;
	uint64_t next; /* number of the next entry */
	uint64_t hint; /* where a chunk begins, in words << 32, and the number of its first entry */
	struct dirent entry;
};

enum { STREAMS = 64 };
static struct stream first[STREAMS];
static struct pool streams = {sizeof(struct stream), STREAMS, {first}};

static struct stream *ours(DIR *stream)
{
	return pool_has(&streams, stream) ? (struct stream *)stream : NULL;
}

/* A stream over a listing, whose descriptor is closed here, and a directory, whose descriptor it keeps. */
static struct stream *stream_make(int listing, int directory)
{
	struct stream *stream = pool_take(&streams);
	if (!stream) {
		sys_close(listing);
		fail(ENOMEM);
		return NULL;
	}
	if (listing_map(listing, &stream->listing) != 0) {
		pool_give(stream);
		return NULL;
	}
	stream->descriptor = directory;
	return stream;
}

/* Not inlined: the room for a path. */
__attribute__((noinline)) static DIR *open_asked(const char *path)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	switch (ask_path(WIRE_LAYER_OPERATION_LIST, INTENT_READ, AT_FDCWD, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.opendir(path);
	case SIDE_MOVED:
		return libc.opendir(room);
	case SIDE_FAILED:
		return NULL;
	case SIDE_DONE:
		break;
	}
	struct stream *made = stream_make(ask.answer.descriptors[0], ask.answer.descriptors[1]);
	if (!made)
		sys_close(ask.answer.descriptors[1]);
	return (DIR *)made;
}

DIR *hook_opendir(const char *path)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.opendir(path);
	return open_asked(path);
}

/* Not inlined: an answer is large. */
__attribute__((noinline)) static DIR *adopt(int descriptor, const struct identity *directory)
{
	struct answer answer;
	long flags = sys_fcntl(descriptor, F_GETFL, 0), place = sys_lseek(descriptor, 0, SEEK_CUR);
	if (flags & O_PATH || place < 0) {
		fail(EBADF);
		return NULL;
	}
	if (remote_ask(WIRE_LAYER_OPERATION_LIST, directory, &answer) != 0)
		return NULL;
	sys_close(answer.descriptors[1]);
	struct stream *made = stream_make(answer.descriptors[0], descriptor);
	if (made) {
		made->next = (uint64_t)place;
		sys_fcntl(descriptor, F_SETFD, FD_CLOEXEC); /* as both C libraries do */
	}
	return (DIR *)made;
}

DIR *hook_fdopendir(int descriptor)
{
	if (descriptor < 0)
		return libc.fdopendir(descriptor);
	struct identity directory = identity_of_directory(descriptor);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.fdopendir(descriptor);
	return adopt(descriptor, &directory);
}

int hook_closedir(DIR *stream)
{
	struct stream *own = ours(stream);
	if (!own)
		return libc.closedir(stream);
	int descriptor = own->descriptor;
	listing_close(&own->listing);
	pool_give(own);
	long code = sys_close(descriptor);
	return code ? fail((int)-code) : 0;
}

/* The entry with this number. As listing_next(). */
static int entry_at(struct stream *stream, uint64_t number, struct listed *entry)
{
	uint64_t hint = __atomic_load_n(&stream->hint, __ATOMIC_RELAXED);
	if (number < (uint32_t)hint)
		hint = 0;
	struct listing listing = stream->listing;
	struct directory_chunk chunk;
	uint64_t before = (uint32_t)hint;
	for (listing.at = (hint >> 32) * 8; listing.at < listing.size; before += chunk.count) {
		size_t used = directory_chunk_read(listing.memory + listing.at, listing.size - listing.at, &chunk);
		if (!used)
			return fail(EIO);
		if (number - before < chunk.count) {
			__atomic_store_n(&stream->hint, (uint64_t)listing.at / 8 << 32 | before, __ATOMIC_RELAXED);
			listing.index = (uint32_t)(number - before);
			return listing_next(&listing, entry);
		}
		listing.at += used;
	}
	return 0;
}

/* The next entry as a dirent, whose name has room. 1, 0 at the end, or -1 with errno. */
static int read_entry(struct stream *stream, struct dirent *to)
{
	struct listed entry;
	uint64_t next = __atomic_load_n(&stream->next, __ATOMIC_RELAXED);
	do {
		int result = entry_at(stream, next, &entry);
		if (result == 0) /* where the kernel's would be for the descriptor's other users */
			sys_lseek(stream->descriptor, (int64_t)next, SEEK_SET);
		if (result != 1)
			return result;
	} while (!__atomic_compare_exchange_n(&stream->next, &next, next + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	to->d_ino = entry.inode;
	to->d_off = (off_t)next + 1;
	to->d_type = entry.type;
	to->d_reclen = (unsigned short)((offsetof(struct dirent, d_name) + entry.length + 8) & ~7ul);
	memcpy(to->d_name, entry.name, entry.length);
	to->d_name[entry.length] = 0;
	return 1;
}

/* Not inlined, as the next: an entry with its stat is for those who read one. */
__attribute__((noinline)) static struct dirent *read_ours(struct stream *stream)
{
	return read_entry(stream, &stream->entry) == 1 ? &stream->entry : NULL;
}

struct dirent *hook_readdir(DIR *stream)
{
	struct stream *own = ours(stream);
	return own ? read_ours(own) : libc.readdir(stream);
}

__attribute__((noinline)) static int read_ours_to(struct stream *stream, struct dirent *entry, struct dirent **result)
{
	int error = errno, got = read_entry(stream, entry), code = got < 0 ? errno : 0;
	errno = error;
	*result = got == 1 ? entry : NULL;
	return code;
}

int hook_readdir_r(DIR *stream, struct dirent *entry, struct dirent **result)
{
	struct stream *own = ours(stream);
	return own ? read_ours_to(own, entry, result) : libc.readdir_r(stream, entry, result);
}

static void move(struct stream *stream, uint64_t number)
{
	__atomic_store_n(&stream->next, number, __ATOMIC_RELAXED);
	sys_lseek(stream->descriptor, (int64_t)number, SEEK_SET);
}

/* From the start, and as the directory is now. If it can't be had any more, the old listing serves. */
__attribute__((noinline)) static void rewind_ours(struct stream *stream)
{
	int error = errno;
	struct identity directory = identity_of_directory(stream->descriptor);
	struct answer answer;
	struct listing fresh;
	move(stream, 0);
	if (directory.form == WIRE_LAYER_FORM_DIRECTORY &&
	    remote_ask(WIRE_LAYER_OPERATION_LIST, &directory, &answer) == 0) {
		sys_close(answer.descriptors[1]);
		if (listing_map(answer.descriptors[0], &fresh) == 0) {
			listing_close(&stream->listing);
			stream->listing = fresh;
			stream->hint = 0;
		}
	}
	errno = error;
}

void hook_rewinddir(DIR *stream)
{
	struct stream *own = ours(stream);
	if (own)
		rewind_ours(own);
	else
		libc.rewinddir(stream);
}

long hook_telldir(DIR *stream)
{
	struct stream *own = ours(stream);
	return own ? (long)__atomic_load_n(&own->next, __ATOMIC_RELAXED) : libc.telldir(stream);
}

void hook_seekdir(DIR *stream, long place)
{
	struct stream *own = ours(stream);
	if (own)
		move(own, (uint64_t)place);
	else
		libc.seekdir(stream, place);
}

int hook_dirfd(DIR *stream)
{
	struct stream *own = ours(stream);
	return own ? own->descriptor : libc.dirfd(stream);
}

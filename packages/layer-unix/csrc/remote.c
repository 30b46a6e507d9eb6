/* What hooks of directories, walks and changes share: see remote.h. */
#include "remote.h"

#include "sys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

void remote_status(struct stat *to, const struct wire_stat *from)
{
	memset(to, 0, sizeof *to);
	to->st_dev = from->device;
	to->st_ino = from->inode;
	to->st_mode = from->mode;
	to->st_nlink = from->links;
	to->st_uid = from->uid;
	to->st_gid = from->gid;
	to->st_rdev = from->rdev;
	to->st_size = (off_t)from->size;
	to->st_blksize = (blksize_t)from->block_size;
	to->st_blocks = (blkcnt_t)from->blocks;
	to->st_atim = (struct timespec){from->accessed_seconds, from->accessed_nanoseconds};
	to->st_mtim = (struct timespec){from->modified_seconds, from->modified_nanoseconds};
	to->st_ctim = (struct timespec){from->changed_seconds, from->changed_nanoseconds};
}

static int stat_local(int directory, const char *path, int flags, struct stat *status)
{
	long code = sys_fstatat(directory, path, status, flags);
	return code ? fail((int)-code) : 0;
}

/* Not inlined: the room for a path. */
__attribute__((noinline)) static int stat_asked(int directory, const char *path, int flags, struct stat *status)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	switch (ask_path(WIRE_LAYER_OPERATION_STAT, INTENT_READ, directory, path, (uint32_t)flags, 0, &ask)) {
	case SIDE_LOCAL:
		return stat_local(directory, path, flags, status);
	case SIDE_MOVED:
		return stat_local(AT_FDCWD, room, flags, status);
	case SIDE_FAILED:
		return -1;
	case SIDE_DONE:
		break;
	}
	remote_status(status, &ask.answer.reply.stat);
	return 0;
}

int inner_stat(int directory, const char *path, int flags, struct stat *status)
{
	if (ask_passes(INTENT_READ, directory, path))
		return stat_local(directory, path, flags, status);
	return stat_asked(directory, path, flags, status);
}

int find_remote(int *directory, const char **path, uint32_t flags, char *room)
{
	struct ask ask = {.path = room, .path_size = PATH_MAX};
	switch (ask_path(WIRE_LAYER_OPERATION_STAT, INTENT_READ, *directory, *path, flags, 0, &ask)) {
	case SIDE_LOCAL:
		return 0;
	case SIDE_MOVED:
		*directory = AT_FDCWD;
		*path = room;
		return 0;
	case SIDE_DONE:
		return 1;
	default:
		return -1;
	}
}

int remote_ask(enum wire_layer_operation operation, const struct identity *directory, struct answer *answer)
{
	struct layer_request request = {
		.operation = operation, .device = directory->device, .inode = directory->inode};
	return link_ask(&request, NULL, 0, answer, NULL, 0);
}

long remote_path(const struct identity *directory, char *room, size_t size)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_REALPATH,
	                                .device = directory->device,
	                                .inode = directory->inode};
	struct answer answer;
	if (link_ask(&request, NULL, 0, &answer, room, size - 1) != 0)
		return -1;
	if (answer.reply.payload == 0 || room[0] != '/')
		return fail(EIO);
	room[answer.reply.payload] = 0;
	return answer.reply.payload;
}

bool place_passes(int directory, const char *path)
{
	const struct table *table = layer.shared;
	if (table && path && path[0] == '/' && !(table->flags & TABLE_CHANGES_ASK))
		return true;
	return ask_passes(INTENT_CHANGE, directory, path);
}

bool descriptor_changes(int descriptor)
{
	if (identity_of(descriptor).form == WIRE_LAYER_FORM_FOREIGN)
		return true;
	fail(EROFS);
	return false;
}

bool walk_passes(const char *path, size_t length)
{
	const struct table *table = layer.shared;
	if (!path || (table && table->flags & TABLE_OFF))
		return true;
	if (length && path[0] == '/')
		return table && table_covers(table, layer.shared_size, path, length);
	if (!table || table->flags & TABLE_RELATIVE_ASK)
		return false;
	return identity_of_directory(AT_FDCWD).form != WIRE_LAYER_FORM_DIRECTORY;
}

extern const char *gnu_get_libc_version(void) __attribute__((weak));

bool libc_is_musl(void)
{
	return !gnu_get_libc_version;
}

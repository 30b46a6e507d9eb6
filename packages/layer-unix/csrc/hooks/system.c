/*
 * What is known of a file beside its content and stat: its file system, limits, extended attributes, changes to watch.
 * The target tells of the file system alone; the others are refused as by a file system that doesn't have them.
 */
#include "hook.h"
#include "remote.h"

#include <sys/inotify.h>
#include <sys/xattr.h>

/* ---- file system */

/* The target's answer about a path, or with an identity about a descriptor. */
struct system_answer {
	struct ask ask;
	struct wire_file_system system;
	char room[PATH_MAX];
};

static enum side decode(struct system_answer *answer, size_t size)
{
	if (file_system_read((const uint8_t *)answer->room, size, &answer->system))
		return SIDE_DONE;
	fail(EIO);
	return SIDE_FAILED;
}

static enum side ask_system(const char *path, struct system_answer *answer)
{
	answer->ask = (struct ask){.path = answer->room, .path_size = sizeof answer->room};
	enum side side = ask_path(WIRE_LAYER_OPERATION_FILE_SYSTEM, INTENT_READ, AT_FDCWD, path, 0, 0, &answer->ask);
	return side == SIDE_DONE ? decode(answer, answer->ask.path_length) : side;
}

static enum side ask_system_of(const struct identity *identity, struct system_answer *answer)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_FILE_SYSTEM,
	                                .device = identity->device,
	                                .inode = identity->inode};
	struct answer *reply = &answer->ask.answer;
	if (link_ask(&request, NULL, 0, reply, answer->room, sizeof answer->room) != 0)
		return SIDE_FAILED;
	return decode(answer, reply->reply.payload);
}

static void fill_statfs(struct statfs *to, const struct wire_file_system *from)
{
	memset(to, 0, sizeof *to);
	to->f_type = (long)from->type;
	to->f_bsize = (long)from->block_size;
	to->f_blocks = from->blocks;
	to->f_bfree = from->blocks_free;
	to->f_bavail = from->blocks_available;
	to->f_files = from->files;
	to->f_ffree = from->files_free;
	memcpy(&to->f_fsid, &from->id, sizeof to->f_fsid);
	to->f_namelen = (long)from->name_length;
	to->f_frsize = (long)from->fragment_size;
	to->f_flags = (long)from->flags;
}

static void fill_statvfs(struct statvfs *to, const struct wire_file_system *from)
{
	enum { VALID = 0x20 }; /* a bit of statfs alone: its flags mean something */
	*to = (struct statvfs){
		.f_bsize = from->block_size,
		.f_frsize = from->fragment_size ? from->fragment_size : from->block_size,
		.f_blocks = from->blocks,
		.f_bfree = from->blocks_free,
		.f_bavail = from->blocks_available,
		.f_files = from->files,
		.f_ffree = from->files_free,
		.f_favail = from->files_free,
		.f_fsid = from->id,
		.f_flag = from->flags & ~(uint64_t)VALID,
		.f_namemax = from->name_length,
	};
}

/* The four calls differ in the structure alone. */
#define SYSTEM_CALLS(name, fname)                                                                           \
	__attribute__((noinline)) static int name##_asked(const char *path, struct name *system)            \
	{                                                                                                   \
		struct system_answer answer;                                                                \
		enum side side = ask_system(path, &answer);                                                 \
		if (side == SIDE_LOCAL || side == SIDE_MOVED)                                               \
			return libc.name(side == SIDE_MOVED ? answer.room : path, system);                  \
		if (side == SIDE_DONE)                                                                      \
			fill_##name(system, &answer.system);                                                \
		return side == SIDE_DONE ? 0 : -1;                                                          \
	}                                                                                                   \
	int hook_##name(const char *path, struct name *system)                                              \
	{                                                                                                   \
		return ask_passes(INTENT_READ, AT_FDCWD, path) ? libc.name(path, system) : name##_asked(path, system); \
	}                                                                                                   \
	__attribute__((noinline)) static int fname##_asked(const struct identity *identity, struct name *system) \
	{                                                                                                   \
		struct system_answer answer;                                                                \
		if (ask_system_of(identity, &answer) != SIDE_DONE)                                          \
			return -1;                                                                          \
		fill_##name(system, &answer.system);                                                        \
		return 0;                                                                                   \
	}                                                                                                   \
	int hook_##fname(int descriptor, struct name *system)                                               \
	{                                                                                                   \
		struct identity identity = identity_of(descriptor);                                         \
		if (identity.form == WIRE_LAYER_FORM_FOREIGN)                                               \
			return libc.fname(descriptor, system);                                              \
		return fname##_asked(&identity, system);                                                    \
	}

SYSTEM_CALLS(statfs, fstatfs)
SYSTEM_CALLS(statvfs, fstatvfs)

/* ---- limits: but for the length of names, those of any file system here */

__attribute__((noinline)) static long pathconf_asked(const char *path, int name)
{
	struct system_answer answer;
	enum side side = ask_system(path, &answer);
	if (side == SIDE_LOCAL || side == SIDE_MOVED)
		return libc.pathconf(side == SIDE_MOVED ? answer.room : path, name);
	if (side == SIDE_FAILED)
		return -1;
	return name == _PC_NAME_MAX ? (long)answer.system.name_length : libc.pathconf("/", name);
}

long hook_pathconf(const char *path, int name)
{
	return ask_passes(INTENT_READ, AT_FDCWD, path) ? libc.pathconf(path, name) : pathconf_asked(path, name);
}

/* ---- extended attributes and watches */

/* A call by path that a remote file refuses: with ENOTSUP, or as stat does. */
#define REFUSED(type, name, flags, parameters, arguments)                             \
	__attribute__((noinline)) static type name##_asked parameters                 \
	{                                                                             \
		char room[PATH_MAX];                                                  \
		int directory = AT_FDCWD;                                             \
		int where = find_remote(&directory, &path, flags, room);              \
		return where > 0 ? fail(ENOTSUP) : where < 0 ? -1 : libc.name arguments; \
	}                                                                             \
	type hook_##name parameters                                                   \
	{                                                                             \
		if (ask_passes(INTENT_READ, AT_FDCWD, path))                          \
			return libc.name arguments;                                   \
		return name##_asked arguments;                                        \
	}

REFUSED(ssize_t, getxattr, 0, (const char *path, const char *name, void *value, size_t size), (path, name, value, size))
REFUSED(ssize_t, lgetxattr, AT_SYMLINK_NOFOLLOW, (const char *path, const char *name, void *value, size_t size),
        (path, name, value, size))
REFUSED(ssize_t, listxattr, 0, (const char *path, char *list, size_t size), (path, list, size))
REFUSED(ssize_t, llistxattr, AT_SYMLINK_NOFOLLOW, (const char *path, char *list, size_t size), (path, list, size))
REFUSED(int, inotify_add_watch, 0, (int descriptor, const char *path, uint32_t mask), (descriptor, path, mask))

ssize_t hook_fgetxattr(int descriptor, const char *name, void *value, size_t size)
{
	if (identity_of(descriptor).form != WIRE_LAYER_FORM_FOREIGN)
		return fail(ENOTSUP);
	return libc.fgetxattr(descriptor, name, value, size);
}

ssize_t hook_flistxattr(int descriptor, char *list, size_t size)
{
	if (identity_of(descriptor).form != WIRE_LAYER_FORM_FOREIGN)
		return fail(ENOTSUP);
	return libc.flistxattr(descriptor, list, size);
}

/* ---- a key of System V's communication, which libc makes of a file's stat */

int hook_ftok(const char *path, int project)
{
	struct stat status;
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.ftok(path, project);
	if (inner_stat(AT_FDCWD, path, 0, &status) != 0)
		return -1;
	return (int)((status.st_ino & 0xffff) | (status.st_dev & 0xff) << 16 | ((unsigned)project & 0xff) << 24);
}

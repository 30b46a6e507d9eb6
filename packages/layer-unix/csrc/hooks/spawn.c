/*
 * What posix_spawn does between fork and exec: libc opens, closes and changes directories inside, where no hook sees it,
 * so the actions are made right when they are added. The spawn itself is in process.c.
 */
#include "files.h"
#include "hook.h"

#include <spawn.h>

/* ---- closing, which must spare what is ours */

/* A number of ours isn't open for the program, and closing such a number is no error of a spawn. */
int hook_posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int descriptor)
{
	return layer_owns(descriptor) ? 0 : libc.posix_spawn_file_actions_addclose(actions, descriptor);
}

/*
 * closefrom would take the layer's descriptors from the child. Below each of them the numbers are closed one by one,
 * as far as any is open and well beyond, for those that are opened before the spawn. (Closing a number that isn't open
 * is no error of a spawn.)
 */
int hook_posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first)
{
	enum { MARGIN = 1024 };
	unsigned own[2], from = (unsigned)first;
	int count = first < 0 ? 0 : layer_descriptors(from, own);
	for (int i = 0; i < count; i++) {
		unsigned end = own[i];
		while (end > from && sys_fcntl((int)end - 1, F_GETFD, 0) < 0)
			end--;
		end = own[i] - end < MARGIN ? own[i] : end + MARGIN;
		for (; from < end; from++) {
			int code = libc.posix_spawn_file_actions_addclose(actions, (int)from);
			if (code)
				return code;
		}
		from = own[i] + 1;
	}
	return libc.posix_spawn_file_actions_addclosefrom_np(actions, count ? (int)from : first);
}

/* ---- what is opened here for the child, and closed with the actions */

static struct held {
	const posix_spawn_file_actions_t *actions;
	int descriptor;
} held[64];

static bool hold(const posix_spawn_file_actions_t *actions, int descriptor)
{
	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		const posix_spawn_file_actions_t *none = NULL;
		if (!__atomic_compare_exchange_n(&held[i].actions, &none, actions, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&held[i].descriptor, descriptor, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

/* Holds a descriptor that came from the session, out of the way of what the actions open. Its new number, or -errno. */
static int keep(const posix_spawn_file_actions_t *actions, int descriptor)
{
	int high = descriptor_high(descriptor);
	sys_close(descriptor);
	if (high >= 0 && !hold(actions, high)) {
		sys_close(high);
		return -EMFILE;
	}
	return high;
}

/* Keeps the program's errno, since these calls return theirs. */
static int failed(int before)
{
	int code = errno;
	errno = before;
	return code;
}

/*
 * The child opens our descriptor anew, so that each process that is spawned with these actions has an offset of its own.
 * What isn't there is an error of the spawn, as it is without us: nothing is called "".
 */
__attribute__((noinline)) static int add_open(posix_spawn_file_actions_t *actions, int number, const char *path,
                                              int flags, mode_t mode)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	int before = errno, code;
	switch (ask_path(WIRE_LAYER_OPERATION_OPEN, open_intent(flags), AT_FDCWD, path, (uint32_t)flags, mode, &ask)) {
	case SIDE_LOCAL:
		return libc.posix_spawn_file_actions_addopen(actions, number, path, flags, mode);
	case SIDE_MOVED:
		return libc.posix_spawn_file_actions_addopen(actions, number, room, flags, mode);
	case SIDE_FAILED:
		code = failed(before);
		return code == ENOENT ? libc.posix_spawn_file_actions_addopen(actions, number, "", O_RDONLY, 0) : code;
	case SIDE_DONE:
		break;
	}
	int descriptor = keep(actions, ask.answer.descriptors[0]);
	if (descriptor < 0)
		return -descriptor;
	descriptor_path(room, descriptor);
	return libc.posix_spawn_file_actions_addopen(actions, number, room, flags & ~O_NOFOLLOW, 0);
}

int hook_posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int number, const char *path, int flags,
                                          mode_t mode)
{
	if (ask_passes(open_intent(flags), AT_FDCWD, path))
		return libc.posix_spawn_file_actions_addopen(actions, number, path, flags, mode);
	return add_open(actions, number, path, flags, mode);
}

/* Not inlined: the room for a path. Returns an errno. */
__attribute__((noinline)) static int add_enter(posix_spawn_file_actions_t *actions, const char *path)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	int before = errno;
	switch (ask_path(WIRE_LAYER_OPERATION_ENTER, INTENT_READ, AT_FDCWD, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.posix_spawn_file_actions_addchdir_np(actions, path);
	case SIDE_MOVED:
		return libc.posix_spawn_file_actions_addchdir_np(actions, room);
	case SIDE_FAILED:
		return failed(before);
	case SIDE_DONE:
		break;
	}
	int descriptor = keep(actions, ask.answer.descriptors[0]);
	return descriptor < 0 ? -descriptor : libc.posix_spawn_file_actions_addfchdir_np(actions, descriptor);
}

int hook_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.posix_spawn_file_actions_addchdir_np(actions, path);
	return add_enter(actions, path);
}

int hook_posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *actions, int descriptor)
{
	return layer_owns(descriptor) ? EBADF : libc.posix_spawn_file_actions_addfchdir_np(actions, descriptor);
}

int hook_posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		if (__atomic_load_n(&held[i].actions, __ATOMIC_RELAXED) != actions)
			continue;
		sys_close(__atomic_exchange_n(&held[i].descriptor, -1, __ATOMIC_ACQUIRE));
		__atomic_store_n(&held[i].actions, NULL, __ATOMIC_RELEASE);
	}
	return libc.posix_spawn_file_actions_destroy(actions);
}

/*
 * What posix_spawn does in the child before the program starts: libc opens files and changes directories there without
 * calling us. Remote ones are opened here, when the action is added, under high numbers, and closed with the actions.
 * Closing: hooks/process.c.
 */
#include "files.h"
#include "hook.h"

static struct held {
	const posix_spawn_file_actions_t *actions;
	int descriptor;
} held[32];

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

static void release(const posix_spawn_file_actions_t *actions)
{
	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		if (__atomic_load_n(&held[i].actions, __ATOMIC_RELAXED) != actions)
			continue;
		sys_close(__atomic_exchange_n(&held[i].descriptor, -1, __ATOMIC_ACQUIRE));
		__atomic_store_n(&held[i].actions, NULL, __ATOMIC_RELEASE);
	}
}

/* Those that are there by the same address were never destroyed. */
int hook_posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
	release(actions);
	return libc.posix_spawn_file_actions_init(actions);
}

int hook_posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
	release(actions);
	return libc.posix_spawn_file_actions_destroy(actions);
}

/* An action returns its error and leaves errno alone. */
static int refused(int error)
{
	int code = errno;
	errno = error;
	return code;
}

/* Moves a descriptor from a question out of the way of what the actions open. Negative: -errno. */
static int move_high(int low)
{
	int high = descriptor_high(low);
	sys_close(low);
	return high;
}

/* Keeps a descriptor that an action (which returned `code`) needs. */
static int keep(const posix_spawn_file_actions_t *actions, int descriptor, int code)
{
	if (!code && !hold(actions, descriptor))
		code = EMFILE;
	if (code)
		sys_close(descriptor);
	return code;
}

/* Not inlined: the room for a path. Returns an errno. */
__attribute__((noinline)) static int add_enter(posix_spawn_file_actions_t *actions, const char *path)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	int error = errno;
	switch (ask_path(WIRE_LAYER_OPERATION_ENTER, INTENT_READ, AT_FDCWD, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.posix_spawn_file_actions_addchdir_np(actions, path);
	case SIDE_MOVED:
		return libc.posix_spawn_file_actions_addchdir_np(actions, room);
	case SIDE_FAILED:
		return refused(error);
	case SIDE_DONE:
		break;
	}
	int descriptor = move_high(ask.answer.descriptors[0]);
	if (descriptor < 0)
		return -descriptor;
	return keep(actions, descriptor, libc.posix_spawn_file_actions_addfchdir_np(actions, descriptor));
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

/*
 * Not inlined: the room for a path. Returns an errno: what the target says is said now, not by posix_spawn. A relative
 * path is taken from the current directory, whatever directory the actions change to.
 */
__attribute__((noinline)) static int add_open(posix_spawn_file_actions_t *actions, int to, const char *path, int flags,
                                              mode_t mode)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	int error = errno;
	switch (ask_path(WIRE_LAYER_OPERATION_OPEN, open_intent(flags), AT_FDCWD, path, (uint32_t)flags, mode, &ask)) {
	case SIDE_LOCAL:
		return libc.posix_spawn_file_actions_addopen(actions, to, path, flags, mode);
	case SIDE_MOVED:
		return libc.posix_spawn_file_actions_addopen(actions, to, room, flags, mode);
	case SIDE_FAILED:
		return refused(error);
	case SIDE_DONE:
		break;
	}
	int descriptor = open_finish(ask.answer.descriptors[0], flags | O_CLOEXEC);
	if (descriptor < 0)
		return refused(error);
	descriptor = move_high(descriptor);
	if (descriptor < 0)
		return -descriptor;
	if (to == STDIN_FILENO && settle(descriptor) != 0) {
		sys_close(descriptor);
		return refused(error);
	}
	return keep(actions, descriptor, libc.posix_spawn_file_actions_adddup2(actions, descriptor, to));
}

int hook_posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int to, const char *path, int flags,
                                          mode_t mode)
{
	if (to < 0 || ask_passes(open_intent(flags), AT_FDCWD, path))
		return libc.posix_spawn_file_actions_addopen(actions, to, path, flags, mode);
	return add_open(actions, to, path, flags, mode);
}

/* As dup2: what comes to number 0 is there, since the program may be one that the layer can't enter. */
int hook_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to)
{
	int error = errno;
	if (to == STDIN_FILENO && from >= 0 && settle(from) != 0)
		return refused(error);
	return libc.posix_spawn_file_actions_adddup2(actions, from, to);
}

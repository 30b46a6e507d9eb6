/*
 * close and its kin, dup2, dup3: the layer's own descriptors are not the program's to close or to replace. Duplicates
 * need no more code, since identity is the kernel's; but for the one that libc reads without calling us.
 */
#include "files.h"
#include "hook.h"

/* As if the number weren't open: EBADF. */
int hook_close(int descriptor)
{
	if (layer_owns(descriptor))
		return fail(EBADF);
	return libc.close(descriptor);
}

/* Of the kernel, since older C libraries lack it. */
static int close_all(unsigned first, unsigned last, int flags)
{
	long code = sys_call3(SYS_close_range, first, last, flags);
	return code ? fail((int)-code) : 0;
}

/* Calls the kernel once for each gap between our own descriptors; its first error ends it. */
int hook_close_range(unsigned first, unsigned last, int flags)
{
	unsigned own[2];
	int count = first <= last ? layer_descriptors(first, own) : 0, result = 0;
	for (int i = 0; i < count && result == 0 && own[i] <= last; i++) {
		if (own[i] > first)
			result = close_all(first, own[i] - 1, flags);
		if (own[i] == last)
			return result;
		first = own[i] + 1;
	}
	return result ? result : close_all(first, last, flags);
}

void hook_closefrom(int first)
{
	unsigned own[2], from = first < 0 ? 0 : (unsigned)first;
	int count = layer_descriptors(from, own);
	for (int i = 0; i < count; i++) {
		if (own[i] > from && sys_call3(SYS_close_range, from, own[i] - 1, 0) != 0)
			for (; from < own[i]; from++) /* before Linux 5.9 */
				sys_close((int)from);
		from = own[i] + 1;
	}
	libc.closefrom((int)from);
}

/* Makes room at a number of ours, if the call is going to replace what is there. */
static void make_room(int from, int to)
{
	if (layer_owns(to) && from != to && sys_fcntl(from, F_GETFD, 0) >= 0)
		layer_yield(to);
}

/*
 * What comes to number 0 is read by libc, as `stdin`, without calling us. The original is what settles, so that both
 * numbers keep sharing one offset.
 */
static bool may_become(int to, int from)
{
	return to != STDIN_FILENO || from < 0 || settle(from) == 0;
}

int hook_dup(int descriptor)
{
	int made = libc.dup(descriptor);
	if (made == STDIN_FILENO)
		settle_standard_input();
	return made;
}

int hook_dup2(int from, int to)
{
	if (!may_become(to, from))
		return -1;
	make_room(from, to);
	return libc.dup2(from, to);
}

int hook_dup3(int from, int to, int flags)
{
	if (!may_become(to, from))
		return -1;
	make_room(from, to);
	return libc.dup3(from, to, flags);
}

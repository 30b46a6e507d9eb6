/*
 * fcntl and ioctl, for the few commands that make a descriptor or read a file's content. All others are libc's: they
 * are about a descriptor, and those are the kernel's own.
 */
#include "files.h"
#include "hook.h"

#include <linux/fiemap.h>
#include <linux/fs.h>

int hook_fcntl(int descriptor, int command, long argument)
{
	int result = libc.fcntl(descriptor, command, argument);
	if (__builtin_expect(result == STDIN_FILENO, 0) && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
		settle_standard_input();
	return result;
}

/* A file system shares blocks as they are, so what is shared must be there. What is read by request has no blocks. */
static bool can_share(int descriptor, uint64_t offset, uint64_t length)
{
	struct identity identity = identity_watched(descriptor);
	if (identity.form == WIRE_LAYER_FORM_REQUEST)
		return fail(EOPNOTSUPP) == 0;
	return identity_wait(&identity, offset, length ? length : UINT64_MAX) == 0;
}

int hook_ioctl(int descriptor, unsigned long request, long argument)
{
	const struct file_clone_range *range = (const struct file_clone_range *)argument;
	switch ((uint32_t)request) { /* an int in musl: its high half may be anything */
	case FICLONE:
		if (!can_share((int)argument, 0, 0))
			return -1;
		break;
	case FICLONERANGE:
		if (range && !can_share((int)range->src_fd, range->src_offset, range->src_length))
			return -1;
		break;
	case FS_IOC_FIEMAP: /* the blocks of a filling file tell nothing of the remote one */
		if (identity_watched(descriptor).form != WIRE_LAYER_FORM_FOREIGN)
			return fail(EOPNOTSUPP);
		break;
	default:
		break;
	}
	return libc.ioctl(descriptor, request, argument);
}

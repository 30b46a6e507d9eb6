/*
 * errno by the schema's names: numbers differ between systems, so the wire has names and each layer one table. Pure
 * but for fail(), the one place that sets errno.
 */
#include "layer.h"

#include <errno.h>

#define NUMBER(name)             \
	case WIRE_ERRNO_##name: \
		return name;

int errno_number(enum wire_errno code)
{
	switch (code) {
		NUMBER(EPERM)
		NUMBER(ENOENT)
		NUMBER(ESRCH)
		NUMBER(EINTR)
		NUMBER(EIO)
		NUMBER(ENXIO)
		NUMBER(E2BIG)
		NUMBER(ENOEXEC)
		NUMBER(EBADF)
		NUMBER(EAGAIN)
		NUMBER(ENOMEM)
		NUMBER(EACCES)
		NUMBER(EFAULT)
		NUMBER(EBUSY)
		NUMBER(EEXIST)
		NUMBER(EXDEV)
		NUMBER(ENODEV)
		NUMBER(ENOTDIR)
		NUMBER(EISDIR)
		NUMBER(EINVAL)
		NUMBER(ENFILE)
		NUMBER(EMFILE)
		NUMBER(ENOTTY)
		NUMBER(ETXTBSY)
		NUMBER(EFBIG)
		NUMBER(ENOSPC)
		NUMBER(ESPIPE)
		NUMBER(EROFS)
		NUMBER(EMLINK)
		NUMBER(EPIPE)
		NUMBER(ERANGE)
		NUMBER(EDEADLK)
		NUMBER(ENAMETOOLONG)
		NUMBER(ENOLCK)
		NUMBER(ENOSYS)
		NUMBER(ENOTEMPTY)
		NUMBER(ELOOP)
		NUMBER(ENODATA)
		NUMBER(EOVERFLOW)
		NUMBER(ESTALE)
		NUMBER(EDQUOT)
		NUMBER(ENOTSUP)
		NUMBER(ECONNRESET)
		NUMBER(ETIMEDOUT)
		NUMBER(ECANCELED)
		NUMBER(EHOSTDOWN)
		NUMBER(EREMOTEIO)
		NUMBER(ESHUTDOWN)
	case WIRE_ERRNO_NONE:
		break;
	}
	return EIO;
}

int fail(int code)
{
	errno = code;
	return -1;
}

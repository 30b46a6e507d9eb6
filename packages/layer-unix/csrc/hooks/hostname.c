/* gethostname and uname: the host's name is the target's, all else this machine's. Asked for once by each process. */
#include "hook.h"
#include "names.h"
#include "remote.h"

int hook_gethostname(char *name, size_t size)
{
	char host[65];
	switch (host_name(host)) {
	case NAME_LOCAL:
		return libc.gethostname(name, size);
	case NAME_FOUND:
		break;
	default:
		return -1;
	}
	size_t length = strlen(host) + 1;
	memcpy(name, host, length < size ? length : size);
	if (length <= size)
		return 0;
	if (!libc_is_musl())
		return fail(ENAMETOOLONG);
	if (size) /* musl cuts it short and says nothing */
		name[size - 1] = 0;
	return 0;
}

/* A size beyond the room ends the program, in libc. */
int hook___gethostname_chk(char *name, size_t size, size_t room)
{
	return size > room ? libc.__gethostname_chk(name, size, room) : hook_gethostname(name, size);
}

int hook_uname(struct utsname *system)
{
	char host[sizeof system->nodename];
	int result = libc.uname(system);
	if (result != 0)
		return result;
	switch (host_name(host)) {
	case NAME_LOCAL:
		return 0;
	case NAME_FOUND:
		memcpy(system->nodename, host, sizeof host);
		return 0;
	default:
		return -1;
	}
}

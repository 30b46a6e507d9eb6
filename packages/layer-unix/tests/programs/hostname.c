/*
 * Prints the host's name as gethostname and uname tell it, and what they do with too little room. With an argument that
 * is all; without, the program begins anew with one, so that its new image asks again.
 */
#include "check.h"

#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void short_of_room(size_t size)
{
	char name[300];
	memset(name, 'x', sizeof name);
	errno = 77;
	int result = gethostname(name, size);
	printf("%zu: %d %d [%.*s]\n", size, result, errno, (int)strnlen(name, 20), name);
}

int main(int argc, char **argv)
{
	struct utsname system, again;
	char name[300];
	CHECK(argc <= 2);
	errno = 77;
	CHECK(gethostname(name, sizeof name) == 0 && uname(&system) == 0);
	CHECK(syscall(SYS_uname, &again) == 0);
	CHECK(memcmp(&system, &again, sizeof system) == 0);
	CHECK(errno == 77);
	printf("%s %s %s %s %s\n", name, system.nodename, system.sysname, system.release, system.machine);
	for (size_t size = 0; size <= strlen(name) + 1; size++)
		short_of_room(size);
	CHECK_FAILS(uname(NULL), EFAULT);
	fflush(stdout);
	if (argc == 1)
		execl(argv[0], argv[0], "again", (char *)NULL);
	return 0;
}

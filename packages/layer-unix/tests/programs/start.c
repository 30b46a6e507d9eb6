/* Says whether the layer is active here: then a descriptor of its own can't be closed. "active", "inert". */
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int early_close = 1;

/* Before the layer's own constructor, if the loader runs ours first. */
__attribute__((constructor(101))) static void first(void)
{
	early_close = close(-1);
}

int main(int argc, char **argv)
{
	const char *variable = getenv("MIRRORD_LAYER");
	int link = -1;
	CHECK(early_close == -1);
	if (argc > 1 && strcmp(argv[1], "streams") == 0) { /* started without standard streams: none of ours is there */
		for (int i = 0; i < 3; i++)
			CHECK(syscall(SYS_fcntl, i, F_GETFD) == -1);
		return 0;
	}
	if (variable && *variable)
		CHECK(sscanf(variable, "1:%d:", &link) == 1);
	if (link >= 0 && syscall(SYS_fcntl, link, F_GETFD) >= 0)
		puts(close(link) == -1 && errno == EBADF ? "active" : "inert");
	else
		puts("no link");
	return 0;
}

/* close, close_range, closefrom, dup2: the layer's descriptors stay, the program's go. */
#include "check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static int count_open(void)
{
	int count = 0;
	for (int i = 3; i < 2048; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

static void open_some(void)
{
	int low = open("/dev/null", O_RDONLY);
	CHECK(low >= 3);
	CHECK(dup2(low, 700) == 700);
	CHECK(fcntl(low, F_DUPFD, 990) >= 990);
}

int main(int argc, char **argv)
{
	int hidden = count_open(); /* 0 on the plain system, 2 under the layer */
	CHECK(argc >= 2 && argv[1]);

	for (int i = 3; i < 2048; i++)
		if (close(i) != 0)
			CHECK(errno == EBADF);
	CHECK(count_open() == hidden);

	open_some();
	CHECK(count_open() == hidden + 3);
	CHECK(close_range(3, ~0u, 0) == 0);
	CHECK(count_open() == hidden);
	CHECK_FAILS(close_range(5, 4, 0), EINVAL);

	open_some();
	closefrom(3);
	CHECK(count_open() == hidden);

	/* Every number can be had: what was there moves away. */
	int low = open("/dev/null", O_RDONLY);
	for (int i = 900; i < 1000; i++) {
		CHECK(dup2(low, i) == i);
		CHECK(close(i) == 0);
		CHECK_FAILS(close(i), EBADF);
	}
	CHECK_FAILS(dup2(-1, 950), EBADF);
	CHECK_FAILS(dup3(low, low, 0), EINVAL);
	CHECK(close(low) == 0);
	CHECK(count_open() <= hidden);
	return 0;
}

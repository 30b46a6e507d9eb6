/* What is left when the session is gone: what had arrived, and EIO for all else. Under the layer alone. */
#include "content.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char buffer[4096];
	struct stat status, before;
	CHECK(argc == 2);
	char *large = below(argv[1], "large"), *small = below(argv[1], "small"), *request = below(argv[1], "request");
	int filling = open(large, O_RDONLY), whole = open(small, O_RDONLY), asked = open(request, O_RDONLY);
	CHECK(filling >= 0 && whole >= 0 && asked >= 0);
	CHECK(pread(filling, buffer, 4096, 0) == 4096);
	CHECK(fstat(whole, &before) == 0);
	CHECK(write(1, "ready\n", 6) == 6 && read(0, buffer, 1) == 1);

	CHECK(read(whole, buffer, 4096) == 5 && memcmp(buffer, "small", 5) == 0);
	CHECK(fstat(whole, &status) == 0 && status.st_ino == before.st_ino);
	CHECK(read(filling, buffer, 4096) == 4096);
	check_content(buffer, 4096, 0);
	CHECK_FAILS(pread(filling, buffer, 4096, 2000000), EIO);
	CHECK(lseek(filling, 1000000, SEEK_SET) == 1000000);
	CHECK_FAILS(read(filling, buffer, 4096), EIO);
	CHECK_FAILS(sendfile(1, filling, NULL, 100), EIO);
	CHECK(lseek(filling, 0, SEEK_CUR) == 1000000);
	errno = 0;
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, filling, 1 << 20) == MAP_FAILED && errno == EIO);
	errno = 0;
	CHECK(!fdopen(filling, "r") && errno == EIO);
	CHECK_FAILS(dup2(filling, 0), EIO);
	CHECK_FAILS(read(asked, buffer, 4096), EIO);

	CHECK_FAILS(open(small, O_RDONLY), EIO);
	CHECK_FAILS(stat(small, &status), EIO);
	CHECK_FAILS(access(small, R_OK), EIO);
	CHECK_FAILS(readlink(small, buffer, 100), EIO);
	errno = 0;
	CHECK(!fopen(small, "r") && errno == EIO);
	errno = 0;
	CHECK(!realpath(small, NULL) && errno == EIO);
	CHECK(open("/usr", O_RDONLY) >= 0 && stat("/usr", &status) == 0 && fopen("/dev/null", "r+"));

	/* Standard input of another image: not one byte that isn't there. */
	CHECK(close(0) == 0 && fcntl(filling, F_DUPFD, 0) == 0);
	CHECK_FAILS(read(0, buffer, 1), EBADF);
	receive_as_input(filling);
	CHECK(lseek(0, 0, SEEK_SET) == 0);
	execl("/bin/sh", "sh", "-c", "sort && exit 1; exit 0", NULL);
	return 9;
}

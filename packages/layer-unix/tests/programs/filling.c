/* Reading a file while it is being filled, or by request: never a byte that isn't there yet. */
#include "content.h"

#include <aio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#ifdef __GLIBC__ /* musl's compiler finds no headers of the kernel's */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

static unsigned char buffer[4 << 20];

static void in_order(void)
{
	int descriptor = open_it();
	size_t at = 0, step = 1;
	ssize_t got;
	errno = 5;
	while ((got = read(descriptor, buffer, step)) > 0) {
		check_content(buffer, (size_t)got, at);
		at += (size_t)got;
		step = step * 3 % 100003;
	}
	CHECK(got == 0 && at == size && errno == 5);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == (off_t)size);
	close(descriptor);
}

static void at_random(void)
{
	int descriptor = open_it();
	unsigned random = 1;
	for (int i = 0; i < 50; i++) {
		random = random * 1103515245 + 12345;
		off_t at = (off_t)(random % (size + 10000));
		size_t want = (random >> 8) % 70000, expected = at >= (off_t)size ? 0 : size - (size_t)at;
		ssize_t got = pread(descriptor, buffer, want, at);
		CHECK(got >= 0 && (size_t)got <= (want < expected ? want : expected));
		CHECK(got > 0 || want == 0 || expected == 0);
		check_content(buffer, (size_t)got, (uint64_t)at);
	}
	CHECK_FAILS(pread(descriptor, buffer, 1, -1), EINVAL);
	CHECK(read(descriptor, buffer, 0) == 0);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 0);
	close(descriptor);
}

/* In vectors; whether all of a vector is filled depends on the kind of file. */
static void vectors(void)
{
	int descriptor = open_it();
	struct iovec parts[] = {{buffer, 1000}, {NULL, 0}, {buffer + 1000, 30000}, {buffer + 31000, 7}};
	CHECK(readv(descriptor, parts, 4) == 31007);
	check_content(buffer, 31007, 0);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 31007);
	CHECK(preadv(descriptor, parts, 4, 100000) == 31007);
	check_content(buffer, 31007, 100000);
#ifdef RWF_HIPRI /* musl has no preadv2 before 1.2.5 */
	CHECK(preadv2(descriptor, parts, 4, 200000, 0) == 31007);
	check_content(buffer, 31007, 200000);
	CHECK(preadv2(descriptor, parts, 4, -1, 0) == 31007);
	check_content(buffer, 31007, 31007);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 62014);
	CHECK_FAILS(preadv2(descriptor, parts, 1, 0, 0x40000000), EOPNOTSUPP);
#endif
	CHECK_FAILS(readv(descriptor, parts, -1), EINVAL);
	CHECK_FAILS(preadv(descriptor, parts, 1, -1), EINVAL);
	close(descriptor);
}

/* Into a file, and what is there afterwards. */
static int new_file(void)
{
	char path[] = "/tmp/transferXXXXXX";
	int descriptor = mkstemp(path);
	CHECK(descriptor >= 0 && unlink(path) == 0);
	return descriptor;
}

/* What is shared is there; few file systems can. */
static void shared(void)
{
#ifdef __GLIBC__
	int descriptor = open_it(), to = new_file();
	struct file_clone_range range = {.src_fd = descriptor, .src_length = 4096};
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 16 * sizeof(struct fiemap_extent)];
	} extents = {.map = {.fm_length = ~0ull, .fm_extent_count = 16}};
	if (ioctl(descriptor, FS_IOC_FIEMAP, &extents) == 0) /* whose file has content has extents */
		CHECK(extents.map.fm_mapped_extents > 0);
	else
		CHECK(errno == EOPNOTSUPP || errno == ENOTTY);
	if (ioctl(to, FICLONERANGE, &range) == 0 && pread(to, buffer, 4096, 0) == 4096)
		check_content(buffer, 4096, 0);
	if (ioctl(to, FICLONE, descriptor) == 0 && pread(to, buffer, size, 0) == (ssize_t)size)
		check_content(buffer, size, 0);
	else
		CHECK(errno == EOPNOTSUPP || errno == EXDEV || errno == EINVAL || errno == ENOTTY);
	close(descriptor);
	close(to);
#endif
}

/* Nowhere in memory: as the kernel says it. */
static void nowhere(void)
{
	int descriptor = open_it();
	void *volatile place = (void *)1;
	CHECK_FAILS(read(descriptor, place, 10), EFAULT);
	CHECK(read(descriptor, buffer, 10) == 10);
	check_content(buffer, 10, 0);
	close(descriptor);
}

static void statuses(void)
{
	struct stat status, true_status;
	int descriptor = open_it();
	CHECK(stat(name, &true_status) == 0 && fstat(descriptor, &status) == 0);
	CHECK(status.st_ino == true_status.st_ino && status.st_dev == true_status.st_dev && status.st_nlink == 1);
	CHECK(status.st_mtim.tv_nsec == true_status.st_mtim.tv_nsec && status.st_size == (off_t)size);
	close(descriptor);
}

static void sent(void)
{
	int descriptor = open_it(), to = new_file();
	off_t at = 12345;
	size_t total = 0;
	ssize_t got;
	CHECK((got = sendfile(to, descriptor, &at, 300)) == 300 && at == 12645);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 0);
	CHECK(lseek(descriptor, 7, SEEK_SET) == 7);
	while ((got = sendfile(to, descriptor, NULL, size)) > 0)
		total += (size_t)got;
	CHECK(got == 0 && total == size - 7 && lseek(descriptor, 0, SEEK_CUR) == (off_t)size);
	CHECK(pread(to, buffer, 300, 0) == 300);
	check_content(buffer, 300, 12345);
	CHECK(pread(to, buffer, sizeof buffer, 300) == (ssize_t)total);
	check_content(buffer, total, 7);
	at = -1;
	CHECK_FAILS(sendfile(to, descriptor, &at, 1), EINVAL);
	close(descriptor);
	close(to);
}

static void asynchronous(void)
{
	static unsigned char second[70000];
	int descriptor = open_it();
	struct aiocb one = {.aio_fildes = descriptor, .aio_offset = 300000, .aio_buf = buffer, .aio_nbytes = 70000};
	struct aiocb two = {.aio_fildes = descriptor, .aio_offset = 1300000, .aio_buf = second, .aio_nbytes = 70000};
	const struct aiocb *waited[] = {&one};
	struct aiocb *list[] = {&two, NULL};
	two.aio_lio_opcode = LIO_READ;
	CHECK(aio_read(&one) == 0);
	while (aio_error(&one) == EINPROGRESS)
		CHECK(aio_suspend(waited, 1, NULL) == 0 || errno == EINTR);
	CHECK(aio_return(&one) == 70000);
	check_content(buffer, 70000, 300000);
	CHECK(lio_listio(LIO_WAIT, list, 2, NULL) == 0 && aio_return(&two) == 70000);
	check_content(second, 70000, 1300000);
	close(descriptor);
}

static void mapped(void)
{
	int descriptor = open_it();
	unsigned char *part = mmap(NULL, 100000, PROT_READ, MAP_PRIVATE, descriptor, 1 << 20);
	CHECK(part != MAP_FAILED);
	check_content(part, 100000, 1 << 20);
	unsigned char *all = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
	CHECK(all != MAP_FAILED);
	check_content(all, size, 0);
	munmap(part, 100000);
	munmap(all, size);
	close(descriptor);
}

static void copied(void)
{
	int descriptor = open_it(), to = new_file(), pipes[2];
	off_t at = 500000, to_at = 0;
	CHECK(copy_file_range(descriptor, &at, to, &to_at, 400000, 0) > 0 && to_at == at - 500000);
	CHECK(pread(to, buffer, sizeof buffer, 0) == to_at);
	check_content(buffer, (size_t)to_at, 500000);
	ssize_t got = copy_file_range(descriptor, NULL, to, NULL, 10000, 0);
	CHECK(got > 0 && lseek(descriptor, 0, SEEK_CUR) == got);
	CHECK(pread(to, buffer, (size_t)got, 0) == got);
	check_content(buffer, (size_t)got, 0);

	CHECK(pipe(pipes) == 0);
	at = 1500000;
	got = splice(descriptor, &at, pipes[1], NULL, 5000, 0);
	CHECK(got > 0 && at == 1500000 + got && read(pipes[0], buffer, 5000) == got);
	check_content(buffer, (size_t)got, 1500000);
	off_t before = lseek(descriptor, 0, SEEK_CUR);
	got = splice(descriptor, NULL, pipes[1], NULL, 5000, 0);
	CHECK(got > 0 && lseek(descriptor, 0, SEEK_CUR) == before + got && read(pipes[0], buffer, 5000) == got);
	check_content(buffer, (size_t)got, (uint64_t)before);
	close(descriptor);
	close(to);
}

static void sought(void)
{
	int descriptor = open_it();
	off_t end = (off_t)size;
	CHECK(lseek(descriptor, 0, SEEK_HOLE) == end && lseek(descriptor, 700000, SEEK_DATA) == 700000);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 700000 && lseek(descriptor, 0, SEEK_END) == end);
	CHECK_FAILS(lseek(descriptor, end, SEEK_DATA), ENXIO);
	CHECK_FAILS(lseek(descriptor, -1, SEEK_HOLE), ENXIO);
	close(descriptor);
}

int main(int argc, char **argv)
{
	static const struct content_case cases[] = {
		{"in_order", in_order},
		{"at_random", at_random},
		{"vectors", vectors},
		{"statuses", statuses},
		{"sent", sent},
		{"asynchronous", asynchronous},
		{"nowhere", nowhere},
		{"shared", shared},
		{"mapped", mapped},
		{"copied", copied},
		{"sought", sought},
		{NULL, NULL},
	};
	return content_main(argc, argv, cases);
}

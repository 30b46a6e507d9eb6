/*
 * Reading a file while it is being filled, or by request: never a byte that isn't there yet. Every case has a file of
 * its own, since one that was filled needs no waiting.
 */
#include "content.h"

#include <aio.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder;
static char *name;
static size_t size;
static unsigned char buffer[4 << 20], other[4 << 20];

static int open_it(void)
{
	int descriptor = open(name, O_RDONLY);
	CHECK(descriptor >= 0);
	return descriptor;
}

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

static void statuses(void)
{
	struct stat status, true_status;
	int descriptor = open_it();
	CHECK(stat(name, &true_status) == 0 && fstat(descriptor, &status) == 0);
	CHECK(status.st_ino == true_status.st_ino && status.st_dev == true_status.st_dev && status.st_nlink == 1);
	CHECK(status.st_mtim.tv_nsec == true_status.st_mtim.tv_nsec && status.st_size == (off_t)size);
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
	int descriptor = open_it();
	struct aiocb one = {.aio_fildes = descriptor, .aio_offset = 300000, .aio_buf = buffer, .aio_nbytes = 70000};
	struct aiocb two = {.aio_fildes = descriptor, .aio_offset = 1300000, .aio_buf = other, .aio_nbytes = 70000};
	const struct aiocb *waited[] = {&one};
	struct aiocb *list[] = {&two, NULL};
	two.aio_lio_opcode = LIO_READ;
	CHECK(aio_read(&one) == 0);
	while (aio_error(&one) == EINPROGRESS)
		CHECK(aio_suspend(waited, 1, NULL) == 0 || errno == EINTR);
	CHECK(aio_return(&one) == 70000);
	check_content(buffer, 70000, 300000);
	CHECK(lio_listio(LIO_WAIT, list, 2, NULL) == 0 && aio_return(&two) == 70000);
	check_content(other, 70000, 1300000);
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

/* ---- stdio */

static void check_stream(FILE *stream)
{
	char *line = NULL;
	size_t room = 0, total = 0, got;
	CHECK(stream);
	CHECK(fseek(stream, 3, SEEK_SET) == 0);
	check_content((int[]){fgetc(stream)}, 1, 3);
	CHECK(fseek(stream, 0, SEEK_SET) == 0);
	CHECK((got = (size_t)getdelim(&line, &room, 1, stream)) < size);
	check_content(line, got, 0);
	for (total = got; (got = fread(buffer, 1, 50001, stream)) > 0; total += got)
		check_content(buffer, got, total);
	CHECK(feof(stream) && total == size && ftell(stream) == (long)size);
	free(line);
}

static void opened_stream(void)
{
	struct stat status;
	FILE *stream = fopen(name, "rbe");
	check_stream(stream);
	CHECK(fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC);
	struct stat true_status;
	CHECK(fstat(fileno(stream), &status) == 0 && stat(name, &true_status) == 0);
	CHECK(status.st_ino == true_status.st_ino && status.st_nlink == 1);
	CHECK(fclose(stream) == 0);
}

static void stream_of_descriptor(void)
{
	int descriptor = open_it();
	FILE *stream = fdopen(descriptor, "r");
	CHECK(fileno(stream) == descriptor);
	check_stream(stream);
	CHECK(fclose(stream) == 0);
}

static void reopened_stream(void)
{
	int descriptor = open("/dev/null", O_RDONLY);
	FILE *stream = fdopen(descriptor, "r");
	CHECK(freopen(name, "r", stream) == stream && fileno(stream) == descriptor);
	check_stream(stream);
	CHECK(!freopen(below(folder, "none"), "r", stream) && errno == ENOENT);
	CHECK_FAILS(fcntl(descriptor, F_GETFD), EBADF);
}

static void stream_by_name(void)
{
	char path[64];
	int descriptor = open_it();
	sprintf(path, "/proc/self/fd/%d", descriptor);
	FILE *stream = fopen(path, "r");
	check_stream(stream);
	fclose(stream);
	close(descriptor);
}

static void duplicated_input(void)
{
	int descriptor = open_it();
	CHECK(dup2(descriptor, 0) == 0 && close(descriptor) == 0);
	check_stream(stdin);
}

static void opened_input(void)
{
	close(0);
	CHECK(open_it() == 0);
	check_stream(stdin);
}

/* Another image, which gets the file as standard input. */
static void inherited(void)
{
	pid_t child = fork();
	if (child == 0) {
		int descriptor = open_it();
		if (descriptor != 5)
			CHECK(dup2(descriptor, 5) == 5);
		CHECK(fcntl(descriptor, F_GETFD) == 0 && close(0) == 0 && fcntl(5, F_DUPFD, 0) == 0);
		execl("/proc/self/exe", "filling", folder, name, "child", NULL);
		_exit(9);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void child(void)
{
	ssize_t got = pread(5, buffer, 1000, 900000);
	CHECK(got == 1000);
	check_content(buffer, 1000, 900000);
	check_stream(stdin);
}

/* ---- others who read at the same time */

static size_t counts[1 << 16];

static void *share(void *argument)
{
	int descriptor = *(int *)argument;
	static __thread uint64_t words[8192];
	ssize_t got;
	while ((got = read(descriptor, words, 1000 * 8)) > 0) {
		size_t whole = (size_t)got / 8;
		check_content(words, (size_t)got, words[0] - WORD);
		__atomic_add_fetch(&counts[(words[0] - WORD) / 8000], whole, __ATOMIC_RELAXED);
	}
	CHECK(got == 0);
	return NULL;
}

static void threads(void)
{
	int descriptor = open_it();
	pthread_t thread[6];
	for (int i = 0; i < 6; i++)
		CHECK(pthread_create(&thread[i], NULL, share, &descriptor) == 0);
	for (int i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	size_t whole = size / 8, each;
	for (size_t i = 0; i * 1000 < whole; i++) {
		each = whole - i * 1000 < 1000 ? whole - i * 1000 : 1000;
		CHECK(counts[i] == each);
	}
	CHECK(lseek(descriptor, 0, SEEK_CUR) == (off_t)size);
}

static void forked(void)
{
	int descriptor = open_it(), status;
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(read(descriptor, buffer, 1000) == 1000);
		check_content(buffer, 1000, 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pid = vfork();
	if (pid == 0)
		_exit(read(descriptor, buffer, 3000) != 3000);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	check_content(buffer, 3000, 1000);
	CHECK(read(descriptor, buffer, 50) == 50);
	check_content(buffer, 50, 4000);
}

static int watched;
static volatile sig_atomic_t handled;

static void handler(int number)
{
	(void)number;
	off_t at = handled * 40000 % (off_t)(size - 100);
	int error = errno;
	handled++;
	errno = 3;
	CHECK(pread(watched, other, 100, at) == 100);
	CHECK(errno == 3);
	check_content(other, 100, (uint64_t)at);
	errno = error;
}

static void *signal_often(void *thread)
{
	while (handled < 100)
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	pthread_t self = pthread_self(), thread;
	watched = open_it();
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, signal_often, &self) == 0);
	while (handled < 100) {
		int descriptor = open_it();
		errno = 8;
		CHECK(read(descriptor, buffer, 5000) == 5000);
		CHECK(errno == 8);
		check_content(buffer, 5000, 0);
		close(descriptor);
	}
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"in_order", in_order},
		{"at_random", at_random},
		{"vectors", vectors},
		{"statuses", statuses},
		{"sent", sent},
		{"asynchronous", asynchronous},
		{"mapped", mapped},
		{"copied", copied},
		{"sought", sought},
		{"opened_stream", opened_stream},
		{"stream_of_descriptor", stream_of_descriptor},
		{"reopened_stream", reopened_stream},
		{"stream_by_name", stream_by_name},
		{"duplicated_input", duplicated_input},
		{"opened_input", opened_input},
		{"inherited", inherited},
		{"child", child},
		{"threads", threads},
		{"forked", forked},
		{"interrupted", interrupted},
	};
	struct stat status;
	CHECK(argc == 4);
	folder = argv[1];
	name = argv[2][0] == '/' ? argv[2] : below(folder, argv[2]);
	CHECK(stat(name, &status) == 0);
	size = (size_t)status.st_size;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[3]) == 0) {
			cases[i].run();
			return 0;
		}
	return 9;
}

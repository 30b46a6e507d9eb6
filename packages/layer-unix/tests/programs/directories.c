/*
 * Streams of directories. The second argument is the same directory by a path that is always this machine's: what both
 * show must be equal, entry by entry.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder, *truth;

static void same(const struct dirent *a, const struct dirent *b)
{
	CHECK(strcmp(a->d_name, b->d_name) == 0);
	CHECK(a->d_ino == b->d_ino && a->d_type == b->d_type);
	CHECK(a->d_reclen > strlen(a->d_name) && a->d_reclen <= sizeof *a && a->d_reclen % 8 == 0);
}

/* The next entry but "." and "..", which a file system may put anywhere; they are counted. */
static struct dirent *next(DIR *stream, int *dots)
{
	struct dirent *entry;
	while ((entry = readdir(stream)) && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)) {
		CHECK(entry->d_type == DT_DIR && entry->d_ino != 0);
		*dots += 1;
	}
	return entry;
}

/* Both streams to their ends. How many entries. */
static int same_to_the_end(DIR *a, DIR *b)
{
	int dots = 0, others = 0;
	for (int count = 0;; count++) {
		errno = 77;
		struct dirent *left = next(a, &dots), *right = next(b, &others);
		CHECK(!left == !right);
		CHECK(errno == 77);
		if (!left) {
			CHECK(dots == others);
			return count + dots;
		}
		same(left, right);
	}
}

static void whole(const char *name, int entries)
{
	DIR *a = opendir(below(folder, name)), *b = opendir(below(truth, name));
	CHECK(a && b);
	CHECK(same_to_the_end(a, b) == entries);
	CHECK(same_to_the_end(a, b) == 0);
	rewinddir(a);
	rewinddir(b);
	CHECK(same_to_the_end(a, b) == entries);
	CHECK(closedir(a) == 0 && closedir(b) == 0);
}

static void by_descriptor(void)
{
	DIR *own, *other = opendir(below(truth, "mixed"));
	struct dirent *got, entry, *result;
	struct stat status;
	int dots = 0;
	DIR *first = opendir(below(folder, "mixed"));
	CHECK(first && fstat(dirfd(first), &status) == 0 && S_ISDIR(status.st_mode));
	CHECK(fcntl(dirfd(first), F_GETFD) == FD_CLOEXEC);
	int number = dirfd(first), copy = dup(number);
	CHECK(fcntl(copy, F_GETFD) == 0);
	CHECK(readdir(first));
	CHECK(closedir(first) == 0);
	CHECK_FAILS(fcntl(number, F_GETFD), EBADF);

	CHECK(lseek(copy, 0, SEEK_SET) == 0);
	own = fdopendir(copy);
	CHECK(own && dirfd(own) == copy && fcntl(copy, F_GETFD) == FD_CLOEXEC);
	int same_place = dup(copy);
	CHECK(same_to_the_end(own, other) > 4);
	DIR *ended = fdopendir(same_place); /* one place for both, at the end */
	CHECK(ended && !readdir(ended));
	rewinddir(ended);
	CHECK(readdir(ended) && closedir(ended) == 0);

	rewinddir(own);
	rewinddir(other);
	while (readdir_r(own, &entry, &result) == 0 && result) {
		CHECK(result == &entry);
		if (strcmp(entry.d_name, ".") == 0 || strcmp(entry.d_name, "..") == 0)
			continue;
		CHECK((got = next(other, &dots)));
		same(result, got);
	}
	CHECK(!result && !next(other, &dots));
	CHECK(closedir(own) == 0 && closedir(other) == 0);
	CHECK_FAILS(close(copy), EBADF);
}

static void places(void)
{
	char names[64][256];
	long at[64];
	int count = 0;
	struct dirent *entry;
	DIR *stream = opendir(below(folder, "mixed"));
	CHECK(stream);
	for (at[0] = telldir(stream); (entry = readdir(stream)); at[++count] = telldir(stream)) {
		strcpy(names[count], entry->d_name);
		CHECK(entry->d_off == telldir(stream));
	}
	for (int i = count - 1; i >= 0; i--) {
		seekdir(stream, at[i]);
		CHECK(telldir(stream) == at[i]);
		CHECK((entry = readdir(stream)) && strcmp(entry->d_name, names[i]) == 0);
	}
	seekdir(stream, at[count]);
	CHECK(!readdir(stream));
	CHECK(closedir(stream) == 0);
}

/* A child goes on where it was; what it reads and closes is its own. */
static void across_fork(void)
{
	DIR *a = opendir(below(folder, "mixed")), *b = opendir(below(folder, "mixed"));
	int status;
	CHECK(a && b && readdir(a) && readdir(a) && readdir(b) && readdir(b));
	pid_t child = fork();
	if (child == 0) {
		CHECK(readdir(a));
		while (readdir(b))
			;
		CHECK(closedir(a) == 0);
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(readdir(a));
	CHECK(closedir(a) == 0 && closedir(b) == 0);
}

static void errors(void)
{
	CHECK(!opendir(below(folder, "nothing")) && errno == ENOENT);
	CHECK(!opendir(below(folder, "mixed/file")) && errno == ENOTDIR);
	CHECK(!opendir(below(folder, "mixed/file/x")) && errno == ENOTDIR);
	CHECK(!opendir(below(folder, "loop")) && errno == ELOOP);
	CHECK(!opendir(below(folder, "dangling")) && errno == ENOENT);
	CHECK(!opendir("") && errno == ENOENT);
	CHECK(!fdopendir(-1) && errno == EBADF);
	int file = open("/dev/null", O_RDONLY);
	CHECK(!fdopendir(file) && errno == ENOTDIR);
	CHECK(close(file) == 0);
	if (geteuid() != 0)
		CHECK(!opendir(below(folder, "forbidden")) && errno == EACCES);
}

/* The kernel's records, for as many entries as fit; the descriptor keeps the place. */
static void records(size_t room)
{
	DIR *given = opendir(below(folder, "mixed")), *other = opendir(below(truth, "mixed"));
	char *buffer = malloc(room), third[256];
	CHECK(given && other && buffer);
	int descriptor = dup(dirfd(given));
	CHECK(closedir(given) == 0);
	long got, second = -1;
	int count = 0, dots = 0;
	while ((got = syscall(SYS_getdents64, descriptor, buffer, room)) > 0)
		for (long at = 0; at < got; count++) {
			struct dirent *entry = (struct dirent *)(buffer + at), *right;
			at += entry->d_reclen;
			if (count == 1)
				second = entry->d_off;
			if (count == 2)
				strcpy(third, entry->d_name);
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			CHECK((right = next(other, &dots)));
			same(entry, right);
		}
	CHECK(got == 0 && !next(other, &dots) && dots == 2 && count > 4);
	CHECK(lseek(descriptor, second, SEEK_SET) == second);
	CHECK(syscall(SYS_getdents64, descriptor, buffer, room) > 0);
	CHECK(strcmp(((struct dirent *)buffer)->d_name, third) == 0);
	CHECK(lseek(descriptor, second, SEEK_SET) == second);
	CHECK_FAILS(syscall(SYS_getdents64, descriptor, buffer, 20), EINVAL);
	CHECK(close(descriptor) == 0 && closedir(other) == 0);
	free(buffer);
}

static void many_streams(void)
{
	enum { STREAMS = 300 };
	DIR *streams[STREAMS];
	for (int i = 0; i < STREAMS; i++)
		CHECK((streams[i] = opendir(below(folder, "mixed"))) && readdir(streams[i]));
	for (int i = 0; i < STREAMS; i++)
		CHECK(readdir(streams[i]) && closedir(streams[i]) == 0);
}

/* Counts up, as a stream, as records, and sorted. */
static void large(void)
{
	enum { ENTRIES = 100000 };
	struct dirent *entry, **entries;
	char name[24], buffer[32768];
	long at = 0, got;
	int count;
	DIR *stream = opendir(below(folder, "large"));
	CHECK(stream);
	for (count = 0; (entry = readdir(stream)); count++) {
		sprintf(name, "%d", count);
		CHECK(strcmp(entry->d_name, name) == 0);
		if (count == ENTRIES / 2)
			at = telldir(stream);
	}
	CHECK(count == ENTRIES);
	seekdir(stream, at);
	CHECK((entry = readdir(stream)) && atoi(entry->d_name) == ENTRIES / 2 + 1);
	rewinddir(stream);
	for (count = 0; (got = syscall(SYS_getdents64, dirfd(stream), buffer, sizeof buffer)) > 0;)
		for (at = 0; at < got; at += ((struct dirent *)(buffer + at))->d_reclen)
			CHECK(atoi(((struct dirent *)(buffer + at))->d_name) == count++);
	CHECK(got == 0 && count == ENTRIES && closedir(stream) == 0);
	CHECK(scandir(below(folder, "large"), &entries, NULL, alphasort) == ENTRIES);
	CHECK(strcmp(entries[1]->d_name, "1") == 0 && strcmp(entries[2]->d_name, "10") == 0);
}

static int seen[1000];

static void *read_some(void *stream)
{
	struct dirent entry, *result;
	while (readdir_r(stream, &entry, &result) == 0 && result)
		if (entry.d_name[0] != '.')
			__atomic_fetch_add(&seen[atoi(entry.d_name)], 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Each entry reaches one thread. */
static void shared_stream(void)
{
	pthread_t threads[4];
	DIR *stream = opendir(below(folder, "thousand"));
	CHECK(stream);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, read_some, stream) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < 1000; i++)
		CHECK(seen[i] == 1);
	CHECK(closedir(stream) == 0);
}

static void with_bases(void)
{
#ifdef __GLIBC__
	char buffer[300];
	off_t base = -1, before = 0;
	ssize_t got, count = 0;
	int descriptor = open(below(folder, "mixed"), O_RDONLY | O_DIRECTORY);
	while ((got = getdirentries(descriptor, buffer, sizeof buffer, &base)) > 0) {
		CHECK(base == before);
		before = lseek(descriptor, 0, SEEK_CUR);
		for (ssize_t at = 0; at < got; at += ((struct dirent *)(buffer + at))->d_reclen)
			count++;
	}
	CHECK(got == 0 && count > 2 && close(descriptor) == 0);
#endif
}

int main(int argc, char **argv)
{
	CHECK(argc == 4);
	folder = argv[1];
	truth = argv[2];
	if (strcmp(argv[3], "large") == 0) {
		large();
		return 0;
	}
	whole("mixed", atoi(argv[3]));
	whole("empty", 2);
	by_descriptor();
	places();
	across_fork();
	errors();
	records(32768);
	records(300);
	many_streams();
	shared_stream();
	with_bases();
	return 0;
}

/*
 * Looks at files in the ways of C programs: every family of calls once, old names and new ones.
 * Prints an answer a line; run under mirrord, and plainly with ROOT leading into the target's root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <fts.h>
#endif

static const char *root;
static char path[PATH_MAX];

static const char *at(const char *name)
{
	snprintf(path, sizeof path, "%s/srv/shop/%s", root, name);
	return path;
}

static const char *ours(const char *name)
{
	return name ? name + (strncmp(name, root, strlen(root)) ? 0 : strlen(root)) : "(null)";
}

static unsigned long sum(const void *data, size_t size)
{
	unsigned long hash = 5381;
	for (size_t i = 0; i < size; i++)
		hash = hash * 33 + ((const unsigned char *)data)[i];
	return hash;
}

static void told(const char *name, long result)
{
	printf("%s\t%ld %s\n", name, result, result < 0 ? strerror(errno) : "");
}

static void status(const char *name, int result, const struct stat *seen)
{
	if (result < 0)
		told(name, result);
	else
		printf("%s\t%o %lld %lld.%09ld %llu %u %u\n", name, seen->st_mode, (long long)seen->st_size,
		       (long long)seen->st_mtim.tv_sec, seen->st_mtim.tv_nsec, (unsigned long long)seen->st_ino,
		       (unsigned)seen->st_nlink, seen->st_uid);
}

static void reading(void)
{
	static char buffer[1 << 16], more[1 << 16];
	struct iovec parts[2] = {{buffer, 100}, {more, 1000}};
	int file = open(at("large.bin"), O_RDONLY | O_CLOEXEC), copy;
	told("open", file >= 0);
	told("read", read(file, buffer, 4096)), printf("%lx\n", sum(buffer, 4096));
	told("pread", pread(file, buffer, 4096, 5000000)), printf("%lx\n", sum(buffer, 4096));
	told("readv", readv(file, parts, 2)), printf("%lx\n", sum(more, 1000));
	told("preadv", preadv(file, parts, 2, 3000000)), printf("%lx\n", sum(more, 1000));
#ifdef __GLIBC__
	told("preadv2", preadv2(file, parts, 2, 3000000, 0));
#endif
	told("lseek", lseek(file, -10, SEEK_END)), told("at the end", read(file, buffer, 100)), told("past it", read(file, buffer, 100));
	told("write", write(file, "x", 1));
	copy = dup(file);
	told("dup shares the offset", lseek(copy, 7, SEEK_SET) == lseek(file, 0, SEEK_CUR));
	told("dup2", dup2(file, 200)), told("dup3", dup3(file, 201, O_CLOEXEC)), told("fcntl", fcntl(file, F_DUPFD, 202));
	told("flags", fcntl(201, F_GETFD)), told("mode", fcntl(201, F_GETFL) & O_ACCMODE), told("read 200", read(200, buffer, 9));
	told("close_range", syscall(SYS_close_range, 200, 210, 0)), told("closed", read(200, buffer, 1));
	FILE *out = tmpfile();
	off_t from = 1000;
	told("sendfile", sendfile(fileno(out), file, &from, 5000)), told("offset", from);
	rewind(out), told("fread", fread(buffer, 1, 5000, out)), printf("%lx\n", sum(buffer, 5000));
	void *memory = mmap(NULL, 6000000, PROT_READ, MAP_PRIVATE, file, 0);
	printf("mmap\t%lx\n", memory == MAP_FAILED ? 0 : sum((char *)memory + 2000000, 4000000));
	close(copy), close(file), fclose(out);
	told("closed", read(file, buffer, 1));
	FILE *stream = fopen(at("lines.txt"), "r");
	told("fopen", stream != NULL);
	for (int i = 0; i < 500 && fgets(buffer, sizeof buffer, stream); i++)
		;
	printf("fgets\t%s", buffer);
	told("fseek", fseek(stream, -9, SEEK_END)), printf("%s", fgets(buffer, sizeof buffer, stream));
	stream = freopen(at("config.json"), "r", stream), printf("freopen\t%s", fgets(buffer, sizeof buffer, stream)), fclose(stream);
}

static int visit(const char *name, const struct stat *seen, int type, struct FTW *where)
{
	printf("nftw\t%s %d %d\n", ours(name), type, where->level);
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void folders(void)
{
	struct dirent *entry, **entries;
	unsigned long names = 0;
	int count = 0, types = 0;
	DIR *folder = opendir(at("orders"));
	while ((entry = readdir(folder)))
		count++, names += sum(entry->d_name, strlen(entry->d_name)), types += entry->d_type == DT_REG;
	printf("readdir\t%d %lx %d\n", count, names, types);
	rewinddir(folder), told("rewinddir", readdir(folder) != NULL);
	long place = telldir(folder);
	entry = readdir(folder);
	char name[256];
	strcpy(name, entry->d_name), readdir(folder), seekdir(folder, place);
	told("seekdir", !strcmp(readdir(folder)->d_name, name));
	struct stat seen;
	status("dirfd", fstat(dirfd(folder), &seen), &seen);
	told("openat", openat(dirfd(folder), "001.txt", O_RDONLY) >= 0), closedir(folder);
	told("scandir", count = scandir(at("tree/a"), &entries, NULL, by_name));
	for (int i = 0; i < count; i++)
		printf("%s\n", entries[i]->d_name);
	int base = open(at("tree"), O_RDONLY | O_DIRECTORY);
	folder = fdopendir(dup(base)), told("fdopendir", folder != NULL), closedir(folder);
	status("fstatat", fstatat(base, "a/side.txt", &seen, 0), &seen);
	status("fstatat of a link", fstatat(base, "../current", &seen, AT_SYMLINK_NOFOLLOW), &seen);
	status("fstatat of itself", fstatat(base, "", &seen, AT_EMPTY_PATH), &seen);
	told("faccessat", faccessat(base, "a/b", R_OK | X_OK, 0)), told("faccessat", faccessat(base, "a/x", R_OK, 0));
	told("readlinkat", readlinkat(base, "../current", name, sizeof name));
	static char raw[1 << 15];
	told("getdents64", syscall(SYS_getdents64, base, raw, sizeof raw) > 0);
	char *before = getcwd(NULL, 0);
	told("fchdir", fchdir(base)), told("relative", open("a/side.txt", O_RDONLY) >= 0), told("access", access("a", F_OK));
	told("chdir", chdir("a/b")), told("up", access("../side.txt", R_OK)), told("missing", access("../side", R_OK));
	printf("getcwd\t%s\n", ours(getcwd(path, sizeof path)));
	chdir(before);
	nftw(at("tree/a"), visit, 8, FTW_PHYS);
	glob_t found;
	told("glob", glob(at("orders/00*.txt"), 0, NULL, &found)), printf("%zu %s\n", found.gl_pathc, ours(found.gl_pathv[3]));
#ifdef __GLIBC__
	char start[PATH_MAX], *starts[] = {strcpy(start, at("tree")), NULL};
	FTS *walk = fts_open(starts, FTS_PHYSICAL, NULL);
	for (FTSENT *step; (step = fts_read(walk));)
		printf("fts\t%s %d\n", ours(step->fts_path), step->fts_info);
	fts_close(walk);
#endif
}

int main(void)
{
	static const char *names[] = {"config.json", "orders", "current", "loop", "dangling", "nothing", "config.json/x", "empty"};
	struct stat seen;
	char room[PATH_MAX];
	root = getenv("ROOT") ? getenv("ROOT") : "";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		printf("-- %s\n", names[i]);
		status("stat", stat(at(names[i]), &seen), &seen);
		status("lstat", lstat(at(names[i]), &seen), &seen);
#ifdef STATX_BASIC_STATS
		struct statx more;
		told("statx", statx(AT_FDCWD, at(names[i]), 0, STATX_BASIC_STATS, &more));
#endif
		told("access", access(at(names[i]), R_OK)), told("euidaccess", euidaccess(at(names[i]), R_OK));
		told("readlink", readlink(at(names[i]), room, sizeof room));
		printf("realpath\t%s\n", realpath(at(names[i]), room) ? ours(room) : strerror(errno));
		told("open", open(at(names[i]), O_RDONLY | O_NOFOLLOW) < 0 ? -1 : 0);
		told("opendir", opendir(at(names[i])) ? 0 : -1);
	}
	status("fstat", fstat(open(at("config.json"), O_RDONLY), &seen), &seen);
	status("O_PATH", fstat(open(at("config.json"), O_PATH), &seen), &seen);
	struct statfs system;
	struct statvfs other;
	told("statfs", statfs(at("config.json"), &system)), printf("%lx %ld\n", (long)system.f_type, (long)system.f_namelen);
	told("statvfs", statvfs(at("orders"), &other)), printf("%ld\n", (long)other.f_namemax);
	reading();
	folders();
	return 0;
}

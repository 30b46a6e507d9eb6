/* Directories when the session ends: what was read stays, what is new fails with EIO, nothing crashes or hangs. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <fts.h>
#endif

static int visit(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)path, (void)status, (void)type, (void)where;
	return 0;
}

int main(int argc, char **argv)
{
	char room[PATH_MAX], byte;
	struct dirent **entries;
	glob_t found;
	CHECK(argc == 2 && chdir(argv[1]) == 0);
	DIR *stream = opendir("."), *other = opendir("one");
	CHECK(stream && other && readdir(stream));
	long place = telldir(stream);
#ifdef __GLIBC__
	FTS *walk = fts_open((char *[]){argv[1], NULL}, FTS_PHYSICAL, NULL);
	FTSENT *entry;
	CHECK(walk && (entry = fts_read(walk)) && entry->fts_info == FTS_D);
#endif
	CHECK(write(1, "there\n", 6) == 6 && read(0, &byte, 1) == 0);

	while (readdir(stream))
		;
	seekdir(stream, place);
	CHECK(readdir(stream));
	rewinddir(stream); /* the old listing serves */
	CHECK(readdir(stream));
	CHECK_FAILS(fchdir(dirfd(other)), EIO);
	CHECK_FAILS(chdir("one"), EIO);
	CHECK(!getcwd(room, sizeof room) && errno == EIO);
	CHECK(!opendir("one") && errno == EIO);
	CHECK(!fdopendir(dup(dirfd(other))) && errno == EIO);
	CHECK_FAILS(mkdir("made", 0700), EIO);
	CHECK_FAILS(scandir(argv[1], &entries, NULL, NULL), EIO);
	CHECK_FAILS(nftw(argv[1], visit, 9, FTW_PHYS), EIO);
	CHECK(glob(below(argv[1], "*"), GLOB_ERR, NULL, &found) != 0);
#ifdef __GLIBC__
	CHECK((entry = fts_read(walk)) && entry->fts_info == FTS_DNR && entry->fts_errno == EIO);
	CHECK(!fts_read(walk) && errno == 0 && fts_close(walk) == 0);
#endif
	CHECK(closedir(stream) == 0 && closedir(other) == 0);
	CHECK(chdir("/") == 0 && getcwd(room, sizeof room) && strcmp(room, "/") == 0);
	return 0;
}

/*
 * Walks of every kind, printed: what they visit, in which order, as what. Paths are printed without the directory that
 * is the first argument, so that a plain run and one under the layer are to print the same.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include "check.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <fts.h>
#else
#define FTW_ACTIONRETVAL 0
#define FTW_SKIP_SUBTREE 2
#define FTW_SKIP_SIBLINGS 3
#define FTW_STOP 1
#endif

static char *folder;
static int action, flags;

/* A path without the directory in front of it. */
static const char *shown(const char *path)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 ? path + length : path;
}

static void print_status(const struct stat *status)
{
	if (S_ISDIR(status->st_mode))
		printf("%o %lu", status->st_mode, (unsigned long)status->st_ino);
	else
		printf("%o %lu %ld %ld %lu", status->st_mode, (unsigned long)status->st_ino, (long)status->st_size,
		       (long)status->st_mtime, (unsigned long)status->st_nlink);
}

/* Whether the current directory is the first argument or below it: what is above it differs. */
static bool is_inside(char room[PATH_MAX])
{
	CHECK(getcwd(room, PATH_MAX));
	return strncmp(room, folder, strlen(folder)) == 0;
}

static int report(const char *path, const struct stat *status, int type)
{
	printf("ftw %s %d ", shown(path), type);
	if (type != FTW_NS)
		print_status(status);
	printf("\n");
	return strstr(path, "stop here") ? 42 : 0;
}

static int report_more(const char *path, const struct stat *status, int type, struct FTW *where)
{
	char current[PATH_MAX];
	printf("nftw %s %d %d %s ", shown(path), type, where->level, path + where->base);
	if (type != FTW_NS)
		print_status(status);
	if (flags & FTW_CHDIR && is_inside(current))
		printf(" in %s", shown(current));
	printf("\n");
	if (action && strstr(path, "/sub"))
		return action;
	return 0;
}

static void run_nftw(const char *path, int with)
{
	char before[PATH_MAX], after[PATH_MAX];
	flags = with;
	CHECK(getcwd(before, sizeof before));
	errno = 0;
	int result = nftw(path, report_more, 20, with);
	printf("nftw %s %x: %d %s\n", shown(path), with, result, result == -1 ? strerror(errno) : "");
	CHECK(getcwd(after, sizeof after) && strcmp(before, after) == 0);
}

static void all_nftw(void)
{
	const char *roots[] = {"", "/", "/tree", "/tree/", "/tree/sub", "/tree/file", "/tree/link", "/tree/dangling",
	                       "/nothing", "/tree/to-sub", "/tree/file/x", "/tree/closed", "/loops"};
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s%s", folder, roots[i]);
		printf("ftw %s: %d\n", roots[i], ftw(path, report, 20));
#ifdef __GLIBC__ /* musl asks for what is at the end of a path in another order */
		for (int with = 0; with < 16; with++)
			if (with & FTW_PHYS || !(with & FTW_CHDIR)) /* glibc loses its way behind links to directories */
				run_nftw(path, with);
#else
		run_nftw(path, FTW_PHYS);
		run_nftw(path, FTW_PHYS | FTW_DEPTH);
#endif
	}
#ifdef __GLIBC__
	for (action = 1; action <= 5; action++) {
		run_nftw(below(folder, "tree"), FTW_ACTIONRETVAL | FTW_PHYS);
		run_nftw(below(folder, "tree"), FTW_ACTIONRETVAL | FTW_DEPTH | FTW_CHDIR | FTW_PHYS);
		run_nftw(below(folder, "tree"), FTW_PHYS);
	}
	action = 0;
	run_nftw(below(folder, "tree"), 64);
#endif
	run_nftw("", FTW_PHYS);
	CHECK(chdir(folder) == 0);
	run_nftw("tree", FTW_PHYS);
	run_nftw("./tree//sub", FTW_PHYS);
	run_nftw(".", FTW_PHYS);
#ifdef __GLIBC__
	run_nftw("tree", FTW_CHDIR | FTW_PHYS);
	run_nftw("tree/sub", FTW_CHDIR | FTW_DEPTH | FTW_PHYS);
#endif
	CHECK(chdir("/") == 0);
}

#ifdef __GLIBC__
static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void print_entry(const FTSENT *entry, int options)
{
	printf("fts %s %s %d %d %d %d ", shown(entry->fts_path), entry->fts_name, entry->fts_namelen, entry->fts_level,
	       entry->fts_info, entry->fts_errno);
	if (!(options & FTS_NOSTAT) && entry->fts_info != FTS_NS && entry->fts_info != FTS_NSOK)
		print_status(entry->fts_statp);
	if (entry->fts_info == FTS_DC)
		printf(" cycle %s", entry->fts_cycle->fts_name);
	if (entry->fts_info == FTS_D || entry->fts_info == FTS_DC || entry->fts_info == FTS_DP)
		printf(" %lu %lu", (unsigned long)entry->fts_ino, (unsigned long)entry->fts_nlink);
	printf(" below %s\n", entry->fts_level > 0 ? entry->fts_parent->fts_name : "-");
	if (entry->fts_info == FTS_D) {
		DIR *same = opendir(entry->fts_accpath);
		CHECK(same || errno == EACCES);
		if (same)
			closedir(same);
	}
}

static void print_children(FTS *stream, int instruction)
{
	errno = 77;
	for (FTSENT *child = fts_children(stream, instruction); child; child = child->fts_link)
		printf("child %s %d %d\n", shown(child->fts_name), child->fts_level, child->fts_info);
	printf("children: %d\n", errno);
}

static void run_fts(char *const *roots, int options, int special)
{
	FTS *stream = fts_open(roots, options, options & FTS_SEEDOT ? by_name : NULL);
	printf("fts_open %s %x: %s\n", shown(roots[0]), options, stream ? "" : strerror(errno));
	if (!stream)
		return;
	FTSENT *entry;
	int count = 0;
	if (special == 1)
		print_children(stream, 0);
	while ((entry = fts_read(stream))) {
		print_entry(entry, options);
		if (special == 1 && entry->fts_info == FTS_D)
			print_children(stream, count % 2 ? FTS_NAMEONLY : 0);
		if (special == 2 && entry->fts_info == FTS_D && strcmp(entry->fts_name, "sub") == 0)
			CHECK(fts_set(stream, entry, FTS_SKIP) == 0);
		if (special == 3 && entry->fts_info == FTS_SL)
			CHECK(fts_set(stream, entry, FTS_FOLLOW) == 0);
		if (special == 4 && entry->fts_info == FTS_D)
			for (FTSENT *child = fts_children(stream, 0); child; child = child->fts_link)
				CHECK(fts_set(stream, child, child->fts_info == FTS_F ? FTS_SKIP : FTS_FOLLOW) == 0);
		if (special == 5 && count == 1)
			CHECK(fts_set(stream, entry, FTS_AGAIN) == 0);
		if (special == 6 && count == 6)
			break;
		count++;
	}
	if (special != 6)
		printf("end %d\n", errno);
	CHECK(fts_close(stream) == 0);
}

static void all_fts(void)
{
	char *tree = below(folder, "tree"), *slash = below(folder, "tree/"), *link = below(folder, "tree/to-sub");
	char *all[] = {below(folder, "tree/sub"), below(folder, "tree/file"), below(folder, "nothing"),
	               below(folder, "tree/link"), below(folder, "tree/dangling"), below(folder, "loops"), NULL};
	char *empty[] = {tree, "", NULL};
	static const int kinds[] = {FTS_PHYSICAL, FTS_LOGICAL, FTS_PHYSICAL | FTS_NOCHDIR, FTS_PHYSICAL | FTS_SEEDOT,
	                            FTS_PHYSICAL | FTS_NOSTAT, FTS_LOGICAL | FTS_NOSTAT, FTS_PHYSICAL | FTS_XDEV,
	                            FTS_PHYSICAL | FTS_COMFOLLOW, FTS_LOGICAL | FTS_XDEV | FTS_NOCHDIR};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		run_fts((char *[]){tree, NULL}, kinds[i], 0);
		run_fts((char *[]){slash, NULL}, kinds[i], 0);
		run_fts((char *[]){link, NULL}, kinds[i], 0);
		run_fts(all, kinds[i], 0);
	}
	for (int special = 1; special <= 6; special++) {
		run_fts((char *[]){tree, NULL}, FTS_PHYSICAL, special);
		if (special == 4) /* glibc looks at the wrong path if it doesn't change directories */
			continue;
		run_fts(all, FTS_LOGICAL, special);
		run_fts(all, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, special);
	}
	run_fts((char *[]){tree, NULL}, 0x8000, 0);
	run_fts(empty, FTS_PHYSICAL, 0);
	CHECK(chdir(folder) == 0);
	run_fts((char *[]){"tree", "loops", NULL}, FTS_PHYSICAL, 0);
	run_fts((char *[]){".", NULL}, FTS_PHYSICAL, 0);
	run_fts((char *[]){"tree/sub/..", NULL}, FTS_LOGICAL, 0);
	CHECK(chdir("/") == 0);
}
#endif

static int only_links(const struct dirent *entry)
{
	return entry->d_type == DT_LNK;
}

static void all_scandir(void)
{
	struct dirent **entries;
	int count = scandir(below(folder, "tree"), &entries, NULL, alphasort);
	for (int i = 0; i < count; i++)
		printf("scandir %s %d %lu\n", entries[i]->d_name, entries[i]->d_type,
		       strcmp(entries[i]->d_name, "..") ? (unsigned long)entries[i]->d_ino : 0ul);
	count = scandir(below(folder, "tree"), &entries, only_links, NULL);
	for (int i = 0; i < count; i++)
		printf("scandir %s\n", entries[i]->d_name);
	CHECK_FAILS(scandir(below(folder, "nothing"), &entries, NULL, NULL), ENOENT);
	CHECK_FAILS(scandir(below(folder, "tree/file"), &entries, NULL, NULL), ENOTDIR);
#ifdef __GLIBC__
	DIR *base = opendir(below(folder, "tree"));
	CHECK(base && (count = scandirat(dirfd(base), "sub", &entries, NULL, versionsort)) > 2);
	for (int i = 0; i < count; i++)
		printf("scandirat %s\n", entries[i]->d_name);
	CHECK(closedir(base) == 0);
#endif
}

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	folder = argv[1];
	CHECK(chdir("/") == 0);
	all_nftw();
#ifdef __GLIBC__
	all_fts();
#endif
	all_scandir();
	return 0;
}

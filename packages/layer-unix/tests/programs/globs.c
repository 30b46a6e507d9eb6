/* glob with every kind of pattern and flag, printed without the directory that is the first argument. */
#include "check.h"

#include <glob.h>
#include <limits.h>
#include <unistd.h>

static const char *folder;

static const char *shown(const char *path)
{
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 ? path + length : path;
}

static int report(const char *path, int error)
{
	printf("error %s %d\n", shown(path), error);
	return 0;
}

static int refuse(const char *path, int error)
{
	printf("refused %s %d\n", shown(path), error);
	return 1;
}

static void print(const char *pattern, int flags, int code, const glob_t *found)
{
	printf("glob %s %x: %d\n", shown(pattern), flags, code);
	if (code)
		return;
	printf("%zu %zu\n", found->gl_pathc, flags & GLOB_DOOFFS ? found->gl_offs : 0);
	for (size_t i = 0; flags & GLOB_DOOFFS && i < found->gl_offs; i++)
		CHECK(!found->gl_pathv[i]);
	for (size_t i = 0; i < found->gl_pathc; i++)
		printf("- %s\n", shown(found->gl_pathv[i + (flags & GLOB_DOOFFS ? found->gl_offs : 0)]));
}

static void run(const char *pattern, int flags, int (*on_error)(const char *, int))
{
	glob_t found;
	memset(&found, 0, sizeof found);
	found.gl_offs = 3;
	int code = glob(pattern, flags, on_error, &found);
	print(pattern, flags, code, &found);
	if (!code)
		globfree(&found);
}

static void together(void)
{
	glob_t found;
	CHECK(glob(below(folder, "tree/sub/v*"), 0, NULL, &found) == 0 && found.gl_pathc == 2);
	CHECK(glob(below(folder, "tree/f*"), GLOB_APPEND, NULL, &found) == 0);
	CHECK(glob("/etc/pass*d", GLOB_APPEND, NULL, &found) == 0); /* libc's own, behind ours */
	CHECK(glob(below(folder, "tree/e*"), GLOB_APPEND, NULL, &found) == 0);
	print("together", 0, 0, &found);
	globfree(&found);
}

int main(int argc, char **argv)
{
	static const char *patterns[] = {
		"/*", "/tree/*", "/tree/*/", "/tree/*/*", "/*/*/*/*", "/tree/f*", "/tree/[fl]*", "/tree/[!f]*", "/tree/file",
		"/tree/nothing", "/tree/nothing*", "/nothing/*", "/tree/file/*", "/tree/sub/.*", "/tree/sub/*", "/tree/\\f*",
		"/tree/\\*", "/tree/to-sub/deep/*", "/tree/sub/../*", "/tree/./s*", "/tree//sub///v?", "/tree/sub/v{9,10}",
		"/tree/dangling", "/tree/d*", "/tree/*/deep/../v*", "/tree/[", "/tree/sub/???", "/loops/self/*", "",
	};
	static const int flags[] = {0, GLOB_MARK, GLOB_NOCHECK, GLOB_NOESCAPE, GLOB_ERR, GLOB_DOOFFS | GLOB_MARK,
#ifdef GLOB_BRACE
	                            GLOB_BRACE, GLOB_NOMAGIC, GLOB_ONLYDIR, GLOB_BRACE | GLOB_MARK | GLOB_ONLYDIR,
#endif
#ifdef GLOB_PERIOD
	                            GLOB_PERIOD,
#endif
	};
	CHECK(argc == 2);
	folder = argv[1];
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		for (size_t j = 0; j < sizeof flags / sizeof *flags; j++) {
			char pattern[PATH_MAX];
			if (flags[j] & GLOB_DOOFFS && getenv("ASAN_OPTIONS")) /* the sanitizer's own glob can't */
				continue;
			snprintf(pattern, sizeof pattern, "%s%s", folder, patterns[i]);
			run(pattern, flags[j], report);
		}
	run(below(folder, "tree/file/*"), GLOB_ERR, refuse);
	run(below(folder, "loops/self/*"), 0, refuse);
	together();
	CHECK(setenv("HOME", below(folder, "tree"), 1) == 0);
#ifdef GLOB_TILDE
	run("~/f*", GLOB_TILDE, report);
	run("~", GLOB_TILDE, report);
	run("~nobody-of-this-name/x", GLOB_TILDE, report);
	run("~nobody-of-this-name/x", GLOB_TILDE | GLOB_NOCHECK, report);
#endif
	CHECK(chdir(below(folder, "tree")) == 0);
	run("*", 0, report);
	run("sub/*", GLOB_MARK, report);
	run("../tree/f*", 0, report);
	return 0;
}

/*
 * glob as musl has it: its flags, its order (by strcmp), its layout of results, each a string with a pointer's room in
 * front of it. Streams of directories and stat are ours, so patterns may lead through remote directories.
 */
#include "glob.h"

#include "hook.h"
#include "remote.h"

#include <fnmatch.h>
#include <pwd.h>
#include <stdlib.h>

enum { TILDE = 0x1000, TILDE_CHECK = 0x4000 };

struct match {
	struct match *next;
	char name[];
};

struct search {
	char path[PATH_MAX];
	int flags;
	int (*on_error)(const char *, int);
	struct match *head, **tail;
	size_t count;
};

static int add(struct search *search, const char *name, size_t length, bool mark)
{
	struct match *match = malloc(sizeof *match + length + 2);
	if (!match)
		return GLOB_NOSPACE;
	match->next = NULL;
	memcpy(match->name, name, length);
	if (mark && length && name[length - 1] != '/')
		match->name[length++] = '/';
	match->name[length] = 0;
	*search->tail = match;
	search->tail = &match->next;
	search->count++;
	return 0;
}

/* What to do about a directory that can't be read: 0 goes on. */
static int failed(struct search *search, size_t length)
{
	int error = errno;
	search->path[length] = 0;
	if (search->on_error && search->on_error(length ? search->path : ".", error))
		return GLOB_ABORTED;
	return search->flags & GLOB_ERR ? GLOB_ABORTED : 0;
}

/* The pattern is used up: the path counts if there is such a file. `type` is its d_type if it is known. */
static int arrive(struct search *search, size_t length, unsigned char type)
{
	struct stat status;
	search->path[length] = 0;
	bool must_look = type == DT_UNKNOWN || (search->flags & GLOB_MARK && type == DT_LNK);
	if (must_look && inner_stat(AT_FDCWD, search->path, AT_SYMLINK_NOFOLLOW, &status) != 0)
		return errno == ENOENT ? 0 : failed(search, length);
	bool directory = type == DT_DIR;
	if (must_look && search->flags & GLOB_MARK)
		directory = inner_stat(AT_FDCWD, search->path, 0, &status) == 0 && S_ISDIR(status.st_mode);
	return add(search, search->path, length, directory && search->flags & GLOB_MARK);
}

/* One part of a pattern, up to a slash or its end: its length, and whether it has anything special in it. */
static size_t part_of(const char *pattern, int flags, bool *special)
{
	size_t length = 0;
	*special = false;
	for (; pattern[length] && pattern[length] != '/'; length++) {
		if (pattern[length] == '\\' && !(flags & GLOB_NOESCAPE) && pattern[length + 1])
			length++;
		else if (strchr("*?[", pattern[length]))
			*special = true;
	}
	return length;
}

static int expand(struct search *search, size_t length, const char *pattern, unsigned char type);

/* A part without anything special goes into the path as it is, but for its backslashes. */
static int expand_literal(struct search *search, size_t length, const char *pattern, size_t part)
{
	for (size_t i = 0; i < part; i++) {
		if (pattern[i] == '\\' && !(search->flags & GLOB_NOESCAPE) && i + 1 < part)
			i++;
		if (length + 1 >= PATH_MAX)
			return 0;
		search->path[length++] = pattern[i];
	}
	return expand(search, length, pattern + part, DT_UNKNOWN);
}

static int expand_entries(struct search *search, size_t length, const char *pattern, size_t part, DIR *stream)
{
	char own[NAME_MAX * 2 + 2];
	struct dirent *entry;
	int code = 0, match_flags = (search->flags & GLOB_NOESCAPE ? FNM_NOESCAPE : 0) |
	                            (search->flags & GLOB_PERIOD ? 0 : FNM_PERIOD);
	if (part >= sizeof own)
		return 0;
	memcpy(own, pattern, part);
	own[part] = 0;
	while (!code && (errno = 0, entry = hook_readdir(stream))) {
		size_t name = strlen(entry->d_name);
		unsigned char type = entry->d_type;
		if (fnmatch(own, entry->d_name, match_flags) != 0 || length + name + 2 >= PATH_MAX)
			continue;
		if (pattern[part] && type != DT_DIR && type != DT_LNK && type != DT_UNKNOWN)
			continue;
		if (entry->d_name[0] == '.' && pattern[0] != '.' && (!entry->d_name[1] || !strcmp(entry->d_name, "..")) &&
		    pattern[part]) /* GLOB_PERIOD must not make paths that never end */
			continue;
		memcpy(search->path + length, entry->d_name, name);
		code = expand(search, length + name, pattern + part, type);
	}
	return code || !errno ? code : failed(search, length);
}

static int expand(struct search *search, size_t length, const char *pattern, unsigned char type)
{
	bool special;
	while (*pattern == '/' && length + 1 < PATH_MAX) {
		search->path[length++] = *pattern++;
		if (type != DT_DIR)
			type = DT_UNKNOWN;
	}
	if (!*pattern)
		return length ? arrive(search, length, type) : 0;
	size_t part = part_of(pattern, search->flags, &special);
	if (!special)
		return expand_literal(search, length, pattern, part);
	search->path[length] = 0;
	DIR *stream = hook_opendir(length ? search->path : ".");
	if (!stream)
		return failed(search, length);
	int code = expand_entries(search, length, pattern, part, stream), error = errno;
	hook_closedir(stream);
	errno = error;
	return code;
}

/* "~" and "~name" become a home directory, in the path. The pattern behind it, or NULL if there is none. */
static const char *expand_home(struct search *search, const char *pattern, size_t *length)
{
	const char *end = pattern + strcspn(pattern, "/"), *home = NULL;
	char name[256];
	if (end - pattern >= (long)sizeof name)
		return NULL;
	memcpy(name, pattern + 1, (size_t)(end - pattern) - 1);
	name[end - pattern - 1] = 0;
	if (!name[0])
		home = getenv("HOME");
	if (!home) {
		const struct passwd *entry = name[0] ? getpwnam(name) : getpwuid(getuid());
		home = entry ? entry->pw_dir : NULL;
	}
	if (!home || strlen(home) >= PATH_MAX)
		return NULL;
	*length = strlen(home);
	memcpy(search->path, home, *length);
	return end;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int hand_over(struct search *search, glob_t *result)
{
	size_t front = search->flags & GLOB_DOOFFS ? result->gl_offs : 0;
	size_t kept = search->flags & GLOB_APPEND ? result->gl_pathc : 0;
	char **old = search->flags & GLOB_APPEND ? result->gl_pathv : NULL;
	char **paths = realloc(old, (front + kept + search->count + 1) * sizeof *paths);
	if (!paths)
		return GLOB_NOSPACE; /* the matches are still the caller's */
	for (size_t i = 0; i < front && !old; i++)
		paths[i] = NULL;
	size_t at = front + kept;
	for (struct match *match = search->head; match; match = match->next)
		paths[at++] = match->name;
	paths[at] = NULL;
	if (!(search->flags & GLOB_NOSORT))
		qsort(paths + front + kept, search->count, sizeof *paths, by_name);
	result->gl_pathv = paths;
	result->gl_pathc = kept + search->count;
	result->gl_offs = front;
	return 0;
}

int glob_ours(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result)
{
	struct search search = {.flags = flags, .on_error = on_error};
	size_t length = 0;
	int code = 0;
	search.tail = &search.head;
	if (!(flags & GLOB_APPEND)) {
		result->gl_pathv = NULL;
		result->gl_pathc = 0;
		if (!(flags & GLOB_DOOFFS))
			result->gl_offs = 0;
	}
	const char *rest = pattern;
	if (*pattern == '~' && flags & (TILDE | TILDE_CHECK))
		rest = expand_home(&search, pattern, &length);
	code = rest ? expand(&search, length, rest, DT_UNKNOWN) : GLOB_NOMATCH;
	if (code != GLOB_NOSPACE && !search.count) {
		if (!(flags & GLOB_NOCHECK))
			return GLOB_NOMATCH;
		if (add(&search, pattern, strlen(pattern), false) != 0)
			return GLOB_NOSPACE;
	}
	if (code != GLOB_NOSPACE) { /* what was found before an error is the program's too */
		int given = hand_over(&search, result);
		code = given ? given : code;
	}
	while (code == GLOB_NOSPACE && search.head) {
		struct match *match = search.head;
		search.head = match->next;
		free(match);
	}
	return code;
}

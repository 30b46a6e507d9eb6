/*
 * fts, in full: libc's own calls inside it can't be seen. Streams that may reach something remote are ours and lie in a
 * pool; all others are libc's. musl has no fts (and a library for it has structures of its own): there all are passed on.
 *
 * Ours never change the current directory, as with FTS_NOCHDIR, and each entry has its own path; fts_accpath is that
 * path, right from the current directory as fts(3) promises. fts_set() is libc's: it only notes the instruction.
 */
#include "hook.h"
#include "listing.h"
#include "pool.h"
#include "remote.h"

#include <stdlib.h>

typedef int (*order)(const FTSENT **, const FTSENT **);

struct walk {
	struct pool_head head;
	FTS stream;
};

enum { WALKS = 16 };
static struct walk first[WALKS];
static struct pool walks = {sizeof(struct walk), WALKS, {first}};

/* The options of glibc since it has this API from gnulib: that of ours is always the stricter search for cycles. */
enum { DEFER_STAT = 0x1000, MOUNT = 0x4000, OPTIONS = 0xff | 0x400 | 0x800 | DEFER_STAT | 0x2000 | MOUNT };

enum what { TO_READ, CHILDREN, NAMES };

/* How much of a directory's path stands before the slash and an entry's name. */
static size_t path_before(const FTSENT *parent)
{
	size_t length = parent->fts_pathlen;
	return length && parent->fts_path[length - 1] == '/' ? length - 1 : length;
}

/* An entry, with room for its stat and its path behind it; of a root the path is the name. */
static FTSENT *entry_make(FTSENT *parent, const char *name, size_t length)
{
	bool root = parent->fts_level < FTS_ROOTLEVEL;
	size_t before = root ? 0 : path_before(parent), whole = before + !root + length;
	size_t stat_at = (offsetof(FTSENT, fts_name) + length + 1 + 15) & ~(size_t)15;
	FTSENT *made = whole > USHRT_MAX ? NULL : calloc(1, stat_at + sizeof(struct stat) + whole + 1);
	if (!made) {
		fail(whole > USHRT_MAX ? ENAMETOOLONG : ENOMEM);
		return NULL;
	}
	made->fts_statp = (struct stat *)(void *)((char *)made + stat_at);
	made->fts_path = made->fts_accpath = (char *)(made->fts_statp + 1);
	memcpy(made->fts_name, name, length);
	if (!root) {
		memcpy(made->fts_path, parent->fts_path, before);
		made->fts_path[before] = '/';
	}
	memcpy(made->fts_path + whole - length, name, length);
	made->fts_namelen = (unsigned short)length;
	made->fts_pathlen = (unsigned short)whole;
	made->fts_parent = parent;
	made->fts_level = (short)(parent->fts_level + 1);
	made->fts_instr = FTS_NOINSTR;
	return made;
}

static void free_list(FTSENT *entry)
{
	while (entry) {
		FTSENT *next = entry->fts_link;
		free(entry);
		entry = next;
	}
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int look_at(FTSENT *entry, bool follow, const struct listed *known)
{
	if (known && known->has_stat && !(follow && S_ISLNK(known->status.st_mode))) {
		*entry->fts_statp = known->status;
		return 0;
	}
	return inner_stat(AT_FDCWD, entry->fts_path, follow ? 0 : AT_SYMLINK_NOFOLLOW, entry->fts_statp);
}

/* What an entry is: its fts_info. `known` is what the listing said of it, or NULL. */
static unsigned short examine(const FTS *stream, FTSENT *entry, bool follow, const struct listed *known)
{
	struct stat *status = entry->fts_statp;
	follow |= (stream->fts_options & FTS_LOGICAL) != 0;
	if (look_at(entry, follow, known) != 0) {
		int error = errno;
		if (follow && inner_stat(AT_FDCWD, entry->fts_path, AT_SYMLINK_NOFOLLOW, status) == 0) {
			errno = 0;
			return FTS_SLNONE;
		}
		entry->fts_errno = error;
		memset(status, 0, sizeof *status);
		return FTS_NS;
	}
	if (S_ISLNK(status->st_mode))
		return FTS_SL;
	if (S_ISREG(status->st_mode))
		return FTS_F;
	if (!S_ISDIR(status->st_mode))
		return FTS_DEFAULT;
	entry->fts_dev = status->st_dev;
	entry->fts_ino = status->st_ino;
	entry->fts_nlink = status->st_nlink;
	if (is_dots(entry->fts_name))
		return FTS_DOT;
	for (FTSENT *above = entry->fts_parent; above->fts_level >= FTS_ROOTLEVEL; above = above->fts_parent)
		if (above->fts_ino == entry->fts_ino && above->fts_dev == entry->fts_dev) {
			entry->fts_cycle = above;
			return FTS_DC;
		}
	return FTS_D;
}

static FTSENT *sort(FTS *stream, FTSENT *head, size_t count)
{
	FTSENT **array = stream->fts_compar && count > 1 ? malloc(count * sizeof *array) : NULL;
	if (!array) /* as libc: better unsorted than not at all */
		return head;
	for (size_t i = 0; i < count; i++, head = head->fts_link)
		array[i] = head;
	qsort(array, count, sizeof *array, (int (*)(const void *, const void *))stream->fts_compar);
	for (size_t i = 0; i + 1 < count; i++)
		array[i]->fts_link = array[i + 1];
	array[count - 1]->fts_link = NULL;
	head = array[0];
	free(array);
	return head;
}

/* Reads a directory's entries into a list. -1: stop, with errno. */
static long read_entries(FTS *stream, FTSENT *parent, enum what what, struct listing *listing, FTSENT **head)
{
	bool quick = stream->fts_options & FTS_NOSTAT && stream->fts_options & FTS_PHYSICAL;
	struct listed known;
	long count = 0;
	while (listing_next(listing, &known) == 1) {
		FTSENT *entry = entry_make(parent, known.name, known.length);
		if (!entry)
			return -1;
		if (is_dots(entry->fts_name) && !(stream->fts_options & FTS_SEEDOT)) {
			free(entry);
			continue;
		}
		if (what == NAMES || (quick && known.type != DT_DIR && known.type != DT_UNKNOWN))
			entry->fts_info = FTS_NSOK;
		else
			entry->fts_info = examine(stream, entry, false, &known);
		if (stream->fts_options & MOUNT && entry->fts_info != FTS_NSOK && entry->fts_info != FTS_NS &&
		    entry->fts_statp->st_dev != stream->fts_dev) {
			free(entry);
			continue;
		}
		*head = entry;
		head = &entry->fts_link;
		count++;
	}
	return count;
}

/* The current directory's entries. NULL: there are none, or it can't be read; TO_READ notes which in the directory. */
static FTSENT *build(FTS *stream, enum what what)
{
	FTSENT *current = stream->fts_cur, *head = NULL;
	struct listing listing;
	if (listing_open(AT_FDCWD, current->fts_path, &listing) != 0) {
		if (what == TO_READ) {
			current->fts_info = FTS_DNR;
			current->fts_errno = errno;
		}
		return NULL;
	}
	long count = read_entries(stream, current, what, &listing, &head);
	listing_close(&listing);
	if (count < 0) {
		free_list(head);
		current->fts_info = FTS_ERR;
		current->fts_errno = errno;
		stream->fts_options |= FTS_STOP;
		return NULL;
	}
	if (count == 0 && what == TO_READ)
		current->fts_info = FTS_DP;
	return sort(stream, head, (size_t)count);
}

/* A root becomes the current entry: its name is the last part of its path from now on. */
static FTSENT *load(FTS *stream, FTSENT *entry)
{
	char *slash = strrchr(entry->fts_name, '/');
	if (slash && (slash != entry->fts_name || slash[1])) {
		size_t length = strlen(slash + 1);
		memmove(entry->fts_name, slash + 1, length + 1);
		entry->fts_namelen = (unsigned short)length;
	}
	stream->fts_dev = entry->fts_dev;
	return stream->fts_cur = entry;
}

static FTSENT *roots(FTS *stream, char *const *paths, FTSENT *above)
{
	FTSENT *head = NULL, **tail = &head;
	size_t count = 0;
	for (; *paths; paths++, count++) {
		FTSENT *entry = entry_make(above, *paths, strlen(*paths));
		if (!entry || !**paths) {
			if (entry)
				fail(ENOENT);
			free(entry);
			free_list(head);
			return NULL;
		}
		entry->fts_info = examine(stream, entry, stream->fts_options & FTS_COMFOLLOW, NULL);
		if (entry->fts_info == FTS_DOT) /* of those given, "." and ".." are directories like others */
			entry->fts_info = FTS_D;
		*tail = entry;
		tail = &entry->fts_link;
	}
	return sort(stream, head, count);
}

static FTS *open_ours(char *const *paths, int options, order compare)
{
	if (options & ~OPTIONS) {
		fail(EINVAL);
		return NULL;
	}
	struct walk *walk = pool_take(&walks);
	FTSENT *above = calloc(1, sizeof *above), *start = calloc(1, sizeof *start);
	if (walk && above && start) {
		walk->stream.fts_options = options | FTS_NOCHDIR;
		walk->stream.fts_compar = (int (*)(const void *, const void *))(void (*)(void))compare;
		walk->stream.fts_rfd = -1;
#ifdef FTS_CWDFD
		walk->stream.fts_cwd_fd = AT_FDCWD;
#endif
		above->fts_level = FTS_ROOTPARENTLEVEL;
		start->fts_link = roots(&walk->stream, paths, above);
		if (start->fts_link || !*paths) {
			start->fts_parent = above;
			start->fts_level = FTS_ROOTLEVEL;
			start->fts_info = FTS_INIT;
			start->fts_instr = FTS_NOINSTR;
			walk->stream.fts_cur = start;
			return &walk->stream;
		}
	} else {
		fail(ENOMEM);
	}
	free(above);
	free(start);
	if (walk)
		pool_give(walk);
	return NULL;
}

FTS *hook_fts_open(char *const *paths, int options, order compare)
{
	bool pass = libc_is_musl();
	if (!pass) {
		pass = true;
		for (char *const *path = paths; *path; path++)
			pass = pass && walk_passes(*path, strlen(*path));
	}
	return pass ? libc.fts_open(paths, options, compare) : open_ours(paths, options, compare);
}

static void drop_children(FTS *stream)
{
	free_list(stream->fts_child);
	stream->fts_child = NULL;
}

/* The current entry is a directory on the way down. Its first child; or itself, if nothing is to be seen in it. */
static FTSENT *descend(FTS *stream, FTSENT *entry, int instruction)
{
	if (instruction == FTS_SKIP || (stream->fts_options & FTS_XDEV && entry->fts_dev != stream->fts_dev)) {
		drop_children(stream);
		entry->fts_info = FTS_DP;
		return entry;
	}
	if (stream->fts_child && stream->fts_options & FTS_NAMEONLY) {
		stream->fts_options &= ~FTS_NAMEONLY;
		drop_children(stream);
	}
	FTSENT *child = stream->fts_child ? stream->fts_child : build(stream, TO_READ);
	stream->fts_child = NULL;
	if (!child)
		return stream->fts_options & FTS_STOP ? NULL : entry;
	return stream->fts_cur = child;
}

/* The entry behind this one, which is freed: the next of its directory, else the directory itself on the way up. */
static FTSENT *advance(FTS *stream, FTSENT *entry)
{
	FTSENT *next;
	while ((next = entry->fts_link)) {
		free(entry);
		stream->fts_cur = entry = next;
		if (entry->fts_level == FTS_ROOTLEVEL)
			return load(stream, entry);
		if (entry->fts_instr == FTS_SKIP)
			continue;
		if (entry->fts_instr == FTS_FOLLOW) {
			entry->fts_info = examine(stream, entry, true, NULL);
			entry->fts_instr = FTS_NOINSTR;
		}
		return entry;
	}
	next = entry->fts_parent;
	free(entry);
	if (next->fts_level == FTS_ROOTPARENTLEVEL) {
		free(next);
		errno = 0; /* tells the end from an error */
		return stream->fts_cur = NULL;
	}
	next->fts_info = next->fts_errno ? FTS_ERR : FTS_DP;
	return stream->fts_cur = next;
}

static FTSENT *read_ours(FTS *stream)
{
	FTSENT *entry = stream->fts_cur;
	if (!entry || stream->fts_options & FTS_STOP)
		return NULL;
	int instruction = entry->fts_instr;
	entry->fts_instr = FTS_NOINSTR;
	if (instruction == FTS_AGAIN) {
		entry->fts_info = examine(stream, entry, false, NULL);
		return entry;
	}
	if (instruction == FTS_FOLLOW && (entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE)) {
		entry->fts_info = examine(stream, entry, true, NULL);
		return entry;
	}
	if (entry->fts_info == FTS_D)
		return descend(stream, entry, instruction);
	return advance(stream, entry);
}

FTSENT *hook_fts_read(FTS *stream)
{
	return pool_has(&walks, stream) ? read_ours(stream) : libc.fts_read(stream);
}

static FTSENT *children_of(FTS *stream, int instruction)
{
	FTSENT *current = stream->fts_cur;
	if (instruction && instruction != FTS_NAMEONLY) {
		fail(EINVAL);
		return NULL;
	}
	errno = 0; /* tells an empty directory from an error */
	if (!current || stream->fts_options & FTS_STOP)
		return NULL;
	if (current->fts_info == FTS_INIT)
		return current->fts_link;
	if (current->fts_info != FTS_D)
		return NULL;
	drop_children(stream);
	if (instruction == FTS_NAMEONLY)
		stream->fts_options |= FTS_NAMEONLY;
	return stream->fts_child = build(stream, instruction == FTS_NAMEONLY ? NAMES : CHILDREN);
}

FTSENT *hook_fts_children(FTS *stream, int instruction)
{
	return pool_has(&walks, stream) ? children_of(stream, instruction) : libc.fts_children(stream, instruction);
}

int hook_fts_close(FTS *stream)
{
	if (!pool_has(&walks, stream))
		return libc.fts_close(stream);
	FTSENT *entry = stream->fts_cur;
	while (entry && entry->fts_level >= FTS_ROOTLEVEL) {
		FTSENT *next = entry->fts_link ? entry->fts_link : entry->fts_parent;
		free(entry);
		entry = next;
	}
	free(entry); /* that above the roots */
	drop_children(stream);
	pool_give((char *)stream - offsetof(struct walk, stream));
	return 0;
}

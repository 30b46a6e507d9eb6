/*
 * ftw and nftw, in full: libc's own calls inside them can't be seen. A walk that can't reach anything remote is left to
 * libc. Order, types and return values are glibc's; musl's numbers for types differ, and its ftw doesn't follow links.
 *
 * Each directory is read whole before anything in it is reported, so no more than one descriptor is open at a time,
 * whatever the limit.
 */
#include "hook.h"
#include "listing.h"
#include "remote.h"

#include <stdlib.h>

typedef int (*ftw_report)(const char *, const struct stat *, int);
typedef int (*nftw_report)(const char *, const struct stat *, int, struct FTW *);

enum { PHYS = 1, MOUNT = 2, CHDIR = 4, DEPTH = 8, ACTIONS = 16 };   /* flags, the same in both C libraries */
enum { SKIP_SUBTREE = 2, SKIP_SIBLINGS = 3 };                       /* what a report may return with ACTIONS */
enum type { TYPE_F, TYPE_D, TYPE_DNR, TYPE_NS, TYPE_SL, TYPE_DP, TYPE_SLN };

/* Directories that were met, so that a walk which follows links enters each once. */
struct met {
	struct object {
		dev_t device;
		ino_t inode;
		bool used;
	} *objects;
	size_t count, room; /* room is 0 or a power of two */
};

struct walk {
	ftw_report short_report; /* of ftw; else NULL */
	nftw_report report;
	int flags;
	int base; /* what relative paths are relative to */
	dev_t device;
	struct FTW where;
	struct met met;
	char *path;
	size_t length, room;
};

static struct object *place_of(const struct met *met, const struct stat *status)
{
	size_t at = (size_t)(((uint64_t)status->st_ino ^ (uint64_t)status->st_dev << 40) * 0x9e3779b97f4a7c15u >> 20);
	for (;; at++) {
		struct object *object = &met->objects[at & (met->room - 1)];
		if (!object->used || (object->inode == status->st_ino && object->device == status->st_dev))
			return object;
	}
}

static bool grow(struct met *met)
{
	struct met larger = {.room = met->room ? 2 * met->room : 64, .count = met->count};
	larger.objects = calloc(larger.room, sizeof *larger.objects);
	if (!larger.objects)
		return false;
	for (size_t i = 0; i < met->room; i++) {
		struct stat status = {.st_dev = met->objects[i].device, .st_ino = met->objects[i].inode};
		if (met->objects[i].used)
			*place_of(&larger, &status) = met->objects[i];
	}
	free(met->objects);
	*met = larger;
	return true;
}

/* 1: a new one. 0: known. -1: there is no memory. */
static int meet(struct met *met, const struct stat *status)
{
	if (met->count * 2 >= met->room && !grow(met))
		return fail(ENOMEM);
	struct object *object = place_of(met, status);
	if (object->used)
		return 0;
	*object = (struct object){status->st_dev, status->st_ino, true};
	met->count++;
	return 1;
}

static int report(struct walk *walk, const struct stat *status, enum type type)
{
	static const int of_ftw[] = {TYPE_F, TYPE_D, TYPE_DNR, TYPE_NS, TYPE_F, TYPE_D, TYPE_NS};
	if (walk->short_report)
		return walk->short_report(walk->path, status, of_ftw[type]);
	return walk->report(walk->path, status, (int)type + libc_is_musl(), &walk->where);
}

/* Puts a name behind the first `length` bytes of the path and a slash. */
static bool append(struct walk *walk, size_t length, const char *name, size_t name_length)
{
	size_t need = length + name_length + 2;
	if (need > walk->room) {
		char *more = realloc(walk->path, 2 * need);
		if (!more)
			return fail(ENOMEM) == 0;
		walk->path = more;
		walk->room = 2 * need;
	}
	if (length && walk->path[length - 1] != '/')
		walk->path[length++] = '/';
	memcpy(walk->path + length, name, name_length);
	walk->length = length + name_length;
	walk->path[walk->length] = 0;
	walk->where.base = (int)length;
	return true;
}

static void cut(struct walk *walk, size_t length, int base)
{
	walk->length = length;
	walk->path[length] = 0;
	walk->where.base = base;
}

/* Makes the directory that is the first `length` bytes of the path the current one. */
static int enter(struct walk *walk, size_t length)
{
	char *path = walk->path, saved = path[length];
	if (!(walk->flags & CHDIR))
		return 0;
	if (path[0] != '/' && hook_fchdir(walk->base) != 0)
		return -1;
	if (length == 0)
		return 0;
	path[length] = 0;
	int result = hook_chdir(path);
	path[length] = saved;
	return result;
}

static int walk_directory(struct walk *walk, const struct stat *status, bool top);

static int look_at(const struct walk *walk, const struct listed *known, struct stat *status)
{
	int physical = walk->flags & PHYS;
	if (known->has_stat && (physical || !S_ISLNK(known->status.st_mode))) {
		*status = known->status;
		return 0;
	}
	return inner_stat(walk->base, walk->path, physical ? AT_SYMLINK_NOFOLLOW : 0, status);
}

/* An entry of the directory that is being walked; its path is complete. */
static int walk_entry(struct walk *walk, const struct listed *known)
{
	struct stat status;
	enum type type;
	int result = 0;
	if (look_at(walk, known, &status) == 0) {
		type = S_ISDIR(status.st_mode) ? TYPE_D : S_ISLNK(status.st_mode) ? TYPE_SL : TYPE_F;
	} else {
		if (errno != EACCES && errno != ENOENT)
			return -1;
		memset(&status, 0, sizeof status);
		type = TYPE_NS;
		if (!(walk->flags & PHYS) && inner_stat(walk->base, walk->path, AT_SYMLINK_NOFOLLOW, &status) == 0 &&
		    S_ISLNK(status.st_mode))
			type = TYPE_SLN;
	}
	if (type != TYPE_NS && walk->flags & MOUNT && status.st_dev != walk->device)
		return 0;
	if (type != TYPE_D) {
		result = report(walk, &status, type);
	} else {
		int fresh = walk->flags & PHYS ? 1 : meet(&walk->met, &status);
		result = fresh > 0 ? walk_directory(walk, &status, false) : fresh;
	}
	return walk->flags & ACTIONS && result == SKIP_SUBTREE ? 0 : result;
}

static bool is_dots(const struct listed *entry)
{
	return entry->name[0] == '.' && (entry->length == 1 || (entry->length == 2 && entry->name[1] == '.'));
}

static int walk_entries(struct walk *walk, struct listing *listing)
{
	struct listed entry;
	size_t length = walk->length;
	int result = 0, base = walk->where.base;
	walk->where.level++;
	while (result == 0 && listing_next(listing, &entry) == 1) {
		if (is_dots(&entry))
			continue;
		if (!append(walk, length, entry.name, entry.length)) {
			result = -1;
			break;
		}
		result = walk_entry(walk, &entry);
	}
	walk->where.level--;
	cut(walk, length, base);
	return walk->flags & ACTIONS && result == SKIP_SIBLINGS ? 0 : result;
}

/* The directory at the path: itself and what is in it. `top`: it is where the walk began. */
static int walk_directory(struct walk *walk, const struct stat *status, bool top)
{
	struct listing listing;
	int result = 0;
	if (listing_open(walk->base, walk->path, &listing) != 0) {
		/* One that is listed and yet absent belongs to the other side by a pattern: no reason to end the walk. */
		return errno == EACCES || (errno == ENOENT && !top) ? report(walk, status, TYPE_DNR) : -1;
	}
	if (!(walk->flags & DEPTH))
		result = report(walk, status, TYPE_D);
	if (result == 0)
		result = enter(walk, walk->length);
	else
		top = true; /* it wasn't entered */
	if (result == 0)
		result = walk_entries(walk, &listing);
	listing_close(&listing);
	if (result == 0 && walk->flags & DEPTH)
		result = report(walk, status, TYPE_DP);
	if (!top && (result == 0 || (walk->flags & ACTIONS && result != -1 && result != 1)) &&
	    enter(walk, (size_t)walk->where.base) != 0)
		result = -1;
	return result;
}

static int walk_top(struct walk *walk)
{
	struct stat status = {0};
	int result;
	if (enter(walk, (size_t)walk->where.base) != 0)
		return -1;
	if (inner_stat(walk->base, walk->path, walk->flags & PHYS ? AT_SYMLINK_NOFOLLOW : 0, &status) != 0) {
		if (walk->flags & PHYS || errno != ENOENT ||
		    inner_stat(walk->base, walk->path, AT_SYMLINK_NOFOLLOW, &status) != 0 || !S_ISLNK(status.st_mode))
			return libc_is_musl() && errno == EACCES ? report(walk, &status, TYPE_NS) : -1;
		result = report(walk, &status, TYPE_SLN);
	} else if (S_ISDIR(status.st_mode)) {
		walk->device = status.st_dev;
		result = walk->flags & PHYS ? 1 : meet(&walk->met, &status);
		if (result > 0)
			result = walk_directory(walk, &status, true);
	} else {
		result = report(walk, &status, S_ISLNK(status.st_mode) ? TYPE_SL : TYPE_F);
	}
	return walk->flags & ACTIONS && (result == SKIP_SUBTREE || result == SKIP_SIBLINGS) ? 0 : result;
}

static int start(const char *path, ftw_report short_report, nftw_report long_report, int flags)
{
	struct walk walk = {.short_report = short_report, .report = long_report, .flags = flags, .base = AT_FDCWD};
	size_t length = strlen(path), base;
	if (!length)
		return fail(ENOENT);
	for (base = length; base > 1 && path[base - 1] == '/'; base--)
		;
	if (!libc_is_musl())
		length = base;
	while (base > 0 && path[base - 1] != '/')
		base--;
	if (!append(&walk, 0, path, length))
		return -1;
	walk.where.base = (int)base;
	if (flags & CHDIR) {
		walk.base = (int)sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (walk.base < 0) {
			free(walk.path);
			return fail(-walk.base);
		}
	}
	int result = walk_top(&walk), error = errno;
	if (flags & CHDIR) {
		if (hook_fchdir(walk.base) != 0 && result == 0)
			result = -1, error = errno;
		sys_close(walk.base);
	}
	free(walk.met.objects);
	free(walk.path);
	errno = error;
	return result;
}

int hook_ftw(const char *path, ftw_report function, int descriptors)
{
	if (!path || walk_passes(path, strlen(path)))
		return libc.ftw(path, function, descriptors);
	if (libc_is_musl()) /* its fourth argument is one too many, as in musl itself */
		return start(path, NULL, (nftw_report)(void (*)(void))function, PHYS);
	return start(path, function, NULL, 0);
}

int hook_nftw(const char *path, nftw_report function, int descriptors, int flags)
{
	if (!path || walk_passes(path, strlen(path)))
		return libc.nftw(path, function, descriptors, flags);
	if (libc_is_musl())
		return start(path, NULL, function, flags & (PHYS | MOUNT | DEPTH));
	if (flags & ~(PHYS | MOUNT | CHDIR | DEPTH | ACTIONS))
		return fail(EINVAL);
	return start(path, NULL, function, flags);
}

/*
 * The entries of one directory, all of them at once: of a remote one the session's listing, mapped; of a local one what
 * the kernel tells, in memory of its own. Once the first entry was asked for no descriptor is open, so a walk of any
 * depth needs one. What a listing says of an entry is believed: a walk over a remote tree costs one question for each
 * directory.
 */
#ifndef MIRRORD_LISTING_H
#define MIRRORD_LISTING_H

#include "layer.h"

struct listing {
	const uint8_t *memory; /* NULL if there are no entries */
	size_t size;
	bool local;
	int descriptor; /* of a local one that is yet to be read, else -1 */
	/* Where listing_next() goes on. */
	size_t at;      /* byte of the current chunk, or of the next local entry */
	uint32_t index; /* of the next entry in the chunk */
};

struct listed {
	const char *name; /* without a NUL behind it */
	size_t length;
	uint64_t inode;
	uint8_t type; /* d_type */
	bool has_stat;
	struct stat status; /* of the entry itself; only if has_stat */
};

/*
 * Lists the directory `path`, wherever it is. 0, or -1 with errno, as opendir sets it. Takes memory by malloc where the
 * directory is local, so it is for walks, not for signal handlers.
 */
int listing_open(int directory, const char *path, struct listing *listing);

/* Maps a listing that came from the session and closes its descriptor. 0, or -1 with errno. */
int listing_map(int descriptor, struct listing *listing);

/* 1: `entry` is filled. 0: that was the last one. -1: it can't be read, or is malformed (errno EIO). */
int listing_next(struct listing *listing, struct listed *entry);

/* Gives back what it holds; keeps errno. */
void listing_close(struct listing *listing);

#endif

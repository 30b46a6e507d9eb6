/*
 * The layer's inner face: what hooks may use. docs/layer.md tells the whole; this file says who does what.
 *
 *   entry.c     the exported symbols, made from hooks.def: binds libc's function, guards against re-entry, calls hook_NAME
 *   layer.c     start in a new image: environment, skipped programs, inert or active
 *   link.c      one question to the session and its answer; the only file that talks to it
 *   table.c     looks a path up in the shared table (pure; tested through cffi)
 *   identity.c  what a descriptor is; the cache of facts keyed by (st_dev, st_ino)
 *   ask.c       path-taking questions: table first, then the session
 *   hooks/      one file per family of calls
 *
 * Contracts of every hook. errno stays as it was on success and is set once, by fail(), on failure. No allocation,
 * no lock, no stdio; less than 2 KiB of stack where the call is passed on. Everything here may run in a vfork child
 * or a signal handler.
 */
#ifndef MIRRORD_LAYER_H
#define MIRRORD_LAYER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "wire.h" /* generated from the schema: struct layer_request, struct layer_reply, enums, readers, writers */

/* ---- libc's functions and the layer's state (entry.c, layer.c) */

struct layer {
	bool active;         /* false: every hook passes the call on */
	int link;            /* the inherited SEQPACKET end, or -1 */
	uint64_t link_inode;
	int table;           /* the inherited table descriptor, or -1 */
	uint64_t table_inode;
	char name[108];      /* the session's abstract socket, without the leading NUL */
	const struct table *volatile shared; /* the mapped table, or NULL: then every path is asked about */
	int memory_device_known;
};
extern struct layer layer __attribute__((visibility("hidden")));

/* Returns -1 with errno = code. The only place that sets errno. */
int fail(int code);
/* The local number of an errno of the schema; EIO for one this system lacks. */
int errno_number(enum wire_errno code);

/* Whether a descriptor is one of the layer's own (the link or the table), which the program must not see. */
bool layer_owns(int descriptor);

/* ---- the link (link.c) */

struct answer {
	struct layer_reply reply;
	int descriptors[2]; /* -1 where none came */
};

/*
 * Asks the session. `request->payload` must be the sum of `payload`'s lengths; `room` takes the answer's payload
 * (what doesn't fit is EOVERFLOW). Descriptors arrive close-on-exec at the lowest free numbers.
 * Returns 0 with outcome done or local in `answer`, or -1 with errno: of the outcome `failed`, or EIO (session
 * gone), EMFILE, EOVERFLOW.
 */
int link_ask(const struct layer_request *request, const void *payload, size_t payload_size, struct answer *answer,
             void *room, size_t room_size);

/* ---- identities (identity.c) */

struct identity {
	uint64_t device, inode;
	enum wire_layer_form form; /* foreign: not ours */
};

/*
 * What `descriptor` is. Costs nothing while nothing was ever handed out, an fstat for others' files, a question only
 * for an identity this process never met. Never fails: foreign if unsure. Keeps errno.
 */
struct identity identity_of(int descriptor);
/* The same, but only files whose reads must be watched (filling, request) count; free while there are none. */
struct identity identity_watched(int descriptor);
/* The same for directories; `AT_FDCWD` is the current directory. */
struct identity identity_of_directory(int descriptor);
/* Remembers what an answer said about a descriptor just handed out. */
void identity_learn(const struct layer_reply *reply);
/* The remote file's stat for an identity that is ours. 0, or -1 with errno (EIO: the session is gone). */
int identity_stat(const struct identity *identity, struct layer_reply *reply);
/* Waits until [offset, offset + length) of a filling file is there; at once if it is known to be. 0 or -1 (EIO). */
int identity_wait(const struct identity *identity, uint64_t offset, uint64_t length);

/* ---- asking about a path (ask.c) */

enum { INTENT_READ = 1, INTENT_CHANGE = 2 }; /* the same bits as a slot's flags */

enum side {
	SIDE_LOCAL,  /* do the real call with the path as given */
	SIDE_MOVED,  /* do the real call with `ask.path`, which is absolute */
	SIDE_DONE,   /* the session did it: see `ask.answer` */
	SIDE_FAILED, /* errno is set */
};

struct ask {
	struct answer answer;
	char *path;       /* room for SIDE_MOVED and for payloads such as a link's target; may be NULL if size is 0 */
	size_t path_size;
	size_t path_length; /* how much of it the answer filled; a moved path is NUL-terminated besides */
};

/*
 * Decides where a call with `path` (relative to `directory`, AT_FDCWD for the current one) belongs and, if it is the
 * session's, has it done. Local answers from the shared table cost no question. A NULL path is SIDE_LOCAL (libc
 * reports EFAULT), as are an empty one and, unless the base directory is remote, a relative one.
 */
enum side ask_path(enum wire_layer_operation operation, int intent, int directory, const char *path, uint32_t flags,
                   uint32_t mode, struct ask *ask);

/*
 * For calls that change the file system (mkdir, unlink, rename, chmod ...): which path to use on this machine.
 * Returns `path` itself in the ordinary case, `room` (PATH_MAX bytes) with the moved path in it, or NULL with errno.
 * Sets `*directory` to AT_FDCWD when the path was moved.
 */
const char *ask_place(int *directory, const char *path, char *room);

/* stat structures (hooks/stat.c) */
void fill_stat(struct stat *to, const struct layer_reply *from);

#endif

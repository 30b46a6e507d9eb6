/*
 * The layer's inner face: what hooks may use. docs/layer.md tells the whole; this file says who does what.
 *
 *   hook.h      what hooks include: libc's functions, prototypes of hooks
 *   files.h     what the hooks of files share
 *   entry.c     the exported symbols, made from hooks.def: binds libc's functions, calls hook_NAME
 *   symbols.c   finds libc's functions
 *   sys.h       system calls without libc
 *   layer.c     start in a new image: environment, skipped programs, inert or active; the layer's own descriptors
 *   link.c      one question to the session and its answer; the only file that talks to it
 *   table.c     looks a path up in the shared table (pure; tested through cffi)
 *   identity.c  what a descriptor is; the cache of facts keyed by (st_dev, st_ino)
 *   ask.c       path-taking questions: table first, then the session
 *   remote.c    what hooks share that need more than one step
 *   address.c   addresses in the system's form and the wire's (pure)
 *   known.c     what was told of addresses
 *   network.c   what hooks of sockets share
 *   names.c     questions about names, and the host's own
 *   dns.c       messages of the DNS (pure)
 *   elf.c       what a program is, from its first bytes (pure)
 *   errno.c     errno's numbers by the schema's names (pure)
 *   hooks/      one file per family of calls
 *
 * Contracts of every hook. errno stays as it was on success and is set once, by fail(), on failure. No allocation,
 * no lock, no stdio; less than 2 KiB of stack where the call is passed on. Everything here may run in a vfork child
 * or a signal handler. Hooks of names allocate, as libc's functions do: see names.h.
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

#include "table.h"
#include "wire.h" /* generated from the schema: struct layer_request, struct layer_reply, enums, readers, writers */

/* ---- libc's functions and the layer's state (entry.c, layer.c) */

struct layer {
	bool active;  /* false: every entry passes the call on */
	bool started; /* layer_start() has run */
	const struct table *shared; /* the mapped table, or NULL: then every path is asked about */
	size_t shared_size;         /* of the mapping */

	/* Descriptors of ours, each packed with its inode number: see descriptor_pack(). */
	uint64_t link;  /* the inherited SEQPACKET end, or a later connection to the session */
	uint64_t table; /* the inherited descriptor of the table */
	uint64_t home;  /* the link as it was inherited: valid again where another process changed `link` (vfork) */

	/* What a new image needs to find the session and us. */
	char name[108];      /* the session's abstract socket, without the leading NUL */
	char variable[256];  /* the whole of MIRRORD_LAYER=... */
	char library[4096];  /* our own path, as the loader was told it */
};
extern struct layer layer __attribute__((visibility("hidden")));

/* Binds libc's functions and starts the layer if that hasn't happened; whether it is active. For XHOOKs alone. */
bool layer_ready(void);
/* Reads MIRRORD_LAYER and makes the layer active, once there is an environment. Ends the process if the variable is not of our ABI. */
void layer_start(void);
/* One line to the user, then the end: what cannot be right must not run as if it were. */
__attribute__((noreturn)) void refuse(const char *why);

enum { LAYER_ABI = 1 };
enum { LAYER_LOWEST = 900 }; /* where the layer puts descriptors of its own: high, but below the usual limit of 1024 */

/* A descriptor with the low half of its inode number in one word, so that both change at once. */
#define NO_DESCRIPTOR UINT64_MAX
static inline uint64_t descriptor_pack(int descriptor, uint64_t inode)
{
	return (uint64_t)(uint32_t)descriptor << 32 | (uint32_t)inode;
}
static inline int descriptor_number(uint64_t packed)
{
	return (int)(int32_t)(packed >> 32);
}
/* Whether the number still means what it meant when it was packed. */
bool descriptor_holds(uint64_t packed);
/* Duplicates a descriptor to a high number, for this image alone: a new one doesn't know the number. Or -errno. */
int descriptor_high(int descriptor);

/* "/proc/self/fd/NUMBER", in 32 bytes. */
void descriptor_path(char *path, int descriptor);

/* Returns -1 with errno = code. The only place that sets errno. */
int fail(int code);
/* A result of sys.h as libc would return it: fails with its error if it is one. */
static inline long settled(long result)
{
	return __builtin_expect((unsigned long)result > -4096UL, 0) ? fail((int)-result) : result;
}
/* The local number of an errno of the schema; EIO for one this system lacks. */
int errno_number(enum wire_errno code);

/*
 * Whether a descriptor is one of the layer's own (the link or the table), which the program must not see. A number
 * that stopped being ours (closed by a direct system call) is forgotten. Costs nothing for other numbers.
 */
bool layer_owns(int descriptor);
/* Moves a descriptor that layer_owns() to another number, since the program is about to use this one. */
void layer_yield(int descriptor);
/* The layer's own descriptors at or above `first`, ascending. Returns how many (at most 2). */
int layer_descriptors(unsigned first, unsigned own[2]);

/* ---- the link (link.c) */

struct answer {
	struct layer_reply reply;
	int descriptors[2]; /* -1 where none came */
};

/* The descriptor to ask by: the one in use, the inherited one, or a new connection. Or -errno. */
int link_find(void);

/*
 * Asks the session. `payload` goes behind the request, whose size and process number are filled in here; `room`
 * takes the answer's payload (what doesn't fit is EOVERFLOW). Descriptors arrive close-on-exec at the lowest free
 * numbers.
 * Returns 0 with outcome done or local in `answer`, or -1 with errno: of the outcome `failed`, or EIO (session
 * gone), EMFILE, EOVERFLOW.
 */
int link_ask(const struct layer_request *request, const void *payload, size_t payload_size, struct answer *answer,
             void *room, size_t room_size);

/* Tells the session something that has no answer: nothing is waited for. A session that is gone isn't told. */
void link_tell(const struct layer_request *request, const void *payload, size_t payload_size);

/* ---- identities (identity.c) */

struct identity {
	uint64_t device, inode;
	uint64_t born; /* tells an inode number that is used again; of no interest to hooks */
	enum wire_layer_form form; /* foreign: not ours */
};

/*
 * What `descriptor` is. Costs nothing while nothing was ever handed out, an fstat for others' files, a question only
 * for an identity this process never met. Never fails: foreign if unsure. Keeps errno.
 */
struct identity identity_of(int descriptor);
/* The same, with the descriptor's own fstat at hand. */
struct identity identity_of_status(int descriptor, const struct stat *status);
/* The same, but only files whose reads must be watched (filling, request) count; free while there are none. */
struct identity identity_watched(int descriptor);
/* The same for directories; `AT_FDCWD` is the current directory. */
struct identity identity_of_directory(int descriptor);
/* Remembers what an answer said about a descriptor just handed out; ask_path() does so itself. */
void identity_learn(int descriptor, const struct layer_reply *reply);
/*
 * The remote file's stat for an identity that is ours: of a file as it was opened, of a directory as it is now.
 * 0, or -1 with errno (EIO: the session is gone).
 */
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
 * Whether a call with `path` is to be passed on at once. The first line of a hook, so that what ask_path() needs on the
 * stack is only there (in a function of its own, not inlined) if there is a question.
 */
bool ask_passes(int intent, int directory, const char *path);

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

#endif

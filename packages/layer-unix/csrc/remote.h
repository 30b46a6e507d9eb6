/*
 * What hooks share that need more than one step: stat wherever the object is, for those who do by themselves what libc
 * does inside; whether a path is remote, for calls that are refused then; the directory behind a descriptor; where a
 * change goes.
 */
#ifndef MIRRORD_REMOTE_H
#define MIRRORD_REMOTE_H

#include "layer.h"

/* The session's stat as the system's. */
void remote_status(struct stat *to, const struct wire_stat *from);

/* stat, or lstat with AT_SYMLINK_NOFOLLOW, of a path on either side. 0, or -1 with errno. */
int inner_stat(int directory, const char *path, int flags, struct stat *status);

/*
 * Whether there is a remote object at a path, for calls that have no counterpart on the wire: 1; 0, and `*directory` and
 * `*path` say where it is on this machine (in `room`, PATH_MAX bytes, if it moved); or -1 with errno.
 */
int find_remote(int *directory, const char **path, uint32_t flags, char *room);

/* Asks about a stand-in directory itself. As link_ask(). */
int remote_ask(enum wire_layer_operation operation, const struct identity *directory, struct answer *answer);

/* The absolute path of a stand-in directory, NUL-terminated, in `room`. Its length, or -1 with errno. */
long remote_path(const struct identity *directory, char *room, size_t size);

/* Whether a change of `path` is to be passed on at once: ask_place() would return it as it is. */
bool place_passes(int directory, const char *path);

/* Fails with EROFS and returns false if a descriptor is a stand-in, whose object can't be changed by it. */
bool descriptor_changes(int descriptor);

/* Whether all that a walk from `path` can reach is this machine's, so that libc may do it alone. */
bool walk_passes(const char *path, size_t length);

/* Whether the C library is musl, whose numbers and structures differ in places. */
bool libc_is_musl(void);

#endif

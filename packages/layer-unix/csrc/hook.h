/*
 * What every file of hooks includes: libc's functions as `libc.NAME`, and the prototypes `hook_NAME`, both made from
 * hooks.def and the files that it includes. entry.c makes the exported symbols from the same table.
 *
 * A hook is one line there and one function `hook_NAME` in a file of hooks/. It is called only while the layer
 * is active; then every `libc.NAME` can be called (one that libc lacks fails with ENOSYS). The first lines of a hook
 * ask whether the call is ours; if not, it returns `libc.NAME(...)`. What the layer does for itself goes through sys.h.
 */
#ifndef MIRRORD_HOOK_H
#define MIRRORD_HOOK_H

#include "layer.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utime.h>

struct statx;
struct aiocb;
struct sigevent;
struct open_how;
struct file_handle;
struct __res_state;

/* libc's own functions, in the order of hooks.def. Every field is a pointer, so that entry.c can fill it as an array. */
struct libc {
#define HOOK(family, type, name, parameters, arguments, failure) type(*name) parameters;
#define VHOOK(family, type, name, declared, parameters, arguments, failure) \
	type(*name) declared;
#define THOOK(family, type, name, twin, parameters, arguments, failure)
#define VTHOOK(family, type, name, twin, declared, parameters, arguments, failure)
#define XHOOK(family, type, name, declared) type(*name) declared;
#include "hooks.def"
#undef HOOK
#undef VHOOK
#undef XHOOK
};
extern struct libc libc __attribute__((visibility("hidden")));

/* A function of the libraries behind ours as they are now, or NULL. */
void *find_function(const char *name);
/*
 * Looks libc's function up once more (`function` is `&libc.NAME`) if it was missing: for those of libraries that a
 * program may load later (libresolv and libanl before glibc 2.34).
 */
void bind_late(void *function, const char *name);
#define LATE(name) (bind_late(&libc.name, #name), libc.name)

#define HOOK(family, type, name, parameters, arguments, failure) type hook_##name parameters;
#define VHOOK(family, type, name, declared, parameters, arguments, failure) \
	type hook_##name parameters;
/* Not called by an entry: the function is the exported symbol itself. */
#define XHOOK(family, type, name, declared) \
	type hook_##name declared __asm__(#name) __attribute__((visibility("default")));
#include "hooks.def"
#undef HOOK
#undef VHOOK
#undef THOOK
#undef VTHOOK
#undef XHOOK

#endif

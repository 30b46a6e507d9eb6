/*
 * Finds the functions behind ours: what dlsym(RTLD_NEXT, ...) does, without its lock, its allocation, its error text
 * and its library (before glibc 2.34 dlsym is in libdl, which most programs don't load).
 */
#ifndef MIRRORD_SYMBOLS_H
#define MIRRORD_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* One loaded object, as its dynamic section describes it. */
struct object {
	uintptr_t base;
	const void *symbols;      /* DT_SYMTAB */
	const char *strings;      /* DT_STRTAB */
	const uint32_t *gnu_hash; /* DT_GNU_HASH, or NULL */
	const uint32_t *hash;     /* DT_HASH, or NULL */
	const uint16_t *versions; /* DT_VERSYM, or NULL */
};

enum { OBJECTS = 64 }; /* what most programs have at most */

/*
 * The objects that were loaded behind the one holding `address`, in the loader's order. Returns how many there are, which
 * may be more than there is room for.
 */
size_t symbols_objects_behind(const void *address, struct object *objects, size_t room);

/*
 * The first definition of a function in these objects, by its default version; where there is none, by one that is kept
 * for old programs; NULL where there is none either.
 */
void *symbols_find(const struct object *objects, size_t count, const char *name);

#endif

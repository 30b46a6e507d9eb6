/*
 * Objects of ours that a program holds a pointer to (DIR, FTS), told apart from libc's by their address alone: they lie
 * in memory that nobody else allocates from. So the question needs no lock, reads no foreign memory, and can't be wrong.
 * Objects are taken and given back without a lock too.
 */
#ifndef MIRRORD_POOL_H
#define MIRRORD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_BLOCKS = 16 };

/* Each object begins with this. */
struct pool_head {
	uint32_t taken;
};

struct pool {
	size_t size;  /* of an object */
	size_t count; /* of objects in the first block, which is static; each further one has twice as many */
	void *blocks[POOL_BLOCKS];
};

/* Whether an address is that of an object of the pool. */
static inline bool pool_has(const struct pool *pool, const void *address)
{
	size_t bytes = pool->size * pool->count;
	for (int i = 0; i < POOL_BLOCKS; i++, bytes *= 2) {
		const void *block = __atomic_load_n(&pool->blocks[i], __ATOMIC_ACQUIRE);
		if (!block)
			return false;
		if ((uintptr_t)address - (uintptr_t)block < bytes)
			return true;
	}
	return false;
}

/* A free object, zeroed but for its head; NULL: there is no memory. */
void *pool_take(struct pool *pool);
void pool_give(void *object);

#endif

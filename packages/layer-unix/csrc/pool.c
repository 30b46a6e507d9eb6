/* Objects told by their address: see pool.h. Blocks are never unmapped, so that nobody can look at one that is gone. */
#include "pool.h"

#include "sys.h"

#include <string.h>
#include <sys/mman.h>

static struct pool_head *free_of(const struct pool *pool, char *block, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pool_head *head = (struct pool_head *)(block + i * pool->size);
		uint32_t no = 0;
		if (__atomic_load_n(&head->taken, __ATOMIC_RELAXED))
			continue;
		if (__atomic_compare_exchange_n(&head->taken, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return head;
	}
	return NULL;
}

/* Adds the block that is next; one that another thread added meanwhile is as good. */
static void *grow(void **place, size_t bytes)
{
	long made = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *none = NULL;
	if (sys_failed(made))
		return NULL;
	if (__atomic_compare_exchange_n(place, &none, (void *)made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return (void *)made;
	sys_munmap((void *)made, bytes);
	return none;
}

void *pool_take(struct pool *pool)
{
	size_t count = pool->count;
	for (int i = 0; i < POOL_BLOCKS; i++, count *= 2) {
		char *block = __atomic_load_n(&pool->blocks[i], __ATOMIC_ACQUIRE);
		if (!block)
			block = grow(&pool->blocks[i], count * pool->size);
		if (!block)
			return NULL;
		struct pool_head *head = free_of(pool, block, count);
		if (!head)
			continue;
		memset(head + 1, 0, pool->size - sizeof *head);
		return head;
	}
	return NULL;
}

void pool_give(void *object)
{
	__atomic_store_n(&((struct pool_head *)object)->taken, 0, __ATOMIC_RELEASE);
}

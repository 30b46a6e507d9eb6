/* A small cache of what was told of addresses: see known.h. Like that of identity.c, with facts that don't grow. */
#include "known.h"

#include <string.h>

enum { ENTRIES = 256, WAYS = 4 }; /* ENTRIES is a power of two */

_Static_assert(sizeof(struct known_key) == 40, "no padding: keys are compared as bytes");

struct entry {
	uint32_t sequence; /* odd while it is written, 0 while it is empty */
	struct known_key key;
	struct known known;
};

static struct entry entries[ENTRIES];

static struct entry *set_of(const struct known_key *key)
{
	uint64_t hash = (key->inode ^ key->peer.first ^ key->peer.second ^ (uint64_t)key->peer.port << 32 ^ key->kind) *
	                0x9e3779b97f4a7c15u;
	return &entries[hash >> 40 & (ENTRIES - WAYS)];
}

static bool same(const struct known_key *a, const struct known_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool known_recall(const struct known_key *key, struct known *known)
{
	struct entry *set = set_of(key);
	for (struct entry *entry = set; entry < set + WAYS; entry++) {
		uint32_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
		if (before == 0 || before & 1 || !same(&entry->key, key))
			continue;
		memcpy(known, &entry->known, sizeof *known);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

/* In place of what was known of the same key, else of an empty entry, else of one by the peer's port. */
void known_remember(const struct known_key *key, const struct known *known)
{
	struct entry *set = set_of(key), *place = set + key->peer.port % WAYS;
	for (struct entry *entry = set + WAYS - 1; entry >= set; entry--)
		if (__atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == 0)
			place = entry;
	for (struct entry *entry = set; entry < set + WAYS; entry++)
		if (same(&entry->key, key))
			place = entry;
	uint32_t before = __atomic_load_n(&place->sequence, __ATOMIC_RELAXED);
	if (before & 1 || !__atomic_compare_exchange_n(&place->sequence, &before, before + 1, false, __ATOMIC_ACQUIRE,
	                                               __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	place->key = *key;
	place->known = *known;
	__atomic_store_n(&place->sequence, before + 2 ? before + 2 : 2, __ATOMIC_RELEASE);
}

void known_forget(const struct known_key *key)
{
	struct entry *set = set_of(key);
	for (struct entry *entry = set; entry < set + WAYS; entry++) {
		uint32_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
		if (before == 0 || before & 1 || !same(&entry->key, key) ||
		    !__atomic_compare_exchange_n(&entry->sequence, &before, before + 1, false, __ATOMIC_ACQUIRE,
		                                 __ATOMIC_RELAXED))
			continue;
		__atomic_thread_fence(__ATOMIC_RELEASE);
		entry->key.kind = 0; /* nobody's */
		__atomic_store_n(&entry->sequence, before + 2 ? before + 2 : 2, __ATOMIC_RELEASE);
	}
}

/*
 * Looks paths and ports up in the shared table. Pure: no system call, no allocation; every offset is checked against the mapped
 * size, since the writer is another process. The counterpart in the session writes it; tests have a writer of their
 * own. On the way of every local open, so it looks at each byte of the path once or twice and at no more.
 */
#include "table.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the table is little endian, and read as it lies"
#endif

_Static_assert(sizeof(struct table) == 104, "docs/layer.md and docs/network.md");
_Static_assert(sizeof(struct table_prefix) == 16, "docs/layer.md");
_Static_assert(sizeof(struct table_slot) == 16, "docs/layer.md");

/* `length` bytes at `offset` of the mapping, or NULL if they reach beyond it. */
static const void *part(const struct table *table, size_t size, uint32_t offset, uint64_t length)
{
	if (offset > size || length > size - offset)
		return NULL;
	return (const uint8_t *)table + offset;
}

bool table_valid(const struct table *table, size_t size)
{
	if (size < sizeof *table || memcmp(table->magic, "MIRRORDT", 8) != 0 || table->version != TABLE_VERSION)
		return false;
	if (table->size > size || (table->slots & (table->slots - 1)) || table->slot_offset % 8 || table->prefix_offset % 8)
		return false;
	return part(table, size, table->prefix_offset, table->prefixes * (uint64_t)sizeof(struct table_prefix)) &&
	       part(table, size, table->slot_offset, table->slots * (uint64_t)sizeof(struct table_slot)) &&
	       part(table, size, table->name_offset, table->names * (uint64_t)2) &&
	       part(table, size, table->own_offset, TABLE_PORTS_SIZE) &&
	       part(table, size, table->relayed_offset, TABLE_PORTS_SIZE);
}

#define ONES 0x0101010101010101u

/* ASCII capitals of eight bytes at once made small; other bytes stay. */
static uint64_t fold8(uint64_t word)
{
	uint64_t low = word & 0x7f * ONES;
	uint64_t capital = (low + (0x80 - 'A') * ONES) & ~(low + (0x80 - 'Z' - 1) * ONES) & ~word & 0x80 * ONES;
	return word | capital >> 2;
}

static uint8_t fold1(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static uint64_t load8(const char *text)
{
	uint64_t word;
	memcpy(&word, text, sizeof word);
	return word;
}

/* The first eight bytes, zero padded. */
static uint64_t head8(const char *text, size_t length)
{
	uint64_t word = 0;
	if (length >= 8)
		return load8(text);
	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)(uint8_t)text[i] << 8 * i;
	return word;
}

/* The high bit of each byte that is zero; of some behind a zero too, so it is right as a whole only if there is none. */
static uint64_t zeros(uint64_t word)
{
	return (word - ONES) & ~word & 0x80 * ONES;
}

/* Whether a component may begin with a dot or be empty: looks for "/." and "//", eight pairs of bytes at a time. */
static bool suspicious(const char *path, size_t length)
{
	if (length < 9) {
		for (size_t i = 0; i + 1 < length; i++)
			if (path[i] == '/' && (path[i + 1] == '.' || path[i + 1] == '/'))
				return true;
		return false;
	}
	for (size_t last = length - 9, at = 0;; at = at + 8 < last ? at + 8 : last) {
		uint64_t first = load8(path + at), second = load8(path + at + 1);
		if (zeros(first ^ '/' * ONES) & (zeros(second ^ '.' * ONES) | zeros(second ^ '/' * ONES)))
			return true;
		if (at == last)
			return false;
	}
}

/* Absolute, and free of empty, "." and ".." components. */
static bool plain(const char *path, size_t length)
{
	if (length < 2 || path[0] != '/')
		return length == 1 && path[0] == '/';
	if (path[length - 1] == '/')
		return false;
	if (!suspicious(path, length))
		return true;
	for (const char *at = path, *end = path + length; at; at = memchr(at + 1, '/', (size_t)(end - at - 1))) {
		char next = at[1];
		if (next != '.' && next != '/')
			continue;
		if (next == '/' || at + 2 == end || at[2] == '/')
			return false;
		if (at[2] == '.' && (at + 3 == end || at[3] == '/'))
			return false;
	}
	return true;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t length, bool fold)
{
	if (!fold)
		return memcmp(a, b, length) == 0;
	for (size_t i = 0; i < length; i++)
		if (fold1(a[i]) != fold1(b[i]))
			return false;
	return true;
}

static const uint64_t masks[] = {
	0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, UINT64_MAX,
};

static int alike(uint64_t head, const struct table_prefix *prefix)
{
	return (uint16_t)head == (uint16_t)prefix->head;
}

/* The verdict of the first prefix that covers the path: 1 local, 2 ask, 0 none. */
static unsigned prefix_verdict(const struct table *table, size_t size, const char *path, size_t length)
{
	uint32_t count = table->prefixes;
	const struct table_prefix *prefix =
		part(table, size, table->prefix_offset, count * (uint64_t)sizeof(struct table_prefix));
	if (!prefix)
		return 0;
	uint64_t head = fold8(head8(path, length));
	for (; count; count--, prefix++) {
		/* Nearly always the first letters differ. Of prefixes with none there is "/" alone, which is the last. */
		for (; count > 4 && !(alike(head, &prefix[0]) | alike(head, &prefix[1]) | alike(head, &prefix[2]) |
		                      alike(head, &prefix[3]));
		     count -= 4)
			prefix += 4;
		uint64_t differ = head ^ prefix->head;
		size_t covered = prefix->length;
		if (differ & masks[covered < 8 ? covered : 8] || covered > length || !covered)
			continue;
		if (covered < length && path[covered] != '/' && path[covered - 1] != '/')
			continue;
		const uint8_t *text = part(table, size, prefix->text, covered);
		if (!text || !same(text, (const uint8_t *)path, covered, prefix->fold))
			continue;
		return prefix->verdict;
	}
	return 0;
}

bool table_covers(const struct table *table, size_t size, const char *path, size_t length)
{
	uint32_t count = table->prefixes;
	const struct table_prefix *prefix =
		part(table, size, table->prefix_offset, count * (uint64_t)sizeof(struct table_prefix));
	if (!prefix || !plain(path, length) || prefix_verdict(table, size, path, length) != 1)
		return false;
	for (; count; count--, prefix++) {
		if (prefix->verdict == 1 || prefix->length <= length)
			continue;
		const uint8_t *text = part(table, size, prefix->text, prefix->length);
		if (!text || (same(text, (const uint8_t *)path, length, prefix->fold) && (length == 1 || text[length] == '/')))
			return false;
	}
	return true;
}

/* Eight bytes at a time: byte by byte, this alone would be a fiftieth of an open. */
static uint64_t hash_path(const char *path, size_t length)
{
	uint64_t hash = length;
	size_t rest = length;
	for (; rest >= 8; path += 8, rest -= 8) {
		hash = (hash ^ load8(path)) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	if (rest) {
		uint64_t word = length >= 8 ? load8(path + rest - 8) >> 8 * (8 - rest) : head8(path, rest);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	hash *= 0x9e3779b97f4a7c15u; /* the last bytes of a word have only reached high bits, and low ones find the slot */
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

static unsigned slot_flags(const struct table *table, size_t size, const char *path, size_t length)
{
	uint32_t count = table->slots;
	const struct table_slot *slots =
		part(table, size, table->slot_offset, count * (uint64_t)sizeof(struct table_slot));
	if (!slots || !count || (count & (count - 1)))
		return 0;
	uint64_t hash = hash_path(path, length);
	for (uint32_t step = 0; step < TABLE_STEPS && step < count; step++) {
		const struct table_slot *slot = &slots[(hash + step) & (count - 1)];
		/* Written last, so an entry that shows its hash is whole. */
		uint64_t found = __atomic_load_n(&slot->hash, __ATOMIC_ACQUIRE);
		if (!found)
			return 0;
		if (found != hash || slot->length != length)
			continue;
		const void *text = part(table, size, slot->text, length);
		if (text && memcmp(text, path, length) == 0)
			return slot->flags & (TABLE_LOCAL_READ | TABLE_LOCAL_CHANGE);
	}
	return 0;
}

unsigned table_lookup(const struct table *table, size_t size, const char *path, size_t length)
{
	if (!plain(path, length))
		return 0;
	if (prefix_verdict(table, size, path, length) == 1)
		return TABLE_LOCAL_READ | TABLE_LOCAL_CHANGE;
	return slot_flags(table, size, path, length);
}

bool table_names(const struct table *table, size_t size, const char *name, size_t length)
{
	uint32_t offset = table->name_offset;
	for (uint32_t count = table->names; count; count--) {
		const uint8_t *head = part(table, size, offset, 2);
		if (!head)
			return false;
		uint32_t other = head[0] | (uint32_t)head[1] << 8;
		const uint8_t *text = part(table, size, offset + 2, other);
		if (!text)
			return false;
		if (other == length && memcmp(text, name, length) == 0)
			return true;
		offset += 2 + other;
	}
	return false;
}

/* The session sets and clears bits while we look; a byte of them is read at once. */
static bool has_port(const struct table *table, size_t size, uint32_t offset, unsigned port)
{
	const uint8_t *ports = part(table, size, offset, TABLE_PORTS_SIZE);
	return ports && port < 65536 && __atomic_load_n(&ports[port / 8], __ATOMIC_RELAXED) >> port % 8 & 1;
}

bool table_owns(const struct table *table, size_t size, unsigned port)
{
	return has_port(table, size, table->own_offset, port);
}

bool table_relays(const struct table *table, size_t size, unsigned port)
{
	return has_port(table, size, table->relayed_offset, port);
}

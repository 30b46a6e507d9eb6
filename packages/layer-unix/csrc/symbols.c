/*
 * Symbol lookup in the loaded objects behind ours, by their hash tables. Used once in each image, by entry.c, for all
 * of hooks.def; tests compare it with dlsym.
 */
#include "symbols.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

struct search {
	uintptr_t address;
	struct object *objects;
	size_t room, count;
	bool found;
};

/* glibc stores addresses in the dynamic section, musl leaves offsets. */
static const void *pointer(uintptr_t base, ElfW(Addr) value)
{
	return (const void *)(value < base ? base + value : value);
}

static bool read_dynamic(uintptr_t base, const ElfW(Dyn) * dynamic, struct object *object)
{
	*object = (struct object){.base = base};
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		const void *value = pointer(base, dynamic->d_un.d_ptr);
		switch (dynamic->d_tag) {
		case DT_SYMTAB:
			object->symbols = value;
			break;
		case DT_STRTAB:
			object->strings = value;
			break;
		case DT_GNU_HASH:
			object->gnu_hash = value;
			break;
		case DT_HASH:
			object->hash = value;
			break;
		case DT_VERSYM:
			object->versions = value;
			break;
		default:
			break;
		}
	}
	return object->symbols && object->strings && (object->gnu_hash || object->hash);
}

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *search = argument;
	const ElfW(Dyn) *dynamic = NULL;
	bool here = false;
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;
		if (header->p_type == PT_LOAD)
			here |= search->address - start < header->p_memsz;
		else if (header->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
	}
	if (!search->found) {
		search->found = here;
		return 0;
	}
	struct object object;
	if (!dynamic || !read_dynamic(info->dlpi_addr, dynamic, &object))
		return 0;
	if (search->count < search->room)
		search->objects[search->count] = object;
	search->count++;
	return 0;
}

size_t symbols_objects_behind(const void *address, struct object *objects, size_t room)
{
	struct search search = {.address = (uintptr_t)address, .objects = objects, .room = room};
	dl_iterate_phdr(visit, &search);
	return search.count;
}

/* Whether a symbol is a function of this name: with `old` one that is kept for old programs, else one for new ones. */
static bool suits(const struct object *object, uint32_t index, const char *name, bool old)
{
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)object->symbols + index;
	unsigned type = ELF64_ST_TYPE(symbol->st_info), binding = ELF64_ST_BIND(symbol->st_info);
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0)
		return false;
	if ((type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) || binding == STB_LOCAL)
		return false;
	if (old != (object->versions && object->versions[index] & 0x8000))
		return false;
	return strcmp(object->strings + symbol->st_name, name) == 0;
}

static uint32_t find_by_gnu_hash(const struct object *object, const char *name, uint32_t hash, bool old)
{
	const uint32_t *table = object->gnu_hash;
	uint32_t buckets = table[0], first = table[1], words = table[2], shift = table[3];
	const ElfW(Addr) *bloom = (const ElfW(Addr) *)(table + 4);
	const uint32_t *bucket = (const uint32_t *)(bloom + words), *chain = bucket + buckets;
	enum { BITS = 8 * sizeof(ElfW(Addr)) };
	ElfW(Addr) word = bloom[hash / BITS % words];
	if (!buckets || !(word >> (hash % BITS) & word >> (hash >> shift) % BITS & 1))
		return 0;
	uint32_t index = bucket[hash % buckets];
	if (index < first)
		return 0;
	for (;; index++) {
		uint32_t other = chain[index - first];
		if ((other | 1) == (hash | 1) && suits(object, index, name, old))
			return index;
		if (other & 1)
			return 0;
	}
}

static uint32_t find_by_hash(const struct object *object, const char *name, bool old)
{
	uint32_t hash = 0, buckets = object->hash[0];
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		hash = (hash << 4) + *c;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	const uint32_t *chain = object->hash + 2 + buckets;
	for (uint32_t i = buckets ? object->hash[2 + hash % buckets] : 0; i; i = chain[i])
		if (suits(object, i, name, old))
			return i;
	return 0;
}

static void *find(const struct object *objects, size_t count, const char *name, uint32_t hash, bool old)
{
	for (const struct object *object = objects; object < objects + count; object++) {
		uint32_t index = object->gnu_hash ? find_by_gnu_hash(object, name, hash, old) : find_by_hash(object, name, old);
		if (!index)
			continue;
		const ElfW(Sym) *symbol = (const ElfW(Sym) *)object->symbols + index;
		void *address = (void *)(object->base + symbol->st_value);
		if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC) {
			void *(*resolve)(void);
			memcpy(&resolve, &address, sizeof resolve);
			return resolve();
		}
		return address;
	}
	return NULL;
}

void *symbols_find(const struct object *objects, size_t count, const char *name)
{
	uint32_t hash = 5381;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	void *found = find(objects, count, name, hash, false);
	/* What libc has for old programs alone (__xstat, __xmknod), such programs call through us. */
	return found ? found : find(objects, count, name, hash, true);
}

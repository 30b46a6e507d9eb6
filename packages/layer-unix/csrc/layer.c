/*
 * Start in a new image, and the layer's own descriptors. MIRRORD_LAYER names what this process inherited; each number
 * is believed only as long as its inode is the one named. Nothing here asks the session but for a lost table.
 */
#include "files.h"
#include "layer.h"
#include "sys.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

struct layer layer = {.link = NO_DESCRIPTOR, .table = NO_DESCRIPTOR, .home = NO_DESCRIPTOR};

extern char **environ;

static const char prefix[] = "MIRRORD_LAYER=";

/* One line to the user, then the end: what cannot be right must not run as if it were. */
__attribute__((noreturn)) static void refuse(const char *why)
{
	static const char head[] = "mirrord: ";
	sys_write(2, head, sizeof head - 1);
	sys_write(2, why, strlen(why));
	sys_write(2, "\n", 1);
	for (;;)
		sys_call1(SYS_exit_group, 70);
}

static const char *variable(const char *name)
{
	size_t length = strlen(name);
	for (char **entry = environ; entry && *entry; entry++)
		if (strncmp(*entry, name, length) == 0)
			return *entry + length;
	return NULL;
}

/* A decimal number and the ':' behind it. */
static bool number(const char **text, uint64_t *value)
{
	const char *at = *text;
	for (*value = 0; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			return false;
	if (at == *text || *at != ':')
		return false;
	*text = at + 1;
	return true;
}

static bool parse(const char *text)
{
	uint64_t abi, link, link_inode, table, table_inode;
	if (!number(&text, &abi))
		return false;
	if (abi != LAYER_ABI)
		refuse("this program was started by another version of mirrord; start it again with mirrord exec");
	if (!number(&text, &link) || !number(&text, &link_inode) || !number(&text, &table) || !number(&text, &table_inode))
		return false;
	size_t length = strlen(text);
	if (length == 0 || length >= sizeof layer.name || link > INT32_MAX || table > INT32_MAX)
		return false;
	memcpy(layer.name, text, length + 1);
	layer.link = layer.home = descriptor_pack((int)link, link_inode);
	layer.table = descriptor_pack((int)table, table_inode);
	return true;
}

bool descriptor_holds(uint64_t packed)
{
	struct stat status;
	if (packed == NO_DESCRIPTOR || sys_fstat(descriptor_number(packed), &status) != 0)
		return false;
	return (uint32_t)status.st_ino == (uint32_t)packed;
}

/* Digits of a descriptor's number behind "/proc/self/fd/". */
void descriptor_path(char *path, int descriptor)
{
	static const char head[] = "/proc/self/fd/";
	char digits[12];
	size_t count = 0;
	do
		digits[count++] = (char)('0' + descriptor % 10);
	while (descriptor /= 10);
	memcpy(path, head, sizeof head);
	path += sizeof head - 1;
	while (count)
		*path++ = digits[--count];
	*path = 0;
}

static void map_table(int descriptor)
{
	struct stat status;
	if (sys_fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof(struct table))
		return;
	size_t size = (size_t)status.st_size;
	long where = sys_mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
	if (sys_failed(where))
		return;
	if (table_valid((const struct table *)where, size)) {
		layer.shared_size = size;
		__atomic_store_n(&layer.shared, (const struct table *)where, __ATOMIC_RELEASE);
	} else {
		sys_munmap((void *)where, size);
	}
}

static void find_table(void)
{
	if (descriptor_holds(layer.table)) {
		map_table(descriptor_number(layer.table));
		return;
	}
	layer.table = NO_DESCRIPTOR;
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_TABLE};
	struct answer answer;
	int error = errno;
	if (link_ask(&request, NULL, 0, &answer, NULL, 0) == 0 && answer.descriptors[0] >= 0) {
		map_table(answer.descriptors[0]);
		sys_close(answer.descriptors[0]);
	}
	errno = error;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Programs in which the user wants no layer: by the name of the file or by argv[0]. */
static bool skipped(void)
{
	extern char *program_invocation_name;
	char path[1024];
	if (!layer.shared || !layer.shared->names)
		return false;
	if (program_invocation_name) {
		const char *name = base_name(program_invocation_name);
		if (table_names(layer.shared, layer.shared_size, name, strlen(name)))
			return true;
	}
	long length = sys_readlinkat(AT_FDCWD, "/proc/self/exe", path, sizeof path - 1);
	if (length <= 0)
		return false;
	path[length] = 0;
	const char *name = base_name(path);
	return table_names(layer.shared, layer.shared_size, name, strlen(name));
}

/* Our own path, as the loader was told it: that of the object which holds `layer`. */
static int find_library(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;
		size_t length = info->dlpi_name ? strlen(info->dlpi_name) : 0;
		if (header->p_type != PT_LOAD || (uintptr_t)argument - start >= header->p_memsz)
			continue;
		if (length < sizeof layer.library)
			memcpy(layer.library, info->dlpi_name, length + 1);
		return 1;
	}
	return 0;
}

void layer_start(void)
{
	if (!environ) /* called by a library that starts before libc does */
		return;
	if (__atomic_exchange_n(&layer.started, true, __ATOMIC_ACQ_REL))
		return;
	if (variable("MIRRORD_DONT_LOAD="))
		refuse("MIRRORD_DONT_LOAD is set: this program must not run under mirrord");
	const char *text = variable(prefix);
	if (!text || !*text)
		return;
	size_t length = strlen(text);
	if (sizeof prefix + length > sizeof layer.variable || !parse(text))
		refuse("MIRRORD_LAYER is damaged; start the program again with mirrord exec");
	memcpy(layer.variable, prefix, sizeof prefix - 1);
	memcpy(layer.variable + sizeof prefix - 1, text, length + 1);
	dl_iterate_phdr(find_library, &layer);
	find_table();
	if (skipped()) {
		settle_inherited(false);
		return;
	}
	link_find(); /* one that was lost is made again now: it tells the session that this program lives */
	__atomic_store_n(&layer.active, true, __ATOMIC_RELEASE);
}

/* ---- the layer's own descriptors */

static uint64_t *own(int descriptor)
{
	uint64_t *each[] = {&layer.link, &layer.table};
	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		uint64_t packed = __atomic_load_n(each[i], __ATOMIC_RELAXED);
		if (descriptor_number(packed) != descriptor || packed == NO_DESCRIPTOR)
			continue;
		if (descriptor_holds(packed))
			return each[i];
		__atomic_compare_exchange_n(each[i], &packed, NO_DESCRIPTOR, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return NULL;
}

bool layer_owns(int descriptor)
{
	if (__builtin_expect(descriptor != descriptor_number(layer.link) && descriptor != descriptor_number(layer.table), 1))
		return false;
	return own(descriptor) != NULL;
}

int descriptor_high(int descriptor)
{
	struct rlimit limit = {.rlim_cur = 0};
	sys_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	long lowest = limit.rlim_cur > LAYER_LOWEST + 8 ? LAYER_LOWEST : (long)limit.rlim_cur - 8;
	return (int)sys_fcntl(descriptor, F_DUPFD_CLOEXEC, lowest < 3 ? 3 : lowest);
}

void layer_yield(int descriptor)
{
	uint64_t *which = own(descriptor);
	if (!which)
		return;
	int other = descriptor_high(descriptor);
	uint64_t packed = other < 0 ? NO_DESCRIPTOR : descriptor_pack(other, (uint32_t)*which);
	__atomic_store_n(which, packed, __ATOMIC_RELAXED);
}

int layer_descriptors(unsigned first, unsigned found[2])
{
	int count = 0;
	int numbers[] = {descriptor_number(layer.link), descriptor_number(layer.table)};
	for (int i = 0; i < 2; i++)
		if (numbers[i] >= 0 && (unsigned)numbers[i] >= first && layer_owns(numbers[i]))
			found[count++] = (unsigned)numbers[i];
	if (count == 2 && found[0] > found[1]) {
		unsigned swap = found[0];
		found[0] = found[1];
		found[1] = swap;
	}
	return count;
}

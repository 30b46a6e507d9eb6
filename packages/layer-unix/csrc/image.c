/*
 * A new image's environment, and notices about programs that the layer can't enter. What a program is, is decided in
 * elf.c; what the notice says, by the session. No allocation: a vfork child's would be its parent's leak.
 */
#include "image.h"

#include "elf.h"
#include "files.h"
#include "layer.h"
#include "sys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

extern char **environ;

static const char preload[] = "LD_PRELOAD=", variable[] = "MIRRORD_LAYER=";

/* ---- the environment */

static bool starts(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

/* Whether a list separated by spaces or colons names our library. */
static bool preloads(const char *list)
{
	size_t length = strlen(layer.library);
	while (*list) {
		size_t word = strcspn(list, " :");
		if (word == length && memcmp(list, layer.library, length) == 0)
			return true;
		list += word + (list[word] != 0);
	}
	return false;
}

size_t image_size(char *const *environment)
{
	size_t count = 0, size = sizeof preload + 1 + strlen(layer.library) + 1;
	bool has_layer = false, has_library = false;
	for (; environment && environment[count]; count++) {
		has_layer |= starts(environment[count], variable);
		if (starts(environment[count], preload)) {
			has_library |= preloads(environment[count] + sizeof preload - 1);
			size += strlen(environment[count]);
		}
	}
	if ((has_layer && has_library) || !layer.library[0])
		return 0;
	return size + (count + 3) * sizeof(char *);
}

char **image_environment(void *memory, char *const *environment)
{
	size_t count = 0, kept = 0;
	bool has_layer = false;
	const char *before = "";
	while (environment && environment[count])
		count++;
	char **made = memory, *text = (char *)(made + count + 3);
	for (size_t i = 0; i < count; i++) {
		has_layer |= starts(environment[i], variable);
		if (starts(environment[i], preload))
			before = environment[i] + sizeof preload - 1; /* the last one counts: others are dropped */
		else
			made[kept++] = environment[i];
	}
	made[kept++] = text;
	memcpy(text, preload, sizeof preload);
	text += sizeof preload - 1;
	size_t length = strlen(before);
	memcpy(text, before, length);
	text += length;
	if (!preloads(before)) {
		if (length)
			*text++ = ':';
		length = strlen(layer.library);
		memcpy(text, layer.library, length);
		text += length;
	}
	*text = 0;
	if (!has_layer)
		made[kept++] = layer.variable;
	made[kept] = NULL;
	return made;
}

void *image_map(size_t size)
{
	long where = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return sys_failed(where) ? NULL : (void *)where;
}

void image_unmap(void *memory, size_t size)
{
	sys_munmap(memory, size);
}

/* ---- programs that the layer can't enter */

/* Whether the loader will ignore LD_PRELOAD because the file changes IDs or brings capabilities. */
static bool privileged(int descriptor, const struct stat *status)
{
	struct statfs system;
	unsigned uid = (unsigned)sys_call1(SYS_getuid, 0), gid = (unsigned)sys_call1(SYS_getgid, 0);
	bool changes = (status->st_mode & S_ISUID && status->st_uid != uid) ||
	               ((status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status->st_gid != gid);
	if (!changes && uid != 0)
		changes = sys_call4(SYS_fgetxattr, descriptor, (long)"security.capability", 0, 0) > 0;
	if (!changes || sys_call5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return sys_call2(SYS_fstatfs, descriptor, (long)&system) != 0 || !(system.f_flags & 2 /* ST_NOSUID */);
}

static bool has_go_note(int descriptor, const struct elf_program *program)
{
	uint8_t note[512];
	for (unsigned i = 0; i < program->note_count; i++) {
		size_t size = program->notes[i].size < sizeof note ? program->notes[i].size : sizeof note;
		long got = sys_pread(descriptor, note, size, program->notes[i].offset);
		if (got > 0 && elf_note_is_go(note, (size_t)got))
			return true;
	}
	return false;
}

/*
 * What to say of the program behind a descriptor: a LayerNotice, or -1. A script's interpreter is put into `next`, to
 * be looked at in its place.
 */
__attribute__((noinline)) static int inspect(int descriptor, char next[256])
{
	uint8_t head[ELF_HEAD];
	struct elf_program program;
	struct stat status;
	next[0] = 0;
	if (sys_fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
		return -1;
	long size = sys_pread(descriptor, head, sizeof head, 0);
	if (size <= 0)
		return -1;
	elf_inspect(head, (size_t)size, &program);
	if (program.kind == ELF_SCRIPT && program.text.size < 256) {
		memcpy(next, head + program.text.offset, program.text.size);
		next[program.text.size] = 0;
	}
	if (program.kind == ELF_GO || (program.kind >= ELF_STATIC && has_go_note(descriptor, &program)))
		return WIRE_LAYER_NOTICE_GO;
	if (program.kind == ELF_STATIC)
		return WIRE_LAYER_NOTICE_STATIC;
	if (program.kind == ELF_DYNAMIC && privileged(descriptor, &status))
		return WIRE_LAYER_NOTICE_PRIVILEGED;
	return -1;
}

/* The loader itself is a static program that preloads; programs to be skipped are meant to be without the layer. */
static bool expected(const char *path, size_t length)
{
	const char *slash = memrchr(path, '/', length), *name = slash ? slash + 1 : path;
	size_t size = length - (size_t)(name - path);
	if ((size > 3 && memcmp(name, "ld-", 3) == 0) || (size >= 5 && memcmp(name, "ld.so", 5) == 0))
		return true;
	return layer.shared && table_names(layer.shared, layer.shared_size, name, size);
}

__attribute__((noinline)) static void say(int descriptor, int notice)
{
	char proc[32], path[1024], text[512];
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_NOTICE, .flags = (uint32_t)notice};
	struct answer answer;
	descriptor_path(proc, descriptor);
	long length = sys_readlinkat(AT_FDCWD, proc, path, sizeof path);
	if (length <= 0 || expected(path, (size_t)length))
		return;
	if (link_ask(&request, path, (size_t)length, &answer, text, sizeof text) == 0 && answer.reply.payload)
		sys_write(2, text, answer.reply.payload);
}

void image_announce_open(int descriptor, bool passed_on)
{
	char next[256];
	int error = errno, opened = -1;
	for (int depth = 0; depth < 5; depth++) { /* as deep as the kernel follows scripts */
		int notice = inspect(descriptor, next);
		if (notice >= 0) {
			say(descriptor, notice);
			settle_inherited(passed_on); /* a program without the layer can't wait for what it reads */
		}
		if (opened >= 0)
			sys_close(opened);
		if (!next[0] || (opened = (int)sys_openat(AT_FDCWD, next, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)) < 0)
			break;
		descriptor = opened;
	}
	errno = error;
}

void image_announce(int directory, const char *path, bool passed_on)
{
	if (!path)
		return;
	int descriptor = (int)sys_openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (descriptor < 0) /* not there, or not readable: the kernel will say, or run what can't be looked at */
		return;
	image_announce_open(descriptor, passed_on);
	sys_close(descriptor);
}

static const char *search_path(void)
{
	for (char **entry = environ; entry && *entry; entry++)
		if (starts(*entry, "PATH="))
			return *entry + 5;
	return "/bin:/usr/bin";
}

void image_announce_named(const char *name, bool passed_on)
{
	char path[1024];
	if (!name || strchr(name, '/')) {
		image_announce(AT_FDCWD, name, passed_on);
		return;
	}
	size_t length = strlen(name);
	for (const char *folder = search_path();; folder++) {
		size_t size = strcspn(folder, ":");
		if (size + 1 + length < sizeof path) {
			memcpy(path, folder, size);
			path[size] = '/';
			memcpy(path + size + 1, name, length + 1);
			if (size && sys_faccessat(AT_FDCWD, path, 1 /* X_OK */) == 0) {
				image_announce(AT_FDCWD, path, passed_on);
				return;
			}
		}
		folder += size;
		if (!*folder)
			return;
	}
}

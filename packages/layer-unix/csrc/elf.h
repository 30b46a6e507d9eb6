/*
 * What a program is, from its first bytes: whether the layer can enter it. Pure; hooks/process.c uses it before exec,
 * and Python through cffi before the first program is started.
 */
#ifndef MIRRORD_ELF_H
#define MIRRORD_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum elf_kind {
	ELF_UNKNOWN, /* not a program that we know anything of: the kernel will say */
	ELF_SCRIPT,  /* "#!": `text` is the interpreter */
	ELF_FOREIGN, /* of another machine or word size */
	ELF_STATIC,  /* no interpreter, so nothing is preloaded */
	ELF_DYNAMIC, /* `text` is the dynamic loader */
	ELF_GO,      /* built by Go: its system calls never reach libc; `text` is the loader if there is one */
};

/* Where something lies in the file. */
struct elf_span {
	uint64_t offset, size;
};

struct elf_program {
	enum elf_kind kind;
	struct elf_span text;     /* see the kinds; without the NUL */
	struct elf_span notes[4]; /* PT_NOTE segments; beyond the bytes given they are the caller's to fetch */
	unsigned note_count;
};

enum { ELF_HEAD = 4096 }; /* so many first bytes show everything for every program that linkers make */

/* Inspects the first `size` bytes of a file. Reads nothing beyond them, whatever they claim. */
void elf_inspect(const uint8_t *head, size_t size, struct elf_program *program);

/* Whether the bytes of a note segment hold the note that Go's linker leaves. */
bool elf_note_is_go(const uint8_t *note, size_t size);

#endif

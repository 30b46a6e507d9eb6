/*
 * ELF headers, program headers and notes, and the first line of scripts. Pure: no system call; every offset is checked
 * against the bytes given. Only the machine that this library is built for counts as ours.
 */
#include "elf.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#endif

static bool inside(size_t size, struct elf_span span)
{
	return span.offset <= size && span.size <= size - span.offset;
}

static void inspect_script(const uint8_t *head, size_t size, struct elf_program *program)
{
	size_t start = 2, end;
	while (start < size && (head[start] == ' ' || head[start] == '\t'))
		start++;
	for (end = start; end < size && !strchr(" \t\n", head[end]); end++) /* NUL ends it too */
		;
	if (end > start)
		*program = (struct elf_program){.kind = ELF_SCRIPT, .text = {start, end - start}};
}

static void inspect_segment(const uint8_t *head, size_t size, const Elf64_Phdr *segment, struct elf_program *program)
{
	struct elf_span span = {segment->p_offset, segment->p_filesz};
	if (segment->p_type == PT_INTERP && inside(size, span) && span.size > 1) {
		if (program->kind == ELF_STATIC)
			program->kind = ELF_DYNAMIC;
		program->text = (struct elf_span){span.offset, strnlen((const char *)head + span.offset, span.size)};
	} else if (segment->p_type == PT_INTERP && program->kind == ELF_STATIC) {
		program->kind = ELF_DYNAMIC; /* its text lies further on */
	} else if (segment->p_type == PT_NOTE && span.size) {
		if (inside(size, span) && elf_note_is_go(head + span.offset, span.size))
			program->kind = ELF_GO;
		if (program->note_count < sizeof program->notes / sizeof *program->notes)
			program->notes[program->note_count++] = span;
	}
}

void elf_inspect(const uint8_t *head, size_t size, struct elf_program *program)
{
	Elf64_Ehdr file;
	*program = (struct elf_program){.kind = ELF_UNKNOWN};
	if (size > 2 && head[0] == '#' && head[1] == '!')
		inspect_script(head, size, program);
	if (size < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0)
		return;
	program->kind = ELF_FOREIGN;
	if (size < sizeof file || head[EI_CLASS] != ELFCLASS64 || head[EI_DATA] != ELFDATA2LSB)
		return;
	memcpy(&file, head, sizeof file);
	if (file.e_machine != MACHINE)
		return;
	program->kind = ELF_UNKNOWN;
	if ((file.e_type != ET_EXEC && file.e_type != ET_DYN) || file.e_phentsize != sizeof(Elf64_Phdr))
		return;
	struct elf_span table = {file.e_phoff, (uint64_t)file.e_phnum * sizeof(Elf64_Phdr)};
	if (!inside(size, table))
		return;
	program->kind = ELF_STATIC;
	for (unsigned i = 0; i < file.e_phnum; i++) {
		Elf64_Phdr segment;
		memcpy(&segment, head + table.offset + i * sizeof segment, sizeof segment);
		inspect_segment(head, size, &segment, program);
	}
}

bool elf_note_is_go(const uint8_t *note, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		memcpy(&header, note, sizeof header);
		uint64_t name = ((uint64_t)header.n_namesz + 3) & ~(uint64_t)3;
		uint64_t whole = sizeof header + name + (((uint64_t)header.n_descsz + 3) & ~(uint64_t)3);
		if (header.n_namesz == 4 && size >= sizeof header + 4 && memcmp(note + sizeof header, "Go\0", 4) == 0)
			return true;
		if (whole > size)
			return false;
		note += whole;
		size -= whole;
	}
	return false;
}

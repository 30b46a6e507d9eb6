/*
 * Content whose every byte tells where it belongs and whose words are never zero: bytes that have not arrived show.
 * The word at offset N, a multiple of 8, is N + WORD, little endian. test_filling.py writes it.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "check.h"

#include <stdint.h>
#include <sys/types.h>

#define WORD 0x0101010101010101u

static inline unsigned char content_at(uint64_t offset)
{
	return (unsigned char)(((offset & ~7ull) + WORD) >> 8 * (offset & 7));
}

/* The bytes are those of the file at `offset`. */
static inline void check_content(const void *bytes, size_t size, uint64_t offset)
{
	const unsigned char *byte = bytes;
	for (size_t i = 0; i < size; i++)
		CHECK(byte[i] == content_at(offset + i));
}

#endif

"""The parts of wire.h and wire.c that are the same for every schema: bytes, pointers, bounds. cgen.py does the rest.

The C reader follows three kinds of pointers (struct, list of structs, bytes), all inside one segment, and only
forward by one step for each call: hostile bytes can't lead outside, nor round in a circle.
"""

from __future__ import annotations

from typing import Any

HEADER_START = """\
/*
 * The schema for C: the messages between layer and session, and what a listing is made of. Made from mirrord.capnp by
 * `python -m mirrord_protocol.cgen`; not to be edited. Nothing here allocates, and every offset is checked.
 */
#ifndef MIRRORD_WIRE_H
#define MIRRORD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
"""

HEADER_END = """
/* Writes a message of fixed size; whatever follows it is the caller's. */
void layer_request_write(uint8_t *out, const struct layer_request *in);
void layer_reply_write(uint8_t *out, const struct layer_reply *in);

/* Reads a message from the start of `in`. False: malformed, `out` is as it was. Unknown enum values are kept. */
bool layer_request_read(const uint8_t *in, size_t size, struct layer_request *out);
bool layer_reply_read(const uint8_t *in, size_t size, struct layer_reply *out);
bool file_system_read(const uint8_t *in, size_t size, struct wire_file_system *out);

/* One message of a listing; points into the bytes that it was read from. Only `count` is for the caller. */
struct directory_chunk {
	const uint8_t *segment;
	size_t segment_words;
	size_t first;        /* word of the first entry */
	uint32_t data_words; /* of each entry */
	uint32_t pointers;   /* of each entry */
	uint32_t count;
};

struct directory_entry {
	const uint8_t *name; /* into the chunk's bytes, without a NUL at its end */
	size_t name_size;
	uint64_t inode;
	uint8_t type; /* d_type */
	bool has_stat;
	struct wire_stat stat; /* zeros where there is none */
};

/* Bytes of the message at the start of `in`, more may follow; 0 if it is malformed or cut off. */
size_t directory_chunk_read(const uint8_t *in, size_t size, struct directory_chunk *out);

/* False: no such entry, or malformed. */
bool directory_chunk_entry(const struct directory_chunk *chunk, uint32_t index, struct directory_entry *out);

#endif
"""

SOURCE_START = """\
/*
 * Readers and writers declared in wire.h. Made from mirrord.capnp by `python -m mirrord_protocol.cgen`; not to be
 * edited. Bytes are put together one by one, so neither alignment nor the machine's byte order matters.
 */
#include "wire.h"

#include <string.h>

static inline uint8_t get8(const uint8_t *at)
{
	return at[0];
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static inline uint64_t get64(const uint8_t *at)
{
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static inline void put8(uint8_t *at, uint8_t value)
{
	at[0] = value;
}

static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)value);
	put16(at + 2, (uint16_t)(value >> 16));
}

static inline void put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

/* The one segment of a message. */
struct segment {
	const uint8_t *start;
	size_t words;
};

/* Where a struct's data and pointers, or a list's first element, are: words from the segment's start. */
struct place {
	size_t data;
	size_t pointers;
	uint32_t data_words;
	uint32_t pointer_count;
	uint32_t count;
};

/* Bytes of the message at the start of `in`, or 0. */
static size_t segment_open(const uint8_t *in, size_t size, struct segment *out)
{
	size_t words;

	if (size < 16 || get32(in) != 0)
		return 0;
	words = get32(in + 4);
	if (words == 0 || words > (size - 8) / 8)
		return 0;
	out->start = in + 8;
	out->words = words;
	return 8 + words * 8;
}

static bool inside(const struct segment *segment, uint64_t start, uint64_t words)
{
	return start <= segment->words && words <= segment->words - start;
}

/* Where the pointer in the word `at` leads; far outside for an offset that goes before the segment's start. */
static uint64_t pointed_to(const struct segment *segment, size_t at)
{
	int64_t offset = (int32_t)get32(segment->start + at * 8) >> 2;

	return (uint64_t)((int64_t)at + 1 + offset);
}

/* The struct that the word `at` points to, if it has at least what this version of the schema knows. */
static bool struct_at(const struct segment *segment, size_t at, uint32_t data_words, uint32_t pointers, struct place *out)
{
	uint32_t low = get32(segment->start + at * 8), high = get32(segment->start + at * 8 + 4);
	uint64_t start = pointed_to(segment, at);

	out->data_words = high & 0xffff;
	out->pointer_count = high >> 16;
	if ((low & 3) != 0 || out->data_words < data_words || out->pointer_count < pointers)
		return false;
	if (!inside(segment, start, (uint64_t)out->data_words + out->pointer_count))
		return false;
	out->data = start;
	out->pointers = start + out->data_words;
	out->count = 1;
	return true;
}

/* The list of structs that the word `at` points to. Elements take at least a word, so `count` is bounded by `words`. */
static bool list_at(const struct segment *segment, size_t at, uint32_t data_words, uint32_t pointers, struct place *out)
{
	uint32_t low = get32(segment->start + at * 8), high = get32(segment->start + at * 8 + 4);
	uint64_t start = pointed_to(segment, at), words = high >> 3, element;
	uint32_t tag;

	if ((low & 3) != 1 || (high & 7) != 7 || !inside(segment, start, words + 1))
		return false;
	tag = get32(segment->start + start * 8);
	high = get32(segment->start + start * 8 + 4);
	out->count = tag >> 2;
	out->data_words = high & 0xffff;
	out->pointer_count = high >> 16;
	element = (uint64_t)out->data_words + out->pointer_count;
	if ((tag & 3) != 0 || element == 0 || out->data_words < data_words || out->pointer_count < pointers)
		return false;
	if (out->count * element > words)
		return false;
	out->data = start + 1;
	out->pointers = out->data + out->data_words;
	return true;
}

/* The bytes that the word `at` points to; none for a null pointer. */
static bool bytes_at(const struct segment *segment, size_t at, const uint8_t **bytes, size_t *size)
{
	uint32_t low = get32(segment->start + at * 8), high = get32(segment->start + at * 8 + 4);
	uint64_t start = pointed_to(segment, at);

	*bytes = segment->start;
	*size = 0;
	if (low == 0 && high == 0)
		return true;
	if ((low & 3) != 1 || (high & 7) != 2 || !inside(segment, start, ((uint64_t)(high >> 3) + 7) / 8))
		return false;
	*bytes = segment->start + start * 8;
	*size = high >> 3;
	return true;
}

static bool null_at(const struct segment *segment, size_t at)
{
	return get64(segment->start + at * 8) == 0;
}
"""

_LISTS = """\
size_t directory_chunk_read(const uint8_t *in, size_t size, struct directory_chunk *out)
{
	struct segment segment;
	struct place root, list;
	size_t used = segment_open(in, size, &segment);

	if (used == 0 || !struct_at(&segment, 0, 0, %(entries)d + 1, &root))
		return 0;
	memset(out, 0, sizeof(*out));
	out->segment = segment.start;
	out->segment_words = segment.words;
	if (null_at(&segment, root.pointers + %(entries)d))
		return used;
	if (!list_at(&segment, root.pointers + %(entries)d, %(data_words)d, %(pointers)d, &list))
		return 0;
	out->first = list.data;
	out->data_words = list.data_words;
	out->pointers = list.pointer_count;
	out->count = list.count;
	return used;
}

bool directory_chunk_entry(const struct directory_chunk *chunk, uint32_t index, struct directory_entry *out)
{
	const struct segment segment = {chunk->segment, chunk->segment_words};
	size_t at, pointers;
	const uint8_t *body;
	struct place stat;

	if (index >= chunk->count)
		return false;
	at = chunk->first + (size_t)index * (chunk->data_words + chunk->pointers);
	pointers = at + chunk->data_words;
	body = segment.start + at * 8;
	memset(out, 0, sizeof(*out));
	out->inode = get64(body + %(inode)d);
	out->type = get8(body + %(type)d);
	if (!bytes_at(&segment, pointers + %(name)d, &out->name, &out->name_size))
		return false;
	if (null_at(&segment, pointers + %(stat)d))
		return true;
	if (!struct_at(&segment, pointers + %(stat)d, %(stat_words)d, 0, &stat))
		return false;
	wire_stat_body(segment.start + stat.data * 8, &out->stat);
	out->has_stat = true;
	return true;
}
"""


def reader_of_lists(schema: Any) -> str:
    """Return the C functions that read a listing."""
    entry = schema.DirectoryEntry.schema.node.struct
    offsets = {member.name: member.slot.offset for member in entry.fields}
    kinds = {member.name: member.slot.type.which() for member in entry.fields}
    if kinds != {"name": "data", "inode": "uint64", "type": "uint8", "stat": "struct"}:
        raise ValueError("DirectoryEntry has fields that the C reader doesn't know")
    return _LISTS % {
        "entries": schema.DirectoryChunk.schema.node.struct.fields[0].slot.offset,
        "data_words": entry.dataWordCount,
        "pointers": entry.pointerCount,
        "inode": offsets["inode"] * 8,
        "type": offsets["type"],
        "name": offsets["name"],
        "stat": offsets["stat"],
        "stat_words": schema.Stat.schema.node.struct.dataWordCount,
    }

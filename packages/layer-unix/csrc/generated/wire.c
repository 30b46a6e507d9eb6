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

void layer_request_write(uint8_t *out, const struct layer_request *in)
{
	uint8_t *body = out + 16;

	put64(out, 0x700000000);
	put64(out + 8, 0x600000000);
	memset(body, 0, 48);
	put16(body + 0, (uint16_t)in->operation);
	put16(body + 2, (uint16_t)in->payload);
	put32(body + 4, (uint32_t)in->flags);
	put32(body + 8, (uint32_t)in->mode);
	put32(body + 12, (uint32_t)in->process);
	put64(body + 16, (uint64_t)in->device);
	put64(body + 24, (uint64_t)in->inode);
	put64(body + 32, (uint64_t)in->offset);
	put64(body + 40, (uint64_t)in->length);
}

static void layer_request_body(const uint8_t *body, struct layer_request *out)
{
	out->operation = (enum wire_layer_operation)get16(body + 0);
	out->payload = (uint16_t)get16(body + 2);
	out->flags = (uint32_t)get32(body + 4);
	out->mode = (uint32_t)get32(body + 8);
	out->process = (uint32_t)get32(body + 12);
	out->device = (uint64_t)get64(body + 16);
	out->inode = (uint64_t)get64(body + 24);
	out->offset = (uint64_t)get64(body + 32);
	out->length = (uint64_t)get64(body + 40);
}

bool layer_request_read(const uint8_t *in, size_t size, struct layer_request *out)
{
	if (size < LAYER_REQUEST_SIZE || get64(in) != 0x700000000 || get64(in + 8) != 0x600000000)
		return false;
	layer_request_body(in + 16, out);
	return true;
}

void layer_reply_write(uint8_t *out, const struct layer_reply *in)
{
	uint8_t *body = out + 16;

	put64(out, 0x1400000000);
	put64(out + 8, 0x1300000000);
	memset(body, 0, 152);
	put16(body + 0, (uint16_t)in->outcome);
	put16(body + 2, (uint16_t)in->errno_code);
	put16(body + 4, (uint16_t)in->form);
	put32(body + 8, (uint32_t)in->payload);
	put64(body + 16, (uint64_t)in->offset);
	put64(body + 24, (uint64_t)in->length);
	put64(body + 32, (uint64_t)in->device);
	put64(body + 40, (uint64_t)in->inode);
	put64(body + 48, (uint64_t)in->stat.device);
	put64(body + 56, (uint64_t)in->stat.inode);
	put64(body + 64, (uint64_t)in->stat.size);
	put64(body + 72, (uint64_t)in->stat.blocks);
	put64(body + 80, (uint64_t)in->stat.rdev);
	put32(body + 12, (uint32_t)in->stat.mode);
	put32(body + 88, (uint32_t)in->stat.links);
	put32(body + 92, (uint32_t)in->stat.uid);
	put32(body + 96, (uint32_t)in->stat.gid);
	put32(body + 100, (uint32_t)in->stat.block_size);
	put32(body + 104, (uint32_t)in->stat.accessed_nanoseconds);
	put32(body + 108, (uint32_t)in->stat.modified_nanoseconds);
	put32(body + 112, (uint32_t)in->stat.changed_nanoseconds);
	put32(body + 116, (uint32_t)in->stat.born_nanoseconds);
	body[6] |= (uint8_t)(in->stat.has_born << 0);
	put8(body + 7, (uint8_t)in->stat.allowed);
	put64(body + 120, (uint64_t)in->stat.accessed_seconds);
	put64(body + 128, (uint64_t)in->stat.modified_seconds);
	put64(body + 136, (uint64_t)in->stat.changed_seconds);
	put64(body + 144, (uint64_t)in->stat.born_seconds);
}

static void layer_reply_body(const uint8_t *body, struct layer_reply *out)
{
	out->outcome = (enum wire_layer_outcome)get16(body + 0);
	out->errno_code = (enum wire_errno)get16(body + 2);
	out->form = (enum wire_layer_form)get16(body + 4);
	out->payload = (uint32_t)get32(body + 8);
	out->offset = (uint64_t)get64(body + 16);
	out->length = (uint64_t)get64(body + 24);
	out->device = (uint64_t)get64(body + 32);
	out->inode = (uint64_t)get64(body + 40);
	out->stat.device = (uint64_t)get64(body + 48);
	out->stat.inode = (uint64_t)get64(body + 56);
	out->stat.size = (uint64_t)get64(body + 64);
	out->stat.blocks = (uint64_t)get64(body + 72);
	out->stat.rdev = (uint64_t)get64(body + 80);
	out->stat.mode = (uint32_t)get32(body + 12);
	out->stat.links = (uint32_t)get32(body + 88);
	out->stat.uid = (uint32_t)get32(body + 92);
	out->stat.gid = (uint32_t)get32(body + 96);
	out->stat.block_size = (uint32_t)get32(body + 100);
	out->stat.accessed_nanoseconds = (uint32_t)get32(body + 104);
	out->stat.modified_nanoseconds = (uint32_t)get32(body + 108);
	out->stat.changed_nanoseconds = (uint32_t)get32(body + 112);
	out->stat.born_nanoseconds = (uint32_t)get32(body + 116);
	out->stat.has_born = (body[6] >> 0) & 1;
	out->stat.allowed = (uint8_t)get8(body + 7);
	out->stat.accessed_seconds = (int64_t)get64(body + 120);
	out->stat.modified_seconds = (int64_t)get64(body + 128);
	out->stat.changed_seconds = (int64_t)get64(body + 136);
	out->stat.born_seconds = (int64_t)get64(body + 144);
}

bool layer_reply_read(const uint8_t *in, size_t size, struct layer_reply *out)
{
	if (size < LAYER_REPLY_SIZE || get64(in) != 0x1400000000 || get64(in + 8) != 0x1300000000)
		return false;
	layer_reply_body(in + 16, out);
	return true;
}

static void wire_file_system_body(const uint8_t *body, struct wire_file_system *out)
{
	out->type = (uint64_t)get64(body + 0);
	out->block_size = (uint64_t)get64(body + 8);
	out->blocks = (uint64_t)get64(body + 16);
	out->blocks_free = (uint64_t)get64(body + 24);
	out->blocks_available = (uint64_t)get64(body + 32);
	out->files = (uint64_t)get64(body + 40);
	out->files_free = (uint64_t)get64(body + 48);
	out->id = (uint64_t)get64(body + 56);
	out->name_length = (uint64_t)get64(body + 64);
	out->fragment_size = (uint64_t)get64(body + 72);
	out->flags = (uint64_t)get64(body + 80);
}

bool file_system_read(const uint8_t *in, size_t size, struct wire_file_system *out)
{
	struct segment segment;
	struct place root;

	if (!segment_open(in, size, &segment) || !struct_at(&segment, 0, 11, 0, &root))
		return false;
	wire_file_system_body(segment.start + root.data * 8, out);
	return true;
}

static void wire_stat_body(const uint8_t *body, struct wire_stat *out)
{
	out->device = (uint64_t)get64(body + 0);
	out->inode = (uint64_t)get64(body + 8);
	out->size = (uint64_t)get64(body + 16);
	out->blocks = (uint64_t)get64(body + 24);
	out->rdev = (uint64_t)get64(body + 32);
	out->mode = (uint32_t)get32(body + 40);
	out->links = (uint32_t)get32(body + 44);
	out->uid = (uint32_t)get32(body + 48);
	out->gid = (uint32_t)get32(body + 52);
	out->block_size = (uint32_t)get32(body + 56);
	out->allowed = (uint8_t)get8(body + 60);
	out->has_born = (body[61] >> 0) & 1;
	out->accessed_nanoseconds = (uint32_t)get32(body + 64);
	out->modified_nanoseconds = (uint32_t)get32(body + 68);
	out->changed_nanoseconds = (uint32_t)get32(body + 72);
	out->born_nanoseconds = (uint32_t)get32(body + 76);
	out->accessed_seconds = (int64_t)get64(body + 80);
	out->modified_seconds = (int64_t)get64(body + 88);
	out->changed_seconds = (int64_t)get64(body + 96);
	out->born_seconds = (int64_t)get64(body + 104);
}

size_t directory_chunk_read(const uint8_t *in, size_t size, struct directory_chunk *out)
{
	struct segment segment;
	struct place root, list;
	size_t used = segment_open(in, size, &segment);

	if (used == 0 || !struct_at(&segment, 0, 0, 0 + 1, &root))
		return 0;
	memset(out, 0, sizeof(*out));
	out->segment = segment.start;
	out->segment_words = segment.words;
	if (null_at(&segment, root.pointers + 0))
		return used;
	if (!list_at(&segment, root.pointers + 0, 2, 2, &list))
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
	out->inode = get64(body + 0);
	out->type = get8(body + 8);
	if (!bytes_at(&segment, pointers + 0, &out->name, &out->name_size))
		return false;
	if (null_at(&segment, pointers + 1))
		return true;
	if (!struct_at(&segment, pointers + 1, 14, 0, &stat))
		return false;
	wire_stat_body(segment.start + stat.data * 8, &out->stat);
	out->has_stat = true;
	return true;
}

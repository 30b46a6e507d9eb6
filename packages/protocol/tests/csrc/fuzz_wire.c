/*
 * Fuzzes the readers of wire.h: takes the files named as arguments as seeds, changes them at random for as many
 * seconds as the first argument says, and reads whatever comes out. Each input lies in a block of exactly its size, so
 * that AddressSanitizer sees every byte read too far; an alarm ends a reader that loops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define MOST_SEEDS 64
#define MOST_BYTES 16384

struct seed {
	uint8_t bytes[MOST_BYTES];
	size_t size;
};

static struct seed seeds[MOST_SEEDS];
static size_t seed_count;
static uint64_t state;
static volatile uint64_t sink; /* so that nothing read is optimised away */

/* xorshift64*, for the same inputs on every system from the same state */
static uint64_t draw(uint64_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 16) % limit;
}

static void use(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sink += ((const uint8_t *)bytes)[i];
}

static void read_all(const uint8_t *in, size_t size)
{
	struct layer_request request;
	struct layer_reply reply;
	struct wire_file_system system;
	struct directory_chunk chunk;
	struct directory_entry entry;
	uint8_t out[LAYER_REPLY_SIZE];
	size_t used;

	if (layer_request_read(in, size, &request)) {
		layer_request_write(out, &request);
		use(out, LAYER_REQUEST_SIZE);
	}
	if (layer_reply_read(in, size, &reply)) {
		layer_reply_write(out, &reply);
		use(out, LAYER_REPLY_SIZE);
	}
	if (file_system_read(in, size, &system))
		use(&system, sizeof(system));
	while (size > 0 && (used = directory_chunk_read(in, size, &chunk)) > 0) {
		if (used > size || chunk.count > size / 8)
			abort();
		for (uint32_t i = 0; i < chunk.count; i++) {
			if (!directory_chunk_entry(&chunk, i, &entry))
				break;
			use(entry.name, entry.name_size);
			use(&entry.stat, sizeof(entry.stat));
		}
		if (directory_chunk_entry(&chunk, chunk.count, &entry))
			abort();
		in += used;
		size -= used;
	}
}

static void change(struct seed *seed)
{
	static const uint64_t odd[] = {0, 1, 2, 3, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0x1fffffff,
	                               0x700000000, 0xffffffff00000001, 0x7fffffff00000000, 0xffffffffffffffff};
	size_t at = seed->size ? draw(seed->size) : 0, size;
	uint64_t word;

	switch (draw(8)) {
	case 0: /* a bit */
		if (seed->size)
			seed->bytes[at] ^= (uint8_t)(1 << draw(8));
		break;
	case 1: /* a byte */
		if (seed->size)
			seed->bytes[at] = (uint8_t)draw(256);
		break;
	case 2: /* a word of odd numbers */
	case 3:
		at &= ~(size_t)7;
		if (seed->size >= at + 8) {
			word = odd[draw(sizeof(odd) / sizeof(odd[0]))];
			memcpy(seed->bytes + at, &word, 8);
		}
		break;
	case 4: /* half a word, by a little: an offset or a count */
		at &= ~(size_t)3;
		if (seed->size >= at + 4)
			seed->bytes[at] = (uint8_t)(seed->bytes[at] + draw(17) * 4 - 32);
		break;
	case 5: /* cut off */
		seed->size = at;
		break;
	case 6: /* a piece of another seed */
		size = draw(64);
		if (seed->size >= at + size) {
			const struct seed *other = &seeds[draw(seed_count)];

			if (other->size >= size)
				memcpy(seed->bytes + at, other->bytes + draw(other->size - size + 1), size);
		}
		break;
	case 7: /* more of the same */
		size = draw(64) & ~(size_t)7;
		if (seed->size + size <= MOST_BYTES && at + size <= seed->size) {
			memcpy(seed->bytes + seed->size, seed->bytes + at, size);
			seed->size += size;
		}
		break;
	}
}

int main(int count, char **arguments)
{
	static struct seed seed;
	unsigned long inputs = 0;
	time_t end;

	if (count < 3)
		return 2;
	for (int i = 2; i < count && seed_count < MOST_SEEDS; i++) {
		FILE *file = fopen(arguments[i], "rb");

		if (file == NULL)
			return 2;
		seeds[seed_count].size = fread(seeds[seed_count].bytes, 1, MOST_BYTES, file);
		seed_count++;
		fclose(file);
	}
	state = (uint64_t)time(NULL) | 1;
	printf("state %llu\n", (unsigned long long)state);
	fflush(stdout);
	end = time(NULL) + atol(arguments[1]);
	while (time(NULL) < end) {
		alarm(20);
		for (int i = 0; i < 2000; i++, inputs++) {
			uint8_t *exact;

			seed = seeds[draw(seed_count)];
			for (uint64_t changes = draw(6); changes > 0; changes--)
				change(&seed);
			exact = malloc(seed.size + (seed.size == 0));
			if (exact == NULL)
				return 2;
			memcpy(exact, seed.bytes, seed.size);
			read_all(exact, seed.size);
			free(exact);
		}
	}
	printf("inputs %lu\n", inputs);
	return 0;
}

/*
 * Reads one kind of message from stdin with the readers of wire.h, and prints its fields, or writes it again. What is
 * printed how is in prints.h, made from the schema. Exit code 1: malformed.
 */
#include <stdio.h>
#include <string.h>

#include "wire.h"

#include "prints.h"

static uint8_t input[1 << 22];

static int print_chunks(size_t size)
{
	size_t at = 0;

	while (at < size) {
		struct directory_chunk chunk;
		struct directory_entry entry;
		size_t used = directory_chunk_read(input + at, size - at, &chunk);

		if (used == 0)
			return 1;
		for (uint32_t i = 0; i < chunk.count; i++) {
			if (!directory_chunk_entry(&chunk, i, &entry))
				return 1;
			printf("entry %llu %d %d ", (unsigned long long)entry.inode, entry.type, entry.has_stat);
			for (size_t k = 0; k < entry.name_size; k++)
				printf("%02x", entry.name[k]);
			printf("\n");
			if (entry.has_stat)
				print_wire_stat(&entry.stat);
		}
		if (directory_chunk_entry(&chunk, chunk.count, &entry))
			return 1;
		at += used;
	}
	return 0;
}

int main(int count, char **arguments)
{
	size_t size = fread(input, 1, sizeof(input), stdin);
	const char *what = count > 1 ? arguments[1] : "";
	struct layer_request request;
	struct layer_reply reply;
	struct wire_file_system system;
	struct wire_address address;
	uint8_t out[LAYER_REPLY_SIZE];

	if (strcmp(what, "address") == 0) { /* as layers read it: as it is in memory */
		if (size != sizeof(address))
			return 1;
		memcpy(&address, input, sizeof(address));
		print_wire_address(&address);
		return 0;
	}
	if (strcmp(what, "chunks") == 0)
		return print_chunks(size);
	if (strcmp(what, "file_system") == 0) {
		if (!file_system_read(input, size, &system))
			return 1;
		print_wire_file_system(&system);
		return 0;
	}
	if (strncmp(what, "layer_request", 13) == 0) {
		if (!layer_request_read(input, size, &request))
			return 1;
		if (strstr(what, "_again") != NULL) {
			memset(out, 0xff, sizeof(out));
			layer_request_write(out, &request);
			return fwrite(out, 1, LAYER_REQUEST_SIZE, stdout) != LAYER_REQUEST_SIZE;
		}
		print_layer_request(&request);
		return 0;
	}
	if (strncmp(what, "layer_reply", 11) == 0) {
		if (!layer_reply_read(input, size, &reply))
			return 1;
		if (strstr(what, "_again") != NULL) {
			memset(out, 0xff, sizeof(out));
			layer_reply_write(out, &reply);
			return fwrite(out, 1, LAYER_REPLY_SIZE, stdout) != LAYER_REPLY_SIZE;
		}
		print_layer_reply(&reply);
		return 0;
	}
	return 2;
}

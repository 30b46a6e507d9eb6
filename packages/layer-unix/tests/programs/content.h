/*
 * Content whose every byte tells where it belongs and whose words are never zero: bytes that have not arrived show.
 * The word at offset N, a multiple of 8, is N + WORD, little endian. test_filling.py writes it.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Makes a descriptor standard input by a way that no layer sees. */
static inline void receive_as_input(int descriptor)
{
	int pair[2];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	char byte[1] = {0};
	struct iovec part = {byte, 1};
	struct msghdr packet = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sendmsg(pair[0], &packet, 0) == 1);
	CHECK(close(0) == 0 && recvmsg(pair[1], &packet, 0) == 1);
	memcpy(&descriptor, CMSG_DATA(&control.header), sizeof descriptor);
	CHECK(descriptor == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
}

/* ---- programs of cases: each has a file of its own, since one that was filled needs no waiting */

struct content_case {
	const char *name;
	void (*run)(void);
};

static const char *folder; /* where the file is */
static char *name;
static size_t size;

static inline int open_it(void)
{
	int descriptor = open(name, O_RDONLY);
	CHECK(descriptor >= 0);
	return descriptor;
}

/* Arguments: the folder, the file's name, the case. */
static inline int content_main(int argc, char **argv, const struct content_case *cases)
{
	struct stat status;
	CHECK(argc == 4);
	folder = argv[1];
	name = argv[2][0] == '/' ? argv[2] : below(folder, argv[2]);
	CHECK(stat(name, &status) == 0);
	size = (size_t)status.st_size;
	for (; cases->name; cases++)
		if (strcmp(cases->name, argv[3]) == 0) {
			cases->run();
			return 0;
		}
	return 9;
}

#endif

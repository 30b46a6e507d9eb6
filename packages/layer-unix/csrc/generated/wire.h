/*
 * The schema for C: the messages between layer and session, and what a listing is made of. Made from mirrord.capnp by
 * `python -m mirrord_protocol.cgen`; not to be edited. Nothing here allocates, and every offset is checked.
 */
#ifndef MIRRORD_WIRE_H
#define MIRRORD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_errno {
	WIRE_ERRNO_NONE = 0,
	WIRE_ERRNO_EPERM = 1,
	WIRE_ERRNO_ENOENT = 2,
	WIRE_ERRNO_ESRCH = 3,
	WIRE_ERRNO_EINTR = 4,
	WIRE_ERRNO_EIO = 5,
	WIRE_ERRNO_ENXIO = 6,
	WIRE_ERRNO_E2BIG = 7,
	WIRE_ERRNO_ENOEXEC = 8,
	WIRE_ERRNO_EBADF = 9,
	WIRE_ERRNO_EAGAIN = 10,
	WIRE_ERRNO_ENOMEM = 11,
	WIRE_ERRNO_EACCES = 12,
	WIRE_ERRNO_EFAULT = 13,
	WIRE_ERRNO_EBUSY = 14,
	WIRE_ERRNO_EEXIST = 15,
	WIRE_ERRNO_EXDEV = 16,
	WIRE_ERRNO_ENODEV = 17,
	WIRE_ERRNO_ENOTDIR = 18,
	WIRE_ERRNO_EISDIR = 19,
	WIRE_ERRNO_EINVAL = 20,
	WIRE_ERRNO_ENFILE = 21,
	WIRE_ERRNO_EMFILE = 22,
	WIRE_ERRNO_ENOTTY = 23,
	WIRE_ERRNO_ETXTBSY = 24,
	WIRE_ERRNO_EFBIG = 25,
	WIRE_ERRNO_ENOSPC = 26,
	WIRE_ERRNO_ESPIPE = 27,
	WIRE_ERRNO_EROFS = 28,
	WIRE_ERRNO_EMLINK = 29,
	WIRE_ERRNO_EPIPE = 30,
	WIRE_ERRNO_ERANGE = 31,
	WIRE_ERRNO_EDEADLK = 32,
	WIRE_ERRNO_ENAMETOOLONG = 33,
	WIRE_ERRNO_ENOLCK = 34,
	WIRE_ERRNO_ENOSYS = 35,
	WIRE_ERRNO_ENOTEMPTY = 36,
	WIRE_ERRNO_ELOOP = 37,
	WIRE_ERRNO_ENODATA = 38,
	WIRE_ERRNO_EOVERFLOW = 39,
	WIRE_ERRNO_ESTALE = 40,
	WIRE_ERRNO_EDQUOT = 41,
	WIRE_ERRNO_ENOTSUP = 42,
	WIRE_ERRNO_ECONNRESET = 43,
	WIRE_ERRNO_ETIMEDOUT = 44,
	WIRE_ERRNO_ECANCELED = 45,
	WIRE_ERRNO_EHOSTDOWN = 46,
	WIRE_ERRNO_EREMOTEIO = 47,
	WIRE_ERRNO_ESHUTDOWN = 48,
	WIRE_ERRNO_ECONNREFUSED = 49,
	WIRE_ERRNO_ECONNABORTED = 50,
	WIRE_ERRNO_EHOSTUNREACH = 51,
	WIRE_ERRNO_ENETUNREACH = 52,
	WIRE_ERRNO_ENETDOWN = 53,
	WIRE_ERRNO_ENETRESET = 54,
	WIRE_ERRNO_EADDRINUSE = 55,
	WIRE_ERRNO_EADDRNOTAVAIL = 56,
	WIRE_ERRNO_EAFNOSUPPORT = 57,
	WIRE_ERRNO_EPROTONOSUPPORT = 58,
	WIRE_ERRNO_EPROTOTYPE = 59,
	WIRE_ERRNO_EPROTO = 60,
	WIRE_ERRNO_EMSGSIZE = 61,
	WIRE_ERRNO_ENOBUFS = 62,
	WIRE_ERRNO_ENOTCONN = 63,
	WIRE_ERRNO_EISCONN = 64,
	WIRE_ERRNO_EINPROGRESS = 65,
	WIRE_ERRNO_EALREADY = 66,
	WIRE_ERRNO_EDESTADDRREQ = 67,
	WIRE_ERRNO_ENOTSOCK = 68,
	WIRE_ERRNO_ENOPROTOOPT = 69,
	WIRE_ERRNO_EPFNOSUPPORT = 70,
	WIRE_ERRNO_ESOCKTNOSUPPORT = 71,
	WIRE_ERRNO_ENONET = 72,
};

enum wire_layer_operation {
	WIRE_LAYER_OPERATION_OPEN = 0,
	WIRE_LAYER_OPERATION_STAT = 1,
	WIRE_LAYER_OPERATION_ACCESS = 2,
	WIRE_LAYER_OPERATION_READLINK = 3,
	WIRE_LAYER_OPERATION_REALPATH = 4,
	WIRE_LAYER_OPERATION_LIST = 5,
	WIRE_LAYER_OPERATION_ENTER = 6,
	WIRE_LAYER_OPERATION_IDENTIFY = 7,
	WIRE_LAYER_OPERATION_WAIT = 8,
	WIRE_LAYER_OPERATION_READ = 9,
	WIRE_LAYER_OPERATION_FILE_SYSTEM = 10,
	WIRE_LAYER_OPERATION_PLACE = 11,
	WIRE_LAYER_OPERATION_NOTICE = 12,
	WIRE_LAYER_OPERATION_TABLE = 13,
	WIRE_LAYER_OPERATION_RESOLVE = 14,
	WIRE_LAYER_OPERATION_REVERSE = 15,
	WIRE_LAYER_OPERATION_QUERY = 16,
	WIRE_LAYER_OPERATION_CONNECT = 17,
	WIRE_LAYER_OPERATION_CONNECTING = 18,
	WIRE_LAYER_OPERATION_OUTCOME = 19,
	WIRE_LAYER_OPERATION_DESCRIBE = 20,
	WIRE_LAYER_OPERATION_BIND = 21,
	WIRE_LAYER_OPERATION_LISTEN = 22,
	WIRE_LAYER_OPERATION_SEND = 23,
	WIRE_LAYER_OPERATION_HOSTNAME = 24,
};

enum wire_layer_resolve {
	WIRE_LAYER_RESOLVE_IPV4 = 0,
	WIRE_LAYER_RESOLVE_IPV6 = 1,
	WIRE_LAYER_RESOLVE_CANONICAL_NAME = 2,
	WIRE_LAYER_RESOLVE_CONFIGURED_ONLY = 3,
};

enum wire_layer_socket {
	WIRE_LAYER_SOCKET_NON_BLOCKING = 0,
	WIRE_LAYER_SOCKET_DATAGRAM = 1,
	WIRE_LAYER_SOCKET_IPV6 = 2,
	WIRE_LAYER_SOCKET_IPV6_ONLY = 3,
	WIRE_LAYER_SOCKET_UNIX = 4,
};

enum wire_layer_notice {
	WIRE_LAYER_NOTICE_STATIC = 0,
	WIRE_LAYER_NOTICE_PRIVILEGED = 1,
	WIRE_LAYER_NOTICE_GO = 2,
};

enum wire_layer_outcome {
	WIRE_LAYER_OUTCOME_DONE = 0,
	WIRE_LAYER_OUTCOME_LOCAL = 1,
	WIRE_LAYER_OUTCOME_FAILED = 2,
};

enum wire_layer_form {
	WIRE_LAYER_FORM_FOREIGN = 0,
	WIRE_LAYER_FORM_WHOLE = 1,
	WIRE_LAYER_FORM_FILLING = 2,
	WIRE_LAYER_FORM_REQUEST = 3,
	WIRE_LAYER_FORM_DIRECTORY = 4,
	WIRE_LAYER_FORM_STREAM = 5,
};

struct wire_stat {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	uint64_t blocks;
	uint64_t rdev;
	uint32_t mode;
	uint32_t links;
	uint32_t uid;
	uint32_t gid;
	uint32_t block_size;
	uint8_t allowed;
	bool has_born;
	uint32_t accessed_nanoseconds;
	uint32_t modified_nanoseconds;
	uint32_t changed_nanoseconds;
	uint32_t born_nanoseconds;
	int64_t accessed_seconds;
	int64_t modified_seconds;
	int64_t changed_seconds;
	int64_t born_seconds;
};

struct wire_file_system {
	uint64_t type;
	uint64_t block_size;
	uint64_t blocks;
	uint64_t blocks_free;
	uint64_t blocks_available;
	uint64_t files;
	uint64_t files_free;
	uint64_t id;
	uint64_t name_length;
	uint64_t fragment_size;
	uint64_t flags;
};

struct wire_address {
	uint16_t family;
	uint16_t port;
	uint32_t scope;
	uint64_t first;
	uint64_t second;
};

struct layer_request {
	enum wire_layer_operation operation;
	uint16_t payload;
	uint32_t flags;
	uint32_t mode;
	uint32_t process;
	uint64_t device;
	uint64_t inode;
	uint64_t offset;
	uint64_t length;
};

#define LAYER_REQUEST_SIZE 64

struct layer_reply {
	enum wire_layer_outcome outcome;
	enum wire_errno errno_code;
	enum wire_layer_form form;
	uint32_t payload;
	uint64_t offset;
	uint64_t length;
	uint64_t device;
	uint64_t inode;
	struct wire_stat stat;
};

#define LAYER_REPLY_SIZE 168

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

/*
 * read and its kin. Only files that are being filled, or are read by request, need anything here: the bytes that are
 * asked for must have arrived. While the table says that there is no such file, everything is passed on at once.
 */
#include "files.h"
#include "hook.h"
#include "network.h"

/* What to read, from a file that is watched. */
struct reading {
	int descriptor;
	struct identity identity;
	const struct iovec *parts;
	int count;
	int flags; /* of preadv2 */
};

static uint64_t size_of(const struct reading *reading)
{
	uint64_t size = 0;
	for (int i = 0; i < reading->count; i++)
		if (__builtin_add_overflow(size, reading->parts[i].iov_len, &size))
			return UINT64_MAX;
	return size;
}

/* Asks the session for the bytes. What came before an error counts. */
static ssize_t read_by_request(const struct reading *reading, uint64_t offset)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_READ,
	                                .device = reading->identity.device,
	                                .inode = reading->identity.inode};
	struct answer answer;
	ssize_t total = 0;
	int error = errno;
	for (int i = 0; i < reading->count; i++) {
		const struct iovec *part = &reading->parts[i];
		if (!part->iov_len)
			continue;
		request.offset = offset + (uint64_t)total;
		request.length = part->iov_len;
		if (link_ask(&request, NULL, 0, &answer, part->iov_base, part->iov_len) != 0) {
			if (!total)
				return -1;
			errno = error;
			break;
		}
		total += answer.reply.payload;
		if (answer.reply.payload < part->iov_len)
			break;
	}
	return total;
}

static ssize_t read_so(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
	return settled(sys_call6(SYS_preadv2, descriptor, (long)parts, count, offset, 0, flags));
}

static ssize_t read_at(const struct reading *reading, off_t offset)
{
	if (reading->identity.form == WIRE_LAYER_FORM_REQUEST) {
		/* The stand-in is empty: this reads nothing, and says which flags the kernel refuses. */
		if (reading->flags &&
		    read_so(reading->descriptor, reading->parts, reading->count, offset, reading->flags) < 0)
			return -1;
		return read_by_request(reading, (uint64_t)offset);
	}
	if (identity_wait(&reading->identity, (uint64_t)offset, size_of(reading)) != 0)
		return -1;
	if (reading->flags)
		return read_so(reading->descriptor, reading->parts, reading->count, offset, reading->flags);
	if (reading->count == 1)
		return libc.pread(reading->descriptor, reading->parts->iov_base, reading->parts->iov_len, offset);
	return libc.preadv(reading->descriptor, reading->parts, reading->count, offset);
}

/*
 * Reads at the kernel's offset. Others may read by the same offset meanwhile: the bytes are ours once the offset was
 * moved over them, which is one step for the kernel. If it wasn't where we had read, we read again where it was.
 */
static ssize_t read_next(const struct reading *reading)
{
	long offset = sys_lseek(reading->descriptor, 0, SEEK_CUR);
	if (offset < 0)
		return fail((int)-offset);
	ssize_t got = read_at(reading, offset);
	if (got <= 0)
		return got;
	long start = sys_lseek(reading->descriptor, got, SEEK_CUR) - got;
	if (start == offset || start < 0)
		return got;
	ssize_t again = read_at(reading, start);
	if (again >= got)
		return got;
	sys_lseek(reading->descriptor, (again < 0 ? 0 : again) - got, SEEK_CUR);
	return again;
}

__attribute__((noinline)) static ssize_t read_watched(int descriptor, const struct identity *identity, void *buffer,
                                                      size_t size, off_t offset)
{
	struct iovec part = {buffer, size};
	struct reading reading = {descriptor, *identity, &part, 1, 0};
	return offset < 0 ? read_next(&reading) : read_at(&reading, offset);
}

ssize_t hook_read(int descriptor, void *buffer, size_t size)
{
	struct identity identity = identity_watched(descriptor);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return network_told(descriptor, libc.read(descriptor, buffer, size));
	return read_watched(descriptor, &identity, buffer, size, -1);
}

/* A size beyond the room ends the program, in libc. */
ssize_t hook___read_chk(int descriptor, void *buffer, size_t size, size_t room)
{
	return size > room ? libc.__read_chk(descriptor, buffer, size, room) : hook_read(descriptor, buffer, size);
}

ssize_t hook_pread(int descriptor, void *buffer, size_t size, off_t offset)
{
	struct identity identity = identity_watched(descriptor);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN || offset < 0)
		return libc.pread(descriptor, buffer, size, offset);
	return read_watched(descriptor, &identity, buffer, size, offset);
}

ssize_t hook___pread_chk(int descriptor, void *buffer, size_t size, off_t offset, size_t room)
{
	if (size > room)
		return libc.__pread_chk(descriptor, buffer, size, offset, room);
	return hook_pread(descriptor, buffer, size, offset);
}

/* Whether the kernel will say EINVAL, or there is nothing to wait for. */
static bool odd(int count, off_t offset)
{
	return count <= 0 || count > IOV_MAX || offset < 0;
}

ssize_t hook_readv(int descriptor, const struct iovec *parts, int count)
{
	struct reading reading = {descriptor, identity_watched(descriptor), parts, count, 0};
	if (reading.identity.form == WIRE_LAYER_FORM_FOREIGN || odd(count, 0))
		return network_told(descriptor, libc.readv(descriptor, parts, count));
	return read_next(&reading);
}

ssize_t hook_preadv(int descriptor, const struct iovec *parts, int count, off_t offset)
{
	struct reading reading = {descriptor, identity_watched(descriptor), parts, count, 0};
	if (reading.identity.form == WIRE_LAYER_FORM_FOREIGN || odd(count, offset))
		return libc.preadv(descriptor, parts, count, offset);
	return read_at(&reading, offset);
}

/* With the offset -1 it is readv with flags. */
ssize_t hook_preadv2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct reading reading = {descriptor, identity_watched(descriptor), parts, count, flags};
	if (reading.identity.form == WIRE_LAYER_FORM_FOREIGN || odd(count, offset == -1 ? 0 : offset))
		return read_so(descriptor, parts, count, offset, flags);
	return offset == -1 ? read_next(&reading) : read_at(&reading, offset);
}

/* A filling file has holes where bytes are missing; the remote file has none that we know of. */
static off_t seek_in_filling(int descriptor, off_t offset, int whence)
{
	struct stat status;
	if (sys_fstat(descriptor, &status) != 0)
		return fail(EBADF);
	if (offset < 0 || offset >= status.st_size)
		return fail(ENXIO);
	return libc.lseek(descriptor, whence == SEEK_DATA ? offset : status.st_size, SEEK_SET);
}

off_t hook_lseek(int descriptor, off_t offset, int whence)
{
	if (__builtin_expect(whence == SEEK_DATA || whence == SEEK_HOLE, 0) &&
	    identity_watched(descriptor).form == WIRE_LAYER_FORM_FILLING)
		return seek_in_filling(descriptor, offset, whence);
	return libc.lseek(descriptor, offset, whence);
}

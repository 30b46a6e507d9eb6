/*
 * Content that goes elsewhere than into a buffer: mapped, moved to another descriptor within the kernel, or read by
 * libc in threads of its own. As in read.c, only files that are being filled or are read by request need anything here.
 */
#include "files.h"
#include "hook.h"
#include "image.h"

#include <aio.h>

enum { PORTION = 1 << 20 }; /* so much is waited for at once: the other side need not wait for all of it */

void *hook_mmap(void *where, size_t size, int protection, int flags, int descriptor, off_t offset)
{
	if (!(flags & MAP_ANONYMOUS) && descriptor >= 0) {
		struct identity identity = identity_watched(descriptor);
		if (identity.form == WIRE_LAYER_FORM_REQUEST) {
			fail(ENODEV); /* as of a file that can't be mapped */
			return MAP_FAILED;
		}
		if (identity.form == WIRE_LAYER_FORM_FILLING && offset >= 0 &&
		    identity_wait(&identity, (uint64_t)offset, size) != 0)
			return MAP_FAILED;
	}
	return libc.mmap(where, size, protection, flags, descriptor, offset);
}

/* Where a transfer starts: at the caller's offset, else at the kernel's. Negative: -errno. */
static long start_of(int descriptor, const off_t *offset)
{
	if (!offset)
		return sys_lseek(descriptor, 0, SEEK_CUR);
	return *offset < 0 ? -EINVAL : *offset;
}

/* Moves the offset that counts over what was transferred. */
static void advance(int descriptor, off_t *offset, ssize_t count)
{
	if (count <= 0)
		return;
	if (offset)
		*offset += count;
	else
		sys_lseek(descriptor, count, SEEK_CUR);
}

/* One buffer's worth of a file that the kernel can't read. */
__attribute__((noinline)) static ssize_t send_by_request(int to, const struct identity *identity, long start,
                                                         size_t size)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_READ,
	                                .device = identity->device,
	                                .inode = identity->inode,
	                                .offset = (uint64_t)start,
	                                .length = size < PIECE ? size : PIECE};
	struct answer answer;
	char *buffer = image_map(PIECE);
	if (!buffer)
		return fail(ENOMEM);
	long written = link_ask(&request, NULL, 0, &answer, buffer, request.length);
	if (written == 0 && answer.reply.payload)
		written = settled(sys_write(to, buffer, answer.reply.payload));
	image_unmap(buffer, PIECE);
	return written;
}

/* Portion by portion; what was sent before an error counts. */
__attribute__((noinline)) static ssize_t send_watched(int to, int from, const struct identity *identity, off_t *offset,
                                                      size_t size)
{
	ssize_t total = 0;
	int error = errno;
	while (size) {
		long start = start_of(from, offset);
		size_t portion = size < PORTION ? size : PORTION;
		ssize_t sent;
		if (start < 0) {
			sent = fail((int)-start);
		} else if (identity->form == WIRE_LAYER_FORM_REQUEST) {
			sent = send_by_request(to, identity, start, portion);
		} else if (identity_wait(identity, (uint64_t)start, portion) != 0) {
			sent = -1;
		} else {
			off_t at = start;
			sent = libc.sendfile(to, from, &at, portion);
		}
		advance(from, offset, sent);
		if (sent < 0 && total) {
			errno = error;
			break;
		}
		if (sent < 0)
			return -1;
		total += sent;
		size -= (size_t)sent;
		if (sent == 0 || (size_t)sent < portion)
			break;
	}
	return total;
}

ssize_t hook_sendfile(int to, int from, off_t *offset, size_t size)
{
	struct identity identity = identity_watched(from);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return libc.sendfile(to, from, offset, size);
	return send_watched(to, from, &identity, offset, size);
}

typedef ssize_t move_function(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags);

/* One portion: callers know that less than all may be moved. */
__attribute__((noinline)) static ssize_t move_watched(move_function *move, int from, off_t *offset, int to,
                                                      off_t *to_offset, size_t size, unsigned flags,
                                                      const struct identity *identity)
{
	long start = start_of(from, offset);
	size_t portion = size < PORTION ? size : PORTION;
	if (start < 0)
		return fail((int)-start);
	if (identity->form == WIRE_LAYER_FORM_REQUEST)
		return fail(EINVAL); /* as of a file that knows only read */
	if (identity_wait(identity, (uint64_t)start, portion) != 0)
		return -1;
	off_t at = start;
	ssize_t moved = move(from, &at, to, to_offset, portion, flags);
	advance(from, offset, moved);
	return moved;
}

static ssize_t copy_here(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags)
{
	return settled(
		sys_call6(SYS_copy_file_range, from, (long)from_offset, to, (long)to_offset, (long)size, flags));
}

ssize_t hook_copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags)
{
	struct identity identity = identity_watched(from);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return copy_here(from, from_offset, to, to_offset, size, flags);
	return move_watched(copy_here, from, from_offset, to, to_offset, size, flags, &identity);
}

ssize_t hook_splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags)
{
	struct identity identity = identity_watched(from);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return libc.splice(from, from_offset, to, to_offset, size, flags);
	return move_watched(libc.splice, from, from_offset, to, to_offset, size, flags, &identity);
}

/* ---- asynchronous reading, which libc does in threads of its own: what it will read must be there */

static int prepare(const struct aiocb *request)
{
	struct identity identity = identity_watched(request->aio_fildes);
	if (identity.form == WIRE_LAYER_FORM_REQUEST)
		return settle(request->aio_fildes);
	if (identity.form != WIRE_LAYER_FORM_FILLING || request->aio_offset < 0)
		return 0;
	return identity_wait(&identity, (uint64_t)request->aio_offset, request->aio_nbytes);
}

int hook_aio_read(struct aiocb *request)
{
	return prepare(request) == 0 ? libc.aio_read(request) : -1;
}

int hook_lio_listio(int mode, struct aiocb *const requests[], int count, struct sigevent *event)
{
	for (int i = 0; i < count; i++)
		if (requests[i] && requests[i]->aio_lio_opcode == LIO_READ && prepare(requests[i]) != 0)
			return -1;
	return libc.lio_listio(mode, requests, count, event);
}

/*
 * Streams of stdio. libc reads their descriptors without calling us, so the content must be there, as a file of the
 * kernel's own, before libc gets the descriptor: it is waited for, or fetched.
 */
#include "files.h"
#include "hook.h"

#include <sys/resource.h>

/* ---- content for those who don't call us */

enum { FETCHED = 64 << 20 }; /* the most that is fetched of a file read by request, whose size nobody knows */

/* Reads a whole file by request into a new memfd. Returns that, or -1 with errno. */
__attribute__((noinline)) static int fetch(const struct identity *identity)
{
	char buffer[16384];
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_READ,
	                                .device = identity->device,
	                                .inode = identity->inode,
	                                .length = sizeof buffer};
	struct answer answer;
	long memory = sys_call2(SYS_memfd_create, (long)"mirrord", MFD_CLOEXEC);
	if (memory < 0)
		return fail((int)-memory);
	do {
		long written = -EFBIG;
		if (link_ask(&request, NULL, 0, &answer, buffer, sizeof buffer) != 0)
			written = -errno;
		else if (request.offset < FETCHED)
			written = sys_write((int)memory, buffer, answer.reply.payload);
		if (written < 0) {
			sys_close((int)memory);
			return fail((int)-written);
		}
		request.offset += answer.reply.payload;
	} while (answer.reply.payload);
	return (int)memory;
}

/* A read-only reopening of the memfd, remembered as the remote file. Without /proc the memfd must do. */
static int reopen(int memory, const struct identity *identity)
{
	char path[32];
	struct stat status;
	struct layer_reply reply;
	descriptor_path(path, memory);
	long opened = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (opened < 0)
		return memory;
	sys_close(memory);
	int error = errno;
	if (identity_stat(identity, &reply) == 0 && sys_fstat((int)opened, &status) == 0) {
		reply.form = WIRE_LAYER_FORM_WHOLE;
		reply.device = status.st_dev;
		reply.inode = status.st_ino;
		identity_learn((int)opened, &reply);
	}
	errno = error;
	return (int)opened;
}

static int replace(int descriptor, const struct identity *identity)
{
	long flags = sys_fcntl(descriptor, F_GETFD, 0), offset = sys_lseek(descriptor, 0, SEEK_CUR);
	int content = fetch(identity);
	if (content < 0)
		return -1;
	content = reopen(content, identity);
	sys_lseek(content, offset < 0 ? 0 : offset, SEEK_SET);
	long result = sys_call3(SYS_dup3, content, descriptor, flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	sys_close(content);
	return result < 0 ? fail((int)-result) : 0;
}

int settle(int descriptor)
{
	struct identity identity = identity_watched(descriptor);
	if (identity.form == WIRE_LAYER_FORM_FILLING)
		return identity_wait(&identity, 0, UINT64_MAX);
	return identity.form == WIRE_LAYER_FORM_REQUEST ? replace(descriptor, &identity) : 0;
}

/* Where it fails, a descriptor that can't be read takes its place: an error is better than bytes that aren't there. */
static void settle_surely(int descriptor)
{
	int error = errno;
	if (settle(descriptor) != 0) {
		long flags = sys_fcntl(descriptor, F_GETFD, 0), none = sys_openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
		if (none >= 0) {
			sys_call3(SYS_dup3, none, descriptor, flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
			sys_close((int)none);
		} else {
			sys_close(descriptor);
		}
	}
	errno = error;
}

void settle_standard_input(void)
{
	settle_surely(STDIN_FILENO);
}

/* The numbers are tried one by one: without /proc, memory or a stack to speak of, as a vfork child has to. */
void settle_inherited(bool passed_on)
{
	enum { MOST = 1 << 16 };
	struct rlimit limit = {.rlim_cur = 0};
	if (layer.shared && !__atomic_load_n(&layer.shared->watched, __ATOMIC_RELAXED))
		return;
	sys_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	for (int descriptor = 0; descriptor < MOST && (rlim_t)descriptor < limit.rlim_cur; descriptor++) {
		long flags = sys_fcntl(descriptor, F_GETFD, 0);
		if (flags >= 0 && (passed_on || !(flags & FD_CLOEXEC)))
			settle_surely(descriptor);
	}
}

/* ---- streams */

/* The O_* flags of a stream's mode; -1 for one that libc refuses. */
static int flags_of(const char *mode)
{
	int flags;
	switch (mode ? *mode : 0) {
	case 'r':
		flags = O_RDONLY;
		break;
	case 'w':
		flags = O_WRONLY | O_CREAT | O_TRUNC;
		break;
	case 'a':
		flags = O_WRONLY | O_CREAT | O_APPEND;
		break;
	default:
		return -1;
	}
	for (mode++; *mode && *mode != ','; mode++)
		switch (*mode) {
		case '+':
			flags = (flags & ~O_ACCMODE) | O_RDWR;
			break;
		case 'x':
			flags |= O_EXCL;
			break;
		case 'e':
			flags |= O_CLOEXEC;
			break;
		default:
			break;
		}
	return flags;
}

static bool passes(int flags, const char *path)
{
	return flags < 0 || ask_passes(open_intent(flags), AT_FDCWD, path);
}

/* What libc opened may still be a stand-in: by a name such as /dev/stdin or /proc/self/fd/3. */
static FILE *checked(FILE *stream)
{
	if (stream && settle(fileno(stream)) != 0) {
		int error = errno;
		fclose(stream);
		errno = error;
		return NULL;
	}
	return stream;
}

/*
 * Opens for a stream. SIDE_DONE: `*descriptor` is the remote file, all of it readable. SIDE_MOVED: the path is in
 * `room`.
 */
static enum side open_stream(const char *path, int flags, int *descriptor, char *room)
{
	struct ask ask = {.path = room, .path_size = PATH_MAX};
	enum side side = ask_path(WIRE_LAYER_OPERATION_OPEN, open_intent(flags), AT_FDCWD, path, (uint32_t)flags, 0666, &ask);
	if (side != SIDE_DONE)
		return side;
	*descriptor = open_finish(ask.answer.descriptors[0], flags);
	if (*descriptor < 0)
		return SIDE_FAILED;
	if (settle(*descriptor) == 0)
		return SIDE_DONE;
	sys_close(*descriptor);
	return SIDE_FAILED;
}

/* Puts the descriptor in the place of the one that a stream has, closed on exec or not as that was. */
static FILE *exchange(FILE *stream, int descriptor)
{
	if (stream) {
		long flags = sys_fcntl(fileno(stream), F_GETFD, 0);
		sys_call3(SYS_dup3, descriptor, fileno(stream), flags > 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	}
	sys_close(descriptor);
	return stream;
}

/*
 * fdopen knows nothing of a character set, so such a stream is opened on another file first. The remote file moves away
 * meanwhile, so that the stream gets the lowest number.
 */
static FILE *open_with_set(const char *mode, int descriptor)
{
	int high = descriptor_high(descriptor);
	if (high < 0) {
		sys_close(descriptor);
		fail(-high);
		return NULL;
	}
	sys_close(descriptor);
	return exchange(libc.fopen("/dev/null", mode), high);
}

__attribute__((noinline)) static FILE *fopen_asked(const char *path, const char *mode, int flags)
{
	char room[PATH_MAX];
	int descriptor;
	switch (open_stream(path, flags, &descriptor, room)) {
	case SIDE_LOCAL:
		return checked(libc.fopen(path, mode));
	case SIDE_MOVED:
		return checked(libc.fopen(room, mode));
	case SIDE_DONE:
		break;
	default:
		return NULL;
	}
	if (strstr(mode, ",ccs="))
		return open_with_set(mode, descriptor);
	FILE *stream = libc.fdopen(descriptor, mode);
	if (!stream)
		sys_close(descriptor);
	return stream;
}

FILE *hook_fopen(const char *path, const char *mode)
{
	int flags = flags_of(mode);
	if (passes(flags, path))
		return checked(libc.fopen(path, mode));
	return fopen_asked(path, mode, flags);
}

/* The stream stays the same, so it is opened on another file, whose descriptor is replaced. */
__attribute__((noinline)) static FILE *freopen_asked(const char *path, const char *mode, FILE *stream, int flags)
{
	char room[PATH_MAX];
	int descriptor;
	switch (open_stream(path, flags, &descriptor, room)) {
	case SIDE_LOCAL:
		return checked(libc.freopen(path, mode, stream));
	case SIDE_MOVED:
		return checked(libc.freopen(room, mode, stream));
	case SIDE_DONE:
		return exchange(libc.freopen("/dev/null", mode, stream), descriptor);
	default: {
		int error = errno;
		libc.freopen("", mode, stream); /* a failure closes the stream too */
		fail(error);
		return NULL;
	}
	}
}

FILE *hook_freopen(const char *path, const char *mode, FILE *stream)
{
	int flags = flags_of(mode);
	if (passes(flags, path))
		return checked(libc.freopen(path, mode, stream));
	return freopen_asked(path, mode, stream, flags);
}

FILE *hook_fdopen(int descriptor, const char *mode)
{
	return settle(descriptor) == 0 ? libc.fdopen(descriptor, mode) : NULL;
}

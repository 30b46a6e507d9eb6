/*
 * The layer's own system calls, made without libc: no hook is re-entered, no cancellation point is added, errno and
 * thread-local storage stay untouched. Each returns what the kernel does: a result, or -errno.
 */
#ifndef MIRRORD_SYS_H
#define MIRRORD_SYS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

#if defined(__x86_64__)

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

#else
#error "the layer has no system calls for this machine"
#endif

#define sys_call5(number, a, b, c, d, e) sys_call6(number, a, b, c, d, e, 0)
#define sys_call4(number, a, b, c, d) sys_call6(number, a, b, c, d, 0, 0)
#define sys_call3(number, a, b, c) sys_call6(number, a, b, c, 0, 0, 0)
#define sys_call2(number, a, b) sys_call6(number, a, b, 0, 0, 0, 0)
#define sys_call1(number, a) sys_call6(number, a, 0, 0, 0, 0, 0)

/* Newer than the headers of the oldest libc that we build for. */
#ifndef SYS_statx
#ifdef __x86_64__
#define SYS_statx 332
#else
#define SYS_statx 291
#endif
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

#ifndef SYS_copy_file_range
#ifdef __x86_64__
#define SYS_copy_file_range 326
#else
#define SYS_copy_file_range 285
#endif
#endif
#ifndef SYS_preadv2
#ifdef __x86_64__
#define SYS_preadv2 327
#else
#define SYS_preadv2 286
#endif
#endif

static inline long sys_close(int descriptor)
{
	return sys_call1(SYS_close, descriptor);
}

static inline long sys_openat(int directory, const char *path, int flags, unsigned mode)
{
	return sys_call4(SYS_openat, directory, (long)path, flags, mode);
}

static inline long sys_read(int descriptor, void *buffer, size_t size)
{
	return sys_call3(SYS_read, descriptor, (long)buffer, (long)size);
}

static inline long sys_pread(int descriptor, void *buffer, size_t size, uint64_t offset)
{
	return sys_call4(SYS_pread64, descriptor, (long)buffer, (long)size, (long)offset);
}

static inline long sys_write(int descriptor, const void *buffer, size_t size)
{
	return sys_call3(SYS_write, descriptor, (long)buffer, (long)size);
}

static inline long sys_lseek(int descriptor, int64_t offset, int whence)
{
	return sys_call3(SYS_lseek, descriptor, offset, whence);
}

static inline long sys_fstat(int descriptor, struct stat *status)
{
	return sys_call2(SYS_fstat, descriptor, (long)status);
}

static inline long sys_fstatat(int directory, const char *path, struct stat *status, int flags)
{
	return sys_call4(SYS_newfstatat, directory, (long)path, (long)status, flags);
}

static inline long sys_readlinkat(int directory, const char *path, char *buffer, size_t size)
{
	return sys_call4(SYS_readlinkat, directory, (long)path, (long)buffer, (long)size);
}

static inline long sys_faccessat(int directory, const char *path, int mode)
{
	return sys_call3(SYS_faccessat, directory, (long)path, mode);
}

static inline long sys_fcntl(int descriptor, int command, long argument)
{
	return sys_call3(SYS_fcntl, descriptor, command, argument);
}

static inline long sys_mmap(void *where, size_t size, int protection, int flags, int descriptor, int64_t offset)
{
	return sys_call6(SYS_mmap, (long)where, (long)size, protection, flags, descriptor, offset);
}

static inline long sys_munmap(void *where, size_t size)
{
	return sys_call2(SYS_munmap, (long)where, (long)size);
}

static inline long sys_socket(int domain, int type, int protocol)
{
	return sys_call3(SYS_socket, domain, type, protocol);
}

static inline long sys_socketpair(int domain, int type, int protocol, int *pair)
{
	return sys_call4(SYS_socketpair, domain, type, protocol, (long)pair);
}

static inline long sys_connect(int descriptor, const void *address, size_t size)
{
	return sys_call3(SYS_connect, descriptor, (long)address, (long)size);
}

static inline long sys_bind(int descriptor, const void *address, size_t size)
{
	return sys_call3(SYS_bind, descriptor, (long)address, (long)size);
}

static inline long sys_getsockname(int descriptor, void *address, socklen_t *size)
{
	return sys_call3(SYS_getsockname, descriptor, (long)address, (long)size);
}

static inline long sys_getpeername(int descriptor, void *address, socklen_t *size)
{
	return sys_call3(SYS_getpeername, descriptor, (long)address, (long)size);
}

static inline long sys_getsockopt(int descriptor, int level, int name, void *value, socklen_t *size)
{
	return sys_call5(SYS_getsockopt, descriptor, level, name, (long)value, (long)size);
}

static inline long sys_sendto(int descriptor, const void *data, size_t size, int flags, const void *to, size_t length)
{
	return sys_call6(SYS_sendto, descriptor, (long)data, (long)size, flags, (long)to, (long)length);
}

static inline long sys_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
	return sys_call3(SYS_sendmsg, descriptor, (long)message, flags);
}

static inline long sys_recvmsg(int descriptor, struct msghdr *message, int flags)
{
	return sys_call3(SYS_recvmsg, descriptor, (long)message, flags);
}

/* Waits without a time limit. */
static inline long sys_poll(struct pollfd *descriptors, size_t count)
{
	return sys_call5(SYS_ppoll, (long)descriptors, (long)count, 0, 0, 8);
}

static inline long sys_getpid(void)
{
	return sys_call1(SYS_getpid, 0);
}

/* Whether a result of the above is an error. */
static inline int sys_failed(long result)
{
	return (unsigned long)result > -4096UL;
}

#endif

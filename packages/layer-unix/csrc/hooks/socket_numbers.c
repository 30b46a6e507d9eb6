/* Calls of sockets by number: which hook each goes to, with its arguments' types. Called by hook_syscall. */
#include "hook.h"
#include "numbers.h"

#define TO(number, call)             \
	case SYS_##number:           \
		*result = (long)(call); \
		return true;

#define IN(argument) ((const void *)(argument))
#define OUT(argument) ((void *)(argument))

bool socket_call(long number, const long a[6], long *result)
{
	switch (number) {
		TO(socket, hook_socket((int)a[0], (int)a[1], (int)a[2]))
		TO(connect, hook_connect((int)a[0], IN(a[1]), (socklen_t)a[2]))
		TO(getsockopt, hook_getsockopt((int)a[0], (int)a[1], (int)a[2], OUT(a[3]), OUT(a[4])))
		TO(bind, hook_bind((int)a[0], IN(a[1]), (socklen_t)a[2]))
		TO(listen, hook_listen((int)a[0], (int)a[1]))
		TO(accept, hook_accept((int)a[0], OUT(a[1]), OUT(a[2])))
		TO(accept4, hook_accept4((int)a[0], OUT(a[1]), OUT(a[2]), (int)a[3]))
		TO(getsockname, hook_getsockname((int)a[0], OUT(a[1]), OUT(a[2])))
		TO(getpeername, hook_getpeername((int)a[0], OUT(a[1]), OUT(a[2])))
		TO(sendto, hook_sendto((int)a[0], IN(a[1]), (size_t)a[2], (int)a[3], IN(a[4]), (socklen_t)a[5]))
		TO(sendmsg, hook_sendmsg((int)a[0], IN(a[1]), (int)a[2]))
		TO(sendmmsg, hook_sendmmsg((int)a[0], OUT(a[1]), (unsigned)a[2], (int)a[3]))
		TO(recvfrom, hook_recvfrom((int)a[0], OUT(a[1]), (size_t)a[2], (int)a[3], OUT(a[4]), OUT(a[5])))
		TO(recvmsg, hook_recvmsg((int)a[0], OUT(a[1]), (int)a[2]))
		TO(recvmmsg, hook_recvmmsg((int)a[0], OUT(a[1]), (unsigned)a[2], (int)a[3], OUT(a[4])))
		TO(write, hook_write((int)a[0], IN(a[1]), (size_t)a[2]))
		TO(writev, hook_writev((int)a[0], IN(a[1]), (int)a[2]))
	default:
		return false;
	}
}

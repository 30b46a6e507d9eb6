/*
 * Calls that send and receive without an address. They are the kernel's; but the first one on a socket whose connect
 * failed is where some programs learn of it, so it says what the target said.
 */
#include "hook.h"
#include "network.h"

ssize_t hook_write(int descriptor, const void *data, size_t size)
{
	return network_told(descriptor, libc.write(descriptor, data, size));
}

ssize_t hook_writev(int descriptor, const struct iovec *parts, int count)
{
	return network_told(descriptor, libc.writev(descriptor, parts, count));
}

ssize_t hook_send(int descriptor, const void *data, size_t size, int flags)
{
	return network_told(descriptor, libc.send(descriptor, data, size, flags));
}

ssize_t hook_recv(int descriptor, void *data, size_t size, int flags)
{
	return network_told(descriptor, libc.recv(descriptor, data, size, flags));
}

ssize_t hook___recv_chk(int descriptor, void *data, size_t size, size_t room, int flags)
{
	return network_told(descriptor, libc.__recv_chk(descriptor, data, size, room, flags));
}

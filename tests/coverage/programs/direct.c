/* Opens its first argument by a system call of its own, which no preloaded library can see. */
#include <fcntl.h>

int main(int count, char **arguments)
{
	long result = 257; /* openat, on x86-64 */
	register long flags __asm__("rdx") = O_RDONLY;
	(void)count;
	__asm__ volatile("syscall"
	                 : "+a"(result)
	                 : "D"((long)AT_FDCWD), "S"(arguments[1]), "r"(flags)
	                 : "rcx", "r11", "memory");
	return result < 0;
}

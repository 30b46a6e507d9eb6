/* Linked without a loader and without libc, so that no layer can be in it. Compiled with -static -nostdlib. */

static long call(long number, long a, long b, long c)
{
	__asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return number;
}

__attribute__((used)) static void run(long *stack)
{
	const char *word = stack[0] > 1 ? (const char *)stack[2] : "it";
	long length = 0;
	while (word[length])
		length++;
	call(1, 1, (long)word, length);
	call(1, 1, (long)" ran\n", 5);
	call(231, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
